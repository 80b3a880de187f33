package pick

import (
	"math/rand/v2"

	"github.com/evenkeel/evenkeel/core"
)

// Scan looks at every member and takes the one with the least score; equals share
// evenly.
type Scan struct{ Score Score }

// Whole tells that decisions look at everybody.
func (Scan) Whole() bool { return true }

// LeastRequests is the full scan for the least pending attempts per weight.
func LeastRequests() Scan { return Scan{Load} }

// Pick implements core.Picker.
func (p Scan) Pick(v *core.View, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	b := newBest(src)
	for slot := range v.Members {
		b.offer(v, a, now, slot, p.Score)
	}
	return core.Choice{Slot: b.slot}, b.slot >= 0
}

// MaxChoices is the most that Choices draws.
const MaxChoices = 8

// Choices draws D distinct members and takes the one with the least score: the
// power of d choices (Mitzenmacher, "The power of two choices in randomized load
// balancing", 2001), which does nearly as well as a full scan at a cost that does
// not grow with the pool, and does not herd. When none of those drawn may take
// work, this one decision falls back to a round robin over those that may, with the
// reason core.BarredDraw.
//
// Where weights differ, members are drawn in proportion to them: drawn evenly, one that
// is to have more than D times its equal share would not be looked at often enough.
type Choices struct {
	D     int // 2 to MaxChoices
	Score Score
	robin RoundRobin
}

// NewChoices returns a picker that draws d members, limited to 2 ... MaxChoices.
func NewChoices(d int, score Score) *Choices {
	return &Choices{D: min(max(d, 2), MaxChoices), Score: score}
}

// Plan implements core.Planner.
func (*Choices) Plan(v *core.View) any { return newUrn(v.Members) }

// Pick implements core.Picker.
func (p *Choices) Pick(v *core.View, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	n := len(v.Members)
	if n == 0 {
		return core.Choice{}, false
	}
	b := newBest(src)
	u, _ := v.Plan.(*urn)
	switch {
	case n <= p.D:
		for slot := range n { // everybody is drawn
			b.offer(v, a, now, slot, p.Score)
		}
	case u != nil:
		var drawn [MaxChoices]int
		for _, slot := range u.draw(src, &drawn, p.D) {
			b.offer(v, a, now, slot, p.Score)
		}
	case p.D == 2:
		// The second draw is from the n-1 others: it steps over the first.
		i, j := Below(src, n), Below(src, n-1)
		if j >= i {
			j++
		}
		b.offer(v, a, now, i, p.Score)
		b.offer(v, a, now, j, p.Score)
	default:
		p.draw(v, a, now, src, &b)
	}
	if b.slot >= 0 {
		return core.Choice{Slot: b.slot}, true
	}
	c, ok := p.robin.Pick(v, a, now, src)
	c.Mode, c.Reason = core.Fallback, core.BarredDraw
	return c, ok
}

// draw offers D distinct slots by Floyd's sampling (Bentley and Floyd, "A sample of
// brilliance", 1987): for j = n-D ... n-1 draw from 0 ... j, and take j itself where
// the draw was taken before.
func (p *Choices) draw(v *core.View, a *core.Ask, now core.Instant, src rand.Source, b *best) {
	var drawn [MaxChoices]int
	n := len(v.Members)
	for k := range p.D {
		slot := Below(src, n-p.D+k+1)
		for _, taken := range drawn[:k] {
			if taken == slot {
				slot = n - p.D + k
				break
			}
		}
		drawn[k] = slot
		b.offer(v, a, now, slot, p.Score)
	}
}
