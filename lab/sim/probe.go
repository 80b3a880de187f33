package sim

import "github.com/evenkeel/evenkeel/core"

// armProber schedules a proxy's next probe.
func (w *world) armProber(i int) {
	if prober := w.proxies[i].router.Prober(); prober != nil {
		w.schedule.set(w.sources.probes+i, prober.Wake())
	}
}

// probe sends the probes that are due. A probe is answered at once and takes no
// slot: a server that fails its requests fails it, a slow one does not.
func (w *world) probe(i int) {
	p := w.proxies[i]
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
