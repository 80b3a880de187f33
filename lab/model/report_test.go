package model

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Requests that end every 10 ms are a hundred a second, from the second one on: what the
// mean has not seen yet is left out of it. When nobody comes any more it fades.
func TestReportedRate(t *testing.T) {
	s := New(Settings{Slots: 1, Room: 1}, NewTimeline(nil))
	s.Measure()
	if got := s.Report(0).Rate; got != 0 {
		t.Errorf("before the first: got %v, want 0", got)
	}
	now := core.Instant(0)
	for id := range uint64(500) {
		s.Arrive(now, Job{ID: id, Demand: 10 * time.Millisecond})
		now = now.Add(10 * time.Millisecond)
		finish(s, now)
		switch id {
		case 0:
			if got := s.Report(now).Rate; got != 0 {
				t.Errorf("after the first: got %v, want 0", got)
			}
		case 19, 499:
			// The sum of e^-0.01k over what has ended, over what it would have been of a
			// steady stream: the first one counts for nothing, a tenth or a percent.
			if got := s.Report(now).Rate; got < 99 || got > 111 {
				t.Errorf("after %d: got %v, want 100 to 111", id+1, got)
			}
		}
	}
	steady := s.Report(now).Rate
	later := s.Report(now.Add(time.Second)).Rate
	if want := steady / math.E; math.Abs(later-want) > 1 {
		t.Errorf("a second later: got %v, want %v", later, want)
	}
}

// What is said of the latency is that of requests which found as many others there, or of
// the nearest that is known; what was learned a second before weighs 1/e.
func TestReportedLatency(t *testing.T) {
	r := reports{}
	look := func(others int, want float64) {
		t.Helper()
		if got := r.latency(others); math.Abs(got-want) > 1e-12 {
			t.Errorf("with %d others: got %v, want %v", others, got, want)
		}
	}
	took := func(end, seconds float64, others int32) {
		end *= 1000
		r.finished(at(end), job{arrived: at(end - 1000*seconds), others: others})
	}
	look(0, -1)
	took(8, 4, 5)
	look(0, 4)
	look(1000, 4)
	took(8, 0.5, 0)
	look(0, 0.5)
	look(1, 0.5)
	look(2, 4)
	took(9, 1.5, 0)
	look(0, 0.5/math.E+1.5*(1-1/math.E))
	took(9, 2, 1<<20)
	look(1<<14, 2)
}
