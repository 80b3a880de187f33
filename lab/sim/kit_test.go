package sim

import (
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
	s.Proxy.Retries.Attempts = 1
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

func play(t testing.TB, s *scenario.Scenario, text string, seed uint64) *record.Trial {
	t.Helper()
	trial, err := Driver{}.Play(context.Background(), s, subject(t, s, text), seed)
	if err != nil {
		t.Fatal(err)
	}
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
