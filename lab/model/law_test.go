package model

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

func newLaw(t interface {
	Helper()
	Fatal(...any)
}, p Params) Law {
	t.Helper()
	law, err := NewLaw(p)
	if err != nil {
		t.Fatal(err)
	}
	return law
}

func TestNewLaw(t *testing.T) {
	for _, c := range []struct {
		given Params
		want  string // part of the error; empty for none
	}{
		{Params{Kind: "constant", Mean: ms}, ""},
		{Params{Kind: "exponential", Mean: ms}, ""},
		{Params{Kind: "lognormal", Mean: ms, CV: 0.5}, ""},
		{Params{Kind: "normal", Mean: ms, CV: 1}, ""},
		{Params{Kind: "weibull", Mean: ms, Shape: 0.5}, ""},
		{Params{Kind: "pareto", Mean: ms, Alpha: 1, Spread: 10}, ""},
		{Params{Kind: "bimodal", Mean: ms, Share: 0.05, Factor: 20}, ""},
		{Params{Kind: "constant"}, "mean 0s"},
		{Params{Kind: "exponential", Mean: -ms}, "mean -1ms"},
		{Params{Kind: "exponential", Mean: ms, CV: 1}, "has no cv"},
		{Params{Kind: "constant", Mean: ms, Shape: 0.1}, "has no shape"},
		{Params{Kind: "lognormal", Mean: ms}, "cv 0: expected above 0"},
		{Params{Kind: "lognormal", Mean: ms, CV: -1}, "cv -1"},
		{Params{Kind: "lognormal", Mean: ms, CV: math.NaN()}, "cv NaN"},
		{Params{Kind: "normal", Mean: ms, CV: math.Inf(1)}, "cv +Inf"},
		{Params{Kind: "weibull", Mean: ms, Shape: 0.05}, "shape 0.05: expected at least 0.1"},
		{Params{Kind: "pareto", Mean: ms, Alpha: 1.5}, "spread 0: expected above 1"},
		{Params{Kind: "pareto", Mean: ms, Spread: 10}, "alpha 0"},
		{Params{Kind: "bimodal", Mean: ms, Share: 1, Factor: 2}, "share 1: expected above 0 and below 1"},
		{Params{Kind: "bimodal", Mean: ms, Share: 0.5, Factor: 1}, "factor 1: expected above 1"},
		{Params{Kind: "cauchy", Mean: ms}, `unknown law "cauchy"`},
		{Params{Kind: "empirical", Mean: ms, Times: []time.Duration{0, ms}}, ""},
		{Params{Kind: "empirical", Mean: 2 * ms, Times: []time.Duration{ms, 3 * ms}}, ""},
		{Params{Kind: "empirical", Times: []time.Duration{ms, 3 * ms}, Mean: -1}, "mean -1ns"},
		{Params{Kind: "empirical", Mean: ms}, "no times"},
		{Params{Kind: "empirical", Times: []time.Duration{2 * ms, ms}}, "do not ascend"},
		{Params{Kind: "empirical", Times: []time.Duration{-1, ms}}, "from -1ns to 1ms"},
		{Params{Kind: "empirical", Times: []time.Duration{0, 0}}, "not all 0"},
		{Params{Kind: "empirical", Times: []time.Duration{ms}, CV: 1}, "has no cv"},
		{Params{Kind: "exponential", Mean: ms, Times: []time.Duration{ms}}, "has no times"},
	} {
		law, err := NewLaw(c.given)
		if c.want == "" {
			if err != nil || law.Mean() != c.given.Mean || !slices.Contains(Laws, c.given.Kind) {
				t.Errorf("%+v: got %v with mean %v, want no error, and its name in %v", c.given, err, law.Mean(), Laws)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want an error with %q", c.given, err, c.want)
		}
	}
	for _, kind := range Laws {
		if _, err := NewLaw(Params{Kind: kind, Mean: ms}); err != nil && strings.Contains(err.Error(), "unknown") {
			t.Errorf("%s is in Laws: got %v", kind, err)
		}
	}
}

// With X in units of the mean, the average of n draws of X lies around 1 with the
// standard deviation √(m2-1)/√n, and that of X² around its second moment m2 with
// √(m4-m2²)/√n. The draws are keyed, so the test does not flicker; five standard
// deviations leave a wrong law no room. The moments:
//   - lognormal: E[X^k] = (1+cv²)^(k(k-1)/2);
//   - weibull of shape k: Γ(1+j/k)/Γ(1+1/k)^j;
//   - bounded pareto on [1, H], a not j: a/(a-j)·(1-H^(j-a))/(1-H^(-a)), over the mean;
//   - bimodal: share·long^j + (1-share)·short^j;
//   - empirical: the moments of its times, over powers of their mean;
//   - normal of cv 1, given X > 0: with h = phi(1)/Phi(1), E[X] = 1+h, E[X²] = 2+h,
//     and by E[X^j] = E[X^(j-1)] + (j-1)·E[X^(j-2)] for j > 2: E[X³] = 4+3h, E[X⁴] = 10+6h.
func TestLawMoments(t *testing.T) {
	const n = 200_000
	weibull := func(j float64) float64 { return math.Gamma(1+j/0.7) / math.Pow(math.Gamma(1+1/0.7), j) }
	pareto := func(j float64) float64 {
		const a, h = 1.5, 100.0
		return a / (a - j) * (1 - math.Pow(h, j-a)) / (1 - math.Pow(h, -a))
	}
	short := 1 / (0.9 + 0.1*20)
	bimodal := func(j float64) float64 { return 0.1*math.Pow(20*short, j) + 0.9*math.Pow(short, j) }
	hazard := math.Exp(-0.5) / math.Sqrt(2*math.Pi) / (math.Erfc(-1/math.Sqrt2) / 2)
	for _, c := range []struct {
		given          Params
		second, fourth float64
	}{
		{Params{Kind: "constant"}, 1, 1},
		{Params{Kind: "exponential"}, 2, 24},
		{Params{Kind: "lognormal", CV: 0.5}, 1.25, math.Pow(1.25, 6)},
		{Params{Kind: "lognormal", CV: 1}, 2, math.Pow(2, 6)},
		{Params{Kind: "weibull", Shape: 0.7}, weibull(2), weibull(4)},
		{Params{Kind: "pareto", Alpha: 1.5, Spread: 100}, pareto(2) / math.Pow(pareto(1), 2), pareto(4) / math.Pow(pareto(1), 4)},
		{Params{Kind: "bimodal", Share: 0.1, Factor: 20}, bimodal(2), bimodal(4)},
		{Params{Kind: "normal", CV: 1}, (2 + hazard) / math.Pow(1+hazard, 2), (10 + 6*hazard) / math.Pow(1+hazard, 4)},
		{Params{Kind: "empirical", Times: []time.Duration{ms, 2 * ms, 3 * ms, 10 * ms}},
			(1 + 4 + 9 + 100.0) / 4 / 16, (1 + 16 + 81 + 10_000.0) / 4 / 256},
	} {
		t.Run(fmt.Sprint(c.given), func(t *testing.T) {
			const mean = 10 * ms
			c.given.Mean = mean
			law := newLaw(t, c.given)
			var first, second float64
			for i := range n {
				x := float64(law.Draw(core.NewKey(1).At(uint64(i)))) / float64(mean)
				first += x / n
				second += x * x / n
			}
			rounding := 1e-6 // of a nanosecond in ten milliseconds, and of the sums
			if within := 5*math.Sqrt(max(0, c.second-1)/n) + rounding; math.Abs(first-1) > within {
				t.Errorf("mean: got %v, want 1 ± %.4f", first, within)
			}
			if within := 5*math.Sqrt(max(0, c.fourth-c.second*c.second)/n) + rounding; math.Abs(second-c.second) > within {
				t.Errorf("mean square: got %v, want %v ± %.4f", second, c.second, within)
			}
		})
	}
}

// Invariants: a key draws the same time again, and so many times it with so many times
// the mean; a key that draws a longer time by one law does not draw a shorter one by
// another (the same quantile); and no draw is negative.
func TestLawInverse(t *testing.T) {
	all := []Params{
		{Kind: "constant"}, {Kind: "exponential"}, {Kind: "lognormal", CV: 0.5}, {Kind: "normal", CV: 1},
		{Kind: "weibull", Shape: 2}, {Kind: "pareto", Alpha: 1, Spread: 1000}, {Kind: "bimodal", Share: 0.3, Factor: 3},
		{Kind: "empirical", Times: []time.Duration{0, 2 * ms, 3 * ms, 3 * ms, 7 * ms}},
	}
	rapid.Check(t, func(t *rapid.T) {
		mean := time.Duration(rapid.Int64Range(int64(ms), int64(time.Minute)).Draw(t, "mean"))
		times := rapid.IntRange(2, 50).Draw(t, "times")
		key := core.NewKey(rapid.Uint64().Draw(t, "key"))
		other := key.At(1)
		order := newLaw(t, Params{Kind: "exponential", Mean: mean})
		longer := order.Draw(key) >= order.Draw(other)

		for _, p := range all {
			p.Mean = mean
			law := newLaw(t, p)
			once := law.Draw(key)
			if again := law.Draw(key); once < 0 || once != again {
				t.Fatalf("%s: got %v and %v from the same key", p.Kind, once, again)
			}
			if second := law.Draw(other); longer && once < second || !longer && once > second {
				t.Fatalf("%s: got %v and %v, in the other order than the exponential law", p.Kind, once, second)
			}
			// Both are rounded down: once by less than a nanosecond, which counts
			// so many times, and the other by less than one. The rest is the
			// floating point's, some 1e-15 of the value.
			p.Mean *= time.Duration(times)
			more := newLaw(t, p).Draw(key)
			want := float64(times) * float64(once)
			if diff := float64(more) - want; math.Abs(diff) > float64(times)+1e-12*want {
				t.Fatalf("%s: %d times the mean: got %v, want %d times %v", p.Kind, times, more, times, once)
			}
		}
	})
}

// Invariants of n times as they are: a draw is one of them, the one that its key's
// number says, to the nanosecond, and the mean is theirs; another mean scales them.
func TestEmpirical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spread := rapid.Int64Range(1, int64(time.Hour)).Draw(t, "spread")
		times := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(0, spread).Draw(t, "time"))
		}), 1, 100).Draw(t, "times")
		times = append(times, time.Duration(spread))
		slices.Sort(times)
		n := len(times)
		total := time.Duration(0)
		for _, x := range times {
			total += x
		}

		law := newLaw(t, Params{Kind: "empirical", Times: times})
		if diff := law.Mean() - total/time.Duration(n); diff < -1 || diff > 1 {
			t.Fatalf("mean: got %v, want %v", law.Mean(), total/time.Duration(n))
		}
		key := core.NewKey(rapid.Uint64().Draw(t, "key"))
		once := key
		place := int(math.Ceil((1-once.Float64())*float64(n))) - 1
		got := law.Draw(key)
		if got != times[place] {
			t.Fatalf("got %v, want %v, the number %d of %v", got, times[place], place, times)
		}
		if law.Mean() == 0 {
			return // a fraction of a nanosecond
		}
		twice := newLaw(t, Params{Kind: "empirical", Times: times, Mean: 2 * law.Mean()}).Draw(key)
		// The mean is rounded down by less than one nanosecond in mean many.
		within := 1 + 2*float64(got)/float64(law.Mean())
		if math.Abs(float64(twice-2*got)) > within {
			t.Fatalf("with twice the mean: got %v, want twice %v ± %v ns", twice, got, within)
		}
	})
}

