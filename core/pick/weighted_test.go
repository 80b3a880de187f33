package pick_test

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

func TestWeightedTurns(t *testing.T) {
	cases := map[string]struct {
		weights []float64
		want    []int
	}{
		"equals take turns":    {[]float64{1, 1, 1}, []int{0, 1, 2, 0, 1, 2}},
		"whatever they weigh":  {[]float64{40, 40}, []int{0, 1, 0, 1}},
		"two to one":           {[]float64{2, 1}, []int{0, 0, 1, 0, 0, 1}},
		"no blocks":            {[]float64{5, 1, 1}, []int{0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 1, 0, 0, 2}},
		"three shares":         {[]float64{3, 2, 1}, []int{1, 0, 1, 0, 2, 0}},
		"in any order":         {[]float64{1, 2, 3}, []int{1, 2, 1, 2, 0, 2}},
		"many shares":          {[]float64{5, 4, 3, 2, 1}, []int{0, 0, 3, 1, 2, 0, 1, 3, 0, 2, 1, 0, 4, 1, 2}},
		"without the drained":  {[]float64{0, 3, 0, 1}, []int{1, 1, 1, 3, 1, 1, 1, 3}},
		"parts of one":         {[]float64{0.5, 1.5}, []int{1, 1, 1, 0, 1, 1, 1, 0}},
		"one":                  {[]float64{7}, []int{0, 0}},
		"nobody of any weight": {[]float64{0, 0}, []int{-1, -1}},
		"nobody":               {nil, []int{-1, -1}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := weighed(t, &pick.WeightedRoundRobin{}, c.weights...)
			if diff := cmp.Diff(c.want, p.picks(len(c.want))); diff != "" {
				t.Errorf("turns (-want +got):\n%s", diff)
			}
		})
	}
}

// Invariants: wherever it begins, a period (the sum of the weights, divided by what
// they have in common) has exactly as many turns of a member as its weight says; and on
// the way nobody is ever 3.36 turns or more ahead or behind: the sum of the reciprocals
// of Fibonacci's numbers, by which what is off at the forks of a Huffman tree shrinks.
func TestWeightedTurnsAreExactAndEven(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(0, 30), 1, 12).Draw(rt, "weights")
		whole := make([]float64, len(weights))
		common, sum := 0, 0
		for i, n := range weights {
			whole[i] = float64(n)
			sum += n
			for common, n = n, common; n != 0; common, n = n, common%n {
			}
		}
		if sum == 0 {
			rt.Skip("nobody has any weight")
		}
		p := weighed(t, &pick.WeightedRoundRobin{}, whole...)
		period := sum / common
		slots := p.picks(2 * period)
		from := rapid.IntRange(0, period).Draw(rt, "from")
		for slot, n := range counted(len(whole), slots[from:from+period]) {
			if want := int(whole[slot]) / common; n != want {
				rt.Fatalf("member %d of %v in a period from %d: got %d turns, want %d", slot, whole, from, n, want)
			}
		}
		had := make([]int, len(whole))
		for k, slot := range slots {
			had[slot]++
			for i, w := range whole {
				if due := float64(k+1) * w / float64(sum); math.Abs(float64(had[i])-due) >= 3.36 {
					rt.Fatalf("member %d of %v after %d turns: got %d, want %.2f to within 3.36", i, whole, k+1, had[i], due)
				}
			}
		}
	})
}

// Weights that are no whole numbers are rounded to 2^-31 of the traffic: over so few
// turns that is nothing beside the evenness of 3.36.
func TestWeightedTurnsOfOddWeights(t *testing.T) {
	const turns = 20_000
	for _, weights := range [][]float64{
		{0.1, 0.2, 0.7}, {math.Pi, math.E, 1}, {1e300, 3e300, 1e300}, {1e-300, 2e-300}, {1 << 40, 1 << 41}, {1e-9, 1}, {math.MaxFloat64, math.MaxFloat64, 1},
	} {
		p := weighed(t, &pick.WeightedRoundRobin{}, weights...)
		most := slices.Max(weights)
		sum := 0.0
		for _, w := range weights {
			sum += w / most
		}
		for slot, n := range counted(len(weights), p.picks(turns)) {
			if want := turns * (weights[slot] / most) / sum; math.Abs(float64(n)-want) >= 3.37 {
				t.Errorf("member %d of %v: got %d of %d turns, want %.2f to within 3.37", slot, weights, n, turns, want)
			}
		}
	}
}

