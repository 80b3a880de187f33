package core

import (
	"math"
	"sync/atomic"
)

// MaxGates is the most gates that one member can have.
const MaxGates = 3

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
//
// All that a picker reads of whom it looks at, but for what the estimator has, stands first,
// on one line of memory: looks at a thousand members are mostly waits for such lines. The
// counts of attempts are among it, though each attempt writes them: who looks wants to know
// what is pending. What is wanted of the one that was chosen is on the next line.
type Member struct {
	doubts    atomic.Int32   // reasons to look closer: no weight; each gate but a closed breaker
	classes   bool           // there is a classed
	weight    atomic.Uint64  // float64 bits
	leases    atomic.Uint64  // given
	ended     atomic.Uint64  // of these, settled
	estimator Estimator      // or nil
	gates     [MaxGates]Gate // those that there are, then nil; the first on the first line

	observer Observer // never nil
	pool     *PoolState
	returned atomic.Int64 // an Instant
	classed  Classed      // the estimator, if it is one, or nil
	breaker  Stateful     // the first stateful gate, or nil
	Key      string
	Target   any
}

// cacheLine is the size of a cache line in bytes, on most processors.
const cacheLine = 64

// Weight is the member's weight; 0 means drained.
func (m *Member) Weight() float64 { return math.Float64frombits(m.weight.Load()) }

// Pending is how many attempts are leased and not yet settled.
func (m *Member) Pending() int {
	ended := m.ended.Load() // first, so that there are never more of them than were given
	return int(m.leases.Load() - ended)
}

// Leases is how many attempts the member was given so far.
func (m *Member) Leases() uint64 { return m.leases.Load() }

// Pool is what is known of this member and its peers together.
func (m *Member) Pool() *PoolState { return m.pool }

// Verdict is the worst that the member's gates say. A breaker that is closed has nothing to
// say, and is not asked.
func (m *Member) Verdict(now Instant) Verdict {
	if m.doubts.Load() == 0 {
		return Ready
	}
	return m.worst(now)
}

// worst asks the gates.
func (m *Member) worst(now Instant) Verdict {
	if m.Weight() == 0 {
		return Drained
	}
	verdict := Ready
	for _, g := range &m.gates {
		if g == nil {
			break
		}
		verdict = max(verdict, g.Peek(now))
	}
	return verdict
}

// Estimator is what the member was equipped with, or nil: for a picker that keeps there
// what it knows of a member.
func (m *Member) Estimator() Estimator { return m.estimator }

// Cost is the estimator's cost in seconds; 0 without an estimator.
func (m *Member) Cost(now Instant) float64 {
	if m.estimator == nil {
		return 0
	}
	return m.estimator.Cost(now)
}

// Explain is what the estimator's cost is made of, and whether the estimator can tell.
func (m *Member) Explain(now Instant) (parts CostParts, ok bool) {
	if e, can := m.estimator.(Explained); can {
		return e.Explain(now), true
	}
	return CostParts{}, false
}

// Latency is the estimated latency in seconds, and whether it is to be trusted;
// 0 and false without an estimator.
func (m *Member) Latency(now Instant) (seconds float64, fresh bool) {
	if m.estimator == nil {
		return 0, false
	}
	return m.estimator.Latency(now)
}

// variation is what the estimator says of the member's answers; 1 where it does not.
func (m *Member) variation() float64 {
	if v, ok := m.estimator.(Varied); ok {
		return v.Variation()
	}
	return 1
}

// Breaker is the state of the member's circuit breaker; Closed without one.
func (m *Member) Breaker(now Instant) State {
	if m.breaker == nil {
		return Closed
	}
	return m.breaker.State(now)
}

// Limiter is what bounds the member's attempts in flight, or nil.
func (m *Member) Limiter() Limiter {
	for _, g := range m.gates {
		if l, ok := g.(Limited); ok {
			return l.Limiter()
		}
	}
	return nil
}

// Returned is when the member last came into use: when it joined the pool or was
// undrained, when its breaker closed, or when its health checks let it back in, whichever
// was last. What an estimator or picker grants a member that has just come back, a ramp
// of its load, say, is measured from here. It is past even while the member is out again.
func (m *Member) Returned() Instant { return Instant(m.returned.Load()) }

// Return is for the member's gates: from now on it may take work again that was kept
// away from it.
func (m *Member) Return(now Instant) {
	m.returned.Store(int64(now))
	m.pool.Stale()
}

// Turned is for the member's gates: its breaker went from one state to another.
func (m *Member) Turned(now Instant, from, to State) {
	// Counted, not set: of two turns at the same time, either may be told first.
	switch {
	case to == Closed:
		m.returned.Store(int64(now))
		m.doubts.Add(-1)
	case from == Closed:
		m.doubts.Add(1)
	}
	m.pool.Stale()
	m.observer.Turned(m, now, from, to)
}

// equip gives a new member its gates and its estimator.
func (m *Member) equip(now Instant, parts Parts) {
	m.estimator = parts.Estimator
	m.classed, m.classes = m.estimator.(Classed)
	for i, g := range parts.Gates {
		m.gates[i] = g
		if s, ok := g.(Stateful); ok && m.breaker == nil {
			m.breaker = s
		}
	}
	m.count(now)
}

// count counts the doubts. Nobody may turn meanwhile.
func (m *Member) count(now Instant) {
	m.doubts.Store(0)
	if m.Weight() == 0 {
		m.doubts.Add(1)
	}
	for _, g := range &m.gates {
		if g != nil {
			m.doubts.Add(1)
		}
	}
	if t, ok := m.breaker.(Turning); ok && t.Turns() {
		m.doubts.Add(-1)
	}
	if m.breaker != nil && m.breaker.State(now) != Closed {
		m.doubts.Add(1)
	}
}

// weigh gives the member a weight; whoever finds no doubt finds a weight above 0. For one
// caller at a time.
func (m *Member) weigh(weight float64) {
	old := m.Weight()
	if weight == 0 && old != 0 {
		m.doubts.Add(1)
	}
	m.weight.Store(math.Float64bits(weight))
	if weight != 0 && old == 0 {
		m.doubts.Add(-1)
	}
}

// acquire takes a permit of every gate, or of none.
func (m *Member) acquire(now Instant, forced bool, permits *[MaxGates]Permit) bool {
	for i, g := range &m.gates {
		if g == nil {
			break
		}
		p, ok := g.Acquire(now, forced)
		if !ok {
			for j := range i {
				m.gates[j].Release(permits[j], now)
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
