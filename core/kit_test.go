package core_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

const (
	ms  = core.Instant(time.Millisecond)
	sec = core.Instant(time.Second)
)

// gate is a core.Gate that says what it is told to and writes down what it hears.
type gate struct {
	verdict core.Verdict
	refuses bool // Acquire refuses, whatever Peek said
	permit  core.Permit
	hears   func(core.Sample) // of what is settled; nil for nobody

	acquired, released, forced int
	answered, settled          []core.Sample
	permits                    []core.Permit // of Release, Answered and Settle
}

func (g *gate) Peek(core.Instant) core.Verdict { return g.verdict }

func (g *gate) Acquire(_ core.Instant, forced bool) (core.Permit, bool) {
	if g.refuses || !g.verdict.Open() && !(forced && g.verdict == core.Barred) {
		return 0, false
	}
	g.acquired++
	if forced {
		g.forced++
	}
	return g.permit, true
}

func (g *gate) Release(p core.Permit, _ core.Instant) {
	g.released++
	g.permits = append(g.permits, p)
}

func (g *gate) Answered(p core.Permit, _ core.Instant, s core.Sample) {
	g.answered, g.permits = append(g.answered, s), append(g.permits, p)
}

func (g *gate) Settle(p core.Permit, _ core.Instant, s core.Sample) {
	g.settled, g.permits = append(g.settled, s), append(g.permits, p)
	if g.hears != nil {
		g.hears(s)
	}
}

// inOrder chooses the first member that may take work, in the mode it is told.
type inOrder struct{ mode core.Mode }

func (p inOrder) Pick(v *core.View, a *core.Ask, now core.Instant, _ rand.Source) (core.Choice, bool) {
	for slot, m := range v.Members {
		verdict := a.Verdict(m, now)
		if verdict.Open() || p.mode == core.Panic && verdict == core.Barred {
			return core.Choice{Slot: slot, Mode: p.mode}, true
		}
	}
	return core.Choice{}, false
}

// pool is a router over members with one gate each.
type pool struct {
	*core.Router
	gates map[string]*gate
}

// newPool makes a pool of members of weight 1. What c leaves out is filled in: the
// picker is inOrder, the parts are one gate.
func newPool(t *testing.T, c core.Config, keys ...string) pool {
	t.Helper()
	p := pool{gates: map[string]*gate{}}
	if c.Picker == nil {
		c.Picker = inOrder{}
	}
	if c.Source == nil {
		c.Source = rand.NewPCG(1, 2)
	}
	if c.Equip == nil {
		c.Equip = func(m *core.Member) core.Parts {
			g := &gate{}
			p.gates[m.Key] = g
			return core.Parts{Gates: []core.Gate{g}}
		}
	}
	p.Router = core.NewRouter(c)
	update(t, p.Router, endpoints(keys...)...)
	return p
}

func endpoints(keys ...string) []core.Endpoint {
	var es []core.Endpoint
	for _, k := range keys {
		es = append(es, core.Endpoint{Key: k, Weight: 1})
	}
	return es
}

func update(t *testing.T, r *core.Router, es ...core.Endpoint) {
	t.Helper()
	if err := r.Update(0, es); err != nil {
		t.Fatal(err)
	}
}

func (p pool) member(key string) *core.Member {
	for _, m := range p.View().Members {
		if m.Key == key {
			return m
		}
	}
	return nil
}

func (p pool) pending() int {
	sum := 0
	for _, m := range p.View().Members {
		sum += m.Pending()
	}
	return sum
}

// outcome is a sample with nothing but an outcome.
func outcome(o core.Outcome) core.Sample { return core.Sample{Outcome: o} }

// movable is a core.Limiter whose limit the test moves, and that writes down what it
// hears.
type movable struct {
	limit    atomic.Int64
	mu       sync.Mutex
	learned  []core.Sample
	inFlight []int
}

func limitOf(n int) *movable {
	m := &movable{}
	m.limit.Store(int64(n))
	return m
}

func (m *movable) Limit() int { return int(m.limit.Load()) }

func (m *movable) Learn(_ core.Instant, s core.Sample, inFlight int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.learned, m.inFlight = append(m.learned, s), append(m.inFlight, inFlight)
}

func (m *movable) State() core.LimiterState { return core.NewLimiterState(float64(m.Limit())) }

// admission is one with a limit that the test moves.
func admission(limit, room int, wait time.Duration) (*core.Admission, *movable) {
	m := limitOf(limit)
	return core.NewAdmission(core.AdmissionSettings{Limiter: m, Room: room, MaxWait: wait}), m
}
