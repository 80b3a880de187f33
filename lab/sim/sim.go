// Package sim plays a scenario in virtual time: an event loop in which the shipped
// Router (through adaptive.Build) and its request state machine meet simulated
// servers (lab/model). Same scenario, subject and seed: same records, to the byte.
//
// What is simulated: the arrivals, the servers, their faults, the clients' patience,
// and everything that the proxy decides. What is not: the time that the proxy itself
// and the network take, which is nil.
package sim

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

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
	w, err := newWorld(s, subject, scenario.NewChance(seed))
	if err != nil {
		return nil, err
	}
	if err := w.run(ctx); err != nil {
		return nil, err
	}
	return w.trial(), nil
}

// world is one trial.
type world struct {
	scenario *scenario.Scenario
	chance   scenario.Chance
	law      model.Law

	now     core.Instant
	events  events
	servers []*server
	proxies []*proxy
	flights flights

	planned func() (core.Instant, bool)
	stop    func()
	next    int64 // the request that the next arrival is

	requests  []record.Request
	decisions [core.Modes][core.Reasons]uint64 // after the warm-up
}

// server is a simulated server and the instant for which an event is due to look
// after it.
type server struct {
	*model.Server
	due core.Instant
}

// proxy is one of the proxies that share the load.
type proxy struct {
	router *core.Router
	source *core.Key
	// probing is the instant for which an event is due to ask its prober.
	probing core.Instant
}

func newWorld(s *scenario.Scenario, subject scenario.Subject, chance scenario.Chance) (*world, error) {
	w := &world{scenario: s, chance: chance, law: s.Law()}
	endpoints := make([]core.Endpoint, s.Servers.Count)
	for i := range endpoints {
		w.servers = append(w.servers, &server{s.Server(i), core.Never})
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
		p := &proxy{router: router, source: source, probing: core.Never}
		w.proxies = append(w.proxies, p)
		w.armProber(i)
	}
	w.planned, w.stop = iter.Pull(s.Schedule(chance))
	w.armArrival()
	return w, nil
}

// patience is how many events pass between two looks at the context.
const patience = 1 << 14

// run plays all events; the last arrival's end is the end.
func (w *world) run(ctx context.Context) error {
	defer w.stop()
	for i := 0; ; i++ {
		if i%patience == 0 && ctx.Err() != nil {
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
	e, ok := w.events.pop()
	if !ok || w.next < 0 && w.flights.live == 0 {
		return false
	}
	w.now = e.at
	switch e.kind {
	case arrival:
		w.arrive()
	case ending:
		w.finish(int(e.who))
	case deadline:
		w.expire(e.who)
	case probe:
		w.probe(int(e.who))
	}
	return true
}

// armArrival makes the next request's event; next is negative when there is none.
func (w *world) armArrival() {
	at, ok := w.planned()
	if !ok {
		w.next = -1
		return
	}
	w.events.push(event{at: at, kind: arrival})
}

// trial is the record of what happened.
func (w *world) trial() *record.Trial {
	slices.SortFunc(w.requests, func(a, b record.Request) int { return cmp.Compare(a.Seq, b.Seq) })
	t := &record.Trial{Requests: w.requests}
	t.Header.Decisions = record.DecisionsOf(w.decisions)
	return t
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
