package ewma_test

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive/ewma"
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

// Whoever has waited and leaves before there is an answer has shown that it would have taken longer. That
// raises an estimate that is below, by its weight; it is no news to one that is not, says
// nothing of whom nothing is known, and nothing where there was an answer.
func TestWaitedIsALowerBound(t *testing.T) {
	for name, c := range map[string]struct {
		known    bool
		answered bool
		after    time.Duration
		want     float64 // seconds, a decay later
		fresh    bool    // thirty seconds and a half after the first answer
	}{
		"before it could be answered": {true, false, 9 * time.Millisecond, 0.01, false},
		"later":                       {true, false, 20 * time.Millisecond, 0.01 + 0.01*(1-math.Exp(-1)), true},
		"much later":                  {true, false, 800 * time.Millisecond, 0.01 + 0.03*(1-math.Exp(-1)), true},
		"answered at once":            {true, true, 20 * time.Millisecond, 0, true}, // as by the answer
		"by somebody unknown":         {false, false, time.Second, 0, false},
	} {
		r := rigWith(t, with(func(s *ewma.Settings) { s.Outlier = 4 }), "a", "b", "c")
		for slot := range 3 {
			if slot > 0 || c.known {
				r.answer(t, sec, slot, 10*time.Millisecond, ok)
			}
		}
		now := 11 * sec
		l := r.begin(t, now.Add(-c.after), 0)
		if c.answered {
			l.Answered(now.Add(-c.after+time.Microsecond), ok)
			c.want, _ = r.member(0).Latency(now)
		}
		l.Waited(now)
		l.Settle(now, core.Sample{Outcome: core.Abandoned})
		got, known := r.member(0).Latency(now)
		near(t, name, got, c.want)
		if known != c.known {
			t.Errorf("%s: known: got %v, want %v", name, known, c.known)
		}
		if _, fresh := r.member(0).Latency(31*sec + 500*ms); fresh != c.fresh {
			t.Errorf("%s: fresh later: got %v, want %v", name, fresh, c.fresh)
		}
	}
}

// Nor is it news to one that has not been asked for long, and is taken for slower by now.
func TestWaitedSinceTheDrift(t *testing.T) {
	r := newRig(t, "a", "b", "c")
	r.answer(t, sec, 0, time.Millisecond, ok)
	for slot := 1; slot < 3; slot++ {
		r.answer(t, 20*sec, slot, 100*time.Millisecond, ok)
	}
	l := r.begin(t, 21*sec-50*ms, 0)
	l.Waited(21 * sec)
	l.Settle(21*sec, core.Sample{Outcome: core.Abandoned})
	if _, fresh := r.member(0).Latency(32 * sec); fresh {
		t.Error("fresh 31 s after the answer: got true, want false")
	}
}
