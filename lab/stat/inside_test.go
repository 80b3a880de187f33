package stat

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// watched is a trial whose driver looked inside.
func watched(endpoints int, faulty ...int) *record.Trial {
	trial := steady("x", 0, 2000, 10*ms)
	h := &trial.Header
	h.Endpoints = nil
	for i := range endpoints {
		h.Endpoints = append(h.Endpoints, fmt.Sprintf("e%d", i))
	}
	h.Faults = []record.Fault{{Kind: "slow", Servers: faulty, From: core.Instant(2 * time.Second), To: core.Instant(3 * time.Second)}}
	h.Inside = record.NewInside(h.Duration, endpoints)
	bins := record.BinCount(h.Duration, h.Inside.Bin)
	for e := range endpoints {
		for i := range bins {
			h.Inside.Pending[e][i] = float64(e)
		}
	}
	for _, e := range faulty {
		h.Inside.Open[e] = make([]float64, bins)
		h.Inside.Open[e][3] = 1
	}
	h.Inside.Decisions = []record.DecisionsOverTime{{Mode: "panic", Reason: "few-ready", Counts: make([]uint64, bins)}}
	return trial
}

// Of a few endpoints each stands for itself; of many the pending are summed and the breakers
// averaged by group. The header keeps nothing of it.
func TestInsideByGroup(t *testing.T) {
	d, err := digest(watched(3, 1))
	if err != nil {
		t.Fatal(err)
	}
	if d.Header.Inside != nil || len(d.Inside.Pending) != 3 || d.Inside.Pending[2][0] != 2 || d.Inside.Open[1][3] != 1 || d.Inside.Open[0] != nil {
		t.Errorf("of three: %+v", d.Inside)
	}
	d, err = digest(watched(100, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9))
	if err != nil {
		t.Fatal(err)
	}
	in := d.Inside
	if len(in.Pending) != 2 || in.Pending[0][0] != 45 || in.Pending[1][0] != 4905 || in.Open[0][3] != 1 || in.Open[0][2] != 0 || in.Open[1] != nil {
		t.Errorf("of a hundred: pending %v and %v, open %v", in.Pending[0][0], in.Pending[1][0], in.Open)
	}
	one := watched(100, 0, 1, 2, 3, 4)
	for _, e := range []int{1, 2, 3, 4} {
		one.Header.Inside.Open[e] = nil
	}
	if d, err = digest(one); err != nil || d.Inside.Open[0][3] != 0.2 {
		t.Errorf("one breaker of five: %v, %v", d.Inside.Open[0][3], err)
	}
}

// What cannot be of the trial is refused, also from a file.
func TestInsideRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*record.Inside)
		want   string
	}{
		"another bin":      {func(in *record.Inside) { in.Bin *= 2 }, "in stretches of"},
		"endpoints":        {func(in *record.Inside) { in.Pending = in.Pending[1:] }, "of 3 endpoints, got 2"},
		"breakers":         {func(in *record.Inside) { in.Open = nil }, "of 3 endpoints, got 0"},
		"stretches":        {func(in *record.Inside) { in.Pending[1] = nil; in.HalfOpen[0] = []float64{1} }, "stretches, got 1"},
		"decisions":        {func(in *record.Inside) { in.Decisions[0].Counts = nil }, "decisions in"},
		"rejections":       {func(in *record.Inside) { in.Rejected = []uint64{1} }, "rejections in"},
		"the limit":        {func(in *record.Inside) { in.Limiter = &record.LimiterOverTime{Limit: []float64{1}} }, "stretches, got 1"},
		"an unknown mode":  {func(in *record.Inside) { in.Decisions[0].Mode = "asleep" }, `unknown mode "asleep"`},
		"nothing is wrong": {func(*record.Inside) {}, ""},
	} {
		trial := watched(3, 0)
		c.change(trial.Header.Inside)
		_, err := digest(trial)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	d, err := digest(watched(3, 0))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Digest){
		"inside":          func(d *Digest) { d.Inside.Pending = d.Inside.Pending[1:] },
		"columns of heat": func(d *Digest) { d.Heat.Columns = d.Heat.Columns[1:] },
		"rows of heat":    func(d *Digest) { d.Heat.First = mostHeatRows },
		"heat below 0":    func(d *Digest) { d.Heat.First = -1 },
		"a twin":          func(d *Digest) { d.Beside(*d) },
	} {
		again, err := digest(watched(3, 0))
		if err != nil {
			t.Fatal(err)
		}
		change(&again)
		if err := WriteDigests(t.TempDir(), []Digest{again}); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	dir := t.TempDir()
	if err := WriteDigests(dir, []Digest{d}); err != nil {
		t.Fatal(err)
	}
	if list, err := ReadDigests(DigestPath(dir, "s", record.Sim)); err != nil || !cmp.Equal(list, []Digest{d}) {
		t.Errorf("read again: %v (-wrote +read):\n%s", err, cmp.Diff([]Digest{d}, list))
	}
}

