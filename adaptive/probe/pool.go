package probe

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// state is what HotCold's lock guards: the pool, and the probes that are to be sent.
type state struct {
	pool   []entry // by age, the oldest first
	size   int     // at most; as large as the number of members allows
	carry  float64 // what rounding the uses has left over
	recent quantiles
	times  quantiles // and latencies, in seconds
	hot    float64   // above it an entry is hot

	removing float64 // fractions of a removal
	oldest   bool    // whose turn the next removal is

	rate      float64 // probes a request
	owed      float64 // probes to be sent
	owedSince core.Instant
	last      core.Instant   // probe sent
	away      []*core.Member // probed and not heard of yet, each once
	order     []*core.Member
	drawn     int // of the order, in this round
}

// quantiles remembers the last numbers of a kind that were reported.
type quantiles struct {
	last   [64]float64
	sorted [64]float64 // scratch
	count  int
}

func (q *quantiles) add(x float64) {
	q.last[q.count%len(q.last)] = x
	q.count++
}

// at is the least of the numbers that so large a share does not exceed.
func (q *quantiles) at(share float64) float64 {
	sorted := q.sorted[:min(q.count, len(q.last))]
	copy(sorted, q.last[:])
	slices.Sort(sorted)
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

// sizeFor is how many of n members a pool of that size may hold: no greater share than the
// 16 of 100 of the paper's testbed, but three, if there are so many. With more, answers are
// used more often before they are replaced, and each proxy sends all of that to the same
// few: with half of thirty members in the pool of each of twenty proxies, the simulator has
// a p99 of 1.2 s, and with a sixth of 0.2 s (scenarios/reported-load.yaml).
func sizeFor(n, pool int) int { return min(pool, max(3, n/6), max(2, n)) }

// mostUses is how often an answer may be used at most.
const mostUses = 16

// delta is how much faster the pool is to fill than it empties, in the paper's formula.
const delta = 1

// reuse is how often an answer may be used, for a pool of m and n members.
func reuse(m, n int, rate, remove float64) float64 {
	net := (1-float64(m)/float64(n))*rate - remove
	if net <= 0 {
		return mostUses
	}
	return min(max(1, (1+delta)/net), mostUses)
}

// Watch implements core.Prober.
func (p *HotCold) Watch(_ core.Instant, members []*core.Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.state
	s.order, s.drawn = slices.Clone(members), 0
	s.size = sizeFor(len(members), p.settings.Pool)
	s.away = slices.Grow(s.away, max(0, 2*MaxPool-len(s.away)))
	s.pool = slices.DeleteFunc(slices.Grow(s.pool, MaxPool+1), func(e entry) bool { return !slices.Contains(members, e.member) })
	for len(s.pool) > s.size {
		s.drop(0)
	}
}

// Next implements core.Prober: a member drawn of those that may take work, each once in a
// round. One that has not answered its last probe yet has nothing to say to another: it
// would only take up the room of those that have.
func (p *HotCold) Next(now core.Instant, src rand.Source) (*core.Member, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.state
	if p.wake() > now {
		return nil, false
	}
	s.owed = max(0, s.owed-1)
	s.last = now
	for range min(len(s.order), triesToDraw) {
		m := s.draw(src)
		if m.Verdict(now).Open() && !slices.Contains(s.away, m) {
			s.away = append(s.away, m)
			return m, true
		}
	}
	s.owed = 0
	return nil, false
}

// triesToDraw is how many members are drawn until one may take work.
const triesToDraw = 32

// draw is the next member of a random order, which begins anew when all had their turn
// (Fisher and Yates).
func (s *state) draw(src rand.Source) *core.Member {
	if s.drawn >= len(s.order) {
		s.drawn = 0
	}
	j := s.drawn + pick.Below(src, len(s.order)-s.drawn)
	s.order[s.drawn], s.order[j] = s.order[j], s.order[s.drawn]
	s.drawn++
	return s.order[s.drawn-1]
}

// Wake implements core.Prober.
func (p *HotCold) Wake() core.Instant {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wake()
}

// wake is when the next probe is due: at once when one is owed, or after a quiet time. There
// are never more unanswered than twice what the pool takes, so that members that hang do not
// gather them.
func (p *HotCold) wake() core.Instant {
	s := &p.state
	switch {
	case len(s.order) < 2 || len(s.away) >= 2*s.size:
		return core.Never
	case s.owed >= 1:
		return s.owedSince
	}
	return s.last.Add(p.settings.Idle)
}

// Probed implements core.Prober. An answer that tells nothing is of use where others tell
// something.
func (p *HotCold) Probed(m *core.Member, now core.Instant, r core.LoadReport, ok bool) {
	p.mu.Lock()
	s := &p.state
	if i := slices.Index(s.away, m); i >= 0 {
		s.away = slices.Delete(s.away, i, i+1)
	}
	if ok && m.Weight() > 0 && slices.Contains(s.order, m) {
		if e := s.read(m, now, r); e.said || s.recent.count > 0 {
			p.keep(e)
		}
	}
	due := s.owed >= 1
	p.mu.Unlock()
	if due {
		p.due()
	}
}

// read is what an answer comes to. What is compared is per unit of weight. What this proxy has
// pending there is in flight there, or on its way: one that says less while it owes answers
// would else be taken for idle for as long as it says so. What an answer does not tell is as it
// was told of late in the middle.
func (s *state) read(m *core.Member, now core.Instant, r core.LoadReport) entry {
	e := entry{member: m, at: now, latency: math.Inf(1)}
	if e.said = r.Known && r.InFlight >= 0; e.said {
		e.inFlight = r.InFlight / m.Weight()
	} else if s.recent.count > 0 {
		e.inFlight = s.recent.at(0.5)
	}
	e.inFlight = max(e.inFlight, float64(m.Pending())/m.Weight())
	if r.Known && r.Latency >= 0 {
		e.latency = r.Latency / m.Weight()
		s.times.add(e.latency)
	} else if s.times.count > 0 {
		e.latency = s.times.at(0.5)
	}
	return e
}

// keep puts an answer into the pool.
func (p *HotCold) keep(e entry) {
	s := &p.state
	if e.said {
		s.recent.add(e.inFlight)
		s.hot = s.recent.at(p.settings.Quantile)
	}
	share := s.rate / p.settings.Rate
	// Fractions are carried over, so that the mean is what it is to be.
	s.carry += reuse(s.size, len(s.order), s.rate, p.settings.Remove*share)
	e.uses = int(s.carry)
	s.carry -= float64(e.uses)
	if i := s.find(e.member); i >= 0 {
		s.drop(i)
	}
	for len(s.pool) >= s.size {
		s.drop(0)
	}
	s.pool = append(s.pool, e)
}

// find is a member's place in the pool, or -1.
func (s *state) find(m *core.Member) int {
	return slices.IndexFunc(s.pool, func(e entry) bool { return e.member == m })
}

func (s *state) drop(i int) { s.pool = slices.Delete(s.pool, i, i+1) }

// expire drops what came before an instant.
func (s *state) expire(before core.Instant) {
	old := 0
	for old < len(s.pool) && s.pool[old].at < before {
		old++
	}
	s.pool = slices.Delete(s.pool, 0, old)
}

// best is the place of the best entry for an ask; -1 when there are fewer than two to
// compare, or none of them has said anything.
func (s *state) best(a *core.Ask, now core.Instant) int {
	best, compared, said := -1, 0, false
	var rank int
	for i := range s.pool {
		e := &s.pool[i]
		verdict := a.Verdict(e.member, now)
		if a.Why != nil {
			a.Why.Consider(e.member, verdict, e.inFlight)
		}
		if !verdict.Open() {
			continue
		}
		compared++
		said = said || e.said
		r := s.rank(e, now)
		if (verdict == core.Probing) == a.Again() {
			r += worst // see package pick: who is on probation is taken, but not by a retry
		}
		if best < 0 || r < rank || r == rank && s.better(e, &s.pool[best]) {
			best, rank = i, r
		}
	}
	if compared < 2 || !said {
		return -1
	}
	return best
}

// The ranks of an entry: cold before hot, and who is in favour before who is not.
const (
	hot = 1 << iota
	disliked
	worst
)

func (s *state) rank(e *entry, now core.Instant) int {
	rank := 0
	if e.inFlight > s.hot {
		rank = hot
	}
	if averse(e.member, now) {
		rank += disliked
	}
	return rank
}

// better compares two of the same rank: hot ones by what is in flight, cold ones by latency,
// and where that is the same or not known, by what is in flight.
func (s *state) better(a, b *entry) bool {
	if a.inFlight <= s.hot && a.latency != b.latency {
		return a.latency < b.latency
	}
	return a.inFlight < b.inFlight
}

// remove takes an entry out: by turns the worst and the oldest.
func (s *state) remove(now core.Instant) {
	if len(s.pool) == 0 {
		return
	}
	s.oldest = !s.oldest
	if !s.oldest {
		s.drop(0)
		return
	}
	bad := 0
	for i := range s.pool {
		r, most := s.rank(&s.pool[i], now), s.rank(&s.pool[bad], now)
		if r > most || r == most && s.better(&s.pool[bad], &s.pool[i]) {
			bad = i
		}
	}
	s.drop(bad)
}
