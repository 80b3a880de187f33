package sim

import "github.com/evenkeel/evenkeel/core"

// armProber makes the event of a proxy's next probe, unless there is one.
func (w *world) armProber(i int) {
	p := w.proxies[i]
	prober := p.router.Prober()
	if prober == nil {
		return
	}
	if wake := prober.Wake(); wake < p.probing {
		p.probing = wake
		w.events.push(event{at: wake, kind: probe, who: uint64(i)})
	}
}

// probe sends the probes that are due. A probe is answered at once and takes no
// slot: a server that fails its requests fails it, a slow one does not.
func (w *world) probe(i int) {
	p := w.proxies[i]
	p.probing = core.Never
	prober := p.router.Prober()
	for {
		m, ok := prober.Next(w.now, p.source)
		if !ok {
			break
		}
		prober.Probed(m, w.now, core.LoadReport{}, w.servers[m.Target.(int)].Healthy(w.now))
	}
	w.armProber(i)
}
