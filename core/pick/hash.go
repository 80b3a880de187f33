package pick

import (
	"math"
	"math/rand/v2"

	"github.com/evenkeel/evenkeel/core"
)

// Hash takes the member that a key belongs to (core.Ask.Key), so that the same key goes
// to the same member as long as that may take it. Keys are spread over the members by
// weight, by Maglev's table, which is built once for each view.
//
// With a Factor, no member has more than its part of what is pending by that factor
// (consistent hashing with bounded loads: Mirrokni, Thorup and Zadimoghaddam, 2016). A
// member of weight w may have at most
//
//	⌈Factor · (pending+1) · w/W⌉
//
// pending, the new attempt included, where pending is that of the whole pool and W the
// weight of those that may take work.
//
// A key whose member may not take it, or is at its bound, is looked up again, by
// further hashes in the key's own order: other keys of the same member go elsewhere,
// so that its load does not fall on one neighbour (Chen, Coleman and Shrivastava,
// "Revisiting consistent hashing with bounded loads", 2019). A member on probation
// takes its keys; a retry prefers those that are known to be well.
type Hash struct {
	// Factor is how many times its part of the pending attempts a member may have, 1
	// or more; 0 for no bound.
	Factor float64
}

// hashesLooked is how many places Pick looks at before it looks at everybody: when all
// but a fifth of the weight cannot take a key (a factor of 1.25 leaves no fewer), it
// comes to that in less than one of a thousand decisions.
const hashesLooked = 32

// Plan implements core.Planner.
func (p *Hash) Plan(v *core.View) any {
	if p.Factor > 0 {
		v.Pool.Tally()
	}
	return newTable(v.Members)
}

// Pick implements core.Picker.
func (p *Hash) Pick(v *core.View, a *core.Ask, now core.Instant, _ rand.Source) (core.Choice, bool) {
	t, _ := v.Plan.(*table)
	if t == nil { // nobody has any weight
		return core.Choice{}, false
	}
	bound := p.bound(v.Pool)
	order := core.NewKey(a.Key)
	for range hashesLooked {
		slot := t.at(order.Uint64())
		m := v.Members[slot]
		verdict := a.Verdict(m, now)
		if a.Why != nil {
			a.Why.Consider(m, verdict, float64(m.Pending()+1)/m.Weight())
		}
		if verdict.Open() && !(a.Again() && verdict == core.Probing) && fits(m, bound) {
			if a.Why != nil {
				a.Why.Lead(core.Hashed)
			}
			return core.Choice{Slot: slot}, true
		}
	}
	slot := t.nearest(v, a, now, bound)
	return core.Choice{Slot: slot}, slot >= 0
}

// bound is how many attempts a member may have pending per unit of weight: any number
// when nobody might take work at the last look.
func (p *Hash) bound(pool *core.PoolState) float64 {
	if p.Factor == 0 {
		return math.Inf(1)
	}
	return p.Factor * float64(pool.Pending()+1) / pool.OpenWeight()
}

// fits reports whether a member stays within the bound with one more attempt.
func fits(m *core.Member, bound float64) bool {
	return float64(m.Pending()+1) <= math.Ceil(bound*m.Weight())
}

// nearest looks at everybody, and returns the nearest to the key among those that the
// key should rather go to; -1 when nobody may take it.
func (t *table) nearest(v *core.View, a *core.Ask, now core.Instant, bound float64) int {
	found, least, best := -1, 0.0, 0
	for slot, m := range v.Members {
		verdict := a.Verdict(m, now)
		if a.Why != nil {
			a.Why.Consider(m, verdict, float64(m.Pending()+1)/m.Weight())
		}
		if !verdict.Open() {
			continue
		}
		worse := 0
		if a.Again() && verdict == core.Probing {
			worse += 2
		}
		if !fits(m, bound) {
			worse++
		}
		d := t.distance(slot, a.Key, m.Weight())
		if found < 0 || worse < best || worse == best && d < least {
			found, least, best = slot, d, worse
			if a.Why != nil {
				a.Why.Lead(core.Hashed)
			}
		}
	}
	return found
}
