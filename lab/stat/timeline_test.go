package stat

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTimeline(t *testing.T) {
	trial := steady("x", 0, 9000, 10*ms) // 1000 a second from second 1
	for i := range trial.Requests {
		r := &trial.Requests[i]
		switch second := r.Planned / 1e9; {
		case second == 3 && i%2 == 0:
			r.Code, r.Endpoint = 503, -1
		case second == 4:
			r.Done = r.Planned.Add(70 * ms)
		}
	}
	tl := NewTimeline(trial, time.Second)
	if len(tl.Bins) != 10 {
		t.Fatalf("%d bins, want 10", len(tl.Bins))
	}
	type row struct {
		count, errors int
		p50, p99      float64
		share         []float64
	}
	even := []float64{0.5, 0.5}
	for i, want := range map[int]row{
		1: {1000, 0, 0.010, 0.010, even},
		3: {1000, 500, 0.010, 5, []float64{0, 1}}, // a failure counts as the client's timeout
		4: {1000, 0, 0.070, 0.070, even},
		9: {1000, 0, 0.010, 0.010, even},
	} {
		b := tl.Bins[i]
		got := row{b.Count, b.Errors, *b.P50, *b.P99, b.Share}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
			t.Errorf("bin %d (-want +got):\n%s", i, diff)
		}
	}
	if b := tl.Bins[0]; b.Count != 0 || b.Share != nil {
		t.Errorf("bin 0: %+v, want it empty", b)
	}
}

// A thin bin borrows from its neighbours, but not from afar.
func TestTimelineBorrows(t *testing.T) {
	tl := NewTimeline(steady("x", 0, 9*40, 10*ms), time.Second) // 40 a second from second 1
	has := func(i int) bool { return tl.Bins[i].P99 != nil }
	// Bin 1 has 40 on the right and nothing on the left: 3 bins make 120 with bin 3.
	for i, want := range []bool{false, true, true, true, true, true, true, true, true, true} {
		if has(i) != want {
			t.Errorf("bin %d has a p99: %v, want %v", i, has(i), want)
		}
	}
	tl = NewTimeline(steady("x", 0, 9*19, 10*ms), time.Second) // 95 in five bins
	for i := range tl.Bins {
		if has(i) {
			t.Errorf("bin %d of 19 requests has a p99", i)
		}
	}
}

func TestMedianTimeline(t *testing.T) {
	void := steady("x", 2, 9000, 900*ms)
	void.Header.Void = "noise"
	shifted := steady("x", 1, 9000, 30*ms)
	for i := range shifted.Requests {
		shifted.Requests[i].Endpoint = 0
	}
	digests, err := Digests(append(trials(steady("x", 0, 9000, 10*ms)), shifted, void))
	if err != nil {
		t.Fatal(err)
	}
	tl := MedianTimeline(digests)
	b := tl.Bins[len(tl.Bins)/2]
	if *b.P50 != 0.020 || *b.P99 != 0.020 {
		t.Errorf("p50 %v, p99 %v; want 20 ms, between 10 and 30", *b.P50, *b.P99)
	}
	if diff := cmp.Diff([]float64{0.75, 0.25}, b.Share); diff != "" {
		t.Errorf("share over both trials (-want +got):\n%s", diff)
	}
	if c := MedianCurve(digests); c[0].Seconds != 0.020 {
		t.Errorf("median curve starts at %v, want 20 ms", c[0])
	}
	if got := MedianTimeline(digests[2:]); got.Bins != nil {
		t.Errorf("a timeline of void trials has %d bins", len(got.Bins))
	}
}

func trials[T any](t ...T) []T { return t }

func TestBinFor(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{
		60 * time.Second: time.Second, 61 * time.Second: 2 * time.Second, 20 * time.Second: 500 * ms,
		10 * time.Second: 200 * ms, time.Hour: 100 * time.Second, 0: 1,
	} {
		if got := BinFor(d); got != want {
			t.Errorf("BinFor(%v) = %v, want %v", d, got, want)
		}
	}
}
