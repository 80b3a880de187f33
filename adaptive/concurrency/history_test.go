package concurrency

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestCorrelations(t *testing.T) {
	line := func(n int, of func(i int) point) *history {
		h := &history{}
		for i := range n {
			h.add(of(i))
		}
		return h
	}
	no := math.NaN()
	for name, c := range map[string]struct {
		h                   *history
		throughput, latency float64
	}{
		"too few":               {line(9, func(i int) point { return point{float64(i), float64(i), float64(i)} }), no, no},
		"ten, with and against": {line(10, func(i int) point { return point{float64(i), 3 * float64(i), 5 - float64(i)} }), 1, -1},
		"all the same":          {line(20, func(i int) point { return point{7, float64(i), float64(i)} }), no, no},
		"beyond the knee":       {line(20, func(i int) point { return point{float64(i), 100, float64(i)} }), 0, 1},
		// 0 1 2 3 against 0 1 0 1: a covariance of 1, of variances 5 and 1.
		"half with it": {line(40, func(i int) point { return point{float64(i % 4), float64(i % 2), 1} }), 1 / math.Sqrt(5), 0},
		// What is more than 50 windows ago is forgotten.
		"only the last fifty": {line(100, func(i int) point {
			if i < 50 {
				return point{float64(i), -float64(i), 1}
			}
			return point{float64(i), float64(i), 1}
		}), 1, 0},
	} {
		throughput, latency := c.h.correlations()
		same := func(got, want float64) bool {
			return math.IsNaN(got) && math.IsNaN(want) || math.Abs(got-want) < 1e-9
		}
		if !same(throughput, c.throughput) || !same(latency, c.latency) {
			t.Errorf("%s: got %v and %v, want %v and %v", name, throughput, latency, c.throughput, c.latency)
		}
	}
}

// Invariants: correlations are NaN, or from -1 to 1.
func TestCorrelationsInBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &history{}
		value := rapid.Float64Range(0, 1e9)
		for range rapid.IntRange(0, 120).Draw(t, "windows") {
			h.add(point{value.Draw(t, "in flight"), value.Draw(t, "throughput"), value.Draw(t, "latency")})
		}
		throughput, latency := h.correlations()
		for _, c := range []float64{throughput, latency} {
			if math.Abs(c) > 1+1e-9 {
				t.Fatalf("got %v, want -1 to 1", c)
			}
		}
	})
}

// Invariant: a quantile of the histogram is that of the sorted sample, within 3.2 %: half
// of a bucket, which is a sixteenth of its lower end.
func TestHistogramQuantile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sample := rapid.SliceOfN(rapid.Float64Range(2e-6, 50), 1, 200).Draw(t, "sample")
		q := rapid.Float64Range(0.01, 0.99).Draw(t, "quantile")
		h := &histogram{}
		for _, x := range sample {
			h.add(x)
		}
		rank := int(math.Ceil(q * float64(len(sample))))
		got := h.quantile(q)
		below, atMost := 0, 0
		for _, x := range sample {
			if x < got*(1-0.032) {
				below++
			}
			if x <= got*(1+0.032) {
				atMost++
			}
		}
		if below >= rank || atMost < rank {
			t.Fatalf("quantile %v of %d: got %v, with %d clearly below and %d about there or below; want rank %d", q, len(sample), got, below, atMost, rank)
		}
	})
}

// What lies beyond the ends is counted there.
func TestHistogramEnds(t *testing.T) {
	for _, c := range []struct{ seconds, low, high float64 }{
		{0, 1e-6, 1.1e-6}, {-1, 1e-6, 1.1e-6}, {math.NaN(), 1e-6, 1.1e-6}, {1e-7, 1e-6, 1.1e-6}, {3600, 60, 70}, {9e9, 60, 70},
	} {
		h := &histogram{}
		h.add(c.seconds)
		if got := h.quantile(0.5); got < c.low || got > c.high {
			t.Errorf("%v s: got %v, want %v to %v", c.seconds, got, c.low, c.high)
		}
	}
	if got := (&histogram{}).quantile(0.5); got != leastBucket {
		t.Errorf("of nothing: got %v, want the least there is", got)
	}
}
