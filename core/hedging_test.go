package core_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
)

// What becomes of the wish to hedge is told once: with the answer to Hedge, and again when
// the hedge's answer, a good one, is delivered.
func TestHedgingIsTold(t *testing.T) {
	hedge := func(now core.Instant) func(*core.Request) core.Action {
		return func(q *core.Request) core.Action { return q.Hedge(now) }
	}
	answer := func(attempt int, o core.Outcome, retryable bool) func(*core.Request) core.Action {
		return func(q *core.Request) core.Action { return q.Answered(20*ms, attempt, outcome(o), retryable) }
	}
	fail := func(attempt int) func(*core.Request) core.Action {
		return func(q *core.Request) core.Action { return q.Failed(15*ms, attempt, outcome(core.Reset)) }
	}
	type steps = []func(*core.Request) core.Action
	cases := map[string]struct {
		keys  []string
		ratio float64 // of hedges
		once  bool
		steps steps
		want  []string
	}{
		"won": {keys: []string{"a", "b"}, ratio: 1, steps: steps{hedge(10 * ms), answer(1, core.Success, false)},
			want: []string{"none", "sent", "won"}},
		"won by a client error": {keys: []string{"a", "b"}, ratio: 1, steps: steps{hedge(10 * ms), answer(1, core.ClientError, false)},
			want: []string{"none", "sent", "won"}},
		"lost": {keys: []string{"a", "b"}, ratio: 1, steps: steps{hedge(10 * ms), answer(0, core.Success, false)},
			want: []string{"none", "sent", "none"}},
		"won when the first has failed": {keys: []string{"a", "b"}, ratio: 1, steps: steps{hedge(10 * ms), fail(0), answer(1, core.Success, false)},
			want: []string{"none", "sent", "none", "won"}},
		"a failure's answer wins nothing": {keys: []string{"a", "b"}, ratio: 1, steps: steps{hedge(10 * ms), fail(0), answer(1, core.ServerError, true)},
			want: []string{"none", "sent", "none", "none"}},
		"no budget":         {keys: []string{"a", "b"}, ratio: 0, steps: steps{hedge(10 * ms)}, want: []string{"none", "no-budget"}},
		"no other endpoint": {keys: []string{"a"}, ratio: 1, steps: steps{hedge(10 * ms)}, want: []string{"none", "no-endpoint"}},
		"it may be sent only once": {keys: []string{"a", "b"}, ratio: 1, once: true, steps: steps{hedge(10 * ms)},
			want: []string{"none", "none"}},
		"a second time": {keys: []string{"a", "b", "c"}, ratio: 1, steps: steps{hedge(10 * ms), hedge(11 * ms)}, want: []string{"none", "sent", "none"}},
		"a retry is no hedge": {keys: []string{"a", "b"}, ratio: 1, steps: steps{fail(0), hedge(16 * ms), answer(1, core.Success, false)},
			want: []string{"none", "none", "none", "none"}},
		"nor is the retry after one": {keys: []string{"a", "b", "c"}, ratio: 1, steps: steps{hedge(10 * ms), fail(0), fail(1), answer(2, core.Success, false)},
			want: []string{"none", "sent", "none", "none", "none"}},
	}
	for name, c := range cases {
		h := core.NewHedge(0.95, 10*time.Millisecond, c.ratio)
		for range 20 {
			h.Learn(0, time.Millisecond)
		}
		p := newPool(t, core.Config{Policy: core.Policy{Attempts: 3, Hedge: h}}, c.keys...)
		q := new(core.Request)
		got := []string{q.Start(0, p.Router, !c.once).Hedged.String()}
		for _, step := range c.steps {
			got = append(got, step(q).Hedged.String())
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		q.Abandon(sec)

		// The next request begins anew.
		q.Reset()
		q.Start(sec, p.Router, true)
		if a := q.Failed(sec, 0, outcome(core.Reset)); a.Do == core.Try {
			if a := q.Answered(sec, 1, outcome(core.Success), false); a.Hedged != core.HedgeNone {
				t.Errorf("%s: the next request's retry: got %v, want none", name, a.Hedged)
			}
		}
		q.Abandon(sec)
	}
}
