package adaptive_test

import (
	"sync"
	"sync/atomic"
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
			if got, want := next.View().Pool.FastLatency(), old.View().Pool.FastLatency(); got != want || got == 0 {
				t.Errorf("latency of the fastest quarter: got %v s, want %v s", got, want)
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
	r, err := adaptive.Build(p, core.Driver{Source: runtimeSource{}})
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

// Limits in flight go on from what they have found when others of the pool's policies change,
// and within their new bounds when those change; a limiter of another name begins anew. So
// does the share that is turned away over another window.
func TestInheritLimits(t *testing.T) {
	vegas := func(change func(*config.Concurrency)) *config.Concurrency {
		c := config.NewConcurrency("vegas")
		change(&c)
		return &c
	}
	limits := func(p *config.Policies) {
		shed := config.NewShed("accept-ratio")
		p.Shed = &shed
		p.Concurrency, p.EndpointConcurrency = vegas(func(*config.Concurrency) {}), vegas(func(*config.Concurrency) {})
	}
	const found = 20 + 10*6 // ten windows without a queue
	cases := map[string]struct {
		change         func(*config.Policies)
		pool, endpoint int
		requests       float64
	}{
		"retries": {func(p *config.Policies) { p.Retries.BudgetRatio = 0.5 }, found, found, 7},
		"the bounds": {func(p *config.Policies) {
			p.Concurrency = vegas(func(c *config.Concurrency) { c.Max = 60 })
			p.EndpointConcurrency = vegas(func(c *config.Concurrency) { c.Min, c.Initial = 90, 95 })
		}, 60, 90, 7},
		"the length of windows": {func(p *config.Policies) {
			p.Concurrency = vegas(func(c *config.Concurrency) { c.Window = time.Second })
		}, found, found, 7},
		"another name": {func(p *config.Policies) {
			gradient2 := config.NewConcurrency("gradient2")
			p.Concurrency, p.EndpointConcurrency = &gradient2, fixed(3)
		}, 20, 3, 7},
		"k":                    {func(p *config.Policies) { p.Shed.K = 3 }, found, found, 7},
		"the shedder's window": {func(p *config.Policies) { p.Shed.Window = time.Hour }, found, found, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			old, next := inheriting(t, limits), inheriting(t, func(p *config.Policies) { limits(p); c.change(p) })
			for range 7 {
				old.Shedder().Begun(0, 1)
			}
			for _, l := range []core.Limiter{old.Admission().Limiter(), old.View().Members[0].Limiter()} {
				for i := range core.Instant(101) {
					l.Learn(i*core.Instant(10*time.Millisecond), core.Sample{FirstAnswer: 10 * time.Millisecond}, 100)
				}
				if got := l.Limit(); got != found {
					t.Fatalf("before: got a limit of %d, want %d", got, found)
				}
			}
			next.Inherit(0, old)
			if got := next.Admission().Limiter().Limit(); got != c.pool {
				t.Errorf("limit of the pool: got %d, want %d", got, c.pool)
			}
			if got := next.View().Members[0].Limiter().Limit(); got != c.endpoint {
				t.Errorf("limit of the endpoint: got %d, want %d", got, c.endpoint)
			}
			if got := next.Shedder().State(0).Requests; got != c.requests {
				t.Errorf("the shedder has counted %v requests, want %v", got, c.requests)
			}
		})
	}
}

// C3's means go on where its settings change.
func TestInheritC3(t *testing.T) {
	c3 := func(proxies int) *core.Router {
		return inheriting(t, func(p *config.Policies) {
			p.Strategy = config.NewStrategy("c3")
			p.Strategy.Proxies = proxies
		})
	}
	old, next := c3(1), c3(5)
	const now = core.Instant(time.Second)
	learn(t, old, now)
	next.Inherit(now, old)
	if got, fresh := next.View().Members[0].Latency(now); !fresh || got < 0.49 || got > 0.51 {
		t.Errorf("latency: got %v s, fresh %v; want 0.5 s", got, fresh)
	}
}

// One router after the other takes the place of the one before while requests come and go by
// all of them: nobody is in two places, or in none, when they have ended.
func TestInheritAtWork(t *testing.T) {
	build := func() *core.Router {
		return inheriting(t, func(p *config.Policies) {
			limiter, shed := config.NewConcurrency("correlated"), config.NewShed("accept-ratio")
			limiter.Window, limiter.Samples = time.Microsecond, 1
			p.Concurrency, p.EndpointConcurrency, p.Shed = &limiter, &limiter, &shed
			p.Hedge = &config.Hedge{AfterPercentile: 0.9, MaxRatio: 0.1}
		})
	}
	var present atomic.Pointer[core.Router]
	present.Store(build())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range core.Instant(2000) {
				now, q := i*core.Instant(time.Millisecond), new(core.Request)
				if q.Start(now, present.Load(), true).Do != core.Try {
					continue
				}
				q.Answered(now+1000, 0, core.Sample{Outcome: core.Success, FirstAnswer: 1000}, false)
				q.Finished(now+1000, 0, core.Sample{Outcome: core.Success})
			}
		})
	}
	first := present.Load()
	for range 50 {
		next := build()
		next.Inherit(0, present.Load())
		present.Store(next)
	}
	all.Wait()
	last := present.Load()
	if inFlight, waiting := last.Admission().InFlight(); inFlight != 0 || waiting != 0 || last.Admission() != first.Admission() {
		t.Errorf("at the end: got %d in flight and %d waiting, by the same admission %v; want nobody, and the same", inFlight, waiting, last.Admission() == first.Admission())
	}
	for _, m := range last.View().Members {
		if got := m.Verdict(0); got != core.Ready {
			t.Errorf("%s: got %v, want ready: nothing is in flight", m.Key, got)
		}
	}
}
