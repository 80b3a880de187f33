// Package sim plays a scenario in virtual time: an event loop in which the shipped
// Router (through adaptive.Build) and its request state machine meet simulated
// servers (lab/model). Same scenario, subject and seed: same records, to the byte.
//
// What is simulated: the arrivals, the servers, their faults, the clients' patience,
// and everything that the proxy decides. What is not: the time that the proxy itself
// and the network take, which is nil.
package sim

import (
	"context"
	"fmt"

	"github.com/evenkeel/evenkeel/adaptive"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Driver plays trials in virtual time. The zero value is ready.
type Driver struct{}

// Name implements trial.Driver.
func (Driver) Name() string { return record.Sim }

// Play implements trial.Driver: one trial of a subject, with everything random drawn
// from the seed.
func (Driver) Play(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64) (*record.Trial, error) {
	t := &record.Trial{Requests: make([]record.Request, 0, int(1.05*s.Rate()*s.Duration.Seconds())+64)}
	decisions, err := Run(ctx, s, subject, seed, func(r record.Request) {
		// Each has its place, whatever the order in which they end.
		if missing := int(r.Seq) + 1 - len(t.Requests); missing > 0 {
			t.Requests = append(t.Requests, make([]record.Request, missing)...)
		}
		t.Requests[r.Seq] = r
	})
	if err != nil {
		return nil, err
	}
	t.Header.Decisions = decisions
	return t, nil
}

// Run plays one trial and tells each request as it ends, so that the memory it takes is
// what is under way. It returns the decisions made after the warm-up.
func Run(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) ([]record.Decisions, error) {
	w, err := newWorld(s, subject, scenario.NewChance(seed), each)
	if err != nil {
		return nil, err
	}
	if err := w.run(ctx); err != nil {
		return nil, err
	}
	return record.DecisionsOf(w.decisions), nil
}

// sources numbers the sources of events: the servers, from 0; each proxy's probes; the
// waits of proxies and of requests in their queues; the patience of clients; arrivals.
// Of events at the same instant the one of the lower number comes first, so that what
// ends makes room for what begins, and an answer at the last moment is in time.
type sources struct{ probes, waits, patience, arrivals, count int }

func sourcesOf(servers, proxies int) sources {
	waits := servers + proxies
	return sources{probes: servers, waits: waits, patience: waits + 1, arrivals: waits + 2, count: waits + 3}
}

// world is one trial.
type world struct {
	scenario *scenario.Scenario
	chance   scenario.Chance
	law      model.Law
	each     func(record.Request)

	now      core.Instant
	schedule schedule
	sources  sources
	patience queue
	waits    timers
	servers  []*model.Server
	due      []core.Instant // by server: as the schedule has it
	proxies  []*proxy
	flights  flights

	planned scenario.Stream
	next    int64 // the request that the next arrival is; negative after the last

	decisions [core.Modes][core.Reasons]uint64 // after the warm-up
}

// proxy is one of the proxies that share the load.
type proxy struct {
	router *core.Router
	source *core.Key
}

func newWorld(s *scenario.Scenario, subject scenario.Subject, chance scenario.Chance, each func(record.Request)) (*world, error) {
	w := &world{
		scenario: s, chance: chance, law: s.Law(), each: each,
		sources: sourcesOf(s.Servers.Count, s.Proxies),
		planned: s.Stream(chance),
	}
	w.schedule = newSchedule(w.sources.count)
	endpoints := make([]core.Endpoint, s.Servers.Count)
	for i := range endpoints {
		w.servers = append(w.servers, s.Server(i, chance))
		w.due = append(w.due, core.Never)
		endpoints[i] = core.Endpoint{Key: s.ServerName(i), Weight: 1, Target: i}
	}
	observer := observer{w}
	for i := range s.Proxies {
		source := chance.Pick(i)
		router, err := adaptive.Build(subject.Policies, core.Driver{
			Source:  source,
			Observe: func(*core.Member) core.Observer { return observer },
		})
		if err == nil {
			err = router.Update(0, endpoints)
		}
		if err != nil {
			return nil, fmt.Errorf("sim: subject %s: %w", subject.Name, err)
		}
		w.proxies = append(w.proxies, &proxy{router, source})
		w.armProber(i)
	}
	w.armArrival()
	return w, nil
}

// attention is how many events pass between two looks at the context.
const attention = 1 << 14

// run plays all events; the last request's end is the end.
func (w *world) run(ctx context.Context) error {
	for i := 0; ; i++ {
		if i%attention == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if !w.step() {
			return nil
		}
	}
}

// step plays the next event. It returns false when there is none, or when every
// request has come to its end.
func (w *world) step() bool {
	source, at := w.schedule.next()
	if at == core.Never || w.next < 0 && w.flights.live == 0 {
		return false
	}
	w.now = at
	switch {
	case source < w.sources.probes:
		w.finish(source)
	case source < w.sources.waits:
		w.probe(source - w.sources.probes)
	case source == w.sources.waits:
		w.expire()
	case source == w.sources.patience:
		w.leave()
	default:
		w.arrive()
	}
	return true
}

// armArrival schedules the next request's arrival.
func (w *world) armArrival() {
	at, ok := w.planned.Next()
	if !ok {
		w.next, at = -1, core.Never
	}
	w.schedule.set(w.sources.arrivals, at)
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
