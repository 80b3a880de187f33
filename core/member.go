package core

import (
	"math"
	"sync/atomic"
)

// MaxGates is the most gates that one member can have.
const MaxGates = 4

// Endpoint is one address of a pool as its source describes it.
type Endpoint struct {
	// Key identifies the endpoint: what was learned of it is kept by key.
	Key string
	// Weight is its share of the traffic relative to the others; 0 drains it.
	Weight float64
	// Target is the driver's own: what it sends to. The kernel never looks at it.
	// A member keeps the target that it was made with.
	Target any
}

// Parts is what a member is equipped with.
type Parts struct {
	Gates     []Gate // at most MaxGates
	Estimator Estimator
}

// Member is an endpoint as one router knows it. It lives as long as its key stays
// in the router's pool, whatever happens to the views. Safe for concurrent use.
type Member struct {
	Key    string
	Target any

	pool     *PoolState
	parts    Parts
	breaker  Stateful // the first stateful gate, or nil
	observer Observer // never nil

	weight  atomic.Uint64 // float64 bits
	pending atomic.Int64
	leases  atomic.Uint64
}

// Weight is the member's weight; 0 means drained.
func (m *Member) Weight() float64 { return math.Float64frombits(m.weight.Load()) }

// Pending is how many attempts are leased and not yet settled.
func (m *Member) Pending() int { return int(m.pending.Load()) }

// Leases is how many attempts the member was given so far.
func (m *Member) Leases() uint64 { return m.leases.Load() }

// Pool is what is known of this member and its peers together.
func (m *Member) Pool() *PoolState { return m.pool }

// Verdict is the worst that the member's gates say.
func (m *Member) Verdict(now Instant) Verdict {
	if m.Weight() == 0 {
		return Drained
	}
	verdict := Ready
	for _, g := range m.parts.Gates {
		verdict = max(verdict, g.Peek(now))
	}
	return verdict
}

// Cost is the estimator's cost in seconds; 0 without an estimator.
func (m *Member) Cost(now Instant) float64 {
	if m.parts.Estimator == nil {
		return 0
	}
	return m.parts.Estimator.Cost(now)
}

// Latency is the estimated latency in seconds, and whether it is to be trusted;
// 0 and false without an estimator.
func (m *Member) Latency(now Instant) (seconds float64, fresh bool) {
	if m.parts.Estimator == nil {
		return 0, false
	}
	return m.parts.Estimator.Latency(now)
}

// Breaker is the state of the member's circuit breaker; Closed without one.
func (m *Member) Breaker(now Instant) State {
	if m.breaker == nil {
		return Closed
	}
	return m.breaker.State(now)
}

// Turned is for the member's gates: its breaker went from one state to another.
func (m *Member) Turned(now Instant, from, to State) {
	m.pool.Stale()
	m.observer.Turned(m, now, from, to)
}

// acquire takes a permit of every gate, or of none.
func (m *Member) acquire(now Instant, forced bool, permits *[MaxGates]Permit) bool {
	for i, g := range m.parts.Gates {
		p, ok := g.Acquire(now, forced)
		if !ok {
			for j := range i {
				m.parts.Gates[j].Release(permits[j], now)
			}
			return false
		}
		permits[i] = p
	}
	return true
}

// nobody is the observer of a member that nobody observes.
type nobody struct{}

func (nobody) Picked(*Member, Instant, Choice)       {}
func (nobody) Finished(*Member, Instant, Sample)     {}
func (nobody) Turned(*Member, Instant, State, State) {}
