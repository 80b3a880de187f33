package probe

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// HotColdSettings are those of HotCold.
type HotColdSettings struct {
	// Pool is how many answers to probes are kept, 2 to MaxPool.
	Pool int
	// Rate is how many probes a request brings about, above 0; fractions add up.
	Rate float64
	// Limit is how many probes a second there may be, above 0: beyond, a request brings
	// about fewer.
	Limit float64
	// Remove is how many entries of the pool a request takes out, at least 0, where it
	// brings about Rate probes; where it brings about fewer, as many fewer.
	Remove float64
	// Age is how long an answer is believed; above 0.
	Age time.Duration
	// Idle is the longest time without a probe, so that the first request after a quiet
	// time finds something in the pool; above 0.
	Idle time.Duration
	// Quantile of the numbers in flight, of those reported of late: what has more is
	// hot. 0 to 1.
	Quantile float64
	// Aversion is how long a failed attempt keeps its member out of favour, for each
	// failure in a row; 0: not at all.
	Aversion time.Duration
}

// MaxPool is the most entries that the pool may have.
const MaxPool = 64

// Validate reports what is wrong with the settings.
func (s HotColdSettings) Validate() error {
	if s.Pool < 2 || s.Pool > MaxPool || !(s.Rate > 0) || !(s.Limit > 0) || !(s.Remove >= 0) || s.Age <= 0 || s.Idle <= 0 ||
		!(s.Quantile >= 0 && s.Quantile <= 1) || s.Aversion < 0 {
		return fmt.Errorf("probe: %+v: expected a pool of 2 to %d, a rate, a limit, an age and an idle time above 0, nothing negative, and a quantile from 0 to 1", s, MaxPool)
	}
	return nil
}

// HotCold is Prequal's rule (Wydrowski et al., "Load is not what you should balance", NSDI
// 2024), as a core.Picker and the core.Prober that goes with it. Its members need a
// [Temper] each for their estimator.
//
// A decision looks at the answers to probes that are in the pool. Those of members with
// more in flight than a quantile of what was reported of late are hot. Of those that are
// not it takes the one that reports the least latency; when all are hot, the one with the
// least in flight. It then counts one more in flight there, and the request brings about
// probes of members drawn without replacement, for decisions to come: nobody waits for one.
//
// An answer leaves the pool when it is too old, when it was used as often as it may be, when
// the pool is full, when a newer one of the same member comes, and one by one with the
// requests, by turns the worst and the oldest: so the pool is not worn down to those that
// nobody wants. How often it may be used is the paper's
//
//	b = max(1, (1+δ) / ((1 - m/n)·rate - remove)),  δ = 1
//
// for a pool of m and n members; the pool is at most a sixth of the members (and three). Where
// the formula has no answer, for a few members, b is [mostUses].
//
// What the paper leaves out, so that failing fast does not look like being idle: a member
// whose attempt has failed is out of favour for a while. It is taken when all in the pool
// are. So is what to do without probes: while there are fewer than two answers to go by, a
// decision is by what this proxy itself has pending at two members drawn, in the mode
// core.Fallback. So is a decision that finds another one at the pool: it waits for nobody.
//
// Safe for concurrent use; nothing is allocated by a decision.
type HotCold struct {
	settings HotColdSettings
	due      func()
	own      *pick.Choices

	mu    sync.Mutex
	state state
}

// entry is the answer to a probe.
type entry struct {
	member   *core.Member
	at       core.Instant
	inFlight float64 // with what was sent there since
	latency  float64 // seconds; +Inf where nobody reports any
	uses     int     // left
	said     bool    // what is in flight; otherwise that is what others say
}

// NewHotCold returns a picker without members. The settings are expected to be valid.
func NewHotCold(s HotColdSettings) *HotCold {
	p := &HotCold{settings: s, due: func() {}, own: pick.NewChoices(2, wary)}
	p.state.rate = s.Rate
	return p
}

// OnDue has somebody told when a decision has brought about a probe (core.Driver.ProbeDue).
// To be called before the first decision.
func (p *HotCold) OnDue(due func()) { p.due = due }

