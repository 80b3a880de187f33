package ewma_test

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive/ewma"
	"github.com/evenkeel/evenkeel/core"
)

// The estimate goes on, and what comes next is weighed by the new settings: a second after
// the last of 100 ms, with a decay of a second instead of ten, by 1-1/e.
func TestInherit(t *testing.T) {
	s := classic
	s.Decay, s.Near = time.Second, 0.2
	kinds := map[string]func(*core.Member) core.Estimator{
		"plain": func(m *core.Member) core.Estimator { return ewma.New(m, &s) },
		"by class": func() func(*core.Member) core.Estimator {
			classes := new(ewma.Classes)
			return func(m *core.Member) core.Estimator { return classes.Estimator(m, &s) }
		}(),
	}
	for name, kind := range kinds {
		old := newRig(t, "a", "b")
		for range 15 {
			old.answer(t, sec, 0, 100*time.Millisecond, ok)
		}
		hanging := old.begin(t, sec, 0)
		next := equipped(t, kind, "a", "b")
		next.Inherit(sec, old.Router)
		if got, fresh := next.member(0).Latency(sec); !fresh || got != float64(float32(0.1)) {
			t.Errorf("%s: latency: got %v s, fresh %v; want 0.1 s", name, got, fresh)
		}
		if _, fresh := next.member(1).Latency(sec); fresh {
			t.Errorf("%s: the latency of one that nobody knows is fresh", name)
		}
		// The attempt that hangs is the other's.
		near(t, name+": cost", next.member(0).Cost(2*sec), 0.1)
		hanging.Settle(3*sec, core.Sample{Outcome: core.Timeout})
		if got, _ := next.member(0).Latency(sec); got != float64(float32(0.1)) {
			t.Errorf("%s: latency after the other has learned: got %v s, want 0.1 s", name, got)
		}
		next.answer(t, 2*sec, 0, 200*time.Millisecond, ok)
		got, _ := next.member(0).Latency(2 * sec)
		near(t, name+": with one more sample", got, 0.1+0.1*(1-1/2.718281828))
	}
}

// What the classes of a pool take is known to whoever inherits, and to its peers; and only
// as long as they do not know better.
func TestInheritClasses(t *testing.T) {
	old, peer := classed(t)
	for range 15 {
		answer(old, 0, 1, 100*time.Millisecond)
		answer(old, 0, 2, 300*time.Millisecond)
	}
	e, next := classed(t)
	e.Inherit(0, old)
	answer(peer, 0, 2, 300*time.Millisecond)
	answer(next, 0, 2, 300*time.Millisecond)
	if got, want := estimate(next), estimate(peer); got != want || got > 0.25 {
		t.Errorf("measured by its class: got %v s, want %v s", got, want)
	}
	answer(old, sec, 2, time.Minute)
	next.Inherit(sec, old)
	third, fourth := classed(t)
	third.Inherit(sec, e)
	answer(fourth, 0, 2, 300*time.Millisecond)
	if got, want := estimate(fourth), estimate(peer); math.Abs(got-want) > 0.1*want {
		t.Errorf("after the one before has learned more: got %v s, want about %v s", got, want)
	}
}

// Whom nobody has asked for long is to be explored, also by the next; where that was not
// kept, nobody has been left alone yet.
func TestInheritExploring(t *testing.T) {
	exploring := classic
	exploring.Explore = time.Second
	old := rigWith(t, exploring, "a")
	old.answer(t, sec, 0, 100*time.Millisecond, ok)
	next := rigWith(t, exploring, "a")
	next.Inherit(sec+500*ms, old.Router)
	near(t, "not yet", next.member(0).Cost(sec+900*ms), 0.1)
	if got := next.member(0).Cost(2*sec + ms); got != 0 {
		t.Errorf("a second after it was asked: got %v s, want 0", got)
	}
	forgetful := newRig(t, "a")
	forgetful.answer(t, sec, 0, 100*time.Millisecond, ok)
	next = rigWith(t, exploring, "a")
	next.Inherit(5*sec, forgetful.Router)
	near(t, "where it was not kept", next.member(0).Cost(5*sec+900*ms), 0.1)
	if got := next.member(0).Cost(6*sec + ms); got != 0 {
		t.Errorf("a second later: got %v s, want 0", got)
	}
}