// Who may take no work loses its turns, and the others' shares stay exact: nobody
// inherits them alone.
func TestWeightedTurnsAroundTheBarred(t *testing.T) {
	cases := map[string]struct {
		verdicts []core.Verdict
		want     []int // of the weights 4, 3, 2, 1 in one period of those that may
	}{
		"barred":         {[]core.Verdict{B, R, R, R}, []int{0, 3, 2, 1}},
		"full":           {[]core.Verdict{R, F, R, R}, []int{4, 0, 2, 1}},
		"two of them":    {[]core.Verdict{R, B, R, F}, []int{4, 0, 2, 0}},
		"all but one":    {[]core.Verdict{B, B, B, R}, []int{0, 0, 0, 1}},
		"on probation":   {[]core.Verdict{R, P, R, B}, []int{4, 3, 2, 0}},
		"nobody is left": {[]core.Verdict{B, F, B, F}, []int{0, 0, 0, 0}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, &pick.WeightedRoundRobin{}, c.verdicts...)
			p.weigh(t, 4, 3, 2, 1)
			period := max(1, c.want[0]+c.want[1]+c.want[2]+c.want[3])
			if diff := cmp.Diff(c.want, counted(4, p.picks(period))); diff != "" {
				t.Errorf("turns in a period (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWeightedAgain(t *testing.T) {
	p := newPool(t, &pick.WeightedRoundRobin{}, P, R, R)
	p.weigh(t, 8, 1, 1)
	for i, step := range []struct {
		tried []int
		want  int
	}{{[]int{1}, 2}, {[]int{2}, 1}, {[]int{1, 2}, 0}, {[]int{0, 1, 2}, -1}} {
		a := &core.Ask{}
		for k, slot := range step.tried {
			a.Tried[k] = p.View().Members[slot]
		}
		if got := p.pick(a); got != step.want {
			t.Errorf("retry %d: got %d, want %d", i, got, step.want)
		}
	}
}

// Two of a thousand may take work, one of three times the other's weight: when their
// turns are too far off, one of them is drawn. Of N = 8,000 draws one of p = 3/4 has a
// standard deviation of sqrt(N·p·(1-p)) = 38.7; six are 233.
func TestWeightedWhenFewMay(t *testing.T) {
	verdicts := slices.Repeat([]core.Verdict{B}, 1000)
	verdicts[123], verdicts[877] = R, R
	p := newPool(t, &pick.WeightedRoundRobin{}, verdicts...)
	weights := slices.Repeat([]float64{5}, 1000)
	weights[123], weights[877] = 1, 3
	p.weigh(t, weights...)
	counts := counted(1000, p.picks(8000))
	if got := counts[877]; math.Abs(float64(got)-6000) > 233 || counts[123] != 8000-got {
		t.Errorf("shares: got %d and %d, want 2000 and 6000 ± 233", counts[123], got)
	}
}

// A retry leaves the one on probation to others, be there only a few of them, and takes
// it when there is nobody else. Six standard deviations as above.
func TestWeightedAgainWhenFewMay(t *testing.T) {
	verdicts := slices.Repeat([]core.Verdict{B}, 1000)
	verdicts[50], verdicts[123], verdicts[877], verdicts[900] = P, R, R, P
	p := newPool(t, &pick.WeightedRoundRobin{}, verdicts...)
	weights := slices.Repeat([]float64{5}, 1000)
	weights[123], weights[877] = 1, 3
	p.weigh(t, weights...)
	m := p.View().Members
	counts := make([]int, 1000)
	for range 8000 {
		a := &core.Ask{}
		a.Tried[0] = m[0]
		counts[p.pick(a)]++
	}
	if got := counts[877]; math.Abs(float64(got)-6000) > 233 || counts[123] != 8000-got {
		t.Errorf("shares: got %d and %d, want 2000 and 6000 ± 233", counts[123], got)
	}
	a := &core.Ask{}
	a.Tried[0], a.Tried[1] = m[123], m[877]
	if got := p.pick(a); got != 50 && got != 900 {
		t.Errorf("with nobody else: got %d, want one of those on probation", got)
	}
}

// A change of the weights holds from the next turn on.
func TestWeightsThatChange(t *testing.T) {
	p := weighed(t, &pick.WeightedRoundRobin{}, 1, 1, 1)
	for _, weights := range [][]float64{{1, 1, 2}, {0, 1, 1}, {3, 0, 0}, {1, 2}, {1, 2, 3, 4}} {
		p.weigh(t, weights...)
		period, want := 0, []int{}
		for _, w := range weights {
			period += int(w)
			want = append(want, int(w))
		}
		if weights[0] == 3 {
			period, want = 3, []int{3, 0, 0}
		}
		if diff := cmp.Diff(want, counted(len(weights), p.picks(period))); diff != "" {
			t.Errorf("a period of %v (-want +got):\n%s", weights, diff)
		}
	}
}

// However many take turns at once, each turn is taken once.
func TestWeightedTurnsUnderRace(t *testing.T) {
	const goroutines, periods = 8, 500
	p := weighed(t, &pick.WeightedRoundRobin{}, 5, 3, 0, 2, 6)
	var counts [5]atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range periods * 16 / goroutines {
				counts[p.pick(&core.Ask{})].Add(1)
			}
		})
	}
	wg.Wait()
	for slot, want := range []int64{5, 3, 0, 2, 6} {
		if got := counts[slot].Load(); got != want*periods {
			t.Errorf("member %d: got %d turns, want %d", slot, got, want*periods)
		}
	}
}

