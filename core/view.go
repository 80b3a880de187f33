package core

import (
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// View is an immutable snapshot of a router's members in slot order.
type View struct {
	Members []*Member
	Pool    *PoolState
}

// Survey is a look at all members of a view at one instant.
type Survey struct {
	Members   int
	Undrained int // not drained
	Open      int // not drained, and better than barred
	Ready     int
	Fresh     int     // ready ones with a latency that is to be trusted
	Median    float64 // of the fresh latencies, seconds; 0 when there is none
	LowCost   float64 // least and greatest cost among the ready ones, seconds
	HighCost  float64
	Level     bool // no ready member has more pending than another
}

// PoolState is what is known of a router's members together, refreshed lazily: by
// the first decision after it has become stale. Safe for concurrent use.
type PoolState struct {
	next   atomic.Int64 // the Instant from which a new look is due
	busy   atomic.Bool  // somebody is looking
	median atomic.Uint64
	sorted []float64 // scratch of whoever looks
}

// Between looks: a look costs some 30 ns a member, so this keeps it well below 1 %
// of a core for any pool, while a change of mood in a pool is seen at once by
// people's measure. A turned breaker makes a look due immediately.
const (
	lookEvery     = 50 * time.Millisecond
	lookPerMember = 50 * time.Microsecond
)

// MedianLatency is the median of the members' fresh latencies in seconds; 0 while
// nothing is known.
func (p *PoolState) MedianLatency() float64 { return math.Float64frombits(p.median.Load()) }

// Stale makes the next decision look again.
func (p *PoolState) Stale() { p.next.Store(math.MinInt64) }

// look surveys the view when a look is due and nobody else is at it, and tells
// whoever wants to hear (nil for nobody).
func (p *PoolState) look(v *View, now Instant, hears Surveyed) {
	if int64(now) < p.next.Load() || !p.busy.CompareAndSwap(false, true) {
		return
	}
	defer p.busy.Store(false)
	// Set first: a breaker that turns during the look makes the next one due.
	p.next.Store(int64(now.Add(lookEvery + time.Duration(len(v.Members))*lookPerMember)))
	s := p.survey(v, now)
	p.median.Store(math.Float64bits(s.Median))
	if hears != nil {
		hears.Survey(now, s)
	}
}

func (p *PoolState) survey(v *View, now Instant) Survey {
	s := Survey{Members: len(v.Members), LowCost: math.Inf(1), Level: true}
	p.sorted = p.sorted[:0]
	pending := -1
	for _, m := range v.Members {
		verdict := m.Verdict(now)
		if verdict == Drained {
			continue
		}
		s.Undrained++
		if verdict < Barred {
			s.Open++
		}
		if verdict != Ready {
			continue
		}
		s.Ready++
		if latency, fresh := m.Latency(now); fresh {
			s.Fresh++
			p.sorted = append(p.sorted, latency)
		}
		cost := m.Cost(now)
		s.LowCost, s.HighCost = min(s.LowCost, cost), max(s.HighCost, cost)
		if n := m.Pending(); pending < 0 {
			pending = n
		} else if n != pending {
			s.Level = false
		}
	}
	if n := len(p.sorted); n > 0 {
		slices.Sort(p.sorted)
		s.Median = p.sorted[n/2]
	}
	return s
}
