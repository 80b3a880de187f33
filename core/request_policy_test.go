package core_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
)

// A request with a policy of its own goes by that, and not by its pool's.
func TestRequestWithItsOwnPolicy(t *testing.T) {
	pool := core.Policy{Attempts: 3, AnswerWithin: 2 * time.Second, Total: 5 * time.Second, Hedge: hedging()}
	for name, tt := range map[string]struct {
		own   *core.Policy
		steps []step
	}{
		"the pool's": {nil, []step{
			{0, "start", "try a until 2s, hedge at 10ms"}, {sec, "reset", "try b until 3s, retry sent"}, {sec, "reset", "try c until 3s, retry sent"},
			{sec, "200", "deliver from c until 5s"}, {sec, "finish", "done"},
		}},
		"one attempt": {&core.Policy{Attempts: 1, AnswerWithin: 2 * time.Second, Total: 5 * time.Second}, []step{
			{0, "start", "try a until 2s"}, {sec, "reset", "give up: reset"},
		}},
		"another time": {&core.Policy{Attempts: 2, AnswerWithin: time.Second, Total: 20 * time.Second}, []step{
			{0, "start", "try a until 1s"}, {sec, "503", "try b until 2s, retry sent"}, {sec, "200", "deliver from b until 20s"}, {sec, "finish", "done"},
		}},
		"no bounds, and one attempt": {&core.Policy{}, []step{
			{0, "start", "try a until never"}, {sec, "502", "deliver from a until never"}, {sec, "finish", "done"},
		}},
		"a hedge that would come too late": {&core.Policy{Attempts: 2, AnswerWithin: 5 * time.Millisecond, Hedge: pool.Hedge}, []step{
			{0, "start", "try a until 5ms"}, {5 * ms, "timeout", "give up: timeout"},
		}},
		"no hedge": {&core.Policy{Attempts: 2}, []step{
			{0, "start", "try a until never"}, {sec, "hedge", "stay"}, {sec, "200", "deliver from a until never"}, {sec, "finish", "done"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, core.Config{Policy: pool}, "a", "b", "c")
			var q core.Request
			q.Policy = tt.own
			run(t, &q, p.Router, tt.steps)
			if got := p.pending(); got != 0 {
				t.Errorf("pending: got %d, want 0", got)
			}
		})
	}
}

// The budget of the pool is spent by whoever shares it, and a request used again is the
// pool's again.
func TestOwnPolicySharesTheBudget(t *testing.T) {
	pool := core.Policy{Attempts: 2, Budget: core.NewBudget(1e-9, 0.1)} // one in ten seconds
	p := newPool(t, core.Config{Policy: pool}, "a", "b")
	own := pool
	own.Total = 7 * time.Second
	var q core.Request
	var got []string
	for i := range 2 {
		if i == 0 {
			q.Policy = &own
		}
		got = append(got, tell(t, &q, p.Router, 0, "start"), tell(t, &q, p.Router, 0, "reset"))
		q.Abandon(0)
		q.Reset()
	}
	want := []string{
		"try a until 7s", "try b until 7s, retry sent",
		"try a until never", "give up: reset, retry no-budget",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestOwnPolicyAllocatesNothing(t *testing.T) {
	p := newPool(t, core.Config{Equip: func(*core.Member) core.Parts { return core.Parts{} }}, "a")
	own := core.Policy{Attempts: 2, Total: time.Second}
	var q core.Request
	if got := testing.AllocsPerRun(500, func() {
		q.Reset()
		q.Policy = &own
		a := q.Start(0, p.Router, true)
		q.Answered(0, a.Attempt, core.Sample{}, false)
		q.Finished(0, a.Attempt, core.Sample{})
	}); got != 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}
