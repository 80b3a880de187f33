package report

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/stat"
	"github.com/google/go-cmp/cmp"
)

func TestFormats(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 4.2e-7: "420 ns", 12.34e-6: "12.3 µs", 999.4e-6: "999 µs", 999.9e-6: "1.00 ms", 0.00512: "5.12 ms", 0.0999: "99.9 ms",
		0.09999: "100 ms", 0.9999: "1.00 s", 1.234: "1.23 s", 123.4: "123 s", 12345: "12\u2009345 s",
	} {
		if got := duration(&v); got != want {
			t.Errorf("duration of %v is %q, want %q", v, got, want)
		}
	}
	if got := duration(nil); got != none {
		t.Errorf("duration of nothing is %q", got)
	}
	for v, want := range map[float64]string{
		0: "0", 1: "100 %", 0.00001: "<0.01 %", 0.0012: "0.12 %", 0.0123: "1.2 %", 0.5: "50.0 %", 0.995: "99.50 %", 0.99999: ">99.99 %",
	} {
		if got := percent(v); got != want {
			t.Errorf("percent of %v is %q, want %q", v, got, want)
		}
	}
	for v, want := range map[time.Duration]string{
		0: "0 s", 100 * time.Millisecond: "100 ms", 10 * time.Second: "10 s", 90 * time.Second: "90 s",
		1500 * time.Millisecond: "1.5 s", 5 * time.Minute: "5 min", 2 * time.Hour: "2 h", 250 * time.Microsecond: "250 µs",
	} {
		if got := span(v); got != want {
			t.Errorf("span of %v is %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{2: "p50", 10: "p90", 100: "p99", 1000: "p99.9", 1e5: "p99.999"} {
		if got := quantileName(v); got != want {
			t.Errorf("quantile of a tail of 1/%v is %q, want %q", v, got, want)
		}
	}
	if got := group("1234567"); got != "1\u2009234\u2009567" {
		t.Errorf("group: %q", got)
	}
}

func TestScale(t *testing.T) {
	s := scale{lo: 0.001, hi: 1, from: 300, to: 0, log: true}
	for v, want := range map[float64]float64{0.001: 300, 0.01: 200, 0.1: 100, 1: 0, 50: 0, 1e-9: 300} {
		if got := s.at(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v is at %v, want %v", v, got, want)
		}
	}
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-9*max(1, b) }
	for _, tt := range []struct {
		s    scale
		most int
		want []float64
	}{
		{s, 5, []float64{0.001, 0.01, 0.1, 1}},
		{s, 10, []float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1}},
		{scale{lo: 0, hi: 60}, 6, []float64{0, 10, 20, 30, 40, 50, 60}},
		{scale{lo: 0, hi: 20}, 5, []float64{0, 5, 10, 15, 20}},
		{scale{lo: 0, hi: 0.7}, 5, []float64{0, 0.2, 0.4, 0.6}},
	} {
		if got := tt.s.ticks(tt.most); !slices.EqualFunc(got, tt.want, near) {
			t.Errorf("ticks of %v..%v: %v, want %v", tt.s.lo, tt.s.hi, got, tt.want)
		}
	}
	for _, tt := range []struct {
		values []float64
		lo, hi float64
	}{
		{[]float64{0.003, 0.9}, 0.002, 1}, {[]float64{0.01, 0.1}, 0.01, 0.1}, {[]float64{0.011, 0.012}, 0.005, 0.05},
		{[]float64{-1, 0, math.NaN()}, 0.001, 1}, {nil, 0.001, 1},
	} {
		if s := logScale(tt.values, 0, 1); !near(s.lo, tt.lo) || !near(s.hi, tt.hi) {
			t.Errorf("scale around %v: %v to %v, want %v to %v", tt.values, s.lo, s.hi, tt.lo, tt.hi)
		}
	}
}

func TestWindows(t *testing.T) {
	h := &record.Header{Duration: 60 * time.Second, Faults: []record.Fault{
		{From: 30e9, To: 1 << 62}, {From: 10e9, To: 20e9}, {From: 15e9, To: 25e9}, {From: -5e9, To: 1e9}, {From: 5e9, To: 5e9},
	}}
	want := []window{{0, 1}, {10, 25}, {30, 60}}
	if diff := cmp.Diff(want, windows(h), cmp.AllowUnexported(window{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFaultRows(t *testing.T) {
	h := &record.Header{Duration: 60 * time.Second, Endpoints: []string{"a", "b", "c", "d", "e", "f"}}
	for i := range 5 {
		from := 10e9 * float64(i)
		h.Faults = append(h.Faults, record.Fault{Kind: "pause", Servers: []int{1}, From: core.Instant(from), To: core.Instant(from + 1e9)})
	}
	h.Faults = append(h.Faults,
		record.Fault{Kind: "slow", Servers: []int{0, 1, 2, 3, 4, 5}, From: 0, To: 60e9, Note: "2x"},
		record.Fault{Kind: "gone", Servers: []int{0, 1, 2, 3, 9}, From: 1e9, To: 2e9})
	want := [][3]string{
		{"pause", "b", "5 times, the first 0 s to 1 s, the last 40 s to 41 s"},
		{"slow, 2x", "all 6 endpoints", "0 s to the end"},
		{"gone", "a, b, c, d and 1 more", "1 s to 2 s"},
	}
	var got [][3]string
	for _, r := range faultRows(h) {
		got = append(got, [3]string{r.What, r.Where, r.When()})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A figure of a hundred endpoints has a few areas, and each endpoint is in one.
func TestBands(t *testing.T) {
	for _, tt := range []struct{ endpoints, faulty, want int }{
		{6, 0, 6}, {6, 2, 6}, {6, 6, 6}, {100, 0, 1}, {100, 3, 4}, {100, 20, 2}, {12, 8, 5}, {60, 3, 4}, {60, 20, 2}, {60, 0, 1},
	} {
		h := &record.Header{Endpoints: make([]string, tt.endpoints)}
		for i := range tt.faulty {
			h.Faults = append(h.Faults, record.Fault{Servers: []int{i}})
		}
		groups, _ := stat.Groups(h)
		list := bands(groups)
		members := 0
		for _, b := range list {
			members += b.size
		}
		if len(list) != tt.want || members != tt.endpoints {
			t.Errorf("%d endpoints, %d with faults: %d areas of %d endpoints, want %d areas", tt.endpoints, tt.faulty, len(list), members, tt.want)
		}
	}
}

// Labels keep their order, do not overlap, and stay inside.
func TestLabels(t *testing.T) {
	if s := shorten("abcdef", 4); s != "abc…" {
		t.Errorf("shorten: %q", s)
	}
	f := frame{top: 10, bottom: 300}
	var list []label
	for i := range 12 {
		list = append(list, label{y: 290 - float64(i)})
	}
	at := spread(list, f)
	for i := 1; i < len(at); i++ {
		if at[i]-at[i-1] < 14 {
			t.Errorf("labels %d and %d at %v and %v overlap", i-1, i, at[i-1], at[i])
		}
	}
	if at[0] < f.top || at[len(at)-1] > f.bottom+6 {
		t.Errorf("labels from %v to %v leave the frame", at[0], at[len(at)-1])
	}
}
