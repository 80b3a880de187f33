package stat

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// counted is a histogram of 1, 2, …, n milliseconds.
func counted(n int) *histogram {
	h := newHistogram(fine)
	for i := range n {
		h.add(time.Duration(i+1) * ms)
	}
	return &h
}

// near accepts what a histogram makes of a percentile.
func near(got, want float64) bool { return math.Abs(got-want) <= want/2048 }

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
		l := latencyOf(counted(tt.n))
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

// Of 1, 2, …, 10000 ms the p-quantile is 10000·p ms.
func TestLatencyValues(t *testing.T) {
	l := latencyOf(counted(10_000))
	if *l.Mean != 5.0005 || *l.Max != 10 {
		t.Errorf("mean %v, max %v; want 5.0005 and 10, exactly", *l.Mean, *l.Max)
	}
	for want, got := range map[float64]float64{5: *l.P50, 9: *l.P90, 9.9: *l.P99, 9.99: *l.P999} {
		if !near(got, want) {
			t.Errorf("got %v, want %v to 0.05 %%", got, want)
		}
	}
	// A sample of one value is that value, not the middle of a cell.
	h := newHistogram(fine)
	for range 5000 {
		h.add(5 * time.Second)
	}
	if l := latencyOf(&h); *l.P50 != 5 || *l.P999 != 5 {
		t.Errorf("p50 %v, p99.9 %v of nothing but 5 s", *l.P50, *l.P999)
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
	curve := curveOf(counted(1000))
	if !near(curve[0], 0.001) {
		t.Errorf("first point %v, want the minimum", curve[0])
	}
	for i := 1; i < len(curve); i++ {
		if curveGrid[i] <= curveGrid[i-1] || curve[i] < curve[i-1] {
			t.Errorf("falls from %v to %v", curve[i-1], curve[i])
		}
	}
	// q^1000 <= 0.025 up to q = 0.99632; the grid has 0.99578 and 0.99684 there.
	last := len(curve) - 1
	if math.Abs(curveGrid[last]-0.99578) > 1e-5 || !near(curve[last], 0.996) {
		t.Errorf("last point %v at %v, want 0.996 at 0.99578", curve[last], curveGrid[last])
	}
	if got := curveOf(counted(0)); len(got) != 0 {
		t.Errorf("curve of nothing: %v", got)
	}
}

func TestMedianCurve(t *testing.T) {
	void := Digest{Curve: []float64{9, 9, 9}}
	void.Header.Void = "noise"
	got := MedianCurve([]Digest{{Curve: []float64{1, 2}}, void, {Curve: []float64{3}}})
	want := []CurvePoint{{0, 2, 1, 3}, {curveGrid[1], 2, 2, 2}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := MedianCurve([]Digest{void}); got != nil {
		t.Errorf("the curve of void trials: %v", got)
	}
}
