package concurrency

import (
	"sync/atomic"

	"github.com/evenkeel/evenkeel/core"
)

// Gate is a core.Gate that bounds the attempts in flight at one member by a limiter:
// Ready below the limit, Full at it. Safe for concurrent use, without a lock of its
// own. In a dry run it counts and learns, and is always Ready.
type Gate struct {
	limiter  core.Limiter
	dry      bool
	inFlight *atomic.Int64 // shared with the gates whose place this one has taken
}

// NewGate returns a gate; dry for a dry run.
func NewGate(l core.Limiter, dry bool) *Gate {
	return &Gate{limiter: l, dry: dry, inFlight: new(atomic.Int64)}
}

// Limiter implements core.Limited.
func (g *Gate) Limiter() core.Limiter { return g.limiter }

// Peek implements core.Gate.
func (g *Gate) Peek(core.Instant) core.Verdict {
	if !g.dry && int(g.inFlight.Load()) >= g.limiter.Limit() {
		return core.Full
	}
	return core.Ready
}

// Acquire implements core.Gate. Nothing forces a limit. The permit is how many are in
// flight with this one.
func (g *Gate) Acquire(core.Instant, bool) (core.Permit, bool) {
	for {
		n := g.inFlight.Load()
		if !g.dry && int(n) >= g.limiter.Limit() {
			return 0, false
		}
		if g.inFlight.CompareAndSwap(n, n+1) {
			return core.Permit(n + 1), true
		}
	}
}

// Release implements core.Gate.
func (g *Gate) Release(core.Permit, core.Instant) { g.inFlight.Add(-1) }

// Answered implements core.Gate.
func (g *Gate) Answered(p core.Permit, now core.Instant, s core.Sample) {
	g.limiter.Learn(now, s, int(p))
}

// Settle implements core.Gate.
func (g *Gate) Settle(p core.Permit, now core.Instant, s core.Sample) {
	g.inFlight.Add(-1)
	if !s.Told {
		g.limiter.Learn(now, s, int(p))
	}
}
