package sim

import (
	"fmt"

	"github.com/evenkeel/evenkeel/adaptive"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// proxy is one of the proxies that share the load, with what it has learned by itself.
type proxy struct {
	number int
	router *core.Router
	source *core.Key
	probes uint64 // sent so far
}

// start gives a proxy a router that has learned nothing yet. Requests that are under way
// go on with the one they began with.
func (w *world) start(p *proxy) error {
	var each core.Observer = observer{w}
	if w.watch != nil {
		each = lookout{observer{w}}
	}
	driver := core.Driver{
		Source:  p.source,
		Observe: func(*core.Member) core.Observer { return each },
		// The decision that brought a probe about has not ended, so it is sent after it.
		ProbeDue: func() { w.schedule.set(w.sources.probes+p.number, w.now) },
	}
	var err error
	if w.oracle != nil {
		p.router = w.oracle.router(driver)
	} else {
		p.router, err = adaptive.Build(w.subject.Policies, driver)
	}
	if err == nil {
		err = p.router.Update(w.now, w.fleet.endpoints())
	}
	if err != nil {
		return fmt.Errorf("sim: subject %s: %w", w.subject.Name, err)
	}
	w.armProber(p)
	return nil
}

// fleet is what the proxies are told of the servers.
type fleet struct {
	names   []string
	drained []int // by server: how many faults drain it now, and how many have removed it
	removed []int
	births  []int // how often each has come back as a new one
	changes []scenario.Change
}

func newFleet(s *scenario.Scenario, c scenario.Chance) fleet {
	f := fleet{
		drained: make([]int, s.Servers.Count), removed: make([]int, s.Servers.Count), births: make([]int, s.Servers.Count),
		changes: s.Changes(c),
	}
	for i := range s.Servers.Count {
		f.names = append(f.names, s.ServerName(i))
	}
	return f
}

func (f *fleet) endpoints() []core.Endpoint {
	var all []core.Endpoint
	for i, name := range f.names {
		if f.removed[i] > 0 {
			continue
		}
		e := core.Endpoint{Key: name, Weight: 1, Target: i}
		if f.births[i] > 0 {
			e.Key = fmt.Sprintf("%s.%d", name, f.births[i])
		}
		if f.drained[i] > 0 {
			e.Weight = 0
		}
		all = append(all, e)
	}
	return all
}

// armChanges schedules what the proxies will be told.
func (w *world) armChanges() {
	for i, c := range w.fleet.changes {
		w.later(c.At, errand{what: changes, number: i})
	}
}

// change tells the proxies of a change, or replaces one of them.
func (w *world) change(number int) {
	c := w.fleet.changes[number]
	by := 1
	if c.Over {
		by = -1
	}
	switch c.Kind {
	case scenario.Restart:
		if err := w.start(w.proxies[c.Number]); err != nil {
			panic("sim: a router that was built cannot be built again: " + err.Error())
		}
		return
	case scenario.Drain:
		w.fleet.drained[c.Number] += by
	case scenario.Remove:
		w.fleet.removed[c.Number] += by
		if c.Over {
			w.fleet.births[c.Number]++
		}
	}
	for _, p := range w.proxies {
		if err := p.router.Update(w.now, w.fleet.endpoints()); err != nil {
			panic("sim: endpoints that cannot be: " + err.Error())
		}
		w.armProber(p)
	}
}

// observer counts the decisions of the measured time.
type observer struct{ w *world }

func (o observer) Picked(_ *core.Member, now core.Instant, c core.Choice) {
	if now >= core.Instant(o.w.scenario.WarmUp) {
		o.w.decisions[c.Mode][c.Reason]++
	}
}
func (observer) Finished(*core.Member, core.Instant, core.Sample)          {}
func (observer) Turned(*core.Member, core.Instant, core.State, core.State) {}
