package core_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
)

// A step of a request: what its driver tells it when, and what it says to that.
type step struct {
	at   core.Instant
	tell string // see tell
	want string // see describe
}

// tell does what a step says: "start", "start once" (not replayable), "<status>" or
// an outcome's name for the newest attempt, or for another ("0: 200"), "hedge",
// "finish", "abandon", "woken", "expired".
func tell(t *testing.T, q *core.Request, r *core.Router, now core.Instant, what string) string {
	t.Helper()
	newest := q.Attempts() - 1
	if which, rest, ok := strings.Cut(what, ": "); ok {
		newest, what = int(which[0]-'0'), rest
	}
	switch what {
	case "hedge":
		return describe(q, q.Hedge(now))
	case "start":
		return describe(q, q.Start(now, r, true))
	case "start once":
		return describe(q, q.Start(now, r, false))
	case "woken":
		return describe(q, q.Woken(now))
	case "expired":
		return describe(q, q.Expired(now))
	case "finish":
		return wakes("done", q.Finished(now, newest, outcome(core.Success)))
	case "abandon":
		return wakes("done", q.Abandon(now))
	case "connect-failure":
		return describe(q, q.Failed(now, newest, outcome(core.ConnectFailure)))
	case "reset":
		return describe(q, q.Failed(now, newest, outcome(core.Reset)))
	case "timeout":
		return describe(q, q.Failed(now, newest, outcome(core.Timeout)))
	}
	var status int
	if _, err := fmt.Sscanf(what, "%d", &status); err != nil {
		t.Fatalf("no such step: %q", what)
	}
	return describe(q, q.Answered(now, newest, outcome(core.OutcomeOf(status, false)), core.RetryableStatus(status)))
}

func wakes(what string, woken *core.Ticket) string {
	if woken != nil {
		what += fmt.Sprintf(", wake %v", woken.Waiter)
	}
	return what
}

// describe is an action in words: "try a until 5s", "deliver from a until 5s, retry
// no-budget", "give up: timeout, wake b", "wait until 1s".
func describe(q *core.Request, a core.Action) string {
	until := "never"
	if a.Until != core.Never {
		until = a.Until.Sub(0).String()
	}
	var b strings.Builder
	switch a.Do {
	case core.Try:
		fmt.Fprintf(&b, "try %s until %s", q.Lease(a.Attempt).Member().Key, until)
	case core.Wait:
		fmt.Fprintf(&b, "wait until %s", until)
	case core.Deliver:
		fmt.Fprintf(&b, "deliver from %s until %s", q.Lease(a.Attempt).Member().Key, until)
	case core.GiveUp:
		fmt.Fprintf(&b, "give up: %s", a.Failure)
	case core.Stay:
		b.WriteString("stay")
	}
	if a.Do == core.Try && a.Hedge != core.Never || a.Do == core.Stay && a.Hedge > 0 {
		fmt.Fprintf(&b, ", hedge at %s", a.Hedge.Sub(0))
	}
	if a.Retry != core.RetryNone {
		fmt.Fprintf(&b, ", retry %s", a.Retry)
	}
	return wakes(b.String(), a.Wake)
}

// run takes a request through its steps.
func run(t *testing.T, q *core.Request, r *core.Router, steps []step) {
	t.Helper()
	for i, s := range steps {
		if got := tell(t, q, r, s.at, s.tell); got != s.want {
			t.Fatalf("step %d, %q at %v: got %q, want %q", i, s.tell, s.at.Sub(0), got, s.want)
		}
	}
}

