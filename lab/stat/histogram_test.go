package stat

import (
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

// sampled is a histogram of durations.
func sampled(grain int, durations ...time.Duration) *histogram {
	h := newHistogram(grain)
	for _, d := range durations {
		h.add(d)
	}
	return &h
}

// Where values are counted, by hand, with four cells per power of two: 0, 1, 2 and 3 by
// themselves, then 4 to 7 by ones, 8 to 15 by twos, 16 to 31 by fours.
func TestHistogramCells(t *testing.T) {
	h := newHistogram(2)
	for _, c := range []struct {
		v      uint64
		octave int
		cell   uint64
		middle time.Duration
	}{
		{0, 0, 0, 0}, {3, 0, 3, 3}, {4, 1, 0, 4}, {7, 1, 3, 7}, {8, 2, 0, 9}, {9, 2, 0, 9}, {10, 2, 1, 11}, {15, 2, 3, 15},
		{16, 3, 0, 18}, {19, 3, 0, 18}, {31, 3, 3, 30}, {32, 4, 0, 36}, {math.MaxInt64, 61, 3, 7<<60 + 1<<59},
	} {
		octave, cell := h.place(c.v)
		if octave != c.octave || cell != c.cell || h.middle(octave, int(cell)) != c.middle {
			t.Errorf("%d is in octave %d, cell %d, around %d; want %d, %d, %d",
				c.v, octave, cell, h.middle(octave, int(cell)), c.octave, c.cell, c.middle)
		}
	}
}

var durations = rapid.SliceOfN(rapid.OneOf(
	rapid.Map(rapid.Int64Range(0, 5000), func(n int64) time.Duration { return time.Duration(n) }),
	rapid.Map(rapid.Int64Range(1e6, 9e9), func(n int64) time.Duration { return time.Duration(n) }),
	rapid.Map(rapid.Int64Range(0, math.MaxInt64), func(n int64) time.Duration { return time.Duration(n) }),
), 1, 300)

// Against the sorted sample: a percentile lies within half a cell, and what is exact is
// exact.
func TestHistogramAgainstSample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := durations.Draw(t, "durations")
		grain := rapid.IntRange(1, 12).Draw(t, "grain")
		places := rapid.SliceOfN(rapid.Float64Range(0, 1), 0, 5).Draw(t, "places")
		places = append(places, 0, 0.5, 0.99, 1)
		slices.Sort(places)

		h := sampled(grain, all...)
		slices.Sort(all)
		sorted := make([]float64, len(all))
		sum := new(big.Int)
		for i, d := range all {
			sorted[i] = float64(d)
			sum.Add(sum, big.NewInt(int64(d)))
		}
		got := h.quantiles(places...)
		if len(got) != len(places) {
			t.Fatalf("got %d quantiles, want %d", len(got), len(places))
		}
		for i, p := range places {
			want := stat.Quantile(p, stat.Empirical, sorted, nil)
			if off := math.Abs(float64(got[i]) - want); off > want*math.Pow(2, -float64(grain+1))+1 {
				t.Fatalf("quantile %v of %d: %d, want %.0f to a part of 2^%d", p, len(all), got[i], want, grain+1)
			}
			if got[i] < all[0] || got[i] > all[len(all)-1] {
				t.Fatalf("quantile %v: %d is not from %d to %d", p, got[i], all[0], all[len(all)-1])
			}
		}
		mean, _ := new(big.Rat).SetFrac(sum, big.NewInt(int64(len(all))*1e9)).Float64()
		if math.Abs(h.mean()-mean) > 1e-15*mean {
			t.Fatalf("mean %v, want %v", h.mean(), mean)
		}
		if h.count != uint64(len(all)) || h.low != all[0] || h.high != all[len(all)-1] {
			t.Fatalf("%d from %d to %d, want %d from %d to %d", h.count, h.low, h.high, len(all), all[0], all[len(all)-1])
		}
	})
}

// Parts that are put together are the whole.
func TestHistogramMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := durations.Draw(t, "durations")
		cut := rapid.IntRange(0, len(all)).Draw(t, "cut")
		got := sampled(coarse, all[:cut]...)
		got.merge(sampled(coarse, all[cut:]...))
		if diff := cmp.Diff(sampled(coarse, all...), got, cmp.AllowUnexported(histogram{})); diff != "" {
			t.Fatalf("(-whole +parts):\n%s", diff)
		}
	})
}

// The sum does not run over: three of the longest durations are more than 64 bits.
func TestHistogramSum(t *testing.T) {
	const longest = time.Duration(math.MaxInt64)
	h := sampled(fine, longest, longest, longest)
	for range 2 {
		if got := h.mean(); got != longest.Seconds() {
			t.Errorf("mean of %d: %v, want %v", h.count, got, longest.Seconds())
		}
		h.merge(sampled(fine, longest, longest, longest))
	}
}

func TestHistogramNegative(t *testing.T) {
	h := sampled(fine, -5, 10)
	if h.low != 0 || h.mean() != 5e-9 {
		t.Errorf("from %d, mean %v; want a negative duration counted as 0", h.low, h.mean())
	}
}

// Memory is what the durations are spread over, however many there are.
func TestHistogramAllocates(t *testing.T) {
	h := sampled(fine, 20*ms)
	d := 20 * ms
	if n := testing.AllocsPerRun(1000, func() { h.add(d); d += 1000 }); n != 0 {
		t.Errorf("%v allocations an addition in an octave that is there, want none", n)
	}
	open := 0
	for _, cells := range h.octaves {
		if cells != nil {
			open++
		}
	}
	if open != 1 {
		t.Errorf("%d octaves are there for durations from 20 to 21 ms, want 1", open)
	}
}
