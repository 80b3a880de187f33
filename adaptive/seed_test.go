package adaptive_test

import (
	"testing"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
)

// The faults of the demonstration project that this one grew from, each as a test
// over every strategy as it ships.

// strategiesOf runs a test for every strategy of the catalogue, with the default
// policies.
func strategiesOf(t *testing.T, run func(t *testing.T, p config.Policies)) {
	for _, name := range config.Strategies {
		t.Run(name, func(t *testing.T) {
			p := config.DefaultPolicies()
			p.Strategy = config.NewStrategy(name)
			run(t, p)
		})
	}
}

// It drew two candidates, and asked the breaker of one about the other: every lease
// has to be one that its own member's breaker let through.
func TestTheBreakerAskedIsThePickedMembersOwn(t *testing.T) {
	strategiesOf(t, func(t *testing.T, p config.Policies) {
		p.PanicThreshold = 0
		for open := range 4 {
			tb := assemble(t, p, 4)
			tb.set(open, core.Barred)
			for slot, n := range tb.counts(t, 500) {
				m := tb.View().Members[slot]
				if want := slot == open; (m.Breaker(tb.now) == core.Open) != want {
					t.Errorf("breaker of %d: got %v, want open only at %d", slot, m.Breaker(tb.now), open)
				}
				if (n == 0) != (slot == open) {
					t.Errorf("member %d: got %d attempts, with the breaker open at %d", slot, n, open)
				}
			}
		}
	})
}

// Its loop over candidates never ended when all breakers were open: panic sends the
// attempts to everybody.
func TestAllDownDoesNotSpin(t *testing.T) {
	strategiesOf(t, func(t *testing.T, p config.Policies) {
		tb := assemble(t, p, 3)
		for slot := range 3 {
			tb.set(slot, core.Barred)
		}
		for slot, n := range tb.counts(t, 300) {
			if n != 100 {
				t.Errorf("member %d in panic: got %d attempts, want 100", slot, n)
			}
		}
		if mode, reason := tb.Mode(); mode != core.Panic || reason != core.FewReady {
			t.Errorf("mode: got %v for %v, want panic for few-ready", mode, reason)
		}
		if l := tb.begin(t, &core.Ask{}); l.Choice().Mode != core.Panic {
			t.Errorf("mode of the lease: got %v, want panic", l.Choice().Mode)
		}
	})
}

// It answered with an error when the one drawn was open, though another was well.
func TestAnotherIsChosenWhenTheDrawnIsOpen(t *testing.T) {
	strategiesOf(t, func(t *testing.T, p config.Policies) {
		p.PanicThreshold = 0
		tb := assemble(t, p, 5)
		for _, slot := range []int{0, 1, 2, 4} {
			tb.set(slot, core.Barred)
		}
		if got := tb.counts(t, 200)[3]; got != 200 {
			t.Errorf("attempts at the one that is well: got %d, want 200", got)
		}
	})
}

// It counted 304 and 404 as failures, and so took endpoints out for their clients'
// mistakes.
func TestClientErrorsOpenNoBreaker(t *testing.T) {
	strategiesOf(t, func(t *testing.T, p config.Policies) {
		tb := assemble(t, p, 2)
		for i := range 200 {
			l := tb.begin(t, &core.Ask{})
			s := core.Sample{Outcome: core.OutcomeOf([]int{304, 404}[i%2], false)}
			tb.now += ms
			l.Answered(tb.now, s)
			l.Settle(tb.now, s)
		}
		for _, m := range tb.View().Members {
			if got := m.Breaker(tb.now); got != core.Closed {
				t.Errorf("breaker of %s: got %v, want closed", m.Key, got)
			}
		}
	})
}

// A retry goes to another endpoint.
func TestRetriesGoElsewhere(t *testing.T) {
	strategiesOf(t, func(t *testing.T, p config.Policies) {
		p.Retries.Attempts = 4
		tb := assemble(t, p, 4)
		for range 50 {
			tb.now += sec
			var q core.Request
			a := q.Start(tb.now, tb.Router, true)
			seen := map[*core.Member]bool{}
			for a.Do == core.Try {
				m := q.Lease(a.Attempt).Member()
				if seen[m] {
					t.Fatalf("tried %s again", m.Key)
				}
				seen[m] = true
				a = q.Answered(tb.now, a.Attempt, core.Sample{Outcome: core.ServerError}, true)
			}
			q.Abandon(tb.now)
			if len(seen) < 2 {
				t.Fatalf("members tried: got %d, want at least 2", len(seen))
			}
		}
	})
}