func TestRequestSteps(t *testing.T) {
	three := core.Policy{Attempts: 3, AnswerWithin: 2 * time.Second, Total: 5 * time.Second}
	cases := map[string]struct {
		policy core.Policy
		keys   string
		steps  []step
	}{
		"answered": {three, "a b", []step{
			{0, "start", "try a until 2s"}, {sec, "200", "deliver from a until 5s"}, {2 * sec, "finish", "done"},
		}},
		"no bounds": {core.Policy{}, "a b", []step{
			{0, "start", "try a until never"}, {sec, "502", "deliver from a until never"}, {2 * sec, "finish", "done"},
		}},
		"the whole bounds the attempt": {core.Policy{AnswerWithin: 9 * time.Second, Total: 5 * time.Second}, "a", []step{
			{sec, "start", "try a until 6s"}, {sec, "abandon", "done"},
		}},
		"no endpoint": {three, "", []step{{0, "start", "give up: no-endpoint"}}},
		"retry after connect failure, at another one each time": {three, "a b c d", []step{
			{0, "start", "try a until 2s"},
			{sec, "connect-failure", "try b until 3s, retry sent"},
			{4 * sec, "connect-failure", "try c until 5s, retry sent"},
			{4*sec + 1, "200", "deliver from c until 5s"},
			{5 * sec, "finish", "done"},
		}},
		"retry after reset": {three, "a b", []step{
			{0, "start", "try a until 2s"}, {sec, "reset", "try b until 3s, retry sent"}, {sec, "reset", "give up: reset, retry no-endpoint"},
		}},
		"retry after 502": {three, "a b", []step{
			{0, "start", "try a until 2s"}, {sec, "502", "try b until 3s, retry sent"},
			{sec, "502", "deliver from b until 5s, retry no-endpoint"}, {sec, "finish", "done"},
		}},
		"retry after 503": {three, "a b", []step{
			{0, "start", "try a until 2s"}, {sec, "503", "try b until 3s, retry sent"}, {sec, "200", "deliver from b until 5s"}, {sec, "finish", "done"},
		}},
		"retry after 504": {three, "a b", []step{
			{0, "start", "try a until 2s"}, {sec, "504", "try b until 3s, retry sent"}, {sec, "404", "deliver from b until 5s"}, {sec, "finish", "done"},
		}},
		"none after 500": {three, "a b", []step{
			{0, "start", "try a until 2s"}, {sec, "500", "deliver from a until 5s"}, {sec, "finish", "done"},
		}},
		"none after 429": {three, "a b", []step{
			{0, "start", "try a until 2s"}, {sec, "429", "deliver from a until 5s"}, {sec, "finish", "done"},
		}},
		"none after timeout": {three, "a b", []step{
			{0, "start", "try a until 2s"}, {2 * sec, "timeout", "give up: timeout"},
		}},
		"none when it may be sent only once": {three, "a b", []step{
			{0, "start once", "try a until 2s"}, {sec, "reset", "give up: reset"},
		}},
		"but when nothing was sent": {three, "a b", []step{
			{0, "start once", "try a until 2s"}, {sec, "connect-failure", "try b until 3s, retry sent"},
			{2 * sec, "reset", "give up: reset"},
		}},
		"nor after 503 then": {three, "a b", []step{
			{0, "start once", "try a until 2s"}, {sec, "503", "deliver from a until 5s"}, {sec, "finish", "done"},
		}},
		"attempts used up": {core.Policy{Attempts: 2}, "a b c", []step{
			{0, "start", "try a until never"}, {1, "reset", "try b until never, retry sent"}, {2, "connect-failure", "give up: connect-failure"},
		}},
		"attempts used up, by answers": {core.Policy{Attempts: 2}, "a b c", []step{
			{0, "start", "try a until never"}, {1, "503", "try b until never, retry sent"}, {2, "503", "deliver from b until never"}, {3, "finish", "done"},
		}},
		"never more than four": {core.Policy{Attempts: 9}, "a b c d e", []step{
			{0, "start", "try a until never"}, {1, "reset", "try b until never, retry sent"}, {1, "reset", "try c until never, retry sent"},
			{1, "reset", "try d until never, retry sent"}, {1, "reset", "give up: reset"},
		}},
		"past the deadline": {three, "a b", []step{
			{0, "start", "try a until 2s"}, {5 * sec, "reset", "give up: reset"},
		}},
		"past the deadline, with an answer": {three, "a b", []step{
			{0, "start", "try a until 2s"}, {5 * sec, "503", "deliver from a until 5s"}, {5 * sec, "finish", "done"},
		}},
		"abandoned before it began": {three, "a", []step{{0, "abandon", "done"}}},
		"abandoned, then finished": {three, "a", []step{
			{0, "start", "try a until 2s"}, {1, "200", "deliver from a until 5s"}, {2, "abandon", "done"}, {3, "finish", "done"}, {3, "abandon", "done"},
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, core.Config{Policy: c.policy}, strings.Fields(c.keys)...)
			var q core.Request
			run(t, &q, p.Router, c.steps)
			if got := p.pending(); got != 0 {
				t.Errorf("pending at the end: got %d, want 0", got)
			}
		})
	}
}

