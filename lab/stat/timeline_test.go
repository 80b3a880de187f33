package stat

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// secondly is the timeline of a trial in bins of a second.
func secondly(t *testing.T, trial *record.Trial) Timeline {
	t.Helper()
	d, err := NewDigester(trial.Header)
	if err != nil {
		t.Fatal(err)
	}
	d.bin, d.bins = time.Second, newTallies(10, len(d.groups))
	d.last = &d.bins[0]
	for _, r := range trial.Requests {
		d.Add(r)
	}
	all, err := d.Digest(trial.Header)
	if err != nil {
		t.Fatal(err)
	}
	return all.Timeline
}

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
	tl := secondly(t, trial)
	if len(tl.Bins) != 10 {
		t.Fatalf("%d bins, want 10", len(tl.Bins))
	}
	for i, want := range map[int]Bin{
		0: {P50: new(0.010), P99: new(0.010), Answered: []uint64{0, 0}}, // empty, but for what its neighbour lends
		1: {Count: 1000, P50: new(0.010), P99: new(0.010), Answered: []uint64{500, 500}},
		3: {Count: 1000, Errors: 500, P50: new(0.010), P99: new(5.0), Answered: []uint64{0, 500}}, // a failure counts as the client's timeout
		4: {Count: 1000, P50: new(0.070), P99: new(0.070), Answered: []uint64{500, 500}},
		9: {Count: 1000, P50: new(0.010), P99: new(0.010), Answered: []uint64{500, 500}},
	} {
		if diff := cmp.Diff(want, tl.Bins[i], cmpopts.EquateApprox(1.0/128, 0)); diff != "" {
			t.Errorf("bin %d (-want +got):\n%s", i, diff)
		}
	}
	if got := tl.Bins[3].Answers(); got != 500 {
		t.Errorf("%d answers in bin 3, want 500", got)
	}
}

// Requests planned outside of the trial's time are in no bin, whatever came before.
func TestTimelineEnds(t *testing.T) {
	trial := steady("x", 0, 10, ms)
	for _, at := range []core.Instant{-1, core.Instant(10 * time.Second), core.Instant(time.Hour)} {
		trial.Requests = append(trial.Requests, record.Request{Planned: at, Done: at, Code: 200})
	}
	in := 0
	for _, b := range secondly(t, trial).Bins {
		in += b.Count
	}
	if in != 10 {
		t.Errorf("%d requests in bins, want 10", in)
	}
}

// A thin bin borrows from its neighbours, but not from afar.
func TestTimelineBorrows(t *testing.T) {
	tl := secondly(t, steady("x", 0, 9*40, 10*ms)) // 40 a second from second 1
	has := func(i int) bool { return tl.Bins[i].P99 != nil }
	// Bin 1 has 40 on the right and nothing on the left: 3 bins make 120 with bin 3.
	for i, want := range []bool{false, true, true, true, true, true, true, true, true, true} {
		if has(i) != want {
			t.Errorf("bin %d has a p99: %v, want %v", i, has(i), want)
		}
	}
	tl = secondly(t, steady("x", 0, 9*19, 10*ms)) // 95 in five bins
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
	other := steady("x", 3, 9000, 900*ms)
	other.Header.Endpoints = []string{"a", "b", "c"}
	all := digests(t, steady("x", 0, 9000, 10*ms), shifted, void, other)
	tl := MedianTimeline(all)
	b := tl.Bins[len(tl.Bins)/2]
	if math.Abs(*b.P50-0.020) > 0.0002 || math.Abs(*b.P99-0.020) > 0.0002 {
		t.Errorf("p50 %v, p99 %v; want 20 ms, between 10 and 30", *b.P50, *b.P99)
	}
	if diff := cmp.Diff([]uint64{300, 100}, b.Answered); diff != "" {
		t.Errorf("answers in both trials (-want +got):\n%s", diff)
	}
	if got := MedianTimeline(all[2:3]); got.Bins != nil {
		t.Errorf("a timeline of void trials has %d bins", len(got.Bins))
	}
}

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
