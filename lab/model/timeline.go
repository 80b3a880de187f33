package model

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Phase is what holds for a server over a stretch of time.
type Phase struct {
	// Speed at which work gets done, relative to nominal: 0.2 is five times slower.
	Speed float64
	// Fail makes the server answer at once with Code after Latency, without doing
	// any work, when Code is not 0.
	Code    int
	Latency time.Duration
}

// Effect is one fault's part in a timeline: from From to before To.
type Effect struct {
	From, To core.Instant
	// Speed is multiplied with that of the other effects; 0 counts as 1.
	Speed float64
	// Paused stops all work; the server still takes requests in.
	Paused  bool
	Code    int // of several, the effect that began last holds
	Latency time.Duration
}

// Timeline is everything that will happen to one server, known before the run.
type Timeline struct {
	starts []core.Instant // ascending; the first is the beginning of time
	phases []Phase
}

// NewTimeline lays effects over one another.
func NewTimeline(effects []Effect) Timeline {
	cuts := []core.Instant{math.MinInt64}
	begin := make([]int, len(effects)) // effects by their beginning, of equals the first first
	for i, e := range effects {
		cuts = append(cuts, e.From, e.To)
		begin[i] = i
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	slices.SortStableFunc(begin, func(a, b int) int { return cmp.Compare(effects[a].From, effects[b].From) })
	t := Timeline{starts: cuts}
	var on []int // effects that hold, in the order of their beginnings
	for _, cut := range cuts {
		for len(begin) > 0 && effects[begin[0]].From <= cut {
			on = append(on, begin[0])
			begin = begin[1:]
		}
		on = slices.DeleteFunc(on, func(i int) bool { return effects[i].To <= cut })
		t.phases = append(t.phases, phaseOfEffects(effects, on))
	}
	return t
}

// phaseOfEffects is what holds while the effects on do.
func phaseOfEffects(effects []Effect, on []int) Phase {
	p := Phase{Speed: 1}
	for _, i := range on {
		e := effects[i]
		if e.Speed > 0 {
			p.Speed *= e.Speed
		}
		if e.Paused {
			p.Speed = 0
		}
		if e.Code != 0 {
			p.Code, p.Latency = e.Code, e.Latency
		}
	}
	return p
}

// at is the index of the phase that holds at now.
func (t Timeline) at(now core.Instant) int {
	i, found := slices.BinarySearch(t.starts, now)
	if !found {
		i--
	}
	return i
}

// At is what holds at now.
func (t Timeline) At(now core.Instant) Phase { return t.phases[t.at(now)] }

// Done is when work of the given demand (at nominal speed) that starts at start is
// done, through all changes of speed on the way.
func (t Timeline) Done(start core.Instant, demand time.Duration) core.Instant {
	left := float64(demand)
	if left <= 0 {
		return start // no work is done at once, even during a pause
	}
	for i := t.at(start); ; i++ {
		end := start.Add(duration(left / t.phases[i].Speed))
		if i == len(t.phases)-1 || end <= t.starts[i+1] {
			return end
		}
		left -= float64(t.starts[i+1].Sub(start)) * t.phases[i].Speed
		start = t.starts[i+1]
	}
}