// Temper is what HotCold knows of a member besides the answers to its probes: whether its
// attempts fail. It is a core.Estimator that estimates nothing. Safe for concurrent use.
type Temper struct {
	silent
	aversion time.Duration
	failures number // in a row
	until    moment // it is out of favour
}

// NewTemper returns that of a member that has not failed.
func NewTemper(s HotColdSettings) *Temper { return &Temper{aversion: s.Aversion} }

// mostAverse is how many failures in a row count.
const mostAverse = 10

// Answered implements core.Estimator.
func (t *Temper) Answered(now core.Instant, s core.Sample) {
	switch {
	case s.Outcome.Failed():
		run := min(t.failures.load()+1, mostAverse)
		t.failures.store(run)
		t.until.store(now.Add(time.Duration(run) * t.aversion))
	case s.Outcome == core.Success, s.Outcome == core.ClientError:
		t.failures.store(0)
	}
}

// End implements core.Estimator.
func (t *Temper) End(now core.Instant, s core.Sample) {
	if !s.Told {
		t.Answered(now, s)
	}
}

// averse reports whether a member is out of favour.
func averse(m *core.Member, now core.Instant) bool {
	t, ok := m.Estimator().(*Temper)
	if !ok {
		return false
	}
	until := t.until.load()
	return until != core.Never && now < until
}

// wary is the score of the fallback: what is pending per weight, and more than any pending
// for who is out of favour.
func wary(m *core.Member, now core.Instant) float64 {
	score := pick.Load(m, now)
	if averse(m, now) {
		score += 1e6
	}
	return score
}

// Plan implements core.Planner, for the fallback.
func (p *HotCold) Plan(v *core.View) any { return p.own.Plan(v) }

// Survey implements core.Surveyed: it sets how many probes a request brings about. Where
// another decision is at the pool, the next look will do.
func (p *HotCold) Survey(_ core.Instant, s core.Survey) {
	if !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	p.state.rate = p.settings.Rate
	if s.Rate > 0 {
		p.state.rate = min(p.settings.Rate, p.settings.Limit/s.Rate)
	}
}

// Pick implements core.Picker.
func (p *HotCold) Pick(v *core.View, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	if !p.mu.TryLock() {
		return p.byOwn(v, a, now, src)
	}
	s := &p.state
	s.expire(now.Add(-p.settings.Age))
	c, ok := core.Choice{}, false
	if i := s.best(a, now); i >= 0 {
		c.Slot = slices.Index(v.Members, s.pool[i].member)
		ok = c.Slot >= 0 // else it has left, or this view is of before it came
	}
	if !ok {
		c, ok = p.byOwn(v, a, now, src)
	}
	due := ok && p.took(v.Members[c.Slot], now)
	p.mu.Unlock()
	if due {
		p.due()
	}
	return c, ok
}

// byOwn chooses by what this proxy counts itself.
func (p *HotCold) byOwn(v *core.View, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	c, ok := p.own.Pick(v, a, now, src)
	c.Mode = core.Fallback
	if c.Reason == core.ReasonNone {
		c.Reason = core.SignalThin
	}
	return c, ok
}

// took notes that a request goes to a member, and reports whether a probe is due now that
// was not before.
func (p *HotCold) took(m *core.Member, now core.Instant) bool {
	s := &p.state
	if i := s.find(m); i >= 0 {
		e := &s.pool[i]
		e.inFlight += 1 / m.Weight()
		if e.uses--; e.uses <= 0 {
			s.drop(i)
		}
	}
	share := s.rate / p.settings.Rate
	for s.removing += p.settings.Remove * share; s.removing >= 1; s.removing-- {
		s.remove(now)
	}
	if len(s.order) < 2 {
		return false // there is no choice
	}
	before := s.owed >= 1
	s.owed = min(s.owed+s.rate, float64(s.size)) // what nobody fetches is forgotten
	if before || s.owed < 1 {
		return false
	}
	s.owedSince = now
	return true
}
