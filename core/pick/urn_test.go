package pick_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// drawn are the slots that one decision drew.
func (p pool) drawn() []int {
	var why core.Decision
	p.pick(&core.Ask{Why: &why})
	var slots []int
	for _, c := range why.Candidates[:why.Considered] {
		slots = append(slots, slices.Index(p.View().Members, c.Member))
	}
	return slots
}

// Every pair is drawn as often as another: a second draw that steps aside to the
// neighbour when it meets the first would draw those twice as often. Each of the 15
// pairs expects N/15 = 2,000 of N = 30,000 draws, with a standard deviation of
// sqrt(N·1/15·14/15) = 43; six are 260.
func TestPairsAreUniform(t *testing.T) {
	p := newPool(t, pick.NewChoices(2, pick.Load), ready(6)...)
	pairs := map[[2]int]int{}
	for range 30_000 {
		d := p.drawn()
		slices.Sort(d)
		pairs[[2]int{d[0], d[1]}]++
	}
	if len(pairs) != 15 {
		t.Errorf("pairs: got %d, want 15", len(pairs))
	}
	for pair, n := range pairs {
		if math.Abs(float64(n)-2000) > 260 {
			t.Errorf("pair %v: got %d draws, want 2000 ± 260", pair, n)
		}
	}
}

// chances are the chances of each weight to be among d draws without putting back,
// each draw in proportion to what is left: the sum over all orders of drawing.
func chances(weights []float64, d int) []float64 {
	p := make([]float64, len(weights))
	if d == 0 {
		return p
	}
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	for i, w := range weights {
		if w == 0 {
			continue
		}
		p[i] += w / sum
		rest := slices.Clone(weights)
		rest[i] = 0
		for j, q := range chances(rest, d-1) {
			p[j] += w / sum * q
		}
	}
	return p
}

// Where weights differ, members are drawn in proportion to them, and no one twice. A
// chance p has a standard deviation of sqrt(N·p·(1-p)) in N draws; six of them.
func TestDrawsByWeight(t *testing.T) {
	const decisions = 20_000
	for _, weights := range [][]float64{{8, 1, 1, 1}, {1, 1, 1, 97}, {1, 2, 3, 4, 5}, {0, 3, 0, 1, 1, 2}, {0.5, 0.25, 0.25, 0.125}} {
		for d := 2; d <= 3; d++ {
			p := weighed(t, pick.NewChoices(d, pick.Load), weights...)
			counts := make([]int, len(weights))
			for range decisions {
				slots := p.drawn()
				for i, s := range slots {
					counts[s]++
					if slices.Contains(slots[:i], s) {
						t.Fatalf("%d of %v: got %v, one of them twice", d, weights, slots)
					}
				}
			}
			for slot, chance := range chances(weights, d) {
				if len(weights) == d {
					chance = 1
				}
				off := 6 * math.Sqrt(decisions*max(0, chance*(1-chance)))
				if got := counts[slot]; math.Abs(float64(got)-decisions*chance) > off+1e-6 {
					t.Errorf("%d of %v, member %d: got %d draws, want %.0f ± %.0f", d, weights, slot, got, decisions*chance, off)
				}
			}
		}
	}
}

// Invariant: of more than d members as many are drawn as have a weight, up to d, and no
// one twice, whatever the weights.
func TestDrawsByWeightAreDistinct(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		weights := rapid.SliceOfN(rapid.SampledFrom([]float64{0, 1, 1, 2, 1000, 1e-9, 1e12}), 1, 20).Draw(rt, "weights")
		d := rapid.IntRange(2, pick.MaxChoices).Draw(rt, "draws")
		p := weighed(t, pick.NewChoices(d, pick.Load), weights...)
		p.src = rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0)
		some := 0
		for _, w := range weights {
			if w > 0 {
				some++
			}
		}
		var why core.Decision
		if slot := p.pick(&core.Ask{Why: &why}); (slot >= 0) != (some > 0) {
			rt.Fatalf("slot: got %d with %d that have a weight", slot, some)
		}
		seen := map[*core.Member]bool{}
		drawn := min(len(weights), d)
		if len(weights) > d && some > 0 {
			drawn = min(some, d) // no draw is wasted on the drained
		}
		for _, c := range why.Candidates[:drawn] {
			if seen[c.Member] {
				rt.Fatalf("drawn twice: %s", c.Member.Key)
			}
			seen[c.Member] = true
		}
		if some > 0 && why.Considered != drawn {
			rt.Fatalf("considered: got %d, want %d", why.Considered, drawn)
		}
	})
}
