package ewma_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/adaptive/ewma"
	"github.com/evenkeel/evenkeel/core"
)

// classed is an estimator of a member by class, with its peer's.
func classed(t testing.TB) (e, peer *ewma.ClassedEstimator) {
	t.Helper()
	r := newRig(t, "a", "b")
	s, classes := classic, new(ewma.Classes)
	return classes.Estimator(r.member(0), &s), classes.Estimator(r.member(1), &s)
}

// answer teaches a latency of a class.
func answer(e *ewma.ClassedEstimator, now core.Instant, class uint8, latency time.Duration) {
	e.AnsweredOf(class, now, core.Sample{FirstAnswer: latency, Total: latency})
}

// estimate is what is known of the latency at 0.
func estimate(e *ewma.ClassedEstimator) float64 {
	seconds, _ := e.Latency(0)
	return seconds
}

// A latency counts as what it is of its class's, times what all take. The averages take in
// the sample itself, and forget over a minute.
func TestClasses(t *testing.T) {
	e, peer := classed(t)
	answer(peer, 0, 1, 100*time.Millisecond)
	exactly(t, "the first of all", estimate(peer), 0.1)
	answer(e, 0, 2, 300*time.Millisecond)
	exactly(t, "the first of its class", estimate(e), 0.2)
	answer(e, 0, 1, 300*time.Millisecond)
	// All take 700/3 ms, the class 200 ms: the sample counts as 350 ms.
	exactly(t, "half more than its class", estimate(e), (0.2+0.35)/2)

	e, peer = classed(t)
	for range 15 {
		answer(peer, 0, 1, 100*time.Millisecond)
		answer(peer, 0, 2, 100*time.Millisecond)
	}
	later := 60_000 * tick
	answer(peer, later, 2, 500*time.Millisecond)
	answer(e, later, 1, 100*time.Millisecond)
	got, _ := e.Latency(later)
	exactly(t, "as its class, where another has become slower", got, 0.1+0.4*(1-math.Exp(-later.Sub(0).Minutes())))
}

// Classes beyond the last share it, and what is shared is not told apart.
func TestClassesBeyond(t *testing.T) {
	e, peer := classed(t)
	for range 8 {
		answer(peer, 0, ewma.MaxClasses-2, 100*time.Millisecond)
		answer(peer, 0, ewma.MaxClasses-1, 300*time.Millisecond)
	}
	// Of all, the first fifteen count: eight of 100 ms, seven of 300 ms.
	answer(e, 0, 255, 300*time.Millisecond)
	exactly(t, "the last class's", estimate(e), 2.9/15)
	e, peer = classed(t)
	for range 8 {
		answer(peer, 0, ewma.MaxClasses-2, 100*time.Millisecond)
		answer(peer, 0, ewma.MaxClasses-1, 300*time.Millisecond)
	}
	answer(e, 0, ewma.MaxClasses-2, 100*time.Millisecond)
	exactly(t, "the last but one's", estimate(e), 2.9/15)
}

// Failures count as ever, and teach nothing of their class; what was overtaken is measured
// by its class and teaches nothing of it either.
func TestClassesOutcomes(t *testing.T) {
	e, peer := classed(t)
	e.EndOf(1, 0, core.Sample{Outcome: core.Overtaken, FirstAnswer: -1, Total: time.Second})
	exactly(t, "overtaken, in an unknown class", estimate(e), 1)
	peer.EndOf(1, 0, core.Sample{Outcome: core.Reset, FirstAnswer: -1, Total: time.Second})
	exactly(t, "a failure", estimate(peer), penalty.Seconds())
	e, _ = classed(t)
	answer(e, 0, 1, 100*time.Millisecond)
	answer(e, 0, 2, 300*time.Millisecond)
	failing, other := classed(t)
	answer(other, 0, 1, 100*time.Millisecond)
	answer(other, 0, 2, 300*time.Millisecond)
	failing.EndOf(2, 0, core.Sample{Outcome: core.Reset, FirstAnswer: -1, Total: time.Second})
	exactly(t, "a failure in a known class", estimate(failing), penalty.Seconds())
	before := estimate(e)
	e.EndOf(2, 0, core.Sample{Outcome: core.Overtaken, FirstAnswer: -1, Total: 600 * time.Millisecond})
	exactly(t, "overtaken after twice what its class takes", estimate(e), (2*before+0.4)/3)

	e, peer = classed(t)
	for class := range uint8(2) {
		answer(peer, 0, class, 100*time.Millisecond)
	}
	answer(e, 0, 0, 100*time.Millisecond)
	e.Waited(0, 1, 400*time.Millisecond)
	exactly(t, "waited for, in vain, four times what its class takes", estimate(e), 0.25)
	answer(peer, 0, 1, 100*time.Millisecond)
	exactly(t, "which it teaches nothing of", estimate(peer), 0.1)
}

// Whatever the classes take and whichever of their requests a member has got: it looks as
// many times as slow as all as it is.
func TestClassesEven(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e, peer := classed(t)
		times := rapid.IntRange(1, 10).Draw(rt, "times as slow")
		took := rapid.SliceOfN(rapid.Int64Range(1e6, 1e9), 3, 3).Draw(rt, "took")
		for range 15 { // after which nothing more is learned at this instant
			for class, latency := range took {
				answer(peer, 0, uint8(class), time.Duration(latency))
			}
		}
		for range rapid.IntRange(1, 15).Draw(rt, "asked") {
			class := rapid.IntRange(0, 2).Draw(rt, "class")
			answer(e, 0, uint8(class), time.Duration(int64(times)*took[class]))
		}
		all := time.Duration(took[0]+took[1]+took[2]).Seconds() / 3
		if got, want := estimate(e), float64(times)*all; math.Abs(got-want) > 1e-5*want {
			rt.Fatalf("got %v, want %v", got, want)
		}
	})
}

// What many learn of one pool at once is lost for none: the averages are the means of all.
func TestClassesConcurrent(t *testing.T) {
	for range 100 {
		e, peer := classed(t)
		var wg sync.WaitGroup
		for i := range 15 {
			wg.Go(func() { answer(peer, 0, 1, time.Duration(i+1)*time.Second) })
		}
		wg.Wait()
		answer(e, 0, 0, 4*time.Second)
		exactly(t, "as all", estimate(e), 8)
	}
}
