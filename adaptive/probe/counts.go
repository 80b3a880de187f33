package probe

import (
	"math"
	"sync/atomic"
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
// and what the member's latest report said that others have there. The latter fades, with
// the time constant Memory, since it gets no newer by itself. As a core.Estimator its cost
// is that number with one more. Safe for concurrent use.
type Counts struct {
	silent
	member *core.Member
	others number
	last   moment
}

// NewCounts returns the counts of a member that has not reported.
func NewCounts(m *core.Member) *Counts { return &Counts{member: m} }

// Cost implements core.Estimator; it is a number, not seconds.
func (c *Counts) Cost(now core.Instant) float64 {
	n := float64(c.member.Pending() + 1)
	if last := c.last.load(); last != core.Never {
		n += c.others.load() * fades(now.Sub(last), Memory)
	}
	return n
}

// Answered implements core.Estimator. The answer's own attempt is pending here still, and
// in flight there no more.
func (c *Counts) Answered(now core.Instant, s core.Sample) {
	if r, ok := reported(s); ok && r.InFlight >= 0 {
		c.others.store(max(0, r.InFlight-float64(c.member.Pending()-1)))
		c.last.store(now)
	}
}

// Strain is an estimator of latency whose cost is multiplied by how much of itself the
// member says that it uses: by 1 + u, u being the utilisation of its latest report, which
// fades with the time constant [strainMemory]. Safe for concurrent use.
type Strain struct {
	core.Estimator
	used number
	last atomic.Int64
}

// strainMemory is short: the latency, which is slower to change, has the longer story.
const strainMemory = time.Second

// mostUsed bounds what a report may do.
const mostUsed = 10

// NewStrain puts the factor on an estimator.
func NewStrain(e core.Estimator) *Strain { return &Strain{Estimator: e} }

// Cost implements core.Estimator.
func (s *Strain) Cost(now core.Instant) float64 {
	return min(s.Estimator.Cost(now)*s.factor(now), math.MaxFloat64)
}

// factor is what the cost of the estimator is multiplied by.
func (s *Strain) factor(now core.Instant) float64 {
	return 1 + s.used.load()*fades(now.Sub(core.Instant(s.last.Load())), strainMemory)
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
		s.used.store(min(r.Utilization, mostUsed))
		s.last.Store(int64(now))
	}
	s.Estimator.Answered(now, x)
}

// Inherit implements core.Heir, for what it is put on, too.
func (s *Strain) Inherit(now core.Instant, from any) {
	if old, ok := from.(*Strain); ok {
		s.used.store(old.used.load())
		s.last.Store(old.last.Load())
		from = old.Estimator
	}
	if h, ok := s.Estimator.(core.Heir); ok {
		h.Inherit(now, from)
	}
}