// The pool changes while others pick: what is picked is in the view that it was picked
// from, and has a weight there or had one a moment ago.
func TestPicksUnderChange(t *testing.T) {
	for name, picker := range map[string]core.Picker{
		"weighted-round-robin": &pick.WeightedRoundRobin{},
		"p2c-least-requests":   pick.NewChoices(2, pick.Load),
		"hash":                 &pick.Hash{Factor: 1.25},
	} {
		t.Run(name, func(t *testing.T) {
			r := core.NewRouter(core.Config{
				Driver: core.Driver{Source: new(counter)},
				Picker: picker,
				Equip:  func(*core.Member) core.Parts { return core.Parts{} },
			})
			var load sync.WaitGroup
			change := func(i int) {
				var es []core.Endpoint
				for k := range 5 {
					es = append(es, core.Endpoint{Key: fmt.Sprint((k + i) % 7), Weight: float64((k * i) % 4)})
				}
				es[0].Weight = 1
				if err := r.Update(0, es); err != nil {
					t.Error(err)
				}
			}
			change(1)
			var got atomic.Int64
			for g := range 4 {
				load.Go(func() {
					for i := range 2000 {
						var l core.Lease
						if r.Begin(core.Instant(i), &core.Ask{Key: uint64(i * g)}, &l) {
							got.Add(1)
							l.Settle(core.Instant(i), core.Sample{Outcome: core.Success})
						}
					}
				})
			}
			for i := range 100 {
				change(i)
			}
			load.Wait()
			if got.Load() == 0 {
				t.Error("leases: got none")
			}
			for _, m := range r.View().Members {
				if m.Pending() != 0 {
					t.Errorf("pending at %s: got %d, want 0", m.Key, m.Pending())
				}
			}
			if got := r.View().Pool.Pending(); got != 0 {
				t.Errorf("pending at all: got %d, want 0", got)
			}
		})
	}
}

// counter is a source that is safe for concurrent use.
type counter struct{ n atomic.Uint64 }

func (c *counter) Uint64() uint64 {
	k := core.NewKey(c.n.Add(1))
	return k.Uint64()
}
