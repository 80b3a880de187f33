package pick

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/evenkeel/evenkeel/core"
)

// RoundRobin gives the members their turn one after the other, whatever their
// weight. The turn of a member that may take no work is passed on to the next turn,
// not to its neighbour alone: each look takes a turn of its own, so the others
// share it evenly. The zero value starts at the first slot.
type RoundRobin struct{ turn atomic.Uint64 }

// Pick implements core.Picker.
func (p *RoundRobin) Pick(v *core.View, a *core.Ask, now core.Instant, _ rand.Source) (core.Choice, bool) {
	worst := core.Probing
	if a.Again() {
		worst = core.Ready
	}
	if slot, ok := p.next(v, a, now, worst); ok {
		return core.Choice{Slot: slot}, true
	}
	if worst == core.Probing {
		return core.Choice{}, false
	}
	slot, ok := p.next(v, a, now, core.Probing)
	return core.Choice{Slot: slot}, ok
}

// Anyone chooses like Pick, but among all members that are neither full nor
// drained: the choice of panic, where breakers do not count.
func (p *RoundRobin) Anyone(v *core.View, a *core.Ask, now core.Instant) (slot int, ok bool) {
	return p.next(v, a, now, core.Barred)
}

// next looks at every member at most once, starting with whose turn it is, and
// returns the first whose verdict is no worse than the given one.
func (p *RoundRobin) next(v *core.View, a *core.Ask, now core.Instant, worst core.Verdict) (slot int, ok bool) {
	n := uint64(len(v.Members))
	if n == 0 {
		return 0, false
	}
	turn := p.turn.Add(1) - 1
	slot = int(turn % n)
	for i := range n {
		m := v.Members[slot]
		verdict := a.Verdict(m, now)
		if a.Why != nil {
			a.Why.Consider(m, verdict, 0)
		}
		if verdict <= worst && verdict != core.Full {
			if a.Why != nil {
				a.Why.Lead(core.Turn)
			}
			if i > 0 {
				p.turn.CompareAndSwap(turn+1, turn+i+1) // those passed over had their turn
			}
			return slot, true
		}
		if slot++; slot == len(v.Members) {
			slot = 0
		}
	}
	return 0, false
}
