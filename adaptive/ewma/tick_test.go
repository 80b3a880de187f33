package ewma_test

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive/ewma"
	"github.com/evenkeel/evenkeel/core"
)

func latencyOf(e *ewma.Estimator) float64 {
	seconds, _ := e.Latency(0)
	return seconds
}

// Of samples within a tick the first few are taken in, and of an average that is made of
// many only the first: the others weigh nothing, neither in it nor in how it varies.
func TestSamplesOfOneTick(t *testing.T) {
	r := newRig(t, "a")
	e := ewma.New(r.member(0), &classic)
	answer := func(now core.Instant, took time.Duration) {
		e.Answered(now, core.Sample{FirstAnswer: took, Total: took})
	}
	for range 15 {
		answer(sec, 100*time.Millisecond)
	}
	latency, varies := latencyOf(e), e.Variation()
	for range 5 {
		answer(sec, 400*time.Millisecond)
	}
	exactly(t, "estimate within the tick", latencyOf(e), latency)
	exactly(t, "variation within the tick", e.Variation(), varies)
	answer(sec+2*ms, 400*time.Millisecond)
	if latencyOf(e) <= latency || e.Variation() <= varies {
		t.Errorf("after the next tick: estimate %v, variation %v", latencyOf(e), e.Variation())
	}
}

// What a member is taken for follows its estimate as far as anybody could notice, even where
// each answer moves it by less, and while what it was taken for would still hold.
func TestSmallStepsAreNoticed(t *testing.T) {
	r := newRig(t, "a")
	e := ewma.New(r.member(0), &classic)
	now := sec
	for range 15 {
		e.Answered(now, core.Sample{FirstAnswer: 100 * time.Millisecond})
	}
	before := e.Cost(now)
	for range 40 { // 84 ms, in which a projection of 10 s of memory holds
		now += 2 * ms
		e.Answered(now, core.Sample{FirstAnswer: 300 * time.Millisecond})
		latency, _ := e.Latency(now)
		if cost := e.Cost(now); math.Abs(cost-latency) > latency/200 {
			t.Fatalf("at %v: taken for %v, where the estimate is %v", now, cost, latency)
		}
	}
	if after := e.Cost(now); after < 1.01*before {
		t.Errorf("after many small steps: got %v, and %v before", after, before)
	}
}

// With a peak hold what is slower counts at once, within a tick, too.
func TestPeaksOfOneTick(t *testing.T) {
	r := newRig(t, "a")
	s := with(func(s *ewma.Settings) { s.Peak = true })
	e := ewma.New(r.member(0), &s)
	for range 20 {
		e.Answered(0, core.Sample{FirstAnswer: 100 * time.Millisecond})
	}
	e.Answered(0, core.Sample{FirstAnswer: 400 * time.Millisecond})
	near(t, "after a peak", latencyOf(e), 0.4)
}
