package core

import (
	"math"
	"sync/atomic"
	"time"
)

// View is an immutable snapshot of a router's members in slot order.
type View struct {
	Members []*Member
	Pool    *PoolState
	// Plan is what the picker has prepared for this view; nil unless it is a Planner.
	Plan any
}

// Planner is a Picker that prepares something for a view before the first decision on
// it: a schedule of turns, a table of hashes. The router calls Plan once for each view,
// with the members in their places and their weights as they will be, and makes what it
// returns the view's Plan. A picker around another one passes the call on.
type Planner interface {
	Plan(v *View) any
}

// Survey is a look at all members of a view at one instant.
type Survey struct {
	Members   int
	Undrained int // not drained
	Open      int // not drained, and better than barred
	Ready     int
	Known     int     // ready ones with a latency, however old
	Fresh     int     // ready ones with a latency that is to be trusted
	Median    float64 // of the fresh latencies, seconds; 0 when there is none
	Fast      float64 // the greatest of the fastest quarter of the fresh latencies, seconds; 0 when there is none
	Suspects  int     // of the fresh ones, those at least twice as slow as that
	Rate      float64 // attempts a second at all members, of late; 0 while that is not known
	Spread    float64 // of the fresh latencies: the greatest over the least; 0 when there are not two
	LowCost   float64 // least and greatest cost among the ready ones, seconds
	HighCost  float64
	Level     bool    // no ready member has more pending than another
	Pending   float64 // attempts pending at a ready member, in the mean
	Chance    float64 // of what is usual, what equal members differ by, by chance: 0.1 to 1; from the variation of the fresh ones
}

// PoolState is what is known of a router's members together, refreshed lazily: by
// the first decision after it has become stale. Safe for concurrent use.
type PoolState struct {
	next   atomic.Int64 // the Instant from which a new look is due
	busy   atomic.Bool  // somebody is looking
	median atomic.Uint64
	fast   atomic.Uint64
	chance atomic.Uint64 // float64 bits; 0 while that is not known
	weight atomic.Uint64 // of those that may take work; float64 bits
	load   atomic.Uint64 // of the reports; float64 bits
	rest   atomic.Uint64 // of a latency, by the reports, all but the work; float64 bits
	fresh  []float64     // scratch of whoever looks
	loads  []float64     // and this
	works  []float64     // and this

	// How often members are asked, of whoever looks: since when it is known, up to when,
	// and how many attempts there were by then.
	interval     atomic.Uint64 // float64 bits, seconds
	first, last  Instant
	asked        uint64
	perSecond    float64
	paced, timed bool // it is known; it has been looked for

	began   atomic.Int64 // an Instant: when the pool came to have members
	tallies bool         // whether the tally is kept
	_       [cacheLine]byte
	tally   atomic.Int64 // attempts pending at all members
	_       [cacheLine - 8]byte
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

// FastLatency is what the fastest quarter of the members take at most, of their fresh
// latencies, in seconds; 0 while nothing is known. Up to three quarters of them may fail
// before what failures count as is among it.
func (p *PoolState) FastLatency() float64 { return math.Float64frombits(p.fast.Load()) }

// Chance is how much of what is usual the estimates of equal members differ by, by chance:
// 1 where answers vary about as exponential times do or more, and while nothing is known;
// less where they are regular, down to a tenth. See Survey.Chance.
func (p *PoolState) Chance() float64 {
	if bits := p.chance.Load(); bits != 0 {
		return math.Float64frombits(bits)
	}
	return 1
}

// Reported is what the ready members report in the middle: medians of what their estimators
// say (Informed). While nobody reports, a load of 0 and work that is all of a latency.
func (p *PoolState) Reported() Reported {
	return Reported{math.Float64frombits(p.load.Load()), 1 - math.Float64frombits(p.rest.Load())}
}

// Began is when the pool came to have members. Those that return later come to others, which
// have been at work meanwhile.
func (p *PoolState) Began() Instant { return Instant(p.began.Load()) }

// OpenWeight is the weight of all members that might take work at the last look.
func (p *PoolState) OpenWeight() float64 { return math.Float64frombits(p.weight.Load()) }

// Tally has the pool count its pending attempts from now on, which costs each of them
// something. It is for a Planner to call, from Plan: nothing may be leased yet the first
// time, and after that nothing is written, since leases read it.
func (p *PoolState) Tally() {
	if !p.tallies {
		p.tallies = true
	}
}

// Pending is how many attempts are pending at all members together, those that have left
// the pool included; 0 unless there is a Tally.
func (p *PoolState) Pending() int { return int(p.tally.Load()) }

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
	p.fast.Store(math.Float64bits(s.Fast))
	p.chance.Store(math.Float64bits(s.Chance))
	if hears != nil {
		hears.Survey(now, s)
	}
}

