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