// Each of n times is drawn by a share of 1/n of the numbers: the largest by the smallest
// numbers, and the smallest by the largest, the one next to 1 included.
func TestEmpiricalPlaces(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 10_000_000} {
		times := make([]time.Duration, n)
		for i := range times {
			times[i] = time.Duration(i + 1)
		}
		exceeded := empirical(times)
		least, most := 0x1p-53, 1-0x1p-53
		if got := exceeded(least); got != float64(n) {
			t.Errorf("%d times: the smallest number draws %v, want the largest", n, got)
		}
		if got := exceeded(most); got != 1 {
			t.Errorf("%d times: the largest number draws %v, want the smallest", n, got)
		}
	}
	exceeded := empirical([]time.Duration{1, 2, 3, 4})
	for p, want := range map[float64]float64{0.01: 4, 0.24: 4, 0.26: 3, 0.49: 3, 0.51: 2, 0.74: 2, 0.76: 1, 0.99: 1} {
		if got := exceeded(p); got != want {
			t.Errorf("the number %v draws %v of 1 to 4, want %v", p, got, want)
		}
	}
}

// A law with a wild spread draws long times, never negative ones.
func TestLawOverflow(t *testing.T) {
	wild := newLaw(t, Params{Kind: "lognormal", Mean: 24 * time.Hour, CV: 1e9})
	long := newLaw(t, Params{Kind: "exponential", Mean: math.MaxInt64})
	for i := range 10_000 {
		key := core.NewKey(2).At(uint64(i))
		if got := wild.Draw(key); got < 0 {
			t.Fatalf("lognormal: got %v", got)
		}
		if got := long.Draw(key); got < 0 {
			t.Fatalf("exponential: got %v", got)
		}
	}
}