// leastChance is the least that is left to chance, however regular answers are: with less,
// the one that is luckier by microseconds would get all that comes while nothing is pending.
const leastChance = 0.1

// chance is how much is left to chance where answers have this variation, the square of their
// coefficient of variation: nothing less from 0.5 on, below in proportion to its square.
// Regular work in queues has 0.1 to 0.2. There, half of what is usual made a p99 that is 9 %
// greater than in proportion to the square (keellab regret metronome --proxies 20).
func chance(variation float64) float64 {
	return min(max(leastChance, 4*variation*variation), 1)
}

// suspicious is how many times as slow as the fastest quarter of the members one has to be
// to be suspect.
const suspicious = 2

func (p *PoolState) survey(v *View, now Instant) Survey {
	s := Survey{Members: len(v.Members), LowCost: math.Inf(1), Level: true, Chance: 1}
	p.fresh, p.loads, p.works = p.fresh[:0], p.loads[:0], p.works[:0]
	pending, weight, variation := -1, 0.0, 0.0
	asked := uint64(0)
	for _, m := range v.Members {
		asked += m.Leases()
		verdict := m.Verdict(now)
		if verdict == Drained {
			continue
		}
		s.Undrained++
		if verdict < Barred {
			s.Open++
		}
		if verdict.Open() {
			weight += m.Weight()
		}
		if verdict != Ready {
			continue
		}
		s.Ready++
		latency, fresh := m.Latency(now)
		if fresh || latency > 0 {
			s.Known++
		}
		if fresh {
			s.Fresh++
			p.fresh = append(p.fresh, latency)
			variation += m.variation()
		}
		p.hear(m, now)
		cost := m.Cost(now)
		s.LowCost, s.HighCost = min(s.LowCost, cost), max(s.HighCost, cost)
		n := m.Pending()
		s.Pending += float64(n)
		if pending < 0 {
			pending = n
		} else if n != pending {
			s.Level = false
		}
	}
	if s.Ready > 0 {
		s.Pending /= float64(s.Ready)
	}
	s.latencies(p.fresh, variation)
	p.pace(now, asked, s.Undrained)
	s.Rate = p.perSecond
	p.weight.Store(math.Float64bits(weight))
	p.load.Store(math.Float64bits(median(p.loads, 0)))
	p.rest.Store(math.Float64bits(1 - median(p.works, 1)))
	return s
}

// hear takes in what a member reports.
func (p *PoolState) hear(m *Member, now Instant) {
	e, ok := m.estimator.(Informed)
	if !ok {
		return
	}
	r := e.Reported(now)
	if r.Load >= 0 {
		p.loads = append(p.loads, r.Load)
	}
	if r.Work >= 0 {
		p.works = append(p.works, r.Work)
	}
}

// median puts the numbers in another order and returns what is in the middle of them, or
// otherwise where there are none.
func median(of []float64, otherwise float64) float64 {
	n := len(of)
	if n == 0 {
		return otherwise
	}
	return (nth(of, (n-1)/2) + nth(of, n/2)) / 2
}

// latencies takes in the fresh latencies, which it puts in another order, and the sum of their
// variations.
func (s *Survey) latencies(fresh []float64, variation float64) {
	n := len(fresh)
	if n == 0 {
		return
	}
	s.Median = nth(fresh, n/2)
	s.Fast = nth(fresh[:n/2+1], n/4)
	s.Chance = chance(variation / float64(n))
	least, most := math.Inf(1), 0.0
	for _, latency := range fresh {
		least, most = min(least, latency), max(most, latency)
		if latency >= suspicious*s.Fast {
			s.Suspects++
		}
	}
	if n > 1 {
		s.Spread = most / least
	}
}
