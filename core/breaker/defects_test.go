package breaker_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/breaker"
)

// What is wrong with breakers that others ship, each as a test.

// A probe that never comes back keeps gobreaker half-open for ever, and resilience4j
// unless it is told a longest wait: here its deadline opens the breaker again.
func TestAHungProbeDoesNotStickIt(t *testing.T) {
	newRig(t, settings).run(t, opened(0,
		step{sec, "a", "take", "yes", "", ""}, step{sec, "b", "take", "yes", "barred", "half-open"},
		step{1500 * ms, "", "", "", "barred", "open"},
		step{3500 * ms, "c", "take", "yes", "probing", "half-open"},
		step{3500 * ms, "d", "take", "yes", "barred", "half-open"},
		step{3500 * ms, "c", "ok", "", "", ""}, step{3500 * ms, "d", "ok", "", "ready", "closed"},
	))
}

// Nor does a probe whose request was answered by another endpoint meanwhile: if it freed
// its place, an endpoint that never answers would be probed for ever.
func TestAnOvertakenProbeHasFailed(t *testing.T) {
	one := by(func(s *breaker.Settings) { s.Quota = 1 })
	newRig(t, one).run(t, opened(0,
		step{sec, "a", "take", "yes", "barred", "half-open"},
		step{sec + ms, "a", "overtaken", "", "barred", "open"},
		step{3 * sec, "b", "take", "no", "barred", "open"},
		step{3*sec + ms, "b", "take", "yes", "barred", "half-open"},
		step{3*sec + ms, "b", "ok", "", "ready", "closed"},
	))
}

// Where requests are hedged, an endpoint that never answers is spared its timeouts: its
// attempts are called off before. It is found all the same, and one that is well but for
// a few slow answers is not.
func TestHedgesDoNotHideABlackHole(t *testing.T) {
	newRig(t, settings).run(t, then(attempts(0, repeat(11, "overtaken")...), 0, "ready", "closed"))
	newRig(t, settings).run(t, then(attempts(0, repeat(12, "overtaken")...), 0, "barred", "open"))
	r := newRig(t, by(func(s *breaker.Settings) { s.FailureRatio, s.Window, s.MinRequests = 0.5, 10*time.Second, 20 }))
	for range 50 { // one in ten
		r.run(t, attempts(0, "ok", "ok", "ok", "ok", "overtaken", "ok", "ok", "ok", "ok", "ok"))
	}
	r.run(t, then(nil, 0, "ready", "closed"))
}

// A breaker that only says yes or no (Caddy's interface, many a home-made one) lets a
// crowd through once it is half-open: all that ask before the first answer.
func TestACrowdDoesNotPassHalfOpen(t *testing.T) {
	r := newRig(t, settings)
	r.run(t, opened(0))
	passed := 0
	for range 1000 {
		if r.Peek(sec).Open() {
			if _, ok := r.Acquire(sec, false); ok {
				passed++
			}
		}
	}
	if passed != settings.Quota {
		t.Errorf("passed before the first answer: got %d, want %d", passed, settings.Quota)
	}
}

