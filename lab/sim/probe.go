package sim

import (
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
)

// check is a probe under way, of a health check or of a strategy. It takes no slot of the
// server: one that fails its requests fails it, a slow one does not, one that is stopped
// keeps it waiting.
type check struct {
	proxy  *proxy
	prober core.Prober
	member *core.Member
	by     core.Instant // when its time is up; without a limit of its own, that of a client
	ok     bool
}

// tell brings the result to whoever asked.
func (c *check) tell(now core.Instant, load core.LoadReport) {
	c.prober.Probed(c.member, now, load, c.ok)
}

// armProber schedules a proxy's next probe.
func (w *world) armProber(p *proxy) {
	next := core.Never
	for _, prober := range [...]core.Prober{p.router.Prober(), p.router.LoadProber()} {
		if prober != nil {
			next = min(next, prober.Wake())
		}
	}
	w.schedule.set(w.sources.probes+p.number, max(w.now, next)) // what has been due sooner is due now
}

// probe sends the probes that are due: of the health checks, and of the strategy.
func (w *world) probe(p *proxy) {
	within := w.scenario.Client.Timeout
	if h := w.subject.Policies.Health; h != nil {
		within = h.Timeout
	}
	w.ask(p, p.router.Prober(), within)
	w.ask(p, p.router.LoadProber(), w.subject.Policies.Strategy.ProbeTimeout)
	w.armProber(p)
}

// ask sends what a prober, or nobody, asks for. What gets lost fails when its time is up.
func (w *world) ask(p *proxy, prober core.Prober, within time.Duration) {
	if prober == nil {
		return
	}
	n := &w.scenario.Network
	for {
		m, ok := prober.Next(w.now, p.source)
		if !ok {
			return
		}
		c := check{proxy: p, prober: prober, member: m, by: w.now.Add(within)}
		k := w.chance.Probe(p.number, p.probes)
		p.probes++
		there := w.now.Add(n.RoundTrip(p.number, m.Target.(int)) / 2)
		switch {
		case n.ProbeLoss > 0 && k.Float64() < n.ProbeLoss:
			w.later(c.by, errand{what: checked, check: c})
		case there == w.now:
			w.examine(c)
		default:
			w.later(there, errand{what: checkAt, check: c})
		}
	}
}

// examine lets a probe reach its server.
func (w *world) examine(c check) {
	server := c.member.Target.(int)
	fate, at := w.servers[server].Check(w.now)
	c.ok = fate == model.Served
	back := at.Add(w.scenario.Network.RoundTrip(c.proxy.number, server) / 2)
	if fate == model.Hang || back > c.by {
		c.ok, back = false, c.by
	}
	var load core.LoadReport
	if c.ok && w.scenario.Servers.Report(server) {
		load = w.servers[server].Report(w.now)
	}
	if back <= w.now.Add(1) { // answered at once: no work takes less than a nanosecond
		c.tell(w.now, load)
		return
	}
	w.later(back, errand{what: checked, check: c, load: load})
}
