package breaker_test

import (
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/breaker"
	"github.com/evenkeel/evenkeel/core/health"
)

// What a breaker with other settings does that has taken the place of one: it opens for ten
// seconds, after one failure, and closes after one success.
func TestInherit(t *testing.T) {
	open := attempts(0, "fail", "fail", "fail")
	half := append(open[:len(open):len(open)], step{at: sec, who: "p", do: "take", got: "yes"})
	cases := map[string]struct {
		before []step
		at     core.Instant // when it is inherited
		after  []step
	}{
		"closed": {attempts(0, "fail", "fail"), 1, []step{{at: 1, verdict: "ready", state: "closed"}}},
		"open stays open until its time": {open, ms, []step{
			{at: sec - 1, who: "x", do: "take", got: "no", verdict: "barred", state: "open"},
			{at: sec, verdict: "probing", state: "open"},
			{at: sec, who: "x", do: "take", got: "yes", state: "half-open"},
			{at: sec, who: "x", do: "ok", verdict: "ready", state: "closed"},
		}},
		"its time over, it wants a probe": {open, 2 * sec, []step{
			{at: 2 * sec, verdict: "probing", state: "open"},
		}},
		"and opens the second time for twice as long": {open, ms, []step{
			{at: sec, who: "x", do: "take", got: "yes"},
			{at: sec, who: "x", do: "fail", state: "open"},
			{at: 21*sec - 1, verdict: "barred"},
			{at: 21 * sec, verdict: "probing"},
		}},
		"half-open begins its probation anew": {half, sec + ms, []step{
			{at: sec + ms, verdict: "probing", state: "half-open"},
			{at: sec + ms, who: "x", do: "take", got: "yes", verdict: "barred"},
			{at: 3*sec + ms - 1, state: "half-open"},
			{at: 3*sec + ms, state: "open"},
		}},
		"and opens the second time, too": {half, sec + ms, []step{
			{at: sec + ms, who: "x", do: "take", got: "yes"},
			{at: 2 * sec, who: "x", do: "fail", state: "open"},
			{at: 22*sec - 1, verdict: "barred"},
			{at: 22 * sec, verdict: "probing"},
		}},
		"half-open after one success of two": {append(half[:len(half):len(half)], step{at: sec, who: "p", do: "ok", state: "half-open"}), sec + ms, []step{
			{at: sec + ms, who: "x", do: "take", got: "yes", state: "half-open"},
		}},
		"probes that were not answered: open since then, for twice as long": {half, 2 * sec, []step{
			{at: 2 * sec, verdict: "barred", state: "open"},
			{at: 3500*ms - 1, verdict: "barred"},
			{at: 3500 * ms, verdict: "probing"},
			{at: 3500 * ms, who: "x", do: "take", got: "yes"},
			{at: 3500 * ms, who: "x", do: "fail", state: "open"},
			{at: 43500*ms - 1, verdict: "barred"},
			{at: 43500 * ms, verdict: "probing"},
		}},
		"and when that time is over": {half, 3500 * ms, []step{
			{at: 3500 * ms, verdict: "probing", state: "half-open"},
		}},
	}
	others := breaker.Settings{
		ConsecutiveFailures: 1, Weights: breaker.DefaultWeights, OpenFor: 10 * time.Second, MaxOpenFor: time.Hour,
		Quota: 1, ProbeTimeout: 2 * time.Second,
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			old, next := newRig(t, settings), newRig(t, others)
			old.run(t, c.before)
			state := old.State(c.at)
			next.Inherit(c.at, old.Breaker)
			if len(next.turns) > 0 {
				t.Errorf("turns: got %v, want none", next.turns)
			}
			next.run(t, c.after)
			if got := old.State(c.at); got != state {
				t.Errorf("the breaker before: got %v, want %v as it was", got, state)
			}
		})
	}
}

// What is no breaker teaches it nothing.
func TestInheritOfAnotherKind(t *testing.T) {
	r := newRig(t, settings)
	r.Inherit(0, &health.Gate{})
	if got := r.State(0); got != core.Closed {
		t.Errorf("got %v, want closed", got)
	}
}
