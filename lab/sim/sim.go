// Package sim plays a scenario in virtual time: an event loop in which the shipped
// Router (through adaptive.Build) and its request state machine meet simulated
// servers (lab/model). Same scenario, subject and seed: same records, to the byte.
//
// What is simulated: the arrivals, the servers, their faults, the clients' patience and
// retries, the network's delays, and everything that the proxy decides. What is not: the
// time that the proxy itself takes, which is nil.
//
// Every run is held against two laws at its end: nothing was lost (each request that
// arrived has ended once, each server's requests and work add up), and Little's law holds
// to the nanosecond.
package sim

import (
	"context"
	"errors"
	"fmt"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// MaxInFlight is how many requests may be under way, or be inside the servers (also those
// that their clients have left), before a trial is stopped as unstable.
const MaxInFlight = 1_000_000

// copyStride keeps the picks of the copies of a subject apart: more than there are proxies.
const copyStride = 1 << 20

// Outcome is what a trial was besides its requests.
type Outcome struct {
	Decisions []record.Decisions // made after the warm-up
	// Unstable says why nothing is to be concluded from the trial but that it was
	// overloaded; empty when that is not so.
	Unstable string
	Inside   *record.Inside // nil where nobody looked
}

// Run plays one trial and tells each request as it ends, so that the memory it takes is
// what is under way.
func Run(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (Outcome, error) {
	return run(ctx, s, subject, seed, false, each)
}

func run(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, watching bool, each func(record.Request)) (Outcome, error) {
	if subject.Peer != nil {
		return Outcome{}, fmt.Errorf("sim: %s is another proxy, which is played over real HTTP only", subject.Name)
	}
	w, err := newWorld(s, subject, scenario.NewChance(seed), watching, each)
	if err != nil {
		return Outcome{}, err
	}
	out, err := w.play(ctx)
	if errors.Is(err, errBroken) {
		err = fmt.Errorf("sim: %s, %s, seed %d: %w", s.Name, subject.Name, seed, err)
	}
	return out, err
}

// play plays the trial and looks at the books.
func (w *world) play(ctx context.Context) (Outcome, error) {
	if err := w.run(ctx); err != nil {
		return Outcome{}, err
	}
	if err := w.audit(); err != nil {
		return Outcome{}, err
	}
	out := Outcome{Decisions: record.DecisionsOf(w.decisions), Unstable: w.unstable}
	if w.watch != nil {
		out.Inside = w.watch.seen(w.scenario.Proxies)
	}
	if offered := w.scenario.Offered(); out.Unstable == "" && offered >= 1 {
		out.Unstable = fmt.Sprintf("the offered load is %.2f of the capacity", offered)
	}
	return out, nil
}

// sources numbers the sources of events: the servers, from 0; each proxy's probes; what is
// on its way, or waits for its time (errands); the waits of proxies and of requests in
// their queues; the patience of clients; arrivals. Of events at the same instant the one
// of the lower number comes first, so that what ends makes room for what begins, and an
// answer at the last moment is in time.
type sources struct{ probes, errands, waits, patience, arrivals, count int }

func sourcesOf(servers, proxies int) sources {
	e := servers + proxies
	return sources{probes: servers, errands: e, waits: e + 1, patience: e + 2, arrivals: e + 3, count: e + 4}
}

// world is one trial.
type world struct {
	scenario *scenario.Scenario
	subject  scenario.Subject
	chance   scenario.Chance
	demands  scenario.Demands
	each     func(record.Request)

	now      core.Instant
	schedule schedule
	sources  sources
	errands  errands
	patience line // of clients, who are all equally patient
	waits    timers
	flights  flights

	servers []*model.Server
	due     []core.Instant // by server: as the schedule has it
	proxies []*proxy
	fleet   fleet

	ended []model.Done // of one event at a server

	near   bool // proxies and servers are at no distance
	lucky  bool // some troubles meet only some requests
	oracle *oracle
	budget *core.Budget // of the clients' retries; nil for no bound

	planned scenario.Stream
	drawn   [ahead]demand // of the request that the next arrival is, and of some after it
	next    int64         // the request that the next arrival is; negative after the last

	decisions [core.Modes][core.Reasons]uint64 // after the warm-up
	watch     *watch                           // nil where nobody looks inside
	unstable  string
	most      bounds
	books     books
}

func newWorld(s *scenario.Scenario, subject scenario.Subject, chance scenario.Chance, watching bool, each func(record.Request)) (*world, error) {
	w := &world{
		scenario: s, subject: subject, chance: chance, demands: s.Demands(chance), each: each,
		most:    bounds{MaxInFlight, scenario.MaxRequests},
		sources: sourcesOf(s.Servers.Count, s.Proxies),
		servers: s.Fleet(chance), near: s.Network.Nil(), lucky: s.Lucky(),
	}
	w.schedule = newSchedule(w.sources.count)
	w.due = make([]core.Instant, len(w.servers))
	for i := range w.due {
		w.due[i] = core.Never
	}
	if ratio := s.Client.Budget; ratio > 0 {
		w.budget = core.NewBudget(ratio, 0)
	}
	if subject.Oracle {
		w.oracle = newOracle(w)
	}
	if watching {
		w.watchOver()
	}
	w.fleet = newFleet(s, chance)
	for i := range s.Proxies {
		p := &proxy{number: i, source: chance.Pick(i + subject.Copy*copyStride)}
		w.proxies = append(w.proxies, p)
		if err := w.start(p); err != nil {
			return nil, err
		}
	}
	w.armChanges()
	w.open()
	return w, nil
}

// bounds are what a trial is stopped at.
type bounds struct {
	inFlight int   // requests, see MaxInFlight
	requests int64 // in all; planned ones are fewer, so this is for a closed loop
}

// attention is how many events pass between two looks at what the loop itself does not
// look at: the context, and what is left behind in the servers.
const attention = 1 << 14

// run plays all events; the last request's end is the end.
func (w *world) run(ctx context.Context) error {
	for i := 0; ; i++ {
		if i%attention == 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			w.weigh()
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
	case source == w.sources.arrivals:
		w.arrive()
	case source < w.sources.errands:
		w.probe(w.proxies[source-w.sources.probes])
	case source == w.sources.errands:
		w.errand()
	case source == w.sources.waits:
		w.expire()
	default:
		w.leave()
	}
	return true
}

// weigh stops the trial when the servers are left with too much.
func (w *world) weigh() {
	inside := 0
	for _, s := range w.servers {
		inside += s.Busy() + s.Queued()
	}
	if inside > w.most.inFlight {
		w.stop(fmt.Sprintf("%d requests in the servers", inside))
	}
}

// stop ends a trial that would never end, or not in the memory there is. Whatever is
// under way ends without an answer.
func (w *world) stop(what string) {
	w.unstable = fmt.Sprintf("%s after %.1f s: stopped", what, w.now.Seconds())
	w.next = -1
	for _, t := range w.flights.all {
		if t.live {
			t.request.Abandon(w.now)
			w.end(t, -1, 0)
		}
	}
}

// books count what has to add up at the end of a trial.
type books struct {
	began, ended uint64
	area, spent  core.Instant // requests in flight × time; the sum of their times: modulo 2^64
	last         core.Instant // when the number in flight changed last
}

// change notes that the number of requests in flight is about to change.
func (b *books) change(now core.Instant, live int) {
	b.area += core.Instant(live) * (now - b.last)
	b.last = now
}

// errBroken is what a fault of the simulator looks like.
var errBroken = errors.New("the simulation does not add up")

// audit holds the trial against what has to hold in every one.
func (w *world) audit() error {
	switch b := w.books; {
	case b.began != b.ended || w.flights.live != 0:
		return fmt.Errorf("%w: %d requests began, %d ended, %d are in flight", errBroken, b.began, b.ended, w.flights.live)
	case b.area != b.spent:
		return fmt.Errorf("%w: Little's law: %d request-nanoseconds in flight, %d by their times", errBroken, b.area, b.spent)
	}
	for i, s := range w.servers {
		if err := s.Audit(w.now); err != nil {
			return fmt.Errorf("%w: server %d: %v", errBroken, i, err)
		}
	}
	return nil
}
