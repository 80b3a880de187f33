package serve

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
	"github.com/evenkeel/evenkeel/core/proxy"
)

// gate is a core.Stateful gate that says what it is told to.
type gate struct {
	verdict core.Verdict
	state   core.State
}

func (g *gate) Peek(core.Instant) core.Verdict                { return g.verdict }
func (g *gate) State(core.Instant) core.State                 { return g.state }
func (*gate) Acquire(core.Instant, bool) (core.Permit, bool)  { return 0, true }
func (*gate) Release(core.Permit, core.Instant)               {}
func (*gate) Answered(core.Permit, core.Instant, core.Sample) {}
func (*gate) Settle(core.Permit, core.Instant, core.Sample)   {}

// moody is a picker in a mode that it is told.
type moody struct {
	pick.RoundRobin
	mode core.Mode
}

func (m *moody) Mode() (core.Mode, core.Reason) { return m.mode, core.FewReady }

// watched is a pool for the watch.
type watched struct {
	*pool
	picker *moody
	gates  map[string]*gate
	keys   []string
	drains bool // the first
}

func newWatched(t *testing.T, n int) *watched {
	w := &watched{picker: &moody{}, gates: map[string]*gate{}}
	router := core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)}, Picker: w.picker,
		Equip: func(m *core.Member) core.Parts {
			w.gates[m.Key] = &gate{}
			return core.Parts{Gates: []core.Gate{w.gates[m.Key]}}
		},
	})
	w.pool = &pool{Pool: &proxy.Pool{Name: "web", Router: router}}
	for i := range n {
		w.keys = append(w.keys, fmt.Sprintf("e%02d", i))
	}
	w.update(t)
	return w
}

func (w *watched) update(t *testing.T) {
	t.Helper()
	var all []core.Endpoint
	for i, key := range w.keys {
		weight := 1.0
		if w.drains && i == 0 {
			weight = 0
		}
		all = append(all, core.Endpoint{Key: key, Weight: weight})
	}
	if err := w.Router.Update(0, all); err != nil {
		t.Fatal(err)
	}
}

func TestWatch(t *testing.T) {
	p := newWatched(t, 2)
	said := &bytes.Buffer{}
	w := &watch{log: slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))}
	set := func(key string, v core.Verdict, s core.State) func() {
		return func() { *p.gates[key] = gate{v, s} }
	}
	const out, back = `level=WARN msg="endpoint has fallen out of use" pool=web endpoint=`, `level=INFO msg="endpoint is back in use" pool=web endpoint=`
	for i, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, ""},
		{set("e00", core.Full, core.Closed), ""},
		{set("e00", core.Barred, core.Closed), out + `e00 because="health checks"` + "\n"},
		{set("e00", core.Barred, core.Closed), ""},
		{set("e00", core.Ready, core.Closed), back + "e00\n"},
		{set("e01", core.Barred, core.Open), out + "e01 because=breaker\n"},
		{set("e01", core.Probing, core.HalfOpen), ""}, // it is tried
		{set("e01", core.Barred, core.Open), ""},
		{set("e01", core.Full, core.HalfOpen), ""},
		{set("e01", core.Full, core.Closed), back + "e01\n"},
		{func() { p.picker.mode = core.Panic }, `level=WARN msg="pool panics: barred endpoints are asked, too" pool=web reason=few-ready` + "\n"},
		{func() {}, ""},
		{func() { p.picker.mode = core.Fallback }, `level=INFO msg="pool does not panic any more" pool=web` + "\n"},
		{set("e00", core.Barred, core.Closed), out + `e00 because="health checks"` + "\n"},
		{func() { p.drains = true; p.update(t) }, ""},
		{func() { p.drains = false; p.update(t) }, out + `e00 because="health checks"` + "\n"},
		{func() { p.keys = p.keys[1:]; p.update(t) }, ""}, // it has left
		{func() { p.keys = []string{"e00", "e01"}; p.update(t) }, ""},
	} {
		step.do()
		said.Reset()
		w.look(core.Instant(i)*core.Instant(time.Second), []*pool{p.pool})
		if got := said.String(); got != step.want {
			t.Errorf("step %d: got %q, want %q", i, got, step.want)
		}
	}
}

// When very many go at once, some are named and the rest are counted.
func TestWatchOfMany(t *testing.T) {
	p := newWatched(t, mostTold+5)
	said := &bytes.Buffer{}
	w := &watch{log: slog.New(slog.NewTextHandler(said, nil))}
	for _, g := range p.gates {
		g.verdict = core.Barred
	}
	w.look(0, []*pool{p.pool})
	if got := strings.Count(said.String(), "endpoint="); got != mostTold {
		t.Errorf("named: got %d, want %d", got, mostTold)
	}
	if !strings.Contains(said.String(), "endpoints=5") {
		t.Errorf("got %s, want 5 that are counted", said)
	}
	said.Reset()
	w.look(1, []*pool{p.pool})
	if said.Len() > 0 {
		t.Errorf("said again: %s", said)
	}
}
