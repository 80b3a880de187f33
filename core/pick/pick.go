// Package pick has the strategies that know nothing of latency: round robin, plain and
// weighted, random, least requests by full scan or by the power of d choices, and
// hashing with or without a bound on the load. Those that need a schedule or a table
// prepare it once for each view (core.Planner); a decision looks it up and allocates
// nothing.
//
// They share one rule about a member on probation (verdict Probing): its breaker
// has bounded what it may cost to a quota of attempts, and it gets well only by
// being tried, so whoever comes across it takes it; only a retry, which has failed
// once already, prefers members that are known to be well.
package pick

import (
	"math/bits"
	"math/rand/v2"

	"github.com/evenkeel/evenkeel/core"
)

// Load is a member's least-requests score: the attempts that it would have pending
// with one more, per unit of weight. Lower is better.
func Load(m *core.Member, _ core.Instant) float64 {
	return float64(m.Pending()+1) / m.Weight()
}

// Score says how little a member recommends itself; lower is better. It is called
// for members that are not drained only.
type Score func(m *core.Member, now core.Instant) float64

// Below draws a number from 0 to n-1, each equally likely to within n/2^64 (Lemire,
// "Fast random integer generation in an interval", 2019, without the rejection
// step, which at these n would happen less than once in 2^50 draws).
func Below(src rand.Source, n int) int {
	hi, _ := bits.Mul64(src.Uint64(), uint64(n))
	return int(hi)
}

// rank orders the verdicts of members that may take work; less is better.
func rank(a *core.Ask, v core.Verdict) int {
	if (v == core.Probing) == a.Again() {
		return 1 // a probe on a retry, or an ordinary member when none is on probation
	}
	return 0
}

// best keeps the best candidate seen so far; of equals, each with the same chance
// (reservoir sampling), wherever they stand. To start at a random slot and take the
// first of them would give a member its own share and that of every worse one that
// stands before it.
type best struct {
	src   rand.Source
	slot  int // -1 while there is none
	rank  int
	score float64
	equal int // how many were as good as this one
	// shuffled says that they come in an order that was drawn, all orders being equally
	// likely: then the first of equals stays, and no further lot is needed.
	shuffled bool
}

func newBest(src rand.Source) best { return best{src: src, slot: -1} }

// reaches tells whether the best so far costs no more than enough, and is not a member on
// probation where a retry would prefer another.
func (b *best) reaches(v *core.View, a *core.Ask, enough float64) bool {
	return b.slot >= 0 && (b.rank == 0 || !a.Again()) && b.score*v.Members[b.slot].Weight() <= enough
}

// offer considers the member in a slot.
func (b *best) offer(v *core.View, a *core.Ask, now core.Instant, slot int, score Score) {
	m := v.Members[slot]
	verdict := a.Verdict(m, now)
	if a.Why == nil && verdict == core.Ready && b.slot >= 0 && b.rank == rank(a, core.Ready) {
		b.meet(slot, score(m, now))
		return
	}
	if !verdict.Open() {
		if a.Why != nil {
			a.Why.Consider(m, verdict, 0)
		}
		return
	}
	r, s := rank(a, verdict), score(m, now)
	if a.Why != nil {
		a.Why.Consider(m, verdict, s)
	}
	switch {
	case b.slot < 0 || r < b.rank || r == b.rank && s < b.score:
		b.slot, b.rank, b.score, b.equal = slot, r, s, 1
		if a.Why != nil {
			a.Why.Lead(core.Cheapest)
		}
	case r == b.rank && s == b.score:
		b.tie(a.Why, slot)
	}
}

// meet considers the member in a slot that is of the same rank as the best, where nobody
// asks why. Who wins is a guess that the processor would lose half the time, and that costs
// as much as a look: so it is computed, not branched to.
func (b *best) meet(slot int, score float64) {
	if !b.shuffled && score == b.score {
		b.tie(nil, slot)
		return
	}
	won, equal := b.slot, b.equal
	if score < b.score {
		won = slot
	}
	if score < b.score {
		equal = 1
	}
	b.slot, b.equal, b.score = won, equal, min(score, b.score)
}

// tie considers the member in a slot that is as good as the best.
func (b *best) tie(why *core.Decision, slot int) {
	b.equal++
	if !b.shuffled && Below(b.src, b.equal) == 0 {
		b.slot = slot
		why.Lead(core.Lot)
	}
	why.By(core.Lot)
}
