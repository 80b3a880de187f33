package fallback

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

const (
	// roomy is how many times what members usually cost one may cost that stands in for a
	// barred one. By Little's law nobody then waits much more than so many times as long as
	// before, however few are left: what they owe is bounded, and they answer no more slowly
	// than when they had less to do. In mass-failure at 40 % load, where the three of ten that
	// are well cannot carry everything, 8.8 % fail with 4, 10.5 % with 2.5, 8.2 % with 6 and
	// 21 % without; in limping at 80 %, without retries, the goodput is an eighth lower with 6
	// than with 4.
	roomy = 4
	// usually is the time constant of the mean that is what members usually cost: longer than
	// what leads to a panic.
	usually = 10 * time.Second
)

// room is what a member may cost to stand in for a barred one, and how it is learned. The
// zero value knows of none. limit is safe for concurrent use; learn is of the surveys.
type room struct {
	seconds atomic.Uint64 // float64 bits; 0 while it is not known
	usual   float64       // seconds
	learned core.Instant
}

// learn takes in what an attempt at a member costs at present: the latency of the fastest
// quarter, so that those that fail already, with their penalties, do not count; and what is
// pending. In a panic it learns nothing.
func (r *room) learn(now core.Instant, s core.Survey, panics bool) {
	since := now.Sub(r.learned)
	r.learned = now
	if panics || s.Fast == 0 {
		return
	}
	cost := s.Fast * (1 + s.Pending)
	if r.usual == 0 {
		r.usual = cost
	}
	r.usual -= (cost - r.usual) * math.Expm1(-since.Seconds()/usually.Seconds())
	r.seconds.Store(math.Float64bits(roomy * r.usual))
}

// limit is what a member may cost, in seconds; 0 while that is not known.
func (r *room) limit() float64 { return math.Float64frombits(r.seconds.Load()) }

// anyone is the choice of panic: everybody in turn, breakers overridden. But the turn of a
// barred member goes to whom the strategy would take, if that one has room, or is on
// probation: then a quota bounds what it gets.
func (p *Picker) anyone(v *core.View, inside *plan, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	slot, ok := p.robin.Anyone(v, a, now)
	limit := p.room.limit()
	if ok && limit > 0 && v.Members[slot].Verdict(now) == core.Barred {
		if c, open := p.own.Pick(&inside.own, a, now, src); open {
			m := v.Members[c.Slot]
			if m.Cost(now) <= limit || m.Verdict(now) == core.Probing {
				return c, true
			}
		}
	}
	return core.Choice{Slot: slot}, ok
}
