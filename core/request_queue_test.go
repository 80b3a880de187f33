package core_test

import (
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// queued is a pool with one place and room for two in the queue, for a second.
func queued(t *testing.T, total time.Duration, keys ...string) pool {
	a, _ := admission(1, 2, time.Second)
	return newPool(t, core.Config{
		Admission: a,
		Policy:    core.Policy{Attempts: 2, Total: total},
	}, keys...)
}

// waiter is a request whose ticket says its name.
func waiter(name string) *core.Request {
	q := new(core.Request)
	q.Ticket.Waiter = name
	return q
}

// empty checks that nobody is in, waits, or has anything pending.
func (p pool) empty(t *testing.T) {
	t.Helper()
	if inFlight, waiting := p.Admission().InFlight(); inFlight != 0 || waiting != 0 {
		t.Errorf("left: got %d in flight and %d waiting, want none", inFlight, waiting)
	}
	if got := p.pending(); got != 0 {
		t.Errorf("pending: got %d, want 0", got)
	}
}

func TestRequestQueue(t *testing.T) {
	// Each turn is one step of one of the requests A to D.
	type turn struct {
		who string
		step
	}
	cases := map[string]struct {
		total time.Duration
		keys  []string
		turns []turn
	}{
		"woken in turn": {0, []string{"a"}, []turn{
			{"A", step{0, "start", "try a until never"}},
			{"B", step{0, "start", "wait until 1s"}},
			{"C", step{ms, "start", "wait until 1.001s"}},
			{"D", step{ms, "start", "give up: queue-full"}},
			{"A", step{2 * ms, "200", "deliver from a until never"}},
			{"A", step{3 * ms, "finish", "done, wake B"}},
			{"B", step{3 * ms, "woken", "try a until never"}},
			{"B", step{4 * ms, "timeout", "give up: timeout, wake C"}},
			{"C", step{4 * ms, "woken", "try a until never"}},
			{"C", step{5 * ms, "abandon", "done"}},
		}},
		"expired": {0, []string{"a"}, []turn{
			{"A", step{0, "start", "try a until never"}},
			{"B", step{0, "start", "wait until 1s"}},
			{"C", step{0, "start", "wait until 1s"}},
			{"B", step{sec, "expired", "give up: queue-timeout"}},
			{"A", step{sec, "abandon", "done, wake C"}},
			{"C", step{sec, "woken", "try a until never"}},
			{"C", step{sec, "reset", "give up: reset, retry no-endpoint"}},
		}},
		"admitted at the last moment": {0, []string{"a"}, []turn{
			{"A", step{0, "start", "try a until never"}},
			{"B", step{0, "start", "wait until 1s"}},
			{"A", step{sec, "abandon", "done, wake B"}},
			{"B", step{sec, "expired", "try a until never"}}, // before it heard of it
			{"B", step{sec, "abandon", "done"}},
		}},
		"abandoned in the queue": {0, []string{"a"}, []turn{
			{"A", step{0, "start", "try a until never"}},
			{"B", step{0, "start", "wait until 1s"}},
			{"C", step{0, "start", "wait until 1s"}},
			{"B", step{ms, "abandon", "done"}},
			{"B", step{ms, "abandon", "done"}},
			{"A", step{2 * ms, "abandon", "done, wake C"}},
			{"C", step{2 * ms, "abandon", "done"}}, // before it heard of it
		}},
		"abandoned between wake and word of it": {0, []string{"a"}, []turn{
			{"A", step{0, "start", "try a until never"}},
			{"B", step{0, "start", "wait until 1s"}},
			{"C", step{0, "start", "wait until 1s"}},
			{"A", step{ms, "abandon", "done, wake B"}},
			{"B", step{ms, "abandon", "done, wake C"}},
			{"C", step{ms, "woken", "try a until never"}},
			{"C", step{ms, "abandon", "done"}},
		}},
		"abandoned while trying": {0, []string{"a", "b"}, []turn{
			{"A", step{0, "start", "try a until never"}},
			{"B", step{0, "start", "wait until 1s"}},
			{"A", step{ms, "connect-failure", "try b until never, retry sent"}},
			{"A", step{ms, "abandon", "done, wake B"}},
			{"B", step{ms, "woken", "try a until never"}},
			{"B", step{ms, "abandon", "done"}},
		}},
		"abandoned while delivering": {0, []string{"a"}, []turn{
			{"A", step{0, "start", "try a until never"}},
			{"B", step{0, "start", "wait until 1s"}},
			{"A", step{ms, "200", "deliver from a until never"}},
			{"A", step{ms, "abandon", "done, wake B"}},
			{"A", step{ms, "finish", "done"}},
			{"B", step{ms, "abandon", "done"}},
		}},
		"waits no longer than the whole": {500 * time.Millisecond, []string{"a"}, []turn{
			{"A", step{0, "start", "try a until 500ms"}},
			{"B", step{0, "start", "wait until 500ms"}},
			{"A", step{600 * ms, "abandon", "done, wake B"}},
			{"B", step{600 * ms, "woken", "give up: timeout"}},
		}},
		"too late hands its place on": {500 * time.Millisecond, []string{"a"}, []turn{
			{"A", step{0, "start", "try a until 500ms"}},
			{"B", step{0, "start", "wait until 500ms"}},
			{"C", step{400 * ms, "start", "wait until 900ms"}},
			{"A", step{500 * ms, "timeout", "give up: timeout, wake B"}},
			{"B", step{500 * ms, "expired", "give up: timeout, wake C"}},
			{"C", step{500 * ms, "woken", "try a until 900ms"}},
			{"C", step{500 * ms, "abandon", "done"}},
		}},
		"no endpoint gives the place back": {0, nil, []turn{
			{"A", step{0, "start", "give up: no-endpoint"}},
			{"B", step{0, "start", "give up: no-endpoint"}},
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := queued(t, c.total, c.keys...)
			requests := map[string]*core.Request{}
			for _, who := range []string{"A", "B", "C", "D"} {
				requests[who] = waiter(who)
			}
			for i, turn := range c.turns {
				if got := tell(t, requests[turn.who], p.Router, turn.at, turn.tell); got != turn.want {
					t.Fatalf("turn %d, %s %q at %v: got %q, want %q", i, turn.who, turn.tell, turn.at.Sub(0), got, turn.want)
				}
			}
			p.empty(t)
		})
	}
}
