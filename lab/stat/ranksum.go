package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// rankSum compares two samples without pairs: whether y is shifted against x (Mann and
// Whitney, 1947). The statistic U is how many of the differences y-x are below 0, of all
// pairs that can be made; p counts a difference of 0 on either side, which never makes it
// too small. The interval has the shifts that the test does not reject: order statistics
// of the differences (Hodges and Lehmann, 1963), and the point is their median.
//
// It assumes that the two distributions differ by a shift. Up to exactRanks differences
// the distribution of U is exact, above it the normal one with its continuity correction.
func rankSum(x, y []float64) Estimate {
	n := min(len(x), len(y))
	if n == 0 {
		return Estimate{Point: math.NaN(), Low: math.Inf(-1), High: math.Inf(1), P: 1, Least: 1}
	}
	d := make([]float64, 0, len(x)*len(y))
	below, above := 0, 0 // 0 included
	for _, b := range x {
		for _, s := range y {
			d = append(d, s-b)
			if s <= b {
				below++
			}
			if s >= b {
				above++
			}
		}
	}
	cdf := ranks(len(x), len(y))
	e := Estimate{N: n, P: min(1, 2*cdf(min(below, above))), Least: min(1, 2*cdf(0)), Low: math.Inf(-1), High: math.Inf(1)}
	slices.Sort(d)
	// A shift θ is rejected when at most u differences are on one side of it and
	// 2 P(U <= u) <= Alpha; k is the number of such u.
	k := 0
	for k < len(d)/2 && 2*cdf(k) <= Alpha {
		k++
	}
	if k > 0 {
		e.Low, e.High = d[k-1], d[len(d)-k]
	}
	e.Point = median(d)
	return e
}

// exactRanks is up to how many pairs the distribution of U is counted out.
const exactRanks = 2500

// ranks returns P(U <= u) for samples of m and n from one distribution.
func ranks(m, n int) func(u int) float64 {
	if m*n > exactRanks {
		mean := float64(m) * float64(n) / 2
		sd := math.Sqrt(float64(m) * float64(n) * float64(m+n+1) / 12)
		return func(u int) float64 { return distuv.UnitNormal.CDF((float64(u) + 0.5 - mean) / sd) }
	}
	sums := cumulated(m, n)
	return func(u int) float64 { return sums[min(u, len(sums)-1)] }
}

// cumulated is the distribution of U, by the recurrence of Mann and Whitney: the largest
// of all values is in the one sample, before which the n of the other stand, or in the
// other.
//
//	P(m,n,u) = m/(m+n) P(m-1,n,u-n) + n/(m+n) P(m,n-1,u)
func cumulated(m, n int) []float64 {
	row := make([][]float64, n+1) // of so many in the other sample
	for j := range row {
		row[j] = []float64{1}
	}
	for i := 1; i <= m; i++ {
		next := [][]float64{{1}}
		for j := 1; j <= n; j++ {
			p := make([]float64, i*j+1)
			share := float64(i) / float64(i+j)
			for u, q := range row[j] {
				p[u+j] += share * q
			}
			for u, q := range next[j-1] {
				p[u] += (1 - share) * q
			}
			next = append(next, p)
		}
		row = next
	}
	sums := row[n]
	for u := 1; u < len(sums); u++ {
		sums[u] += sums[u-1]
	}
	return sums
}
