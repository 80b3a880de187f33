package adaptive_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
)

// event is an attempt's answer that is yet to come.
type event struct {
	at    core.Instant
	lease *core.Lease
}

// serve sends so many requests a second for a while, each answered after a time that
// its slot and a draw decide, and returns in which modes they were sent after the
// first five seconds.
func (tb *table) serve(t testing.TB, perSecond int, span time.Duration, latency func(slot int, draw float64) time.Duration) [core.Modes]int {
	t.Helper()
	var modes [core.Modes]int
	var coming []event
	key := core.NewKey(7)
	finish := func(until core.Instant) {
		for len(coming) > 0 && coming[0].at <= until {
			s := core.Sample{Outcome: core.Success}
			coming[0].lease.Answered(coming[0].at, s)
			coming[0].lease.Settle(coming[0].at, s)
			coming = coming[1:]
		}
	}
	start := tb.now
	for tb.now < start.Add(span) {
		tb.now += sec / core.Instant(perSecond)
		finish(tb.now)
		l := tb.begin(t, &core.Ask{})
		if tb.now > start+5*sec {
			modes[l.Choice().Mode]++
		}
		took := latency(slices.Index(tb.View().Members, l.Member()), key.Float64())
		coming = append(coming, event{tb.now.Add(took), l})
		slices.SortFunc(coming, func(a, b event) int { return int(a.at - b.at) })
	}
	finish(core.Never)
	return modes
}

// Low traffic alone must not make the signal thin: 20 requests a second over six
// endpoints of different speed stay adaptive, whether their latencies are fixed or
// exponential.
func TestLowTrafficStaysAdaptive(t *testing.T) {
	mean := func(slot int) time.Duration { return time.Duration(10+8*slot) * time.Millisecond }
	for name, latency := range map[string]func(int, float64) time.Duration{
		"fixed": func(slot int, _ float64) time.Duration { return mean(slot) },
		"exponential": func(slot int, draw float64) time.Duration {
			return time.Duration(-math.Log(draw) * float64(mean(slot)))
		},
		"one slow": func(slot int, draw float64) time.Duration {
			if slot == 0 {
				return 500 * time.Millisecond
			}
			return time.Duration(-math.Log(draw) * float64(20*time.Millisecond))
		},
	} {
		t.Run(name, func(t *testing.T) {
			tb := assemble(t, config.DefaultPolicies(), 6)
			modes := tb.serve(t, 20, 2*time.Minute, latency)
			if total := modes[0] + modes[1] + modes[2]; modes[core.Adaptive] != total {
				t.Errorf("modes: got %d adaptive, %d fallback, %d panic, want all adaptive", modes[0], modes[1], modes[2])
			}
		})
	}
}

// A strategy that leaves the slow ones alone has no answers of them for long. That is no
// want of signal, and not a sign that all are alike: where there is but one other, and at
// one request a second, it goes on; and yet the slow ones are asked now and then.
func TestLeavingTheSlowAloneIsAdaptive(t *testing.T) {
	for _, c := range []struct{ members, perSecond int }{{2, 20}, {2, 1}, {3, 5}, {6, 1}, {12, 20}} {
		for _, strategy := range []string{"p2c-ewma", "ewma"} {
			p := config.DefaultPolicies()
			p.Strategy = config.NewStrategy(strategy)
			tb := assemble(t, p, c.members)
			tb.serve(t, 10, 10*time.Second, func(slot int, _ float64) time.Duration {
				return time.Duration(10+8*slot) * time.Millisecond
			})
			tb.now += sec
			before := tb.View().Members[c.members-1].Leases()
			modes := tb.serve(t, c.perSecond, 24_000*time.Second/time.Duration(c.perSecond), func(slot int, _ float64) time.Duration {
				return time.Duration(10+8*slot) * time.Millisecond
			})
			if modes[core.Fallback] != 0 || modes[core.Panic] != 0 {
				t.Errorf("%s over %d at %d a second: got %d adaptive, %d fallback, %d panic, want all adaptive",
					strategy, c.members, c.perSecond, modes[core.Adaptive], modes[core.Fallback], modes[core.Panic])
			}
			if got := tb.View().Members[c.members-1].Leases() - before; got < 5 {
				t.Errorf("%s over %d at %d a second: the slowest was asked %d times of 24,000, want at least 5", strategy, c.members, c.perSecond, got)
			}
		}
	}
}

// Strategies that do not go by latency never fall back for want of it.
func TestStaticStrategiesNeverFallBack(t *testing.T) {
	strategiesOf(t, func(t *testing.T, p config.Policies) {
		switch {
		case p.Strategy.Estimates():
			t.Skip("it goes by latency")
		case p.Strategy.Probes() || p.Strategy.Name == "orca-weighted-round-robin":
			t.Skip("it goes by reports: TestWithoutReports")
		}
		tb := assemble(t, p, 6)
		modes := tb.serve(t, 5, time.Minute, func(int, float64) time.Duration { return time.Millisecond })
		if modes[core.Fallback] != 0 || modes[core.Panic] != 0 {
			t.Errorf("modes: got %d fallback and %d panic, want none", modes[core.Fallback], modes[core.Panic])
		}
	})
}

// Strategies that go by reports alone say so where there are none.
func TestWithoutReports(t *testing.T) {
	for _, name := range []string{"orca-weighted-round-robin", "prequal"} {
		p := config.DefaultPolicies()
		p.Strategy = config.NewStrategy(name)
		tb := assemble(t, p, 6)
		l := tb.begin(t, &core.Ask{})
		if c := l.Choice(); c.Mode != core.Fallback || c.Reason != core.SignalThin {
			t.Errorf("%s: got %v for %v, want fallback for signal-thin", name, c.Mode, c.Reason)
		}
	}
}

// The latency strategy sends the slow endpoint less, and the fast ones more.
func TestLatencyDecides(t *testing.T) {
	tb := assemble(t, config.DefaultPolicies(), 6)
	tb.serve(t, 100, 30*time.Second, func(slot int, draw float64) time.Duration {
		mean := 10.0
		if slot == 2 {
			mean = 200
		}
		return time.Duration(-math.Log(draw) * mean * float64(time.Millisecond))
	})
	slow, total := tb.View().Members[2].Leases(), uint64(0)
	for _, m := range tb.View().Members {
		total += m.Leases()
	}
	// Round robin would give it a sixth, 500 of 3,000.
	if slow*20 > total {
		t.Errorf("attempts at the slow one: got %d of %d, want less than one in 20", slow, total)
	}
}

// Panic is entered by the decision that follows the breakers, and left a second after
// they are well.
func TestPanicComesAndGoes(t *testing.T) {
	tb := assemble(t, config.DefaultPolicies(), 4)
	for slot := range 3 {
		tb.set(slot, core.Barred)
	}
	look := func(want core.Mode) {
		t.Helper()
		l := tb.begin(t, &core.Ask{})
		l.Settle(tb.now, core.Sample{Outcome: core.Abandoned})
		if got := l.Choice().Mode; got != want {
			t.Errorf("mode at %v: got %v, want %v", tb.now.Sub(0), got, want)
		}
	}
	look(core.Panic)
	tb.now += 10 * sec // the breakers may be probed
	look(core.Panic)
	tb.now += sec - ms
	look(core.Panic)
	tb.now += ms
	look(core.Fallback) // there has been no answer yet
}
