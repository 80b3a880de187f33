// Package live plays a scenario over real HTTP: simulated servers (lab/backend) on the
// loopback interface, the proxy as a process of its own, and vegeta as an open loop
// load generator that keeps a plan made before the run.
//
// # What vegeta needs around it
//
// vegeta keeps sending when answers are slow, but what it calls latency begins when a
// worker sends, not when the request was due, and an attack with a duration drops what
// has become too late. Both hide just the requests that matter (coordinated omission).
// So the whole trial is one attack along a precomputed schedule that drops nothing,
// response times count from the planned instants, and the generator's own lateness is
// measured: a trial in which it was too late is void. See attack.go and health.go.
package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/lab/backend"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Driver plays trials over real HTTP.
type Driver struct {
	// Proxy is the path of the evenkeel binary.
	Proxy string
}

// Name implements trial.Driver.
func (Driver) Name() string { return record.Live }

// Play implements trial.Driver. Backends and proxy are started for this trial and
// stopped after it. Requests are told at the end, in order: whoever listened during the
// attack would disturb it.
func (d Driver) Play(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (h record.Header, err error) {
	chance := scenario.NewChance(seed)
	plan := slices.Collect(s.Schedule(chance))
	var urls []string
	var backends []*backend.Backend
	defer func() {
		for _, b := range backends {
			err = errors.Join(err, b.Close())
		}
	}()
	for i := range s.Servers.Count {
		b, err := backend.Start(s, i)
		if err != nil {
			return h, fmt.Errorf("starting backend %d: %w", i, err)
		}
		backends = append(backends, b)
		urls = append(urls, b.URL())
	}
	proxy, err := startSubject(ctx, startWithin, d.Proxy, subject, urls)
	if err != nil {
		return h, err
	}
	defer func() { err = errors.Join(err, proxy.stop()) }()

	before := gcPauses()
	counting := make(chan counted, 1)
	var inFlight meter
	requests, err := attack(ctx, proxy.URL, s.Name, plan, s.Client.Timeout, &inFlight, func(began time.Time) {
		for _, b := range backends {
			b.Begin(began, chance)
		}
		go func() { counting <- countAfter(ctx, proxy.Admin, time.Until(began.Add(s.WarmUp))) }()
	})
	if err != nil {
		return h, err
	}
	warm := <-counting
	after, err := scrape(proxy.Admin)
	if err = errors.Join(err, warm.err); err != nil {
		return h, err
	}
	slices.SortFunc(requests, func(a, b record.Request) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, r := range requests {
		each(r)
	}
	h.Decisions = record.DecisionsOf(after.minus(warm.decisions))
	peak, area := inFlight.read()
	h.Generator = generatorHealth(requests, peak, area, gcPauses()-before)
	h.Void = void(requests, len(plan), h.Generator)
	return h, nil
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

// gcPauses is how long this process has been stopped by the garbage collector so far.
func gcPauses() time.Duration {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return time.Duration(m.PauseTotalNs)
}
