package pick

import (
	"math/rand/v2"

	"github.com/evenkeel/evenkeel/core"
)

// Random chooses each member equally often, whatever its weight.
type Random struct{}

// Pick implements core.Picker. It draws until it meets a member that may take
// work; when half of a pool is barred, the chance of not meeting one in all the
// draws is 1 in 256, and then all are scanned.
func (Random) Pick(v *core.View, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	n := len(v.Members)
	if n == 0 {
		return core.Choice{}, false
	}
	const draws = 8
	for range draws {
		slot := Below(src, n)
		verdict := a.Verdict(v.Members[slot], now)
		if a.Why != nil {
			a.Why.Consider(v.Members[slot], verdict, 0)
		}
		if verdict.Open() && rank(a, verdict) <= rank(a, core.Ready) {
			if a.Why != nil {
				a.Why.Lead(core.Lot)
			}
			return core.Choice{Slot: slot}, true
		}
	}
	b := newBest(src)
	for slot := range n {
		b.offer(v, a, now, slot, equal)
	}
	if a.Why != nil && b.slot >= 0 {
		a.Why.By(core.Lot) // even if there was one only
	}
	return core.Choice{Slot: b.slot}, b.slot >= 0
}

// equal is the score that tells nobody apart.
func equal(*core.Member, core.Instant) float64 { return 0 }
