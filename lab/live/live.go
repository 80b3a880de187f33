// Package live plays a scenario over real HTTP: simulated servers (lab/backend) on the
// loopback interface, a proxy (ours, or another by its template in lab/peer) as a process
// of its own, and vegeta as an open loop load generator that keeps a plan made before the
// run.
//
// # What vegeta needs around it
//
// vegeta keeps sending when answers are slow, but what it calls latency begins when a
// worker sends, not when the request was due, and an attack with a duration drops what
// has become too late. Both hide just the requests that matter (coordinated omission).
// So the whole trial is one attack along a precomputed schedule that drops nothing,
// response times count from the planned instants, and the generator's own lateness is
// measured: a trial in which it was too late is void. See attack.go and health.go.
//
// # Two sides of each request
//
// Each record is joined, by its sequence number, with what the servers say of it: how often
// it reached one, when, and what came of it. An answer that no server knows of makes the
// trial void; what a request took beyond its time in the server is the price of everything
// in between. See join.go. A calibration is the same without any proxy: see calibrate.go.
package live

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Driver plays trials over real HTTP.
type Driver struct {
	// Proxy is the path of the evenkeel binary.
	Proxy string
	// Dir is the results folder in which each trial leaves what does not fit into a record;
	// see Leavings. Empty: nothing is left.
	Dir string
	// Metrics shows the servers' metrics while they run; nil: nobody looks.
	Metrics *Exposition
}

// Name implements trial.Driver.
func (Driver) Name() string { return record.Live }

// Play implements trial.Driver. Backends and proxy are started for this trial and
// stopped after it. Requests are told at the end, in order: whoever listened during the
// attack would disturb it.
func (d Driver) Play(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (h record.Header, err error) {
	chance := scenario.NewChance(seed)
	plan := slices.Collect(s.Schedule(chance))
	servers, err := startFleet(s, len(plan))
	defer func() { err = errors.Join(err, servers.close()) }()
	if err != nil {
		return h, err
	}
	defer d.Metrics.show(servers)()
	proxy, err := startSubject(ctx, startWithin, d.Proxy, subject, servers.urls())
	if err != nil {
		return h, err
	}
	defer func() { err = errors.Join(err, proxy.stop()) }()

	counting, watching := make(chan counted, 1), make(chan looked, 1)
	a := assault{
		scenario: s, chance: chance, plan: plan, fleet: servers, target: proxy.URL,
		start: func(began time.Time) {
			if proxy.Admin == "" { // another proxy, which nobody looks into
				counting <- counted{}
				watching <- looked{}
				return
			}
			go func() { watching <- watch(ctx, proxy.Admin, servers.urls(), began, s.Duration) }()
			go func() { counting <- countAfter(ctx, proxy.Admin, time.Until(began.Add(s.WarmUp))) }()
		},
	}
	if err := a.run(ctx); err != nil {
		return h, err
	}
	warm, inside := <-counting, <-watching
	var after decisions
	if proxy.Admin != "" {
		after, err = scrape(proxy.Admin)
	}
	if err = errors.Join(err, warm.err, inside.err); err != nil {
		return h, err
	}
	h.Decisions, h.Inside = record.DecisionsOf(after.minus(warm.decisions)), inside.inside
	h.Generator, h.Void = a.judge()
	for _, r := range a.requests {
		each(r)
	}
	return h, d.leave(s, subject, seed, proxy.Config, &a)
}

// assault is one attack on a target in front of the servers, and what came of it.
type assault struct {
	scenario *scenario.Scenario
	chance   scenario.Chance
	plan     []core.Instant
	fleet    fleet
	target   string
	direct   bool            // no proxy: requests go to the servers in turn
	start    func(time.Time) // told when the plan's time begins

	began    time.Time
	requests []record.Request // in order, joined with what the servers say
	joined   joined
	peak     int
	area     time.Duration
	spent    spent
}

// run attacks, and joins the two sides.
func (a *assault) run(ctx context.Context) error {
	var inFlight meter
	way := way{seen: &inFlight, targets: a.scenario.Requests.Targets}
	if a.direct {
		way.hosts = a.fleet.hosts()
	}
	before := measure()
	requests, err := attack(ctx, a.target, a.scenario.Name, a.plan, a.scenario.Client.Timeout, &way, func(began time.Time) {
		a.began = began
		a.fleet.begin(began, a.chance)
		a.start(began)
	})
	if err != nil {
		return err
	}
	a.spent = measure().since(before)
	slices.SortFunc(requests, func(a, b record.Request) int { return cmp.Compare(a.Seq, b.Seq) })
	a.requests, a.joined = requests, join(requests, a.fleet.log())
	a.peak, a.area = inFlight.read()
	return nil
}

// judge is how the generator did, and why the trial is void, if it is.
func (a *assault) judge() (*record.Generator, string) {
	g := generatorHealth(a.requests, a.peak, a.area, a.spent)
	g.BeyondP50, g.BeyondP99 = a.joined.p50, a.joined.p99
	why := void(a.requests, len(a.plan), g)
	return g, cmp.Or(why, a.joined.wrong)
}

// counted is the proxy's count of its decisions at the end of the warm-up.
type counted struct {
	decisions decisions
	err       error
}

// countAfter scrapes the proxy after a while.
func countAfter(ctx context.Context, admin string, wait time.Duration) counted {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return counted{err: ctx.Err()}
	}
	d, err := scrape(admin)
	return counted{d, err}
}