// Each attempt teaches its own member what became of it.
func TestRequestTeaches(t *testing.T) {
	p := newPool(t, core.Config{Policy: core.Policy{Attempts: 3}}, "a", "b", "c")
	var q core.Request
	run(t, &q, p.Router, []step{
		{0, "start", "try a until never"},
		{1, "503", "try b until never, retry sent"},
		{2, "connect-failure", "try c until never, retry sent"},
		{3, "200", "deliver from c until never"},
		{4, "finish", "done"},
	})
	want := map[string]core.Sample{
		"a": {Outcome: core.ServerError, FirstAnswer: 1, Total: 1, Told: true},
		"b": {Outcome: core.ConnectFailure, FirstAnswer: -1, Total: 1},
		"c": {Outcome: core.Success, FirstAnswer: 1, Total: 2, Told: true},
	}
	for key, s := range want {
		if diff := cmp.Diff([]core.Sample{s}, p.gates[key].settled); diff != "" {
			t.Errorf("taught %s (-want +got):\n%s", key, diff)
		}
	}
}

func TestRequestAbandonTeachesAbandoned(t *testing.T) {
	p := newPool(t, core.Config{Policy: core.Policy{Attempts: 2}}, "a", "b")
	var q core.Request
	run(t, &q, p.Router, []step{
		{0, "start", "try a until never"}, {1, "reset", "try b until never, retry sent"}, {2, "abandon", "done"},
	})
	if got := p.gates["b"].settled; len(got) != 1 || got[0].Outcome != core.Abandoned {
		t.Errorf("taught b: got %v, want one abandoned", got)
	}
	if got := p.gates["a"].settled; len(got) != 1 || got[0].Outcome != core.Reset {
		t.Errorf("taught a: got %v, want one reset", got)
	}
}

func TestRequestBudget(t *testing.T) {
	budget := core.NewBudget(0, 0.2) // two retries in ten seconds
	p := newPool(t, core.Config{Policy: core.Policy{Attempts: 2, Budget: budget}}, "a", "b")
	retried := []step{{0, "start", "try a until never"}, {0, "503", "try b until never, retry sent"}, {0, "200", "deliver from b until never"}, {0, "finish", "done"}}
	run(t, new(core.Request), p.Router, retried)

	// A retry that no other endpoint may take costs nothing.
	p.gates["b"].verdict = core.Barred
	for range 5 {
		run(t, new(core.Request), p.Router, []step{
			{0, "start", "try a until never"}, {0, "503", "deliver from a until never, retry no-endpoint"}, {0, "finish", "done"},
		})
	}
	p.gates["b"].verdict = core.Ready
	run(t, new(core.Request), p.Router, retried)
	run(t, new(core.Request), p.Router, []step{
		{0, "start", "try a until never"}, {0, "503", "deliver from a until never, retry no-budget"}, {0, "finish", "done"},
	})
	run(t, new(core.Request), p.Router, []step{
		{0, "start", "try a until never"}, {0, "reset", "give up: reset, retry no-budget"},
	})
	if got := p.pending(); got != 0 {
		t.Errorf("pending at the end: got %d, want 0", got)
	}
}

func TestRequestIsUsedAgain(t *testing.T) {
	p := newPool(t, core.Config{Policy: core.Policy{Attempts: 2}}, "a", "b")
	var q core.Request
	for range 3 {
		run(t, &q, p.Router, []step{
			{0, "start", "try a until never"}, {1, "reset", "try b until never, retry sent"}, {2, "reset", "give up: reset"},
		})
		q.Reset()
	}
}
