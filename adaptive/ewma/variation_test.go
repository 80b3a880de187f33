package ewma_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive/ewma"
	"github.com/evenkeel/evenkeel/core"
)

// How far samples lie off the estimate, squared, with weights that fall by a sixteenth a
// sample, from 1 on. All come at one instant, so that the estimate is their plain mean.
func TestVariation(t *testing.T) {
	type step struct {
		outcome core.Outcome
		ms      float64
		off     float64 // of what was the estimate; untold for a sample that teaches nothing
	}
	const untold = -1
	good := func(ms, off float64) step { return step{core.Success, ms, off} }
	var regular []step
	for range 14 {
		regular = append(regular, good(100, 0))
	}
	for name, steps := range map[string][]step{
		"regular":          regular,
		"irregular":        {good(200, 1), good(150, 0), good(300, 1)},
		"below":            {good(50, 0.5)},
		"as far as counts": {good(500, 4)},
		"an outlier":       {good(10_000, 4)},
		"client errors":    {{core.ClientError, 200, 1}},
		"failures":         {{core.ServerError, 1, untold}, {core.Timeout, 9000, untold}},
		"overtaken ones":   {{core.Overtaken, 900, untold}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "a")
			e := ewma.New(r.member(0), &classic)
			want := 1.0
			for i, s := range append([]step{good(100, untold)}, steps...) {
				took := time.Duration(s.ms * 1e6)
				e.Answered(0, core.Sample{Outcome: s.outcome, FirstAnswer: took, Total: took})
				if s.off != untold {
					want += (s.off*s.off - want) / 16
				}
				exactly(t, fmt.Sprintf("after sample %d", i+1), e.Variation(), want)
			}
		})
	}
}

// However regular answers are, a thousandth is left.
func TestLeastVariation(t *testing.T) {
	r := newRig(t, "a")
	e := ewma.New(r.member(0), &classic)
	for i := range core.Instant(150) {
		e.Answered(i*sec, core.Sample{FirstAnswer: 100 * time.Millisecond})
		if i > 0 {
			exactly(t, fmt.Sprint("after answer ", i), e.Variation(), max(math.Pow(15.0/16, float64(i)), 1e-3))
		}
	}
}

// Where answers are regular, a small difference tells something: of near, down to a tenth.
func TestNearOfRegularAnswers(t *testing.T) {
	for _, c := range []struct {
		what       string
		each       time.Duration // of a; the others take 100 ms
		then, want float64       // the cost of a before much is known, and at last
	}{
		{"within a tenth of near", 99_100 * time.Microsecond, 0.1, 0.1},
		{"beyond it", 98_900 * time.Microsecond, 0.1, 0.0989},
		{"beyond near", 89 * time.Millisecond, 0.089, 0.089},
	} {
		r := rigWith(t, with(func(s *ewma.Settings) { s.Near = 0.1 }), "a", "b", "c")
		for i := range core.Instant(60) {
			now := sec + i*100*ms
			for slot, took := range []time.Duration{c.each, 100 * time.Millisecond, 100 * time.Millisecond} {
				r.answer(t, now, slot, took, ok)
			}
			if i == 5 {
				exactly(t, c.what+", so far", r.member(0).Cost(now), c.then)
			}
		}
		exactly(t, c.what, r.member(0).Cost(sec+5900*ms), c.want)
	}
}

// Who inherits an estimate inherits how far the answers varied.
func TestInheritVariation(t *testing.T) {
	r := newRig(t, "a")
	old, next := ewma.New(r.member(0), &classic), ewma.New(r.member(0), &classic)
	for range 2 {
		old.Answered(0, core.Sample{FirstAnswer: 100 * time.Millisecond})
	}
	next.Inherit(0, old)
	exactly(t, "variation", next.Variation(), 1-1.0/16)
}
