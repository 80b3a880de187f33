package adaptive_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/adaptive"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
)

// limitedBy are policies with a limiter for the pool and each endpoint, and a shedder;
// "" for none.
func limitedBy(pool, endpoint, shedder string) config.Policies {
	p := config.DefaultPolicies()
	p.Strategy = config.NewStrategy("p2c-least-requests")
	if pool != "" {
		c := config.NewConcurrency(pool)
		p.Concurrency = &c
	}
	if endpoint != "" {
		c := config.NewConcurrency(endpoint)
		p.EndpointConcurrency = &c
	}
	if shedder != "" {
		s := config.NewShed(shedder)
		p.Shed = &s
	}
	p.Derive(nil)
	return p
}

func build(t testing.TB, p config.Policies, members int) *core.Router {
	t.Helper()
	r, err := adaptive.Build(p, core.Driver{Source: rand.NewPCG(1, 2)})
	if err != nil {
		t.Fatal(err)
	}
	var endpoints []core.Endpoint
	for i := range members {
		endpoints = append(endpoints, core.Endpoint{Key: fmt.Sprint(i), Weight: 1})
	}
	if err := r.Update(0, endpoints); err != nil {
		t.Fatal(err)
	}
	return r
}

// The limiters of a pool that go by latency are told what was asked for.
func TestWhoComparesClasses(t *testing.T) {
	for name, want := range map[string]bool{"fixed": false, "aimd": false, "vegas": true, "gradient2": true, "correlated": true} {
		l := build(t, limitedBy(name, "", ""), 1).Admission().Limiter()
		if _, got := l.(core.ClassedLimiter); got != want {
			t.Errorf("%s is told classes: got %v, want %v", name, got, want)
		}
	}
}

// Every limiter and every shedder of the catalogue is built, and a request with them
// allocates nothing.
func TestLimitedRequestsAllocateNothing(t *testing.T) {
	for _, shedder := range append([]string{""}, config.Shedders...) {
		for _, limiter := range config.Limiters {
			r := build(t, limitedBy(limiter, limiter, shedder), 5)
			if (r.Shedder() != nil) != (shedder == "accept-ratio") || r.Admission() == nil || r.View().Members[0].Limiter() == nil {
				t.Errorf("%s and %q: got a router without what was asked for", limiter, shedder)
			}
			now := core.Instant(0)
			var q core.Request
			if got := testing.AllocsPerRun(1000, func() {
				q.Reset()
				a := q.Start(now, r, true)
				now += ms
				if a.Do == core.Try {
					a = q.Answered(now, a.Attempt, core.Sample{Outcome: core.Success}, false)
					q.Finished(now, a.Attempt, core.Sample{Outcome: core.Success})
				}
			}); got != 0 {
				t.Errorf("%s and %q: got %v allocations of a request, want 0", limiter, shedder, got)
			}
		}
	}
}

func TestBuildRefusesLimits(t *testing.T) {
	for name, change := range map[string]func(*config.Policies){
		"no such limiter":             func(p *config.Policies) { p.Concurrency.Name = "gradient3" },
		"no such endpoint limiter":    func(p *config.Policies) { p.EndpointConcurrency.Name = "gradient3" },
		"no such shedder":             func(p *config.Policies) { p.Shed.Name = "coddle" },
		"a limiter without a limit":   func(p *config.Policies) { p.Concurrency.Limit = 0 },
		"an endpoint without a limit": func(p *config.Policies) { p.EndpointConcurrency.Limit = 0 },
		"a shedder of nothing":        func(p *config.Policies) { p.Shed.K = 0 },
	} {
		p := limitedBy("fixed", "fixed", "accept-ratio")
		if _, err := adaptive.Build(p, core.Driver{Source: rand.NewPCG(1, 2)}); err != nil {
			t.Fatal(err)
		}
		change(&p)
		if _, err := adaptive.Build(p, core.Driver{Source: rand.NewPCG(1, 2)}); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// What one endpoint has no room for goes to another; when all are full there is none,
// and not even panic overrides that.
func TestEndpointLimits(t *testing.T) {
	p := limitedBy("", "fixed", "")
	p.EndpointConcurrency.Limit, p.PanicThreshold = 2, 1
	r := build(t, p, 3)
	var ask core.Ask
	leases := make([]core.Lease, 7)
	for i := range leases {
		if got, want := r.Begin(0, &ask, &leases[i]), i < 6; got != want {
			t.Errorf("lease %d: got %v, want %v", i, got, want)
		}
	}
	for _, m := range r.View().Members {
		if m.Pending() != 2 || m.Verdict(0) != core.Full {
			t.Errorf("member %s: got %d pending and %v, want 2 and full", m.Key, m.Pending(), m.Verdict(0))
		}
	}
	full := leases[0].Member()
	leases[0].Settle(0, core.Sample{Outcome: core.Success})
	if !r.Begin(0, &ask, &leases[6]) || leases[6].Member() != full {
		t.Error("after one ended: got no lease at its member")
	}
}

// Invariant: a limiter on a dry run changes nothing. Of the same requests, at the same
// instants, with the same chance, each gets the same actions and members as without,
// whatever they came to.
func TestDryRunChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limiter := rapid.SampledFrom([]string{"fixed", "aimd", "gradient2", "correlated"}).Draw(t, "limiter")
		dry := limitedBy(limiter, limiter, "")
		for _, c := range []*config.Concurrency{dry.Concurrency, dry.EndpointConcurrency} {
			c.DryRun = true
			if limiter == "fixed" {
				c.Limit = 1
			} else {
				c.Initial = 1
			}
		}
		var routers [2]*core.Router
		for i, p := range []config.Policies{limitedBy("", "", ""), dry} {
			r, err := adaptive.Build(p, core.Driver{Source: rand.NewPCG(7, 8)})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Update(0, []core.Endpoint{{Key: "a", Weight: 1}, {Key: "b", Weight: 1}}); err != nil {
				t.Fatal(err)
			}
			routers[i] = r
		}
		type twins [2]core.Request
		var live []*twins
		now := core.Instant(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "ms")) * time.Millisecond)
			if len(live) == 0 || rapid.Bool().Draw(t, "start") {
				q := &twins{}
				plain, tried := q[0].Start(now, routers[0], false), q[1].Start(now, routers[1], false)
				if plain != tried || plain.Do == core.Try && q[0].Lease(0).Member().Key != q[1].Lease(0).Member().Key {
					t.Fatalf("start: got %+v, without a limiter %+v", tried, plain)
				}
				if plain.Do == core.Try {
					live = append(live, q)
				}
				continue
			}
			i := rapid.IntRange(0, len(live)-1).Draw(t, "who")
			o := rapid.SampledFrom([]core.Outcome{core.Success, core.Timeout, core.ConnectFailure}).Draw(t, "outcome")
			for j := range live[i] {
				if q := &live[i][j]; o == core.Success {
					q.Answered(now, 0, core.Sample{Outcome: o}, false)
					q.Finished(now, 0, core.Sample{Outcome: o})
				} else if next := q.Failed(now, 0, core.Sample{Outcome: o}); next.Do == core.Try {
					q.Failed(now, next.Attempt, core.Sample{Outcome: core.Reset}) // what was not sent is tried elsewhere
				}
			}
			live = append(live[:i], live[i+1:]...)
		}
		if in, waiting := routers[1].Admission().InFlight(); in != len(live) || waiting != 0 {
			t.Fatalf("in flight and waiting: got %d and %d, want %d and none", in, waiting, len(live))
		}
	})
}
