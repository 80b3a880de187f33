package ewma_test

import (
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Of an overtaken attempt is known that its answer would have taken longer than it was
// old. That is a sample where nothing else is known, raises an estimate that is below,
// and is no news to one that is not.
func TestOvertakenIsALowerBound(t *testing.T) {
	overtaken := func(r *rig, now core.Instant, age time.Duration) float64 {
		l := r.begin(t, now.Add(-age), 0)
		l.Settle(now, core.Sample{Outcome: core.Overtaken})
		got, _ := r.member(0).Latency(now)
		return got
	}
	near(t, "the first", overtaken(newRig(t, "a"), sec, 20*time.Millisecond), 0.02)
	for _, age := range []time.Duration{9 * time.Millisecond, 10 * time.Millisecond} {
		r := newRig(t, "a")
		r.answer(t, sec, 0, 10*time.Millisecond, ok)
		near(t, "after one of "+age.String(), overtaken(r, 11*sec, age), 0.01)
	}
	r := newRig(t, "a")
	r.answer(t, sec, 0, 10*time.Millisecond, ok)
	if got := overtaken(r, 11*sec, 20*time.Millisecond); got < 0.011 || got > 0.02 {
		t.Errorf("latency after one of 20ms, a decay later: got %v, want 0.01 moved towards 0.02", got)
	}
}
