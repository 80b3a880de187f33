package sim

import (
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
)

// check is a probe under way. It takes no slot of the server: one that fails its requests
// fails it, a slow one does not, one that is stopped keeps it waiting.
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
	if prober := p.router.Prober(); prober != nil {
		w.schedule.set(w.sources.probes+p.number, prober.Wake())
	}
}

// probe sends the probes that are due. One that gets lost fails when its time is up.
func (w *world) probe(p *proxy) {
	prober := p.router.Prober()
	n := &w.scenario.Network
	for {
		m, ok := prober.Next(w.now, p.source)
		if !ok {
			break
		}
		c := check{proxy: p, prober: prober, member: m, by: w.now.Add(w.scenario.Client.Timeout)}
		if h := w.subject.Policies.Health; h != nil {
			c.by = w.now.Add(h.Timeout)
		}
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
	w.armProber(p)
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
	if c.ok && w.scenario.Servers.Reports.Enabled {
		load = w.servers[server].Report(w.now)
	}
	if back <= w.now.Add(1) { // answered at once: no work takes less than a nanosecond
		c.tell(w.now, load)
		return
	}
	w.later(back, errand{what: checked, check: c, load: load})
}
