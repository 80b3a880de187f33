package sim

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

const ms = time.Millisecond

// plain is a scenario of count servers that nothing befalls, behind a proxy that does
// not retry and has no breakers.
func plain(count, slots int, law string, mean time.Duration, rate float64, d time.Duration) *scenario.Scenario {
	s := scenario.Default()
	s.Name, s.Duration, s.WarmUp = "plain", d, 0
	s.Arrivals = scenario.Arrivals{Law: "constant", Rate: rate}
	s.Servers = scenario.Servers{Count: count, Slots: slots, Queue: 1000, Service: scenario.Service{Law: law, Mean: mean}}
	s.Proxy.Breaker.Enabled = false
	s.Proxy.Retries.Attempts, s.Proxy.Retries.HungAfter = 1, 0
	return &s
}

func subject(t testing.TB, s *scenario.Scenario, text string) scenario.Subject {
	t.Helper()
	subject, err := s.Subject(text)
	if err != nil {
		t.Fatal(err)
	}
	return subject
}

// unwatched is a trial before its first event, into which nobody looks.
func unwatched(t testing.TB, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) *world {
	t.Helper()
	w, err := newWorld(s, subject, scenario.NewChance(seed), false, each)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// play plays a trial and returns its requests in their order.
func play(t testing.TB, s *scenario.Scenario, text string, seed uint64) *record.Trial {
	t.Helper()
	return playBy(t, Driver{}, s, text, seed)
}

func playBy(t testing.TB, d Driver, s *scenario.Scenario, text string, seed uint64) *record.Trial {
	t.Helper()
	trial := new(record.Trial)
	header, err := d.Play(context.Background(), s, subject(t, s, text), seed, func(r record.Request) {
		trial.Requests = append(trial.Requests, r)
	})
	if err != nil {
		t.Fatal(err)
	}
	trial.Header = header
	slices.SortFunc(trial.Requests, func(a, b record.Request) int { return cmp.Compare(a.Seq, b.Seq) })
	return trial
}

// busy is a scenario in which everything happens: faults, retries, breakers, health
// checks, a limit with a queue, several proxies, clients that leave.
func busy() *scenario.Scenario {
	s := plain(5, 2, "exponential", 10*ms, 900, 3*time.Second)
	s.Arrivals.Law = "poisson"
	s.Proxies = 3
	s.Client.Timeout = 60 * ms
	s.Servers.Queue = 5
	s.Proxy = config.DefaultPolicies()
	s.Proxy.Timeouts.ResponseHeader = 40 * ms
	s.Proxy.Health = new(config.Health)
	s.Proxy.Health.Defaults()
	s.Proxy.Health.Interval = 100 * ms
	s.Proxy.Concurrency = &config.Concurrency{Name: "fixed", Limit: 6, Queue: 4, MaxWait: 20 * ms}
	s.Faults = []scenario.Fault{
		{Kind: scenario.Slow, Servers: []int{0, 1}, From: 500 * ms, To: 1500 * ms, Factor: 6},
		{Kind: scenario.Error, Servers: []int{2}, From: time.Second, To: 2 * time.Second, Code: 503, Latency: ms},
	}
	return s
}

// hectic is busy with all the rest: distances, clients that try again, work that is
// cancelled, reports, lost probes, hedges, and changes to the fleet and the proxies.
func hectic() *scenario.Scenario {
	s := busy()
	s.Client = scenario.Client{Timeout: 60 * ms, Retries: 2, Budget: 0.5, Backoff: 10 * ms}
	s.Network = scenario.Network{
		Delay: ms, Zones: 2, Between: 3 * ms, ProbeLoss: 0.2,
		Links: []scenario.Link{{Proxies: []int{0}, Servers: []int{2}, Delay: 5 * ms}},
	}
	s.Servers.Abandoned = scenario.Cancel
	s.Servers.Reports = scenario.Reports{Enabled: true, Loss: 0.3}
	s.Servers.Speed = scenario.Speed{Spread: 2}
	s.Proxy.Hedge = &config.Hedge{AfterPercentile: 0.9, MinDelay: 5 * ms, MaxRatio: 0.2}
	s.Faults = append(s.Faults,
		scenario.Fault{Kind: scenario.Error, Code: 500, Share: 0.05, Latency: ms},
		scenario.Fault{Kind: scenario.Hang, Servers: []int{3}, From: 200 * ms, To: 400 * ms, Share: 0.5},
		scenario.Fault{Kind: scenario.Reset, Servers: []int{4}, From: 300 * ms, To: 600 * ms, Share: 0.5, Latency: ms},
		scenario.Fault{Kind: scenario.Refused, Servers: []int{0}, From: 1600 * ms, To: 1800 * ms},
		scenario.Fault{Kind: scenario.Flip, Servers: []int{1}, From: 1800 * ms, Every: 100 * ms, Share: 0.5, Factor: 3},
		scenario.Fault{Kind: scenario.Antagonist, Servers: []int{2}, Share: 0.5, On: 50 * ms, Off: 50 * ms},
		scenario.Fault{Kind: scenario.Pause, Every: 500 * ms, For: 20 * ms},
		scenario.Fault{Kind: scenario.ColdCache, Servers: []int{4}, From: 700 * ms, To: time.Second, Share: 0.9, Factor: 3},
		scenario.Fault{Kind: scenario.Crowding, Servers: []int{3}, From: time.Second, To: 1200 * ms, Slope: 0.1},
		scenario.Fault{Kind: scenario.Drain, Servers: []int{1, 2}, From: 800 * ms, To: 900 * ms, Stagger: 100 * ms},
		scenario.Fault{Kind: scenario.Remove, Servers: []int{3, 4}, From: 1200 * ms, To: 1300 * ms, Stagger: 150 * ms},
		scenario.Fault{Kind: scenario.Restart, From: 600 * ms, Stagger: 400 * ms},
	)
	return s
}

// looped is hectic with clients that wait for their answers, at servers that share.
func looped() *scenario.Scenario {
	s := hectic()
	s.Arrivals = scenario.Arrivals{Law: scenario.Closed, Clients: 40, Think: scenario.Think{Mean: 20 * ms}}
	s.Servers.Discipline = scenario.Sharing
	return s
}

// strategies that the tests go through.
var strategies = config.Strategies

// span is a stretch of time, from before to.
type span struct{ from, to core.Instant }

// overlap is how many of the spans hold at once, at most.
func overlap(spans []span) int {
	type change struct {
		at core.Instant
		by int
	}
	var changes []change
	for _, s := range spans {
		changes = append(changes, change{s.from, 1}, change{s.to, -1})
	}
	slices.SortFunc(changes, func(a, b change) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return a.by - b.by // what ends makes room for what begins
	})
	most, now := 0, 0
	for _, c := range changes {
		now += c.by
		most = max(most, now)
	}
	return most
}

// quantile is the smallest of the response times that so large a share does not
// exceed. A failure counts at no less than the client's timeout.
func quantile(s *scenario.Scenario, requests []record.Request, q float64) time.Duration {
	var all []time.Duration
	for _, r := range requests {
		took := r.ResponseTime()
		if !r.OK() {
			took = max(took, s.Client.Timeout)
		}
		all = append(all, took)
	}
	slices.Sort(all)
	return all[int(q*float64(len(all)))]
}

// after leaves out the requests of the warm-up.
func after(requests []record.Request, warmUp time.Duration) []record.Request {
	i, _ := slices.BinarySearchFunc(requests, core.Instant(warmUp), func(r record.Request, at core.Instant) int {
		return int(r.Planned - at)
	})
	return requests[i:]
}
