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
	// Crowding is how much longer work takes for each other request that the server
	// has taken in when the work begins: 0.1 is a tenth.
	Crowding float64
	// Troubles that lie in wait for requests; the one that began last comes first. While
	// the server is down that is the only one.
	Troubles []Trouble
}

// down tells that the server is down: it refuses every connection.
func (p *Phase) down() bool {
	for i := range p.Troubles {
		if t := &p.Troubles[i]; t.Fate == Refuse && t.certain() {
			return true
		}
	}
	return false
}

// Effect is one fault's part in a timeline: from From to before To.
type Effect struct {
	From, To core.Instant
	// Speed is multiplied with that of the other effects; 0 counts as 1.
	Speed float64
	// Paused stops all work; the server still takes requests in.
	Paused bool
	// Crowding is added to that of the other effects.
	Crowding float64
	// Trouble, unless its fate is Served.
	Trouble
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
		p.Crowding += e.Crowding
		if e.Fate != Served {
			p.Troubles = append(p.Troubles, e.Trouble)
		}
	}
	slices.Reverse(p.Troubles)
	if p.down() {
		p.Troubles = []Trouble{{Fate: Refuse}} // it cannot do anything else
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

// end is when a phase ends; Never for the last.
func (t Timeline) end(i int) core.Instant {
	if i == len(t.starts)-1 {
		return core.Never
	}
	return t.starts[i+1]
}

// At is what holds at now.
func (t Timeline) At(now core.Instant) Phase { return t.phases[t.at(now)] }

// Done is when work of the given demand (at nominal speed) that starts at start is
// done, through all changes of speed on the way.
func (t Timeline) Done(start core.Instant, demand time.Duration) core.Instant {
	return t.done(t.at(start), start, float64(demand))
}

// done is Done for a start in phase i, and work in nanoseconds.
func (t Timeline) done(i int, start core.Instant, left float64) core.Instant {
	if left <= 0 {
		return start // no work is done at once, even during a pause
	}
	for ; ; i++ {
		end := after(start, left/t.phases[i].Speed)
		if i == len(t.phases)-1 || end <= t.starts[i+1] {
			return end
		}
		left -= between(start, t.starts[i+1]) * t.phases[i].Speed
		start = t.starts[i+1]
	}
}

// Work is how much work, in nanoseconds at nominal speed, gets done between two instants:
// the inverse of Done.
func (t Timeline) Work(from, to core.Instant) float64 {
	total := 0.0
	for i := t.at(from); from < to; i++ {
		until := min(to, t.end(i))
		total += between(from, until) * t.phases[i].Speed
		from = until
	}
	return total
}

// after is so many nanoseconds, at least 0, after start, rounded down; Never when they are
// more than a time can be, or none can tell how many (no work at no speed).
func after(start core.Instant, nanoseconds float64) core.Instant {
	if nanoseconds < math.MaxInt64 {
		return start.Add(time.Duration(nanoseconds))
	}
	return core.Never
}

// between is the time between two instants, of which from is not the later one, in
// nanoseconds. It may be more than a Duration holds.
func between(from, to core.Instant) float64 { return float64(uint64(to) - uint64(from)) }

// Down tells whether the server is down at now, and until when that stays so; Never when
// it stays so for good.
func (t Timeline) Down(now core.Instant) (down bool, until core.Instant) {
	i := t.at(now)
	down = t.phases[i].down()
	for i++; i < len(t.phases); i++ {
		if t.phases[i].down() != down {
			return down, t.starts[i]
		}
	}
	return down, core.Never
}

// falls is the first instant after from at which the server goes down; Never when there
// is none.
func (t Timeline) falls(from core.Instant) core.Instant {
	down, until := t.Down(from)
	if down {
		_, until = t.Down(until) // it has to come up first
	}
	return until
}

// top is the highest speed of all.
func (t Timeline) top() float64 {
	top := 0.0
	for i := range t.phases {
		top = max(top, t.phases[i].Speed)
	}
	return top
}

// course is a timeline with a finger on the present phase, for instants that (nearly)
// only go on.
type course struct {
	since, till core.Instant // the phase's stretch
	present     Phase
	i           int
	Timeline
}

func newCourse(t Timeline) course {
	return course{since: math.MinInt64, till: t.end(0), present: t.phases[0], Timeline: t}
}

// phase is what holds at now; the finger moves there.
func (c *course) phase(now core.Instant) *Phase {
	if now < c.since || now >= c.till {
		c.i = c.at(now)
		c.since, c.till, c.present = c.starts[c.i], c.end(c.i), c.phases[c.i]
	}
	return &c.present
}

// finished is when work of so many nanoseconds that starts at start is done.
func (c *course) finished(start core.Instant, work float64) core.Instant {
	speed := c.phase(start).Speed
	if end := after(start, work/speed); end <= c.till && work > 0 {
		return end
	}
	return c.done(c.i, start, work)
}

// worked is how much work gets done between two instants.
func (c *course) worked(from, to core.Instant) float64 {
	if from >= c.since && to <= c.till && from <= to {
		return between(from, to) * c.present.Speed
	}
	return c.Work(from, to)
}
