package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/stat"
)

func floats(n int, of func(i int) float64) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = of(i)
	}
	return s
}

func TestLatencyFloors(t *testing.T) {
	tests := []struct {
		n    int
		want string // which figures are there
	}{
		{0, ""}, {1, "mean max"}, {5, "mean max"}, {6, "mean p50 max"}, {35, "mean p50 max"},
		{36, "mean p50 p90 max"}, {367, "mean p50 p90 max"}, {368, "mean p50 p90 p99 max"},
		{3689, "mean p50 p90 p99 max"}, {3690, "mean p50 p90 p99 p999 max"},
	}
	for _, tt := range tests {
		l := latencyOf(floats(tt.n, func(i int) float64 { return float64(i + 1) }))
		got := ""
		for _, f := range []struct {
			name string
			v    *float64
		}{{"mean", l.Mean}, {"p50", l.P50}, {"p90", l.P90}, {"p99", l.P99}, {"p999", l.P999}, {"max", l.Max}} {
			if f.v != nil {
				if got != "" {
					got += " "
				}
				got += f.name
			}
		}
		if got != tt.want {
			t.Errorf("n=%d: %q, want %q", tt.n, got, tt.want)
		}
	}
}

// Of 1, 2, …, 10000 the p-quantile is 10000·p, exactly.
func TestLatencyValues(t *testing.T) {
	l := latencyOf(floats(10_000, func(i int) float64 { return float64(i + 1) }))
	want := Latency{Mean: new(5000.5), P50: new(5000.0), P90: new(9000.0), P99: new(9900.0), P999: new(9990.0), Max: new(10000.0)}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestQuantileAgainstGonum(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := 1; n < 2000; n += 1 + n/7 {
		sorted := floats(n, func(int) float64 { return rng.ExpFloat64() })
		slices.Sort(sorted)
		for _, p := range append([]float64{0, 0.5, 0.9, 0.99, 0.999, 1}, rng.Float64(), rng.Float64(), float64(n/2)/float64(n)) {
			if got, want := quantile(p, sorted), stat.Quantile(p, stat.Empirical, sorted, nil); got != want {
				t.Errorf("n=%d p=%v: %v, gonum says %v", n, p, got, want)
			}
		}
	}
}

func TestMedian(t *testing.T) {
	tests := []struct {
		of   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}}
	for _, tt := range tests {
		if got := median(slices.Clone(tt.of)); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.of, got, tt.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing is a number")
	}
	if got := medianOf([]*float64{nil, new(2.0), nil, new(4.0)}); got == nil || *got != 3 {
		t.Errorf("medianOf skips nil: got %v, want 3", got)
	}
	if got := medianOf([]*float64{nil, nil}); got != nil {
		t.Errorf("medianOf nothing is %v, want nil", *got)
	}
}

// A curve rises, starts at the minimum, and ends where the sample does not carry
// more.
func TestCurve(t *testing.T) {
	curve := curveOf(floats(1000, func(i int) float64 { return float64(i + 1) }))
	if curve[0] != (CurvePoint{0, 1}) {
		t.Errorf("first point %v, want the minimum", curve[0])
	}
	for i := 1; i < len(curve); i++ {
		if curve[i].Q <= curve[i-1].Q || curve[i].Seconds < curve[i-1].Seconds {
			t.Errorf("falls from %v to %v", curve[i-1], curve[i])
		}
	}
	// q^1000 <= 0.025 up to q = 0.99632; the grid has 0.99578 and 0.99684 there.
	if last := curve[len(curve)-1]; math.Abs(last.Q-0.99578) > 1e-5 || last.Seconds != 996 {
		t.Errorf("last point %v, want {0.99578 996}", last)
	}
	if got := curveOf(nil); got != nil {
		t.Errorf("curve of nothing: %v", got)
	}
}
