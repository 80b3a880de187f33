package regret

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func near(a, b, within float64) bool { return math.Abs(a-b) <= within }

// Known numbers: of the logarithms 0.1 to 0.5 the mean is 0.3, the standard deviation
// sqrt(0.025), and t with four degrees of freedom has its 97.5th percentile at 2.776445.
func TestRatioOfKnown(t *testing.T) {
	var pairs [][2]float64
	for i := 1; i <= 5; i++ {
		pairs = append(pairs, [2]float64{7 * math.Exp(0.1*float64(i)), 7})
	}
	r := ratioOf(pairs)
	half := 2.776445 * math.Sqrt(0.025) / math.Sqrt(5)
	if !near(math.Log(r.Value), 0.3, 1e-12) || !near(math.Log(r.Low), 0.3-half, 1e-6) || !near(math.Log(r.High), 0.3+half, 1e-6) ||
		!near(r.HalfWidth(), half, 1e-6) || r.Seeds != 5 {
		t.Errorf("got %+v, half-width %v, want exp(0.3 ± %v) of 5", r, r.HalfWidth(), half)
	}
	one := ratioOf([][2]float64{{3, 2}})
	if !near(one.Value, 1.5, 1e-12) || one.Low != 0 || !math.IsInf(one.High, 1) || !math.IsInf(one.HalfWidth(), 1) {
		t.Errorf("one pair: got %+v, want 1.5 and an interval that is everything", one)
	}
	same := ratioOf([][2]float64{{3, 2}, {3, 2}, {6, 4}})
	if !near(same.Low, 1.5, 1e-12) || !near(same.High, 1.5, 1e-12) || same.HalfWidth() > 1e-12 {
		t.Errorf("equal ratios: got %+v, want an interval without a width", same)
	}
}

// Swapping the two subjects turns the ratio over; the order of the seeds and the unit of
// time are of no matter; and only pairs count: what is common to both is gone.
func TestRatioOfProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		figure := rapid.Float64Range(1e-4, 1e4)
		pairs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [2]float64 {
			return [2]float64{figure.Draw(t, "a"), figure.Draw(t, "b")}
		}), 2, 30).Draw(t, "pairs")
		r := ratioOf(pairs)
		swapped, moved := make([][2]float64, len(pairs)), make([][2]float64, len(pairs))
		for i, p := range pairs {
			unit := figure.Draw(t, "unit")
			swapped[i] = [2]float64{p[1], p[0]}
			moved[len(pairs)-1-i] = [2]float64{unit * p[0], unit * p[1]}
		}
		s, m := ratioOf(swapped), ratioOf(moved)
		for _, c := range []struct{ got, want float64 }{
			{s.Value, 1 / r.Value}, {s.Low, 1 / r.High}, {s.High, 1 / r.Low},
			{m.Value, r.Value}, {m.Low, r.Low}, {m.High, r.High},
		} {
			if !near(math.Log(c.got), math.Log(c.want), 1e-6) {
				t.Fatalf("%v: got %v, want %v", pairs, c.got, c.want)
			}
		}
		if !(r.Low <= r.Value && r.Value <= r.High) {
			t.Fatalf("%v: %+v is not in order", pairs, r)
		}
	})
}

// covering plays so many experiments between two subjects of which one is 3 % slower, with
// noise of the given standard deviation in the logarithm of each ratio, and returns the
// share of the intervals that have the truth in them.
func covering(t *testing.T, experiments int, noise float64, e effort) float64 {
	const truth = 1.03
	f := &fake{p99: func(strategy string, chance *rand.Rand) float64 {
		p99 := 0.1 * math.Exp(noise/math.Sqrt2*chance.NormFloat64())
		if strategy == "p2c-ewma" {
			p99 *= truth
		}
		return p99
	}}
	o := defaults(f)
	s := parse(t, "")
	both := subjects(t, s, "p2c-ewma", "random")
	covered := 0
	for i := range experiments {
		r, err := newLab(&o).series(s, uint64(i), 0).compare(t.Context(), e, both[0], both[1])
		if err != nil {
			t.Fatal(err)
		}
		if r.Low <= truth && truth <= r.High {
			covered++
		}
	}
	return float64(covered) / float64(experiments)
}

// The interval has the truth in it as often as it says. With a fixed number of seeds that
// is 95 %: of 2000 experiments give or take 4·sqrt(0.95·0.05/2000) = 1.9 points, four
// standard deviations. A rule that stops when the interval is narrow stops a little too
// often where it is so by chance; the looks are few, so that this costs no more than two
// and a half points, wherever it stops.
func TestCoverage(t *testing.T) {
	const experiments = 2000
	chance := 4 * math.Sqrt(0.95*0.05/experiments)
	if got := covering(t, experiments, 0.05, effort{first: 10, most: 10, precision: 0.02}); !near(got, 0.95, chance) {
		t.Errorf("ten seeds: %.3f of the intervals have the truth in them, want 0.95 ± %.3f", got, chance)
	}
	for _, first := range []int{leastFirst, firstSeeds} {
		for _, noise := range []float64{0.01, 0.02, 0.03, 0.1} {
			got := covering(t, experiments, noise, effort{first: first, most: 100, precision: 0.02})
			if got < 0.95-0.025-chance || got > 0.95+chance {
				t.Errorf("from %d seeds, noise of %v: %.3f of the intervals have the truth in them, want %.3f to %.3f",
					first, noise, got, 0.925-chance, 0.95+chance)
			}
		}
	}
}
