package adaptive_test

import (
	"testing"

	"github.com/evenkeel/evenkeel/adaptive"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
)

// Begin, Answered and Settle allocate nothing, with any strategy, in any mode, with a
// look at the pool or without.
func TestAttemptsAllocateNothing(t *testing.T) {
	strategiesOf(t, func(t *testing.T, p config.Policies) {
		tb := assemble(t, p, 10)
		var ask core.Ask
		var l core.Lease
		i := 0
		attempt := func() {
			i++
			if !tb.Begin(tb.now, &ask, &l) {
				t.Fatal("begin: got no lease")
			}
			tb.now += ms * core.Instant(1+i%5) // latencies differ, so that the signal is not flat
			s := core.Sample{Outcome: core.Success}
			if i%40 == 0 {
				s.Outcome = core.ServerError
			}
			l.Answered(tb.now, s)
			l.Settle(tb.now, s)
		}
		if got := testing.AllocsPerRun(5000, attempt); got != 0 {
			t.Errorf("allocations of an attempt: got %v, want 0", got)
		}
		ask.Tried[0] = tb.View().Members[3] // a retry
		if got := testing.AllocsPerRun(1000, attempt); got != 0 {
			t.Errorf("allocations of a retry: got %v, want 0", got)
		}
	})
}

func TestRequestsAllocateNothing(t *testing.T) {
	strategiesOf(t, func(t *testing.T, p config.Policies) {
		p.Concurrency = &config.Concurrency{Name: "fixed", Limit: 10}
		tb := assemble(t, p, 10)
		var q core.Request
		if got := testing.AllocsPerRun(1000, func() {
			tb.now += ms
			q.Reset()
			a := q.Start(tb.now, tb.Router, true)
			a = q.Answered(tb.now, a.Attempt, core.Sample{Outcome: core.ServerError}, true)
			for a.Do == core.Try {
				a = q.Answered(tb.now, a.Attempt, core.Sample{Outcome: core.Success}, false)
			}
			q.Finished(tb.now, a.Attempt, core.Sample{Outcome: core.Success})
		}); got != 0 {
			t.Errorf("allocations of a request: got %v, want 0", got)
		}
	})
}

func TestBuildRefuses(t *testing.T) {
	for name, change := range map[string]func(*config.Policies){
		"no such strategy": func(p *config.Policies) { p.Strategy.Name = "roulette" },
		"breaker":          func(p *config.Policies) { p.Breaker.OpenFor = 0 },
		"health":           func(p *config.Policies) { p.Health = &config.Health{} },
	} {
		p := config.DefaultPolicies()
		change(&p)
		if _, err := adaptive.Build(p, core.Driver{}); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
