package stat

import (
	"math"
	"math/bits"
	"slices"

	"github.com/evenkeel/evenkeel/core"
)

// Alpha is the level of every test, and 1-Alpha that of every interval.
const Alpha = 0.05

// Estimate is what a test says of a difference: a point, the interval of those values
// that the test does not reject, and the p of there being none. Low and High are infinite
// where the sample is too small to exclude anything.
type Estimate struct {
	Point, Low, High float64
	P                float64 // two-sided
	N                int     // pairs, or the smaller of two samples
	Least            float64 // the smallest p that a sample of this size can give
}

// exactMost is up to how many pairs every assignment of signs is counted. Above it so many
// are drawn that the tail of an interval, 2.5 %, is known to a twentieth of itself. With
// draws+1 no multiple of 40 no p is exactly Alpha.
const (
	exactMost = 20
	draws     = 19_998
)

// signFlip tests whether paired differences are symmetric about 0, with nothing else
// assumed of them (Fisher's randomisation test, The Design of Experiments, 1935, §21).
//
// The statistic is their sum; p is the share of the 2^n assignments of signs that give at
// least as large a one. A sum of flipped signs is at least the observed one just when the
// flipped differences sum to 0 or less. So the one-sided p for a centre θ is the share of
// the subsets, the empty one included, whose mean is at most θ, and the limits of the
// interval are order statistics of the means of all subsets (Hartigan, "Using subsample
// values as typical values", JASA 64, 1969): the interval has just those centres that the
// test does not reject at Alpha.
//
// The order does not matter, and the differences are not changed.
func signFlip(differences []float64) Estimate {
	n := len(differences)
	if n == 0 {
		return Estimate{Point: math.NaN(), Low: math.Inf(-1), High: math.Inf(1), P: 1, Least: 1}
	}
	d := slices.Clone(differences)
	slices.Sort(d) // the same bytes in any order
	e := Estimate{Point: meanOf(d), N: n}
	negated := make([]float64, n)
	for i, x := range d {
		negated[n-1-i] = -x
	}
	var below, above, low, high float64
	if n <= exactMost {
		total := float64(uint64(1) << n)
		e.Least = min(1, 2/total)
		below, low = exactTail(d, total)
		above, high = exactTail(negated, total)
	} else {
		e.Least = 2.0 / (draws + 1)
		means, empty := drawnMeans(d)
		below, low = drawnTail(means, empty)
		for i := range means {
			means[i] = -means[i]
		}
		slices.Reverse(means)
		above, high = drawnTail(means, empty)
	}
	e.P = min(1, 2*min(below, above))
	e.Low, e.High = low, -high
	return e
}

// meanOf is the arithmetic mean.
func meanOf(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// tail is how many of so many assignments may be as extreme on one side, the observed one
// left out, for a centre to be rejected.
func tail(total float64) int { return int(math.Floor(Alpha / 2 * total)) }

// exactTail returns the one-sided p for the centre 0, and the lower limit: the smallest θ
// with at least tail(total) subsets whose means are at most θ, to a 10^-8 of the range.
// d is sorted.
func exactTail(d []float64, total float64) (p, low float64) {
	c := newCounter(d)
	atZero := c.atMost(0)
	p = float64(1+atZero) / total
	k := tail(total)
	if k == 0 {
		return p, math.Inf(-1)
	}
	lo, hi := d[0], meanOf(d) // half of all subsets have means up to that of all
	if c.atMost(lo) >= k {
		return p, lo
	}
	// What is known of 0 is kept, so that p and interval never disagree.
	if lo < 0 && hi > 0 {
		if atZero >= k {
			hi = 0
		} else {
			lo = 0
		}
	}
	for resolution := 1e-8 * (d[len(d)-1] - d[0]); hi-lo > resolution; {
		middle := lo + (hi-lo)/2
		if middle <= lo || middle >= hi {
			break
		}
		if c.atMost(middle) >= k {
			hi = middle
		} else {
			lo = middle
		}
	}
	return p, hi
}

// counter counts subsets of up to exactMost numbers by meeting in the middle: the sums of
// the subsets of either half in order, 2^(n/2) of them, and a walk along both.
type counter struct {
	d      []float64
	a, b   []float64 // sums of each half
	shadow []float64
}

func newCounter(d []float64) *counter {
	size := 1 << ((len(d) + 1) / 2)
	return &counter{d, make([]float64, 0, size), make([]float64, 0, size), make([]float64, 0, size)}
}

// atMost is the number of subsets but the empty one whose mean is at most θ. What is above
// it by no more than rounding counts, which makes ties ties.
func (c *counter) atMost(theta float64) int {
	half := len(c.d) / 2
	c.a = c.sums(c.a, c.d[:half], theta)
	c.b = c.sums(c.b, c.d[half:], theta)
	size := 0.0
	for _, x := range c.d {
		size += math.Abs(x) + math.Abs(theta)
	}
	tolerance := 1e-13 * size
	n, j := 0, len(c.b)
	for _, x := range c.a {
		for j > 0 && x+c.b[j-1] > tolerance {
			j--
		}
		n += j
	}
	return n - 1
}

// sums fills list with the sums of x-θ over all subsets, in order.
func (c *counter) sums(list, of []float64, theta float64) []float64 {
	list = append(list[:0], 0)
	for _, x := range of {
		x -= theta
		c.shadow = append(c.shadow[:0], list...)
		n := len(list)
		list = list[:2*n]
		// Merge the sums without x and those with it, from the end.
		for i, j, at := n-1, n-1, 2*n-1; at >= 0; at-- {
			if j < 0 || i >= 0 && c.shadow[i] >= c.shadow[j]+x {
				list[at] = c.shadow[i]
				i--
			} else {
				list[at] = c.shadow[j] + x
				j--
			}
		}
	}
	return list
}

// drawnMeans are the means of random subsets, in order, and how many were empty. What is
// drawn depends on the number of differences alone.
func drawnMeans(d []float64) (means []float64, empty int) {
	key := core.NewKey(core.Hash("sign flips")).At(uint64(len(d)))
	means = make([]float64, 0, draws)
	for range draws {
		sum, n := 0.0, 0
		for i := 0; i < len(d); i += 64 {
			word := key.Uint64()
			if rest := len(d) - i; rest < 64 {
				word &= 1<<rest - 1
			}
			n += bits.OnesCount64(word)
			for ; word != 0; word &= word - 1 {
				sum += d[i+bits.TrailingZeros64(word)]
			}
		}
		if n == 0 {
			empty++
			continue
		}
		means = append(means, sum/float64(n))
	}
	slices.Sort(means)
	return means, empty
}

// drawnTail is exactTail for drawn subsets. The observed assignment counts as drawn, so p
// is never 0 and never too small (Phipson and Smyth, "Permutation p-values should never be
// zero", 2010).
func drawnTail(means []float64, empty int) (p, low float64) {
	tolerance := 1e-13 * max(math.Abs(means[0]), math.Abs(means[len(means)-1]))
	at, _ := slices.BinarySearch(means, math.Nextafter(tolerance, 1))
	p = float64(1+empty+at) / (draws + 1)
	k := tail(draws+1) - empty
	if k < 1 {
		return p, math.Inf(-1)
	}
	return p, means[k-1]
}
