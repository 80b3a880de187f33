package model

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

const ms = time.Millisecond

// at is the instant so many milliseconds after the epoch.
func at(milliseconds float64) core.Instant { return core.Instant(milliseconds * float64(ms)) }

func TestTimelineAt(t *testing.T) {
	first := Trouble{Fate: Fail, Code: 500, Latency: ms}
	second, third := Trouble{Fate: Miss, Factor: 2, Share: 0.5}, Trouble{Fate: Break, Place: 7}
	timeline := NewTimeline([]Effect{
		{From: at(10), To: at(30), Speed: 0.5},
		{From: at(20), To: at(40), Speed: 0.25},
		{From: at(20), To: at(60), Trouble: first},
		{From: at(30), To: at(50), Trouble: second},
		{From: at(30), To: at(40), Trouble: third},               // began with the one above, and stands after it
		{From: at(45), To: at(45), Trouble: Trouble{Fate: Hang}}, // no time at all
		{From: at(35), To: at(55), Crowding: 0.5},
		{From: at(40), To: at(45), Crowding: 0.25},
		{From: at(80), To: at(70), Speed: 9}, // less than that
		{From: at(90), To: core.Never, Speed: 2},
		{From: at(92), To: at(96), Trouble: Trouble{Fate: Refuse, Share: 1, Place: 3}},
		{From: at(94), To: at(98), Trouble: Trouble{Fate: Refuse, Share: 0.5}},
		{From: at(95), To: at(96), Trouble: first},
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
		{at(20), Phase{Speed: 0.125, Troubles: []Trouble{first}}},
		{at(30), Phase{Speed: 0.25, Troubles: []Trouble{third, second, first}}},
		{at(35), Phase{Speed: 0.25, Crowding: 0.5, Troubles: []Trouble{third, second, first}}},
		{at(40), Phase{Speed: 1, Crowding: 0.75, Troubles: []Trouble{second, first}}},
		{at(45), Phase{Speed: 1, Crowding: 0.5, Troubles: []Trouble{second, first}}},
		{at(50), Phase{Speed: 1, Crowding: 0.5, Troubles: []Trouble{first}}},
		{at(55), Phase{Speed: 1, Troubles: []Trouble{first}}},
		{at(60), Phase{Speed: 1}},
		{at(75), Phase{Speed: 1}},
		{at(90), Phase{Speed: 2}},
		{at(92), Phase{Speed: 2, Troubles: []Trouble{{Fate: Refuse}}}}, // down, whatever else
		{at(94), Phase{Speed: 2, Troubles: []Trouble{{Fate: Refuse}}}},
		{at(95), Phase{Speed: 2, Troubles: []Trouble{{Fate: Refuse}}}},
		{at(96), Phase{Speed: 2, Troubles: []Trouble{{Fate: Refuse, Share: 0.5}}}},
		{core.Never - 1, Phase{Speed: 2}},
	} {
		if diff := cmp.Diff(step.want, timeline.At(step.at)); diff != "" {
			t.Errorf("at %v (-want +got):\n%s", time.Duration(step.at), diff)
		}
	}
	if diff := cmp.Diff(Phase{Speed: 1}, NewTimeline(nil).At(0)); diff != "" {
		t.Errorf("without effects (-want +got):\n%s", diff)
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
		for _, start := range []core.Instant{at(-9), at(9), at(15), core.Never - 1} {
			if got := timeline.Done(start, math.MaxInt64); got != core.Never {
				t.Errorf("speed %g from %v: got %v, want never", speed, time.Duration(start), time.Duration(got))
			}
		}
	}
	stopped := NewTimeline([]Effect{{From: at(-10), To: core.Never, Paused: true}})
	if got := stopped.Done(at(-5), 1); got != core.Never {
		t.Errorf("stopped for good: got %v, want never", time.Duration(got))
	}
	if got := stopped.Done(at(-5), 0); got != at(-5) {
		t.Errorf("no work: got %v, want -5ms", time.Duration(got))
	}
	// All of time is longer than a Duration, and still counted.
	if got, want := NewTimeline(nil).Work(math.MinInt64, core.Never), math.Ldexp(1, 64); math.Abs(got-want) > 1e4 {
		t.Errorf("in all of time: got %g ns of work, want %g", got, want)
	}
}

func TestTimelineDown(t *testing.T) {
	refuse := Trouble{Fate: Refuse}
	down := NewTimeline([]Effect{
		{From: at(10), To: at(20), Trouble: refuse},
		{From: at(20), To: at(25), Trouble: refuse}, // touches
		{From: at(12), To: at(14), Speed: 0.5},
		{From: at(15), To: at(22), Trouble: refuse}, // overlaps
		{From: at(40), To: at(50), Trouble: Trouble{Fate: Refuse, Share: 0.9}},
		{From: at(60), To: core.Never, Trouble: refuse},
	})
	always := NewTimeline([]Effect{{From: math.MinInt64, To: at(5), Trouble: refuse}, {From: at(7), To: at(8), Trouble: refuse}})
	for _, c := range []struct {
		name  string
		line  Timeline
		at    core.Instant
		down  bool
		until core.Instant
		falls core.Instant
	}{
		{"before", down, math.MinInt64, false, at(10), at(10)},
		{"just before", down, at(10) - 1, false, at(10), at(10)},
		{"as it begins", down, at(10), true, at(25), at(60)},
		{"as one ends and one begins", down, at(20), true, at(25), at(60)},
		{"at its end", down, at(25), false, at(60), at(60)},
		{"for some only", down, at(45), false, at(60), at(60)},
		{"for good", down, at(60), true, core.Never, core.Never},
		{"from the beginning of time", always, math.MinInt64, true, at(5), at(7)},
		{"after that", always, at(5), false, at(7), at(7)},
		{"never", NewTimeline(nil), 0, false, core.Never, core.Never},
	} {
		if is, until := c.line.Down(c.at); is != c.down || until != c.until {
			t.Errorf("%s: got %t until %v, want %t until %v", c.name, is, time.Duration(until), c.down, time.Duration(c.until))
		}
		if falls := c.line.falls(c.at); falls != c.falls {
			t.Errorf("%s: goes down at %v, want %v", c.name, time.Duration(falls), time.Duration(c.falls))
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
			Trouble: Trouble{
				Fate: rapid.SampledFrom([]Fate{Served, Served, Fail, Break, Miss, Refuse}).Draw(t, "fate"),
				Code: rapid.SampledFrom([]int{500, 503}).Draw(t, "code"),
			},
			Crowding: rapid.SampledFrom([]float64{0, 0.25, 1}).Draw(t, "crowding"),
		}
	}), 0, 6).Draw(t, "effects")
}

// phaseOf says what holds at an instant by looking at each effect in turn.
func phaseOf(effects []Effect, now core.Instant) Phase {
	p := Phase{Speed: 1}
	var on []Effect
	for _, e := range effects {
		if now < e.From || now >= e.To {
			continue
		}
		if e.Paused {
			p.Speed = 0
		}
		if e.Speed != 0 {
			p.Speed *= e.Speed
		}
		p.Crowding += e.Crowding
		if e.Fate != Served {
			on = append([]Effect{e}, on...)
		}
	}
	slices.SortStableFunc(on, func(a, b Effect) int { return int(b.From - a.From) })
	for _, e := range on {
		if e.Fate == Refuse {
			p.Troubles = []Trouble{{Fate: Refuse}}
			break
		}
		p.Troubles = append(p.Troubles, e.Trouble)
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
			if diff := cmp.Diff(p, timeline.At(now)); diff != "" {
				t.Fatalf("at %v (-want +got):\n%s", now, diff)
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
		if work := timeline.Work(start, got); work != float64(demand) && !(work < float64(demand) && work > float64(demand)-64) {
			t.Fatalf("done from %d to %d: %v ns of work, want %d, less what the last nanosecond holds", start, got, work, demand)
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
