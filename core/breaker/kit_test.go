package breaker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/breaker"
)

const (
	ms  = core.Instant(time.Millisecond)
	sec = core.Instant(time.Second)
)

// settings: three failures in a row, open for 1, 2, 4, 4 ... seconds to the millisecond,
// two probes in half a second.
var settings = breaker.Settings{
	ConsecutiveFailures: 3,
	Weights:             breaker.DefaultWeights,
	OpenFor:             time.Second,
	MaxOpenFor:          4 * time.Second,
	Quota:               2,
	ProbeTimeout:        500 * time.Millisecond,
}

// by returns the settings, changed.
func by(change func(*breaker.Settings)) breaker.Settings {
	s := settings
	change(&s)
	return s
}

// rig is a breaker with what its tests hold.
type rig struct {
	*breaker.Breaker
	permits map[string]core.Permit
	turns   []string
}

func newRig(t testing.TB, s breaker.Settings) *rig {
	t.Helper()
	r := &rig{permits: map[string]core.Permit{}}
	var err error
	r.Breaker, err = breaker.New(s, core.NewKey(1), func(now core.Instant, from, to core.State) {
		r.turns = append(r.turns, fmt.Sprintf("%v %v>%v", now.Sub(0), from, to))
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A step of a breaker: what is done with the permit of a name, and what comes of it.
// For "take" and "force" that is "yes" or "no"; for all others nothing. After it
// Peek and State say the verdict and the state, where these are not empty.
type step struct {
	at      core.Instant
	who, do string
	got     string
	verdict string
	state   string
}

var outcomes = map[string]core.Outcome{
	"ok": core.Success, "wrong": core.ClientError, "fail": core.ServerError, "throttle": core.Throttled,
	"timeout": core.Timeout, "refuse": core.ConnectFailure, "reset": core.Reset, "abandon": core.Abandoned, "overtaken": core.Overtaken,
}

// do does what a step says. An outcome settles; "answer" before it answers instead,
// after a millisecond, and "slow" after a second and a millisecond; "told" settles what
// the answer told already; "hung" settles without an answer after as long as "slow".
func (r *rig) do(t testing.TB, s step) string {
	t.Helper()
	p, known := r.permits[s.who]
	var how, what string
	if n, _ := fmt.Sscan(s.do, &how, &what); n < 2 {
		how, what = "", how
	}
	switch what {
	case "take", "force":
		p, ok := r.Acquire(s.at, what == "force")
		if !ok {
			return "no"
		}
		r.permits[s.who] = p
		return "yes"
	case "":
		return ""
	}
	if !known {
		t.Fatalf("%q of %s, who holds no permit", s.do, s.who)
	}
	if what == "release" {
		r.Release(p, s.at)
		return ""
	}
	o, ok := outcomes[what]
	if !ok {
		t.Fatalf("no such step: %q", s.do)
	}
	const quick, slow = time.Millisecond, time.Second + time.Millisecond
	sample := core.Sample{Outcome: o, FirstAnswer: -1, Total: quick, Told: how == "told"}
	switch how {
	case "answer":
		sample.FirstAnswer = quick
		r.Answered(p, s.at, sample)
		return ""
	case "slow":
		sample.FirstAnswer, sample.Total = slow, slow
		r.Answered(p, s.at, sample)
		return ""
	case "hung":
		sample.Total = slow
	}
	r.Settle(p, s.at, sample)
	return ""
}

// run takes a breaker through its steps.
func (r *rig) run(t testing.TB, steps []step) {
	t.Helper()
	for i, s := range steps {
		if got := r.do(t, s); got != s.got {
			t.Fatalf("step %d, %s %q at %v: got %q, want %q", i, s.who, s.do, s.at.Sub(0), got, s.got)
		}
		if got := r.Peek(s.at).String(); s.verdict != "" && got != s.verdict {
			t.Fatalf("step %d, verdict after %s %q at %v: got %s, want %s", i, s.who, s.do, s.at.Sub(0), got, s.verdict)
		}
		if got := r.State(s.at).String(); s.state != "" && got != s.state {
			t.Fatalf("step %d, state after %s %q at %v: got %s, want %s", i, s.who, s.do, s.at.Sub(0), got, s.state)
		}
	}
}

// attempts are whole attempts at one instant, each taken and settled with an outcome.
func attempts(at core.Instant, whats ...string) []step {
	var steps []step
	for _, what := range whats {
		steps = append(steps, step{at: at, who: "x", do: "take", got: "yes"}, step{at: at, who: "x", do: what})
	}
	return steps
}

// then ends steps with a look.
func then(steps []step, at core.Instant, verdict, state string) []step {
	return append(steps, step{at: at, verdict: verdict, state: state})
}
