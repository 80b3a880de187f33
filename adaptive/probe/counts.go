package probe

import (
	"math"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// NewChoices returns the picker that draws d members and takes the one of the least cost per
// weight.
func NewChoices(d int) core.Picker {
	return pick.NewChoices(d, func(m *core.Member, now core.Instant) float64 { return m.Cost(now) / m.Weight() })
}

// Counts is a member's number in flight as far as it is known: what this proxy has pending,
// and what the member's latest report said that others have there. The latter fades to what
// its peers report in the middle, by their weights, with the time constant Memory, since it
// gets no newer by itself. As a core.Estimator its cost is that number with one more. Safe
// for concurrent use.
type Counts struct {
	silent
	member *core.Member
	others report
}

// NewCounts returns the counts of a member that has not reported.
func NewCounts(m *core.Member) *Counts { return &Counts{member: m} }

// Cost implements core.Estimator; it is a number, not seconds.
func (c *Counts) Cost(now core.Instant) float64 {
	usual := c.member.Pool().Reported().Load * c.member.Weight()
	return float64(c.member.Pending()+1) + c.others.at(now, usual, Memory)
}

// Reported implements core.Informed.
func (c *Counts) Reported(now core.Instant) core.Reported {
	return core.Reported{Load: c.others.recent(now, Memory) / c.member.Weight(), Work: -1}
}

// Answered implements core.Estimator. The answer's own attempt is pending here still, and
// in flight there no more.
func (c *Counts) Answered(now core.Instant, s core.Sample) {
	if r, ok := reported(s); ok && r.InFlight >= 0 {
		c.others.learn(now, max(0, min(r.InFlight, mostInFlight)-float64(c.member.Pending()-1)), 1)
	}
}

// Strain is an estimator of latency whose cost is multiplied by how much of itself the
// member says that it uses: by 1 + u, u being the utilisation of its latest report, which
// fades to that of its peers in the middle, with the time constant [strainMemory]. Safe for
// concurrent use.
type Strain struct {
	core.Estimator
	member *core.Member
	used   report
}

// strainMemory is short: the latency, which is slower to change, has the longer story.
const strainMemory = time.Second

// mostUsed bounds what a report may do.
const mostUsed = 10

// NewStrain puts the factor on an estimator of a member that has not reported.
func NewStrain(m *core.Member, e core.Estimator) *Strain { return &Strain{Estimator: e, member: m} }

// Cost implements core.Estimator.
func (s *Strain) Cost(now core.Instant) float64 {
	return min(s.Estimator.Cost(now)*s.factor(now), math.MaxFloat64)
}

// factor is what the cost of the estimator is multiplied by.
func (s *Strain) factor(now core.Instant) float64 {
	return 1 + s.used.at(now, s.member.Pool().Reported().Load, strainMemory)
}

// Reported implements core.Informed.
func (s *Strain) Reported(now core.Instant) core.Reported {
	return core.Reported{Load: s.used.recent(now, strainMemory), Work: -1}
}

// Explain implements core.Explained, with the parts of what it is put on, if that can tell.
func (s *Strain) Explain(now core.Instant) core.CostParts {
	var p core.CostParts
	if e, ok := s.Estimator.(core.Explained); ok {
		p = e.Explain(now)
	}
	p.Cost, p.Strain = s.Cost(now), s.factor(now)
	return p
}

// Variation implements core.Varied: a report changes nothing about how much answers vary.
func (s *Strain) Variation() float64 {
	if v, ok := s.Estimator.(core.Varied); ok {
		return v.Variation()
	}
	return 1
}

// Answered implements core.Estimator.
func (s *Strain) Answered(now core.Instant, x core.Sample) {
	if r, ok := reported(x); ok && r.Utilization >= 0 {
		s.used.learn(now, min(r.Utilization, mostUsed), 1)
	}
	s.Estimator.Answered(now, x)
}

// Inherit implements core.Heir, for what it is put on, too.
func (s *Strain) Inherit(now core.Instant, from any) {
	if old, ok := from.(*Strain); ok {
		s.used.inherit(&old.used)
		from = old.Estimator
	}
	if h, ok := s.Estimator.(core.Heir); ok {
		h.Inherit(now, from)
	}
}
