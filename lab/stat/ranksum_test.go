package stat

import (
	"math"
	"math/bits"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func itoa(n int) string { return strconv.Itoa(n) }

// assignments is the rank sum test by its definition: every way of saying which of the
// values belong to y. Without ties.
func assignments(x, y []float64) (p float64) {
	all := append(append([]float64{}, x...), y...)
	statistic := func(of uint) (u int) {
		for i := range all {
			for j := range all {
				if of>>i&1 == 1 && of>>j&1 == 0 && all[i] < all[j] {
					u++
				}
			}
		}
		return u
	}
	var observed uint
	for i := range y {
		observed |= 1 << (len(x) + i)
	}
	u := statistic(observed)
	u = min(u, len(x)*len(y)-u)
	total, extreme := 0, 0
	for of := range uint(1) << len(all) {
		if bits.OnesCount(of) != len(y) {
			continue
		}
		total++
		if got := statistic(of); got <= u {
			extreme++
		}
	}
	return min(1, 2*float64(extreme)/float64(total))
}

func TestRankSumAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, n := rapid.IntRange(1, 5).Draw(t, "m"), rapid.IntRange(1, 5).Draw(t, "n")
		distinct := rapid.SliceOfNDistinct(rapid.IntRange(-100, 100), m+n, m+n, rapid.ID).Draw(t, "values")
		var x, y []float64
		for i, v := range distinct {
			if i < m {
				x = append(x, float64(v))
			} else {
				y = append(y, float64(v))
			}
		}
		e := rankSum(x, y)
		if want := assignments(x, y); math.Abs(e.P-want) > 1e-12 {
			t.Fatalf("%v %v: p %v, want %v", x, y, e.P, want)
		}
		if e.P < e.Least-1e-12 || e.Point < e.Low || e.Point > e.High {
			t.Fatalf("%v %v: %+v", x, y, e)
		}
		if within := e.Low <= 0 && e.High >= 0; within != (e.P > Alpha) {
			t.Fatalf("%v %v: p and interval disagree: %+v", x, y, e)
		}
	})
}

func TestRankSum(t *testing.T) {
	// 5 against 5, apart: 2 of the 252 assignments. The interval leaves out k differences
	// at either end: P(U <= 2) = 4/252, P(U <= 3) = 7/252 > 0.025, so k is 3.
	e := rankSum([]float64{1, 2, 3, 4, 5}, []float64{11, 12, 13, 14, 15})
	if want := (Estimate{10, 7, 13, 2.0 / 252, 5, 2.0 / 252}); math.Abs(e.P-want.P) > 1e-15 || e.Point != want.Point || e.Low != want.Low || e.High != want.High || e.N != 5 {
		t.Errorf("got %+v, want %+v", e, want)
	}
	// 3 against 3 can never be significant, and has no interval.
	e = rankSum([]float64{1, 2, 3}, []float64{11, 12, 13})
	if math.Abs(e.Least-0.1) > 1e-15 || !math.IsInf(e.Low, -1) || !math.IsInf(e.High, 1) {
		t.Errorf("3 and 3: got %+v", e)
	}
	// Equal values count on both sides.
	if e = rankSum([]float64{1, 1, 1, 1, 1}, []float64{1, 1, 1, 1, 1}); e.P != 1 || e.Low != 0 || e.High != 0 {
		t.Errorf("equal: got %+v", e)
	}
	if e = rankSum(nil, []float64{1}); e.P != 1 || e.N != 0 {
		t.Errorf("nothing: got %+v", e)
	}
	// The normal distribution takes over where the exact one ends, without a step: 50 and
	// 50 against 51 and 50.
	exact, normal := ranks(50, 50), ranks(51, 50)
	for _, u := range []int{850, 1000, 1100, 1250} {
		z := (float64(u) + 0.5 - 1250) / math.Sqrt(2500*101.0/12)
		same := int(math.Round(1275 + z*math.Sqrt(2550*102.0/12) - 0.5))
		if a, b := exact(u), normal(same); math.Abs(a-b) > 0.003 {
			t.Errorf("U %d of 50 and 50: %v, and %v of 51 and 50", u, a, b)
		}
	}
}

func TestAdjust(t *testing.T) {
	// By hand, as in R's p.adjust: the order of p is kept.
	p := []float64{0.01, 0.04, 0.03, 0.005}
	for name, c := range map[string]struct{ got, want []float64 }{
		"Holm":               {holm(p), []float64{0.03, 0.06, 0.06, 0.02}},
		"Benjamini-Hochberg": {benjaminiHochberg(p), []float64{0.02, 0.04, 0.04, 0.02}},
		"Holm, at most 1":    {holm([]float64{0.9, 0.6}), []float64{1, 1}},
		"none":               {holm(nil), nil},
	} {
		if len(c.got) != len(c.want) {
			t.Fatalf("%s: got %v, want %v", name, c.got, c.want)
		}
		for i := range c.want {
			if math.Abs(c.got[i]-c.want[i]) > 1e-12 {
				t.Errorf("%s: got %v, want %v", name, c.got, c.want)
				break
			}
		}
	}
}

func TestAdjustProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOf(rapid.Float64Range(0, 1)).Draw(t, "p")
		strict, loose := holm(p), benjaminiHochberg(p)
		for i := range p {
			if strict[i] < loose[i]-1e-15 || loose[i] < p[i] || strict[i] > 1 || strict[i] > float64(len(p))*p[i]+1e-15 {
				t.Fatalf("p %v: Holm %v, Benjamini-Hochberg %v", p, strict, loose)
			}
			for j := range p {
				if p[i] < p[j] && (strict[i] > strict[j] || loose[i] > loose[j]) {
					t.Fatalf("p %v: the order is lost: %v, %v", p, strict, loose)
				}
			}
		}
	})
}
