package explain_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/explain"
)

// decided is a decision among members of these keys, of which the first has won.
func decided(keys ...string) *core.Decision {
	d := &core.Decision{Mode: core.Adaptive, Merit: core.Cheapest}
	for _, k := range keys {
		d.Consider(&core.Member{Key: k}, core.Ready, 0)
	}
	d.Winner = d.Candidates[0].Member
	return d
}

func TestHeader(t *testing.T) {
	full := decided("10.0.0.1:80", "10.0.0.2:80")
	full.Candidates[0].Parts = core.CostParts{Known: true, Cost: 0.0125}
	full.Candidates[1].Verdict, full.Candidates[1].Pending = core.Full, 8
	full.Candidates[1].Parts = core.CostParts{Cost: 1e6} // a stand-in
	fallback := decided("a")
	fallback.Mode, fallback.Reason, fallback.Merit = core.Fallback, core.SignalThin, core.Turn
	fallback.Candidates[0].Parts = core.CostParts{Known: true, Cost: 1e9} // 1e12 ms has 13 digits
	nobody := decided("a")
	nobody.Winner, nobody.Merit, nobody.Candidates[0].Verdict = nil, core.MeritNone, core.Drained
	odd := decided("a\"b\\c\x00\r\nd\xc3\xa9\x7f")
	for name, c := range map[string]struct {
		pool    string
		d       *core.Decision
		attempt int
		want    string
	}{
		"full": {"web", full, 1, `("10.0.0.1:80";verdict=ready;pending=0;cost=12.500 "10.0.0.2:80";verdict=full;pending=8)` +
			`;attempt=1;pool="web";mode=adaptive;reason=none;why=cheapest;considered=2`},
		"fallback": {"web", fallback, 2, `("a";verdict=ready;pending=0);attempt=2;pool="web";mode=fallback;reason=signal-thin;why=turn;considered=1`},
		"nobody":   {"w", nobody, 3, `("a";verdict=drained;pending=0);attempt=3;pool="w";mode=adaptive;reason=none;why=none;considered=1;won=?0`},
		"escaped": {"a\n", odd, 1, `("a\"b\\c???d???";verdict=ready;pending=0);attempt=1;pool="a?";` +
			`mode=adaptive;reason=none;why=cheapest;considered=1`},
		"empty": {"", &core.Decision{}, 1, `();attempt=1;pool="";mode=adaptive;reason=none;why=none;considered=0;won=?0`},
	} {
		if got := explain.Header(c.pool, c.d, c.attempt); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// Many long names: those that there is room for are told, the winner always.
func TestHeaderIsBounded(t *testing.T) {
	var keys []string
	for range 2 * core.MaxCandidates {
		keys = append(keys, strings.Repeat(`"`, 300))
	}
	got := explain.Header(strings.Repeat(`\`, 300), decided(keys...), 4)
	name := strings.Repeat(`\"`, 64)
	if len(got) > explain.MaxHeader || len(got) < explain.MaxHeader-200 {
		t.Errorf("length: got %d, want nearly %d", len(got), explain.MaxHeader)
	}
	if !strings.HasPrefix(got, `("`+name+`";verdict=ready`) || !strings.HasSuffix(got, fmt.Sprint(";considered=", 2*core.MaxCandidates)) || strings.Count(got, "verdict") < 2 {
		t.Errorf("got %s", got)
	}
}

func FuzzHeader(f *testing.F) {
	f.Add("web", "10.0.0.1:80", 1e-3, 3)
	f.Add("\"\\\r\n", "\xff", -1e300, 100)
	f.Fuzz(func(t *testing.T, pool, key string, cost float64, n int) {
		var keys []string
		for range min(max(n, 0), 20) + 1 {
			keys = append(keys, key)
		}
		d := decided(keys...)
		for i := range d.Listed() {
			d.Candidates[i].Parts = core.CostParts{Known: true, Cost: cost}
		}
		got := explain.Header(pool, d, n)
		if len(got) > explain.MaxHeader {
			t.Errorf("%d bytes, want at most %d", len(got), explain.MaxHeader)
		}
		quoted, escaped := false, false
		for _, c := range []byte(got) {
			switch {
			case c < ' ' || c > '~':
				t.Fatalf("byte %#x in %q", c, got)
			case escaped:
				escaped = false
			case c == '\\':
				escaped = true
			case c == '"':
				quoted = !quoted
			}
		}
		if quoted || escaped || !strings.HasPrefix(got, `("`) {
			t.Errorf("quotes do not match in %q", got)
		}
	})
}
