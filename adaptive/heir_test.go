package adaptive_test

import (
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
)

// A router with other policies goes on with what the one before it has learned: that 0 is
// slow, that the breaker of 1 is open until five seconds have passed, and that 2 is out of
// health; and what it has no use for, it leaves.
func TestInherit(t *testing.T) {
	cases := map[string]struct {
		change             func(*config.Policies)
		estimates, breaker bool
	}{
		"decay":                  {func(p *config.Policies) { p.Strategy.Decay = time.Minute }, true, true},
		"near":                   {func(p *config.Policies) { p.Strategy.Near = 0.3 }, true, true},
		"retries":                {func(p *config.Policies) { p.Retries.BudgetRatio = 0.5 }, true, true},
		"breaker.open_for":       {func(p *config.Policies) { p.Breaker.OpenFor = time.Minute }, true, true},
		"no breaker":             {func(p *config.Policies) { p.Breaker.Enabled = false }, true, false},
		"hedge":                  {func(p *config.Policies) { p.Hedge = &config.Hedge{AfterPercentile: 0.9, MaxRatio: 0.1} }, true, true},
		"strategy ewma":          {func(p *config.Policies) { p.Strategy = config.NewStrategy("ewma") }, true, true},
		"classes":                {func(p *config.Policies) { p.Strategy.Classes = true }, true, true},
		"reports":                {func(p *config.Policies) { p.Strategy.Reported = true }, true, true},
		"strategy round-robin":   {func(p *config.Policies) { p.Strategy = config.NewStrategy("round-robin") }, false, true},
		"strategy with its own":  {func(p *config.Policies) { p.Strategy = config.NewStrategy("c3") }, false, true},
		"health.interval":        {func(p *config.Policies) { p.Health.Interval = time.Hour }, true, true},
		"the panic threshold":    {func(p *config.Policies) { p.PanicThreshold = 0.1 }, true, true},
		"endpoint_concurrency":   {func(p *config.Policies) { p.EndpointConcurrency = fixed(3) }, true, true},
		"breaker.jitter and all": {func(p *config.Policies) { p.Breaker.Jitter, p.Breaker.HalfOpenRequests = 0.9, 3 }, true, true},
	}
	const now = core.Instant(time.Second)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			old, next := inheriting(t, func(*config.Policies) {}), inheriting(t, c.change)
			learn(t, old, now)
			next.Inherit(now, old)
			if got, want := next.View().Pool.MedianLatency(), old.View().Pool.MedianLatency(); got != want || got == 0 {
				t.Errorf("median latency: got %v s, want %v s", got, want)
			}
			slow, open, out := next.View().Members[0], next.View().Members[1], next.View().Members[2]
			if got, fresh := slow.Latency(now); fresh != c.estimates || c.estimates && (got < 0.49 || got > 0.51) {
				t.Errorf("latency: got %v s, fresh %v; want 0.5 s: %v", got, fresh, c.estimates)
			}
			want := core.Ready
			if c.breaker {
				want = core.Barred
			}
			if got := open.Verdict(now.Add(5*time.Second - time.Millisecond)); got != want {
				t.Errorf("verdict of the breaker until its time: got %v, want %v", got, want)
			}
			if got := open.Verdict(now.Add(5 * time.Second)); c.breaker && got != core.Probing {
				t.Errorf("verdict of the breaker after that: got %v, want probing", got)
			}
			if got := out.Verdict(now); got != core.Barred {
				t.Errorf("verdict of the one that is out of health: got %v, want barred", got)
			}
			if got := next.View().Members[3].Verdict(now); got != core.Ready {
				t.Errorf("verdict of another: got %v, want ready", got)
			}
		})
	}
}

// inheriting is a router with four members and changed policies.
func inheriting(t *testing.T, change func(*config.Policies)) *core.Router {
	t.Helper()
	p := config.DefaultPolicies()
	p.Breaker.Jitter, p.Breaker.OpenFor, p.Breaker.MaxOpenFor = 0, 5*time.Second, time.Minute
	p.Health = &config.Health{Interval: time.Second, Rise: 2, Fall: 1}
	change(&p)
	source := core.NewKey(1)
	r, err := adaptive.Build(p, core.Driver{Source: &source})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Update(0, numbered(4)); err != nil {
		t.Fatal(err)
	}
	return r
}

// learn teaches a router of the defaults what it has to hand over.
func learn(t *testing.T, r *core.Router, now core.Instant) {
	t.Helper()
	members := r.View().Members
	only := func(m *core.Member) *core.Ask { // nobody else may be chosen
		a := &core.Ask{}
		for i, others := 0, 0; i < len(members); i++ {
			if members[i] != m {
				a.Tried[others] = members[i]
				others++
			}
		}
		return a
	}
	attempt := func(m *core.Member, o core.Outcome, took time.Duration) {
		var l core.Lease
		if !r.Begin(now.Add(-took), only(m), &l) || l.Member() != m {
			t.Fatalf("begin: got no lease of %s", m.Key)
		}
		l.Settle(now, core.Sample{Outcome: o, FirstAnswer: took})
	}
	slow := &core.Lease{}
	if !r.Begin(now.Add(-500*time.Millisecond), only(members[0]), slow) {
		t.Fatal("begin: got no lease")
	}
	slow.Answered(now, core.Sample{Outcome: core.Success})
	slow.Settle(now, core.Sample{Outcome: core.Success})
	for range 5 {
		attempt(members[1], core.Reset, 0)
	}
	r.Prober().Probed(members[2], now, core.LoadReport{}, false)
}

// fixed are the settings of a limit that stays.
func fixed(limit int) *config.Concurrency { return &config.Concurrency{Name: "fixed", Limit: limit} }
