package model

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

const ms = time.Millisecond

// at is the instant so many milliseconds after the epoch.
func at(milliseconds float64) core.Instant { return core.Instant(milliseconds * float64(ms)) }

func TestTimelineAt(t *testing.T) {
	timeline := NewTimeline([]Effect{
		{From: at(10), To: at(30), Speed: 0.5},
		{From: at(20), To: at(40), Speed: 0.25},
		{From: at(20), To: at(60), Code: 500, Latency: ms},
		{From: at(30), To: at(50), Code: 503},
		{From: at(30), To: at(40), Code: 502}, // began with the one above, and stands after it
		{From: at(45), To: at(45), Code: 501}, // no time at all
		{From: at(80), To: at(70), Speed: 9},  // less than that
		{From: at(90), To: core.Never, Speed: 2},
	})
	for _, step := range []struct {
		at   core.Instant
		want Phase
	}{
		{math.MinInt64, Phase{Speed: 1}},
		{at(-1), Phase{Speed: 1}},
		{at(10) - 1, Phase{Speed: 1}},
		{at(10), Phase{Speed: 0.5}},
		{at(20) - 1, Phase{Speed: 0.5}},
		{at(20), Phase{Speed: 0.125, Code: 500, Latency: ms}},
		{at(30), Phase{Speed: 0.25, Code: 502}},
		{at(40), Phase{Speed: 1, Code: 503}},
		{at(45), Phase{Speed: 1, Code: 503}},
		{at(50), Phase{Speed: 1, Code: 500, Latency: ms}},
		{at(60), Phase{Speed: 1}},
		{at(75), Phase{Speed: 1}},
		{at(90), Phase{Speed: 2}},
		{core.Never - 1, Phase{Speed: 2}},
	} {
		if got := timeline.At(step.at); got != step.want {
			t.Errorf("at %v: got %+v, want %+v", time.Duration(step.at), got, step.want)
		}
	}
	if got, want := NewTimeline(nil).At(0), (Phase{Speed: 1}); got != want {
		t.Errorf("without effects: got %+v, want %+v", got, want)
	}
}

// The speeds are powers of two, so that every number is exact.
func TestTimelineDone(t *testing.T) {
	slow := []Effect{{From: at(10), To: at(40), Speed: 0.25}}
	steps := []Effect{
		{From: at(10), To: at(30), Speed: 0.5},
		{From: at(20), To: at(40), Speed: 0.5},
		{From: at(50), To: core.Never, Speed: 4},
	}
	for _, step := range []struct {
		name          string
		effects       []Effect
		start, demand float64 // in ms
		want          float64
	}{
		{"nominal", nil, 5, 10, 15},
		{"no work", nil, 5, 0, 5},
		{"done before", slow, 0, 9, 9},
		{"done as it begins", slow, 0, 10, 10},
		{"through its beginning", slow, 0, 12, 18},
		{"inside", slow, 10, 1, 14},
		{"done as it ends", slow, 10, 7.5, 40},
		{"through its end", slow, 39, 1, 40.75},
		{"through all of it", slow, 0, 20, 42.5},
		{"after it", slow, 40, 3, 43},
		{"overlap multiplies", steps, 20, 2.5, 30},
		{"through five speeds", steps, 0, 10 + 5 + 2.5 + 5 + 10 + 8, 52},
		{"no work in the middle", steps, 25, 0, 25},
		{"from before the trial", slow, -5, 16, 14},
	} {
		got := NewTimeline(step.effects).Done(at(step.start), time.Duration(step.demand*float64(ms)))
		if want := at(step.want); got != want {
			t.Errorf("%s: got %v, want %v", step.name, time.Duration(got), time.Duration(want))
		}
	}
}

// However slow a server is, its work is never done before it began.
func TestTimelineDoneOverflows(t *testing.T) {
	for _, speed := range []float64{1e-12, 1e-300, math.SmallestNonzeroFloat64} {
		timeline := NewTimeline([]Effect{{From: at(10), To: core.Never, Speed: speed}, {From: at(20), To: at(30), Speed: speed}})
		if got := timeline.Done(at(9), time.Hour); got != core.Never {
			t.Errorf("speed %g: got %v, want never", speed, time.Duration(got))
		}
	}
}

// drawEffects draws effects whose bounds are whole microseconds below 60 and whose
// speeds are powers of two.
func drawEffects(t *rapid.T) []Effect {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Effect {
		from := rapid.IntRange(-5, 60).Draw(t, "from")
		return Effect{
			From:   core.Instant(from) * 1000,
			To:     core.Instant(from+rapid.IntRange(0, 40).Draw(t, "length")) * 1000,
			Speed:  rapid.SampledFrom([]float64{0, 0.25, 0.5, 1, 2}).Draw(t, "speed"),
			Paused: rapid.IntRange(0, 5).Draw(t, "paused") == 0,
			Code:   rapid.SampledFrom([]int{0, 0, 500, 503}).Draw(t, "code"),
		}
	}), 0, 6).Draw(t, "effects")
}

// phaseOf says what holds at an instant by looking at each effect in turn.
func phaseOf(effects []Effect, now core.Instant) Phase {
	p := Phase{Speed: 1}
	var last *Effect
	for i, e := range effects {
		if now < e.From || now >= e.To {
			continue
		}
		if e.Paused {
			p.Speed = 0
		}
		if e.Speed != 0 {
			p.Speed *= e.Speed
		}
		if e.Code != 0 && (last == nil || e.From >= last.From) {
			last = &effects[i]
			p.Code, p.Latency = e.Code, e.Latency
		}
	}
	return p
}

// Invariants, for whole microseconds and speeds that are powers of two, where no
// number is rounded before the last nanosecond:
//   - what holds at an instant is what the effects over it say, one by one;
//   - work is done when steps of a microsecond have added up to it;
//   - more work is not done sooner, and neither is work that begins later.
func TestTimelineAgainstSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		effects := drawEffects(t)
		timeline := NewTimeline(effects)
		start := core.Instant(rapid.IntRange(-10, 120).Draw(t, "start")) * 1000
		demand := rapid.IntRange(0, 100_000).Draw(t, "demand")

		now, left := start, float64(demand)
		for left > 0 {
			p := phaseOf(effects, now)
			if got := timeline.At(now); got != p {
				t.Fatalf("at %v: got %+v, want %+v", now, got, p)
			}
			if p.Speed > 0 && left <= 1000*p.Speed {
				now += core.Instant(left / p.Speed)
				break
			}
			left -= 1000 * p.Speed
			now += 1000
		}
		got := timeline.Done(start, time.Duration(demand))
		if got != now {
			t.Fatalf("work of %d ns begun at %d: done at %d, want %d", demand, start, got, now)
		}
		more := time.Duration(rapid.IntRange(0, 5000).Draw(t, "more"))
		if later := timeline.Done(start, time.Duration(demand)+more); later < got {
			t.Fatalf("%v more work: done at %d, want at least %d", more, later, got)
		}
		if later := timeline.Done(start.Add(more), time.Duration(demand)); later < got {
			t.Fatalf("begun %v later: done at %d, want at least %d", more, later, got)
		}
	})
}
