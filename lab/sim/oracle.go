package sim

import (
	"math/rand/v2"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// oracle is the reference that every strategy can be held against: a picker that knows
// what none can know. Each request goes where it would finish earliest if no further
// request came, with every queue, every demand and every fault known, and with the queues
// of all proxies pooled. It tries once, and knows neither breakers nor limits.
//
// It is a reference and no bound: it does not know the future arrivals, so it sends a long
// request to the fastest server although short ones will soon want it, and a strategy may
// by luck do better. Requests that are still on their way to a server are known by their
// work only.
type oracle struct {
	w *world
	// under is the work under way to each server, in nanoseconds.
	under []time.Duration
	// asking is the flight for which the next decision is made.
	asking *flight
}

func newOracle(w *world) *oracle {
	return &oracle{w: w, under: make([]time.Duration, len(w.servers))}
}

// router is a router that asks the oracle.
func (o *oracle) router(d core.Driver) *core.Router {
	return core.NewRouter(core.Config{
		Driver: d, Picker: o,
		Equip: func(*core.Member) core.Parts { return core.Parts{} },
	})
}

func (o *oracle) sent(server int, work time.Duration)    { o.under[server] += work }
func (o *oracle) arrived(server int, work time.Duration) { o.under[server] -= work }

// Pick implements core.Picker. Of servers that would be equally early any, with a bias
// that does not matter, takes it.
func (o *oracle) Pick(v *core.View, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	best, slot := forecast{at: core.Never}, -1
	first := 0
	if n := len(v.Members); n > 0 {
		first = int(src.Uint64() % uint64(n))
	}
	for i := range v.Members {
		at := (first + i) % len(v.Members)
		m := v.Members[at]
		if a.Verdict(m, now) == core.Drained {
			continue
		}
		if f := o.forecast(m.Target.(int)); slot < 0 || f.before(best) {
			best, slot = f, at
		}
	}
	return core.Choice{Slot: slot}, slot >= 0
}

// forecast is how a request would fare.
type forecast struct {
	ok bool
	at core.Instant
}

// before prefers success to failure, and early to late.
func (f forecast) before(other forecast) bool {
	return f.ok && !other.ok || f.ok == other.ok && f.at < other.at
}

func (o *oracle) forecast(server int) forecast {
	w, t := o.w, o.asking
	job := w.job(t, 0, server)
	job.Demand += o.under[server] / time.Duration(w.scenario.Servers.Slots)
	at, ok := w.servers[server].Preview(w.now, job)
	if !w.near {
		at = at.Add(w.scenario.Network.RoundTrip(t.proxy.number, server))
	}
	return forecast{ok, at}
}
