package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// flips is the test as its definition says: all signs, one after the other.
func flips(d []float64, centre float64) (p float64) {
	sum, size := 0.0, 0.0
	for _, x := range d {
		sum += x - centre
		size += math.Abs(x) + math.Abs(centre)
	}
	extreme := 0
	for signs := range 1 << len(d) {
		flipped := 0.0
		for i, x := range d {
			if signs>>i&1 == 0 {
				flipped += x - centre
			} else {
				flipped -= x - centre
			}
		}
		if math.Abs(flipped) >= math.Abs(sum)-1e-12*size {
			extreme++
		}
	}
	return float64(extreme) / float64(int(1)<<len(d))
}

func TestSignFlipByHand(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		d               []float64
		p, point        float64
		low, high, lest float64
	}{
		{nil, 1, math.NaN(), -inf, inf, 1},
		{[]float64{3}, 1, 3, -inf, inf, 1},
		// All of a sign: only that assignment and its opposite are as extreme.
		{[]float64{1, 2, 3, 4, 5}, 2.0 / 32, 3, -inf, inf, 2.0 / 32},
		// From six on there is an interval: of six it is the range.
		{[]float64{1, 2, 3, 4, 5, 9}, 2.0 / 64, 4, 1, 9, 2.0 / 64},
		{[]float64{-1, 2, 3, 4, 5, 9}, 4.0 / 64, 22.0 / 6, -1, 9, 2.0 / 64},
		// Of seven the third smallest mean of a subset limits it: after 1, (1+2)/2 twice; and
		// after 9 and (9+5)/2, (9+4)/2.
		{[]float64{1, 2, 2, 3, 4, 5, 9}, 2.0 / 128, 26.0 / 7, 1.5, 6.5, 2.0 / 128},
		// Nothing differs.
		{make([]float64, 6), 1, 0, 0, 0, 2.0 / 64},
		// Ties, which 0.1+0.2-0.3 would break: {0.1,0.2,-0.3} sums to nothing.
		{[]float64{0.1, 0.2, -0.3}, 1, 0, -inf, inf, 0.25},
	} {
		got := signFlip(c.d)
		want := Estimate{c.point, c.low, c.high, c.p, len(c.d), c.lest}
		near := func(a, b float64) bool {
			return a == b || math.Abs(a-b) <= 1e-7 || math.IsNaN(a) && math.IsNaN(b)
		}
		if !near(got.P, want.P) || !near(got.Point, want.Point) || !near(got.Low, want.Low) || !near(got.High, want.High) ||
			got.N != want.N || got.Least != want.Least {
			t.Errorf("%v: got %+v, want %+v", c.d, got, want)
		}
	}
}

// Against all signs one after the other: p, and that the ends of the interval are where
// the test begins to reject.
func TestSignFlipAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 11).Draw(t, "n")
		// Few different numbers give ties, many do not.
		size := rapid.SampledFrom([]int{9, 3_000_000}).Draw(t, "size")
		number := rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.IntRange(-size, size).Draw(t, "k")) / 1e6 })
		d := rapid.SliceOfN(number, n, n).Draw(t, "d")
		e := signFlip(d)
		if want := flips(d, 0); math.Abs(e.P-want) > 1e-12 {
			t.Fatalf("%v: p %v, want %v", d, e.P, want)
		}
		if e.P < e.Least {
			t.Fatalf("%v: p %v below the least, %v", d, e.P, e.Least)
		}
		if n < 6 {
			if !math.IsInf(e.Low, -1) || !math.IsInf(e.High, 1) {
				t.Fatalf("%v: an interval from %d pairs: %+v", d, n, e)
			}
			return
		}
		if !(e.Low <= e.Point && e.Point <= e.High) {
			t.Fatalf("%v: the point is not in the interval: %+v", d, e)
		}
		if within := e.Low <= 0 && e.High >= 0; within != (e.P > Alpha) && math.Abs(e.Low) > 1e-12 && math.Abs(e.High) > 1e-12 {
			t.Fatalf("%v: p and interval disagree: %+v", d, e)
		}
		const step = 1e-7
		for _, end := range []struct{ at, out float64 }{{e.Low, -step}, {e.High, step}} {
			if p := flips(d, end.at+end.out); p > Alpha {
				t.Fatalf("%v: %+v: outside of the interval p is %v", d, e, p)
			}
			if e.High-e.Low > 2*step {
				if p := flips(d, end.at-end.out); p <= Alpha {
					t.Fatalf("%v: %+v: inside of the interval p is %v", d, e, p)
				}
			}
		}
	})
}

func normals(seed uint64, n int, centre float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 7))
	d := make([]float64, n)
	for i := range d {
		d[i] = centre + rng.NormFloat64()
	}
	return d
}

// What is true of any sample: order does not matter, a shift shifts, a scale scales, and
// the other way round is the other way round.
func TestSignFlipInvariants(t *testing.T) {
	for _, n := range []int{6, 13, 20, 21, 150} {
		d := normals(uint64(n), n, 0.3)
		e := signFlip(d)
		shuffled := slices.Clone(d)
		slices.Reverse(shuffled)
		if got := signFlip(shuffled); got != e {
			t.Errorf("n=%d: another order gives %+v, want %+v", n, got, e)
		}
		moved := make([]float64, n)
		for i, x := range d {
			moved[i] = 5 - 2*x
		}
		got := signFlip(moved)
		// Where signs are drawn the two sides are drawn apart: a tail of 500 of 20,000 is
		// off by 4 %, which at 2 standard deviations is 2 % of one.
		tolerance := 1e-6
		if n > exactMost {
			tolerance = 0.05 * (e.High - e.Low)
		}
		if math.Abs(got.Low-(5-2*e.High)) > tolerance || math.Abs(got.High-(5-2*e.Low)) > tolerance || math.Abs(got.Point-(5-2*e.Point)) > 1e-9 {
			t.Errorf("n=%d: turned and scaled: got %+v of %+v", n, got, e)
		}
		if n > exactMost && e.Least != 2.0/(draws+1) {
			t.Errorf("n=%d: least p %v", n, e.Least)
		}
	}
}

// Drawn signs say what all signs say. With 20,000 draws p has a standard error of
// 2√(p/2 (1-p/2)/20000), below 0.007.
func TestDrawnAgreesWithExact(t *testing.T) {
	for seed := range uint64(20) {
		d := normals(seed, 18, 0.4)
		slices.Sort(d)
		exact := signFlip(d)
		means, empty := drawnMeans(d)
		p, low := drawnTail(means, empty)
		if want := exact.P; exact.Point > 0 && math.Abs(2*p-want) > 0.03 {
			t.Errorf("seed %d: p %v, want %v", seed, 2*p, want)
		}
		if math.Abs(low-exact.Low) > 0.05*(exact.High-exact.Low) {
			t.Errorf("seed %d: low end %v, want %v", seed, low, exact.Low)
		}
	}
}

// A large effect in many blocks has the least p, and is never 0.
func TestDrawnLeast(t *testing.T) {
	e := signFlip(normals(3, 200, 4))
	if e.P != e.Least || e.P <= 0 || !(e.Low > 3.5 && e.High < 4.5) {
		t.Errorf("got %+v, want the least p and an interval around 4", e)
	}
}

func BenchmarkSignFlip(b *testing.B) {
	for _, n := range []int{10, 20, 40} {
		b.Run("n="+itoa(n), func(b *testing.B) {
			d := normals(1, n, 0.1)
			for b.Loop() {
				signFlip(d)
			}
		})
	}
}
