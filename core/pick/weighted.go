package pick

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/evenkeel/evenkeel/core"
)

// WeightedRoundRobin gives the members their turns in proportion to their weights,
// each one's spread evenly (members of weights 5, 1 and 1 are never taken in blocks of
// five). When the weights are whole numbers, each member is taken exactly as often in a
// period, the sum of the weights divided by what they have in common, as its weight
// divided likewise; others are rounded to 2^-31 of the traffic. No member is ever more
// than three turns ahead of its share, or behind it.
//
// A member that may take no work loses its turn, and whoever comes next has the next:
// the others' shares among themselves stay as they are. The zero value starts at the
// first turn.
type WeightedRoundRobin struct{ turn atomic.Uint64 }

// turnsLooked is how many turns Pick takes before it looks at everybody. When half of
// the weight may take no work, it comes to that in one of four billion decisions.
const turnsLooked = 32

// Plan implements core.Planner.
func (*WeightedRoundRobin) Plan(v *core.View) any {
	list, _ := shares(v.Members)
	return newSchedule(list)
}

// Begin has the next turn be any one, each as likely as the others: of several proxies not all
// are to begin with the same members.
func (p *WeightedRoundRobin) Begin(src rand.Source) { p.turn.Store(src.Uint64() >> 1) }

// Pick implements core.Picker.
func (p *WeightedRoundRobin) Pick(v *core.View, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	s, _ := v.Plan.(*schedule)
	return p.Take(s, v, a, now, src)
}

// Turns says whose turn each turn is, by weights that need not be the members' own. It
// does not change.
type Turns = schedule

// NewTurns returns the turns of slots with these weights, finite and at least 0; nil when
// nobody has any.
func NewTurns(weights []float64) *Turns {
	list, _ := sharesOf(weights)
	return newSchedule(list)
}

// Take is Pick by other turns than those of the view's own weights: of the view's slots,
// as many as there were weights. Turns that are changed for others go on with the same
// turn. nil means that nobody has any weight.
func (p *WeightedRoundRobin) Take(s *Turns, v *core.View, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	if s == nil {
		return core.Choice{}, false
	}
	worst := core.Probing
	if a.Again() {
		worst = core.Ready
	}
	for range turnsLooked {
		slot := s.at(p.turn.Add(1) - 1)
		m := v.Members[slot]
		verdict := a.Verdict(m, now)
		if a.Why != nil {
			a.Why.Consider(m, verdict, 0)
		}
		if verdict <= worst {
			if a.Why != nil {
				a.Why.Lead(core.Turn)
			}
			return core.Choice{Slot: slot}, true
		}
	}
	slot := lot(v, a, now, src)
	return core.Choice{Slot: slot}, slot >= 0
}

// lot draws one of all the members that may take work, each with a chance in proportion
// to its weight; -1 when there is none. A retry gets one on probation only when there is
// nobody else.
func lot(v *core.View, a *core.Ask, now core.Instant, src rand.Source) int {
	drawn, sum, spare := -1, 0.0, true
	for slot, m := range v.Members {
		verdict := a.Verdict(m, now)
		if a.Why != nil {
			a.Why.Consider(m, verdict, 0)
		}
		second := a.Again() && verdict == core.Probing
		if !verdict.Open() || second && !spare {
			continue
		}
		if spare && !second {
			spare, sum = false, 0
		}
		w := m.Weight()
		sum += w
		if float64(src.Uint64()>>11)/(1<<53)*sum < w {
			drawn = slot
			if a.Why != nil {
				a.Why.Lead(core.Lot)
			}
		}
	}
	return drawn
}
