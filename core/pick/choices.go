package pick

import (
	"math"
	"math/bits"
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
const MaxChoices = 16

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
	return p.Draw(v, a, now, src, p.D, math.Inf(-1))
}

// Draw draws D members, and then as many as make it most (up to MaxChoices) until the
// best of them costs no more than enough: score times weight, so that the bound is the
// same for members of all weights.
func (p *Choices) Draw(v *core.View, a *core.Ask, now core.Instant, src rand.Source, most int, enough float64) (core.Choice, bool) {
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
		for k, slot := range u.draw(src, &drawn, most) {
			if k >= p.D && b.reaches(v, a, enough) {
				break
			}
			b.offer(v, a, now, slot, p.Score)
		}
	default:
		p.even(v, a, now, min(most, n), enough, &b)
	}
	if b.slot >= 0 {
		return core.Choice{Slot: b.slot}, true
	}
	c, ok := p.robin.Pick(v, a, now, src)
	c.Mode, c.Reason = core.Fallback, core.BarredDraw
	return c, ok
}

// even offers distinct slots, each as likely as any other: the k-th draw is from the n-k
// that are left, and steps over those that were drawn before it.
func (p *Choices) even(v *core.View, a *core.Ask, now core.Instant, most int, enough float64, b *best) {
	b.shuffled = true
	n := len(v.Members)
	lot := newLots(b.src)
	first, second := lot.next(n), lot.next(n-1)
	if second >= first {
		second++
	}
	p.duel(v, a, now, first, second, b)
	drawn := [MaxChoices]int{min(first, second), max(first, second)} // ascending
	for k := 2; k < most; k++ {
		if k >= p.D && b.reaches(v, a, enough) {
			return
		}
		slot := lot.below(n - k)
		for i := range k {
			if slot >= drawn[i] {
				slot++
			}
		}
		put := slot
		for i := range k {
			drawn[i], put = min(drawn[i], put), max(drawn[i], put)
		}
		drawn[k] = put
		b.offer(v, a, now, slot, p.Score)
	}
}

// duel offers the first two. Nobody can guess who wins, nor can the processor, which loses
// more by a wrong guess than a look takes: in the ordinary case both are looked at before
// they are compared, and the winner is computed instead of branched to.
func (p *Choices) duel(v *core.View, a *core.Ask, now core.Instant, first, second int, b *best) {
	one, other := v.Members[first], v.Members[second]
	if a.Why != nil || a.Again() || max(one.Verdict(now), other.Verdict(now)) != core.Ready {
		b.offer(v, a, now, first, p.Score)
		b.offer(v, a, now, second, p.Score)
		return
	}
	s, t := p.Score(one, now), p.Score(other, now)
	b.slot, b.rank, b.score, b.equal = first, rank(a, core.Ready), s, 1
	b.meet(second, t)
}

// lots draws small numbers, several from each of the source's, since that is a good part of
// what a look at a member takes: what is left below the product that makes one (see Below) is
// as good as drawn for the next, as long as there are bits enough.
type lots struct {
	src  rand.Source
	left uint64
	bits int // that may yet be used, so that 32 remain
}

func newLots(src rand.Source) lots { return lots{src, src.Uint64(), 32} }

// below draws a number from 0 to n-1, each equally likely to within 2^-32.
func (l *lots) below(n int) int {
	if l.bits < bits.Len(uint(n)) {
		l.left, l.bits = l.src.Uint64(), 32
	}
	return l.next(n)
}

// next is below without a look at what is left, which is enough for two numbers of any pool.
func (l *lots) next(n int) int {
	l.bits -= bits.Len(uint(n))
	number, left := bits.Mul64(l.left, uint64(n))
	l.left = left
	return int(number)
}
