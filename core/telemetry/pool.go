package telemetry

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evenkeel/evenkeel/core"
)

// Pool is the metrics of one pool: how it decides, what its endpoints answer, how
// they are. Make it with Metrics.Pool. Safe for concurrent use.
type Pool struct {
	metrics *Metrics
	name    string
	now     func() core.Instant
	router  atomic.Pointer[core.Router] // nil while none is watched

	// Nil where a pair does not occur, so that it has no series.
	decisions [core.Modes][core.Reasons]prometheus.Counter
	retries   [core.Retries]prometheus.Counter  // nil for RetryNone
	hedges    [core.Hedgings]prometheus.Counter // nil for HedgeNone
}

// decided are the pairs of mode and reason that the kernel's pickers give.
var decided = []struct {
	mode   core.Mode
	reason core.Reason
}{
	{core.Adaptive, core.ReasonNone},
	{core.Fallback, core.SignalThin},
	{core.Fallback, core.SignalFlat},
	{core.Fallback, core.BarredDraw},
	{core.Panic, core.FewReady},
}

// turned are the ways a breaker turns. From open straight to closed leads the
// success of a forced attempt.
var turned = []struct{ from, to core.State }{
	{core.Closed, core.Open},
	{core.Open, core.HalfOpen},
	{core.HalfOpen, core.Open},
	{core.HalfOpen, core.Closed},
	{core.Open, core.Closed},
}

func newPool(m *Metrics, name string, now func() core.Instant) *Pool {
	p := &Pool{metrics: m, name: name, now: now}
	for _, d := range decided {
		p.decisions[d.mode][d.reason] = m.decisions.WithLabelValues(name, d.mode.String(), d.reason.String())
	}
	for r := core.RetrySent; int(r) < core.Retries; r++ {
		p.retries[r] = m.retries.WithLabelValues(name, r.String())
	}
	for h := core.HedgeSent; int(h) < core.Hedgings; h++ {
		p.hedges[h] = m.hedges.WithLabelValues(name, h.String())
	}
	return p
}

// Watch makes r the router whose members, modes and breakers are read at scrape
// time, in the place of the one before; nil for none.
func (p *Pool) Watch(r *core.Router) { p.router.Store(r) }

// Retried counts what became of the wish to retry: evenkeel_retries_total. There was
// none with core.RetryNone, and nothing is counted.
func (p *Pool) Retried(r core.Retry) {
	if c := p.retries[r]; c != nil {
		c.Inc()
	}
}

// Hedged counts what became of the wish to hedge a request: evenkeel_hedges_total. There
// was none with core.HedgeNone, and nothing is counted. One that is won was sent before.
func (p *Pool) Hedged(h core.Hedging) {
	if c := p.hedges[h]; c != nil {
		c.Inc()
	}
}

// Observe returns the observer of a new member, for core.Config.Observe. It counts
// the decisions for the member, its attempts and the turns of its breaker; the
// endpoint label is the member's key. Members of the same key, in one router or in
// one that replaces it, share their series.
func (p *Pool) Observe(member *core.Member) core.Observer {
	key, m := member.Key, p.metrics
	e := &endpoint{
		pool:     p,
		key:      key,
		duration: m.attemptDuration.WithLabelValues(p.name, key),
	}
	for o := range core.Outcomes {
		e.attempts[o] = m.attempts.WithLabelValues(p.name, key, core.Outcome(o).String())
	}
	for _, t := range turned {
		e.turns[t.from][t.to] = m.turns.WithLabelValues(p.name, key, t.from.String(), t.to.String())
	}
	return e
}

// Forget deletes the series of an endpoint that has left the pool. It is to be
// called after the watched router was updated, not during an update; while that
// router still has the key, Forget does nothing. What late attempts of the departed
// endpoint come to is lost, so a caller that wants it waits until they are settled.
// An endpoint that comes back starts from zero.
func (p *Pool) Forget(key string) {
	if r := p.router.Load(); r != nil {
		for _, m := range r.View().Members {
			if m.Key == key {
				return
			}
		}
	}
	p.delete(prometheus.Labels{"pool": p.name, "endpoint": key})
}

// Close deletes all series of the pool and its endpoints, after it has left the
// configuration. What is still told to p or its observers is lost.
func (p *Pool) Close() {
	p.metrics.drop(p)
	p.delete(prometheus.Labels{"pool": p.name})
	p.metrics.decisions.DeletePartialMatch(prometheus.Labels{"pool": p.name})
	p.metrics.retries.DeletePartialMatch(prometheus.Labels{"pool": p.name})
	p.metrics.hedges.DeletePartialMatch(prometheus.Labels{"pool": p.name})
}

// delete deletes the series of endpoints that have these labels.
func (p *Pool) delete(of prometheus.Labels) {
	p.metrics.attempts.DeletePartialMatch(of)
	p.metrics.attemptDuration.DeletePartialMatch(of)
	p.metrics.turns.DeletePartialMatch(of)
}

// endpoint is the observer of one member.
type endpoint struct {
	pool     *Pool
	key      string
	attempts [core.Outcomes]prometheus.Counter
	duration prometheus.Observer
	turns    [core.States][core.States]prometheus.Counter // nil where it does not occur
}

// Picked implements core.Observer.
func (e *endpoint) Picked(_ *core.Member, _ core.Instant, c core.Choice) {
	n := e.pool.decisions[c.Mode][c.Reason]
	if n == nil { // a picker with ideas of its own: slower, and counted all the same
		n = e.pool.metrics.decisions.WithLabelValues(e.pool.name, c.Mode.String(), c.Reason.String())
	}
	n.Inc()
}

// Finished implements core.Observer. How long an abandoned attempt took says when
// the client lost its patience, and how long an overtaken one when another was faster,
// not how long the endpoint takes: they are counted, and not timed.
func (e *endpoint) Finished(_ *core.Member, _ core.Instant, s core.Sample) {
	e.attempts[s.Outcome].Inc()
	if s.Outcome != core.Abandoned && s.Outcome != core.Overtaken {
		e.duration.Observe(s.Total.Seconds())
	}
}

// Turned implements core.Observer.
func (e *endpoint) Turned(_ *core.Member, _ core.Instant, from, to core.State) {
	n := e.turns[from][to]
	if n == nil {
		n = e.pool.metrics.turns.WithLabelValues(e.pool.name, e.key, from.String(), to.String())
	}
	n.Inc()
}
