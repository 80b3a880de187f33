package probe

import (
	"fmt"
	"math"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// CubicSettings are those of C3.
type CubicSettings struct {
	// Proxies is how many proxies share the endpoints (w in the paper, "the number of
	// clients"): what one of them has pending is taken to stand for so many times as
	// much; at least 1.
	Proxies float64
	// Smoothing is how much of a mean its latest sample is, above 0 to 1.
	Smoothing float64
	// Penalty is the least that a failure counts as.
	Penalty time.Duration
}

// Validate reports what is wrong with the settings.
func (s CubicSettings) Validate() error {
	if !(s.Proxies >= 1) || !(s.Smoothing > 0 && s.Smoothing <= 1) || s.Penalty < 0 {
		return fmt.Errorf("probe: proxies %v, smoothing %v, penalty %v: expected at least one proxy, a smoothing above 0, at most 1, and a penalty of at least 0",
			s.Proxies, s.Smoothing, s.Penalty)
	}
	return nil
}

// Cubic is C3's score of one member (Suresh et al., "C3: Cutting tail latency in cloud data
// stores via adaptive replica selection", NSDI 2015):
//
//	Ψ = R - 1/μ + q³/μ   seconds, with q = 1 + os·w + q̄
//
// R being the mean latency of its answers, 1/μ the mean service time and q̄ the mean number
// in flight that it reports, os what this proxy has pending there, w how many proxies there
// are. Since q is at least 1, Ψ is never less than R. The third power is what the score
// lives by: of two members one of which is four times as fast, the fast one is given no more
// than a queue 1.6 times as long, where by the product of queue and service time it would be
// four times.
//
// Where no endpoint reports, 1/μ is R, and q̄ is 0: Ψ = R·(1 + os·w)³.
//
// Beyond the paper, so that a member is neither free nor forgotten: one without an answer
// is taken to be as fast as the median of the pool, and one without a report to have the
// median of what is reported there of q̄ per weight, and of 1/μ as a share of R. What was not
// confirmed for a while fades to those medians, with the time constant [Memory]; and a failure
// counts as at least a penalty.
//
// It is a core.Estimator. Safe for concurrent use.
type Cubic struct {
	member   *core.Member
	settings CubicSettings
	latency  number // R; 0 before the first sample
	last     moment // R was confirmed
	service  report // 1/μ, in seconds
	queue    report // q̄
}

// What a report is taken for at most, and a service time at least, in seconds: beyond, their
// product could be no number, which is neither more nor less than any other.
const (
	mostInFlight = 1e9
	mostService  = 1e6
	leastService = 1e-9
)

// Memory is how long a mean that is not confirmed is believed: after it, 1/e of what
// distinguishes it is left.
const Memory = 3 * time.Second

// NewCubic returns the score of a new member. The settings are expected to be valid.
func NewCubic(m *core.Member, s CubicSettings) *Cubic { return &Cubic{member: m, settings: s} }

// NewCubicScan returns the picker that takes, of all members, the one of the least Ψ; q is
// per unit of weight, so that equals have queues in proportion to their weights. Members
// need a Cubic each for their estimator.
func NewCubicScan() core.Picker { return pick.Scan{Score: score} }

func score(m *core.Member, now core.Instant) float64 {
	if c, ok := m.Estimator().(*Cubic); ok {
		return c.score(now, m.Weight())
	}
	return m.Cost(now) / m.Weight()
}

// nominal is what a latency is taken to be while nobody in the pool has shown one: it only
// lets the queues count.
const nominal = 0.01

// Cost implements core.Estimator: Ψ.
func (c *Cubic) Cost(now core.Instant) float64 { return c.score(now, 1) }

func (c *Cubic) score(now core.Instant, weight float64) float64 {
	usual := c.member.Pool().Reported()
	r := c.response(c.left(now))
	service := r * c.work(now, usual.Work)
	q := 1 + float64(c.member.Pending())*c.settings.Proxies
	q += c.queue.at(now, usual.Load*c.member.Weight(), Memory)
	q /= weight
	return min(r+service*(q*q*q-1), math.MaxFloat64)
}

// Explain implements core.Explained. The queue is not a part of its own: it stands between
// the latency and the cost.
func (c *Cubic) Explain(now core.Instant) core.CostParts {
	p := core.CostParts{Cost: c.Cost(now), Median: c.member.Pool().MedianLatency(), Ramp: 1, Strain: 1}
	if p.Estimate = c.latency.load(); p.Estimate > 0 {
		p.Known = true
		p.Latency, p.Fresh = c.Latency(now)
		p.Idle = max(0, now.Sub(c.last.load()).Seconds())
	}
	return p
}

// left is how much of what was learned still counts.
func (c *Cubic) left(now core.Instant) float64 {
	last := c.last.load()
	if last == core.Never {
		return 0
	}
	return fades(now.Sub(last), Memory)
}

// response is R in seconds, when so much of what was learned still counts.
func (c *Cubic) response(left float64) float64 {
	median := c.member.Pool().MedianLatency()
	r := c.latency.load()
	switch {
	case r == 0 && median == 0:
		return nominal
	case r == 0:
		return median
	case median > 0:
		return median + (r-median)*left
	}
	return r
}

// work is 1/μ as a share of R, where it is usually so much.
func (c *Cubic) work(now core.Instant, usual float64) float64 {
	r := c.latency.load()
	if r == 0 {
		return usual
	}
	return c.service.at(now, usual*r, Memory) / r
}

// Reported implements core.Informed.
func (c *Cubic) Reported(now core.Instant) core.Reported {
	said := core.Reported{Load: c.queue.recent(now, Memory) / c.member.Weight(), Work: -1}
	if r := c.latency.load(); r > 0 {
		said.Work = c.service.recent(now, Memory) / r
	}
	return said
}

// Latency implements core.Estimator.
func (c *Cubic) Latency(now core.Instant) (seconds float64, fresh bool) {
	if c.latency.load() == 0 {
		return 0, false
	}
	left := c.left(now)
	return c.response(left), left > math.Exp(-3)
}

// Begin implements core.Estimator.
func (c *Cubic) Begin(core.Instant) {}

// Answered implements core.Estimator.
func (c *Cubic) Answered(now core.Instant, s core.Sample) { c.learn(now, s) }

// End implements core.Estimator.
func (c *Cubic) End(now core.Instant, s core.Sample) {
	if !s.Told {
		c.learn(now, s)
	}
}

// learn takes in what an attempt taught. Of two that teach at the same moment one may be
// lost, as with a report.
func (c *Cubic) learn(now core.Instant, s core.Sample) {
	var took time.Duration
	switch {
	case s.Outcome == core.Abandoned:
		return
	case s.Outcome.Failed():
		took = max(c.settings.Penalty, s.Total)
	case s.Outcome == core.Overtaken:
		took = s.Total // it would have been longer
	case s.FirstAnswer < 0:
		return
	default:
		took = s.FirstAnswer
	}
	r := took.Seconds()
	if old := c.latency.load(); old > 0 {
		r = old + (r-old)*c.settings.Smoothing
	}
	c.latency.store(max(r, 1e-9))
	if load, ok := reported(s); ok {
		if load.InFlight >= 0 {
			c.queue.learn(now, min(load.InFlight, mostInFlight), c.settings.Smoothing)
		}
		if load.Latency > 0 {
			c.service.learn(now, min(max(load.Latency, leastService), mostService), c.settings.Smoothing)
		}
	}
	c.last.store(now)
}