// Every request is in the heat once, in the column of its plan and the row of its time.
func TestHeat(t *testing.T) {
	if d, err := digest(steady("x", 0, 10, ms)); err != nil || d.Heat != nil || d.Inside != nil {
		t.Errorf("nobody looked: %+v, %v", d.Heat, err)
	}
	rapid.Check(t, func(t *rapid.T) {
		took := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "took"))
		trial := watched(2, 0)
		trial.Requests = trial.Requests[:0]
		n := rapid.IntRange(1, 50).Draw(t, "requests")
		at := core.Instant(rapid.Int64Range(0, int64(10*time.Second)-1).Draw(t, "at"))
		for i := range n {
			trial.Requests = append(trial.Requests, record.Request{Seq: int64(i), Planned: at, Sent: at, Done: at.Add(took), Code: 200})
		}
		d, err := digest(trial)
		if err != nil {
			t.Fatal(err)
		}
		for i, column := range d.Heat.Columns {
			if (i == int(at/core.Instant(d.Timeline.Bin))) != (len(column) > 0) {
				t.Fatalf("column %d: %v", i, column)
			}
			for row, count := range column {
				from, to := HeatFrom(d.Heat.First+row), HeatFrom(d.Heat.First+row+1)
				if count != uint64(n) || took < from || took >= to {
					t.Fatalf("%d requests of %v are counted as %d from %v to %v", n, took, count, from, to)
				}
			}
		}
	})
	for row := 1; row < 200; row++ { // two rows of 16 ns, and so on
		if low, high := HeatFrom(row), HeatFrom(row+1); high <= low || row >= heatRows && float64(high)/float64(low) > 1.2501 {
			t.Fatalf("row %d is from %v to %v", row, low, high)
		}
	}
}

// pairOf is a live trial with its simulated twin, which is so much faster.
func pairOf(t *testing.T, subject string, block int, live, simulated time.Duration) Digest {
	t.Helper()
	a, b := steady(subject, block, 1000, live), steady(subject, block, 1000, simulated)
	a.Header.Driver = record.Live
	for i := range a.Requests {
		a.Requests[i].Sent += 3 * core.Instant(ms)
		a.Requests[i].Endpoint = 0
	}
	d, err := digest(a)
	if err != nil {
		t.Fatal(err)
	}
	twin, err := digest(b)
	if err != nil {
		t.Fatal(err)
	}
	d.Beside(twin)
	return d
}

func TestAgreement(t *testing.T) {
	var list []Digest
	for block := range 6 {
		list = append(list, pairOf(t, "a", block, 20*ms, 20*ms), pairOf(t, "b", block, 40*ms, 10*ms))
	}
	alone := pairOf(t, "peer", 0, 10*ms, 10*ms)
	alone.Simulated, alone.Summary.Simulated = nil, nil
	Sort(list, []string{"a", "b"})
	s, err := Summarise(append(list, alone))
	if err != nil {
		t.Fatal(err)
	}
	summary := Summary{Scenarios: []Scenario{s}}
	for range 2 { // judging anew changes nothing
		Judge(&summary, NewRule("a", 0))
	}
	a := summary.Scenarios[0].Agreement
	near := func(got, want float64) bool { return math.Abs(got-want) < 0.002 }
	if a == nil || len(a.Subjects) != 2 || !near(a.Subjects[0].Score, 1) || !near(a.Subjects[1].Score, 0.25) || !near(a.Score, 0.5) {
		t.Fatalf("%+v: want 1, a quarter, and a half of both", a)
	}
	if got := a.Subjects[0].Moved; got != 0.5 {
		t.Errorf("%v of the traffic went elsewhere, want half of it", got)
	}
	if len(a.Ratios) != 1 || !near(*a.Ratios[0].Live.Ratio, 2) || !near(*a.Ratios[0].Simulated.Ratio, 0.5) || a.Ratios[0].Subject != "b" {
		t.Errorf("%+v: want 2 live and 0.5 simulated", a.Ratios)
	}
	if twins := Twins(list); len(twins) != 12 || MedianCurve(twins)[0].Seconds > 0.021 {
		t.Errorf("%d twins, want 12 with curves of their own", len(twins))
	}
	if late := list[0].Timeline.Bins[5].Late; late == nil || *late != 0.003 {
		t.Errorf("the generator was late by %v, want 3 ms", late)
	}
	if d, err := digest(steady("x", 0, 10, ms)); err != nil || d.Timeline.Bins[0].Late != nil {
		t.Errorf("a simulated generator is late: %v", err)
	}
	if s, err := Summarise(digests(t, steady("x", 0, 10, ms))); err != nil || s.Agreement != nil {
		t.Errorf("simulated alone: %+v, %v", s.Agreement, err)
	}
}

func TestRatios(t *testing.T) {
	var list []Digest
	for block := range 3 {
		list = append(list, digests(t, steady("a", block, 1000, 10*ms), steady("b", block, 1000, time.Duration(block+1)*10*ms))...)
	}
	Sort(list, nil)
	s, err := Summarise(list)
	if err != nil {
		t.Fatal(err)
	}
	got := s.Ratios("a", "b")
	if len(got) != 3 || math.Abs(got[0]-1) > 0.002 || math.Abs(got[2]-3) > 0.01 {
		t.Errorf("%v, want 1, 2, 3", got)
	}
	if s.Ratios("a", "nobody") != nil {
		t.Error("ratios of nobody")
	}
	s.Metric = ErrorRatio
	if got := s.Ratios("a", "b"); !cmp.Equal(got, []float64{0, 0, 0}) {
		t.Errorf("%v, want no difference in errors", got)
	}
}

func TestSignificant(t *testing.T) {
	for _, c := range []struct{ v, want float64 }{{0, 0}, {1.23456, 1.23}, {0.00098765, 0.000988}, {123456, 123000}, {-9.999, -10}, {math.MaxFloat64, math.MaxFloat64}} {
		if got := significant(c.v, 3); got != c.want {
			t.Errorf("%v: got %v, want %v", c.v, got, c.want)
		}
	}
}