// gobreaker calls its observer under its lock: one that asks the breaker hangs.
func TestTheObserverMayAskTheBreaker(t *testing.T) {
	var b *breaker.Breaker
	var heard []core.Verdict
	b, err := breaker.New(settings, core.Key{}, func(now core.Instant, _, _ core.State) {
		heard = append(heard, b.Peek(now))
		if p, ok := b.Acquire(now, true); ok {
			b.Release(p, now)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p, _ := b.Acquire(0, false)
		b.Settle(p, 0, core.Sample{Outcome: core.Reset, FirstAnswer: -1})
	}
	if len(heard) != 1 || heard[0] != core.Barred {
		t.Errorf("heard: got %v, want one barred", heard)
	}
}

// linkerd tried a decaying average of successes: a burst of them hid the outage that
// followed for as long as the average took to forget, and at few requests a second that
// is long. A window forgets on time.
func TestABurstDoesNotHideAnOutage(t *testing.T) {
	r := newRig(t, by(func(s *breaker.Settings) {
		s.ConsecutiveFailures, s.FailureRatio, s.Window, s.MinRequests = 0, 0.5, 10*time.Second, 10
	}))
	attempt := func(at core.Instant, what string) {
		r.run(t, attempts(at, what))
	}
	for range 10_000 {
		attempt(0, "ok")
	}
	for i := range core.Instant(9) {
		attempt((i+1)*sec, "fail")
	}
	r.run(t, then(nil, 9*sec, "ready", "closed")) // the burst is still in the window
	attempt(10*sec, "fail")
	r.run(t, then(nil, 10*sec, "barred", "open"))
}

// go-zero's breaker counts what has ended within a window that is shorter than the
// timeout, and is blind to what hangs. Here the timeouts count when they come, however
// long ago their attempts began.
func TestTimeoutsLongerThanTheWindowCount(t *testing.T) {
	r := newRig(t, by(func(s *breaker.Settings) {
		s.ConsecutiveFailures, s.FailureRatio, s.Window, s.MinRequests = 0, 0.5, time.Second, 4
	}))
	r.run(t, []step{
		{0, "a", "take", "yes", "", ""}, {0, "b", "take", "yes", "", ""}, {0, "c", "take", "yes", "", ""}, {0, "d", "take", "yes", "", ""},
		{30 * sec, "a", "timeout", "", "", ""}, {30 * sec, "b", "timeout", "", "", ""}, {30 * sec, "c", "timeout", "", "ready", "closed"},
		{30 * sec, "d", "timeout", "", "barred", "open"},
	})
}

// A throttled answer is a light failure, and some breakers therefore close by it: a
// member that refuses its probe is not ready for its share of the load.
func TestAThrottledProbeDoesNotClose(t *testing.T) {
	newRig(t, settings).run(t, opened(0, step{sec, "a", "take", "yes", "", ""}, step{sec, "a", "throttle", "", "barred", "open"}))
}

// Ejections of the same length end together: proxies that saw the same outage send
// their probes, and then their load, at the same instant. Envoy's default jitter is 0.
func TestProxiesDoNotProbeInStep(t *testing.T) {
	const proxies = 50
	s := by(func(s *breaker.Settings) {
		s.OpenFor, s.MaxOpenFor, s.Jitter = 5*time.Second, time.Minute, 0.5
	})
	seconds := map[int]int{} // by the tenth of a second in which they probe
	for proxy := range uint64(proxies) {
		r := core.NewKey(proxy).At(core.Hash("10.0.0.1:80"))
		seconds[int(openings(t, by(func(c *breaker.Settings) { *c = s; c.ConsecutiveFailures = 1 }), r, 1)[0]/(100*time.Millisecond))]++
	}
	for tenth, n := range seconds {
		// 50 draws over 25 tenths of a second: 2 each, and 9 or more in any of them
		// with a chance of 25 x P(Poisson(2) >= 9) = 0.6 %; the keys are fixed.
		if n > 8 {
			t.Errorf("probes in the tenth of a second %d: got %d of %d", tenth, n, proxies)
		}
	}
}

// Breakers that never recover are reported of sozu and others. Invariant: whatever has
// happened, once the member answers all it is asked, at once, the breaker closes: it is
// open for at most its longest time after the last change, whatever is still out.
func TestItAlwaysRecovers(t *testing.T) {
	outcomes := []core.Outcome{core.Success, core.ServerError, core.Timeout, core.Throttled, core.Abandoned, core.Overtaken}
	rapid.Check(t, func(t *rapid.T) {
		s := by(func(s *breaker.Settings) {
			s.Quota = rapid.IntRange(1, 3).Draw(t, "quota")
			s.Jitter = rapid.SampledFrom([]float64{0, 0.5}).Draw(t, "jitter")
		})
		b, err := breaker.New(s, core.NewKey(rapid.Uint64().Draw(t, "key")), nil)
		if err != nil {
			t.Fatal(err)
		}
		now := core.Instant(0)
		var out []core.Permit
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 800).Draw(t, "ms")) * time.Millisecond)
			if p, ok := b.Acquire(now, rapid.Bool().Draw(t, "forced")); ok {
				out = append(out, p)
			}
			if len(out) > 0 && rapid.Bool().Draw(t, "settle") {
				o := rapid.SampledFrom(outcomes).Draw(t, "outcome")
				b.Settle(out[0], now, core.Sample{Outcome: o, FirstAnswer: -1})
				out = out[1:]
			}
		}
		// The longest wait: a probe that is out hangs, and then the breaker is open.
		now = now.Add(s.ProbeTimeout + s.MaxOpenFor)
		for range s.Quota {
			p, ok := b.Acquire(now, false)
			if !ok {
				t.Fatalf("no permit at %v: %v", now.Sub(0), b.State(now))
			}
			b.Settle(p, now, core.Sample{Outcome: core.Success, FirstAnswer: -1})
		}
		if got := b.State(now); got != core.Closed {
			t.Fatalf("state: got %v, want closed", got)
		}
	})
}
