package proxy

import (
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/explain"
)

// A request that nobody asks about allocates nothing for it, whatever is set up.
func TestNoAccountAllocatesNothing(t *testing.T) {
	log := explain.NewLog("web", 1000, 64)
	log.Wants(1<<62, 0) // nothing more for 146 years
	ranges := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for name, c := range map[string]struct {
		log    *explain.Log
		ranges []netip.Prefix
		asks   string
	}{
		"off":                    {nil, nil, ""},
		"off, and somebody asks": {nil, nil, "1"},
		"sampled":                {log, nil, ""},
		"on, and nobody asks":    {log, ranges, ""},
	} {
		p := &Proxy{options: Options{Explain: c.ranges}}
		route := &Route{Pool: &Pool{Decisions: c.log}}
		r := httptest.NewRequest("GET", "/", nil)
		if c.asks != "" {
			r.Header.Set(explain.AskHeader, c.asks)
		}
		now := core.Instant(0)
		if got := testing.AllocsPerRun(1000, func() {
			now += 1e6
			a := p.account(route, r, now)
			if a != nil {
				t.Fatalf("%s: got an account", name)
			}
			a.decided(route.Pool, 1)
			a.tell(r.Header)
		}); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, got)
		}
	}
}
