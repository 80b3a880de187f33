package core_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
)

// hedging hedges after 10 ms, any request.
func hedging() *core.Hedge {
	h := core.NewHedge(0.95, 10*time.Millisecond, 1)
	for range 20 {
		h.Learn(0, time.Millisecond)
	}
	return h
}

func TestHedgeSteps(t *testing.T) {
	const start = "try a until 1s, hedge at 10ms"
	cases := map[string]struct {
		attempts int
		keys     string
		steps    []step
		teaches  string // outcomes by member, in the order of their settlement
	}{
		"answered in time": {2, "a b", []step{
			{0, "start", start}, {5 * ms, "200", "deliver from a until 3s"}, {6 * ms, "finish", "done"},
		}, "a success"},
		"the hedge is first": {2, "a b", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {15 * ms, "200", "deliver from b until 3s"}, {16 * ms, "1: finish", "done"},
		}, "a overtaken, b success"},
		"the first is first": {2, "a b", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {15 * ms, "0: 200", "deliver from a until 3s"}, {16 * ms, "0: finish", "done"},
		}, "b abandoned, a success"},
		"late news of who was called off": {2, "a b", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {15 * ms, "1: 200", "deliver from b until 3s"},
			{15 * ms, "0: 200", "stay"}, {15 * ms, "0: 503", "stay"}, {15 * ms, "0: reset", "stay"}, {16 * ms, "1: finish", "done"},
		}, "a overtaken, b success"},
		"the hedge need not wait for the first to fail": {2, "a b", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {12 * ms, "0: reset", "stay"}, {15 * ms, "1: 200", "deliver from b until 3s"}, {16 * ms, "1: finish", "done"},
		}, "a reset, b success"},
		"nor the first for the hedge": {2, "a b", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {12 * ms, "1: connect-failure", "stay"}, {15 * ms, "0: 200", "deliver from a until 3s"}, {16 * ms, "0: finish", "done"},
		}, "b connect-failure, a success"},
		"a failure's answer does not win": {2, "a b", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {12 * ms, "1: 503", "stay"}, {15 * ms, "0: 200", "deliver from a until 3s"}, {16 * ms, "0: finish", "done"},
		}, "b server-error, a success"},
		"nor does one that is not tried again": {2, "a b", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {12 * ms, "1: 500", "stay"}, {15 * ms, "0: 200", "deliver from a until 3s"}, {16 * ms, "0: finish", "done"},
		}, "b server-error, a success"},
		"nor a throttled one": {2, "a b", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {12 * ms, "0: 429", "stay"}, {15 * ms, "1: 200", "deliver from b until 3s"}, {16 * ms, "1: finish", "done"},
		}, "a throttled, b success"},
		"a client error does": {2, "a b", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {12 * ms, "1: 404", "deliver from b until 3s"}, {16 * ms, "1: finish", "done"},
		}, "a overtaken, b success"},
		"the last one's failure is delivered": {2, "a b c", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {12 * ms, "0: 503", "stay"}, {15 * ms, "1: 503", "deliver from b until 3s"}, {16 * ms, "1: finish", "done"},
		}, "a server-error, b success"},
		"a hedge is one of the attempts": {2, "a b c", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {12 * ms, "0: reset", "stay"}, {15 * ms, "1: reset", "give up: reset"},
		}, "a reset, b reset"},
		"both fail, and there is one left": {3, "a b c", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {12 * ms, "0: reset", "stay"}, {15 * ms, "1: reset", "try c until 1.015s, retry sent"},
			{20 * ms, "hedge", "stay"}, {30 * ms, "200", "deliver from c until 3s"}, {31 * ms, "finish", "done"},
		}, "a reset, b reset, c success"},
		"the first times out": {2, "a b", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {sec, "0: timeout", "stay"}, {sec + ms, "1: 200", "deliver from b until 3s"}, {sec + ms, "1: finish", "done"},
		}, "a timeout, b success"},
		"both time out": {3, "a b c", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {sec, "0: timeout", "stay"}, {sec + 10*ms, "1: timeout", "give up: timeout"},
		}, "a timeout, b timeout"},
		"no other endpoint": {2, "a", []step{
			{0, "start", start}, {10 * ms, "hedge", "stay"}, {15 * ms, "200", "deliver from a until 3s"}, {16 * ms, "finish", "done"},
		}, "a success"},
		"no retries, and still a hedge": {1, "a b c", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {12 * ms, "0: reset", "stay"}, {12 * ms, "1: reset", "give up: reset"},
		}, "a reset, b reset"},
		"never twice": {4, "a b c", []step{
			{0, "start", start}, {10 * ms, "hedge", "try b until 1.01s"}, {11 * ms, "hedge", "stay"}, {12 * ms, "abandon", "done"},
		}, "a abandoned, b abandoned"},
		"not when it may be sent only once": {2, "a b", []step{
			{0, "start once", "try a until 1s"}, {10 * ms, "hedge", "stay"}, {12 * ms, "abandon", "done"},
		}, "a abandoned"},
		"not when it has answered": {2, "a b", []step{
			{0, "start", start}, {9 * ms, "200", "deliver from a until 3s"}, {10 * ms, "hedge", "stay"}, {16 * ms, "finish", "done"},
		}, "a success"},
		"not when it has been tried again": {2, "a b c", []step{
			{0, "start", start}, {9 * ms, "reset", "try b until 1.009s, retry sent"}, {10 * ms, "hedge", "stay"}, {12 * ms, "abandon", "done"},
		}, "a reset, b abandoned"},
		"not past the deadline": {2, "a b", []step{
			{0, "start", start}, {3 * sec, "hedge", "stay"}, {3 * sec, "abandon", "done"},
		}, "a abandoned"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, core.Config{Policy: core.Policy{
				Attempts: c.attempts, AnswerWithin: time.Second, Total: 3 * time.Second, Hedge: hedging(),
			}}, strings.Fields(c.keys)...)
			var taught []string
			for key, g := range p.gates {
				g.hears = func(s core.Sample) { taught = append(taught, key+" "+s.Outcome.String()) }
			}
			run(t, new(core.Request), p.Router, c.steps)
			if got := strings.Join(taught, ", "); got != c.teaches {
				t.Errorf("taught: got %s, want %s", got, c.teaches)
			}
			if got := p.pending(); got != 0 {
				t.Errorf("pending at the end: got %d, want 0", got)
			}
		})
	}
}

// Who is overtaken has an age, and that is all that is known of it.
func TestOvertakenSample(t *testing.T) {
	p := newPool(t, core.Config{Policy: core.Policy{Hedge: hedging()}}, "a", "b")
	run(t, new(core.Request), p.Router, []step{
		{0, "start", "try a until never, hedge at 10ms"}, {10 * ms, "hedge", "try b until never"},
		{15 * ms, "1: 200", "deliver from b until never"}, {16 * ms, "1: finish", "done"},
	})
	want := []core.Sample{{Outcome: core.Overtaken, FirstAnswer: -1, Total: 15 * time.Millisecond}}
	if diff := cmp.Diff(want, p.gates["a"].settled); diff != "" {
		t.Errorf("taught a (-want +got):\n%s", diff)
	}
}

// What may be sent only once is not hedged, however many hedges others would leave it.
func TestNoHedgeOfWhatIsSentOnce(t *testing.T) {
	p := newPool(t, core.Config{Policy: core.Policy{Hedge: hedging()}}, "a", "b")
	for range 3 {
		run(t, new(core.Request), p.Router, []step{{0, "start", "try a until never, hedge at 10ms"}, {0, "abandon", "done"}})
	}
	run(t, new(core.Request), p.Router, []step{{0, "start once", "try a until never"}, {10 * ms, "hedge", "stay"}, {10 * ms, "abandon", "done"}})
}

func TestNoHedgeInPanic(t *testing.T) {
	p := newPool(t, core.Config{Picker: inOrder{core.Panic}, Policy: core.Policy{Hedge: hedging()}}, "a", "b")
	run(t, new(core.Request), p.Router, []step{{0, "start", "try a until never"}, {0, "abandon", "done"}})
}

// Hedges are bounded by a share of the requests, those that are not hedged included; a
// hedge that no other endpoint may take costs nothing.
func TestHedgeBudget(t *testing.T) {
	h := core.NewHedge(0.95, 10*time.Millisecond, 0.05)
	for range 20 {
		h.Learn(0, time.Millisecond)
	}
	p := newPool(t, core.Config{Policy: core.Policy{Hedge: h}}, "a", "b")
	one := func(want string) {
		t.Helper()
		run(t, new(core.Request), p.Router, []step{
			{0, "start", "try a until never, hedge at 10ms"}, {10 * ms, "hedge", want}, {10 * ms, "abandon", "done"},
		})
	}
	for range 19 {
		one("stay")
	}
	p.gates["b"].verdict = core.Barred
	one("stay") // the twentieth might
	p.gates["b"].verdict = core.Ready
	one("try b until never")
	for range 18 {
		one("stay")
	}
	one("try b until never") // 2 of 40
	for range 19 {
		run(t, new(core.Request), p.Router, []step{{0, "start once", "try a until never"}, {0, "abandon", "done"}})
	}
	one("try b until never") // 3 of 60
	one("stay")
}

// There is no hedging before enough is known, nor when it is known no longer.
func TestHedgeNeedsToKnow(t *testing.T) {
	for percentile, least := range map[float64]int{0.5: 20, 0.9: 20, 0.95: 20, 0.99: 100, 0.999: 1000} {
		h := core.NewHedge(percentile, time.Millisecond, 1)
		for range least {
			h.Learn(0, time.Second)
		}
		if _, ok := h.Delay(0); !ok {
			t.Errorf("percentile %v: got no delay after %d answers", percentile, least)
		}
		short := core.NewHedge(percentile, time.Millisecond, 1)
		for range least - 1 {
			short.Learn(0, time.Second)
		}
		if d, ok := short.Delay(0); ok {
			t.Errorf("percentile %v: got %v after %d answers", percentile, d, least-1)
		}
		if _, ok := h.Delay(10*sec - 1); !ok {
			t.Errorf("percentile %v: it is forgotten too soon", percentile)
		}
		if d, ok := h.Delay(10*sec - 1 + 100*ms); ok {
			t.Errorf("percentile %v: got %v of ten seconds ago", percentile, d)
		}
	}
}

// What would come when the time is up anyway is no hedge.
func TestHedgeComesBeforeTheEnd(t *testing.T) {
	for within, want := range map[time.Duration]core.Instant{10 * time.Millisecond: core.Never, 10*time.Millisecond + 1: 10 * ms} {
		h := core.NewHedge(0.95, 10*time.Millisecond, 1)
		for range 20 {
			h.Learn(0, time.Millisecond)
		}
		p := newPool(t, core.Config{Policy: core.Policy{AnswerWithin: within, Hedge: h}}, "a", "b")
		if got := new(core.Request).Start(0, p.Router, true).Hedge; got != want {
			t.Errorf("within %v: got a hedge at %v, want %v", within, got, want)
		}
	}
}

// The percentile is taken anew every 100 ms.
func TestHedgeDelayIsKept(t *testing.T) {
	h := core.NewHedge(0.95, time.Millisecond, 1)
	if _, ok := h.Delay(0); ok {
		t.Fatal("got a delay out of nothing")
	}
	for range 20 {
		h.Learn(0, time.Second)
	}
	if d, ok := h.Delay(100*ms - 1); ok {
		t.Errorf("got %v before its time", d)
	}
	if _, ok := h.Delay(100 * ms); !ok {
		t.Error("got no delay at its time")
	}
}

// What first attempts teach: who answered well with its time, who was overtaken or timed
// out with its age. Nobody else does, or failures would pull the percentile down, and
// hedges that win, too.
func TestHedgeLearns(t *testing.T) {
	newSteps := func(more ...step) []step {
		return append([]step{{0, "start", "try a until 1s, hedge at 10ms"}}, more...)
	}
	const hedge, try = "hedge", "try b until 1.01s"
	cases := map[string]struct {
		steps []step
		want  time.Duration // to within a sixteenth; 0 for nothing learned
	}{
		"answered": {newSteps(step{100 * ms, "200", "deliver from a until never"}, step{sec, "finish", "done"}), 100 * time.Millisecond},
		"overtaken": {newSteps(step{10 * ms, hedge, try}, step{50 * ms, "1: 200", "deliver from b until never"}, step{sec, "1: finish", "done"}),
			50 * time.Millisecond},
		"timed out":               {newSteps(step{sec, "timeout", "give up: timeout"}), time.Second},
		"failed fast":             {newSteps(step{20 * ms, "reset", "give up: reset"}), 0},
		"answered with a failure": {newSteps(step{20 * ms, "500", "deliver from a until never"}, step{sec, "finish", "done"}), 0},
		"abandoned":               {newSteps(step{20 * ms, "abandon", "done"}), 0},
		"the hedge alone": {newSteps(step{10 * ms, hedge, try}, step{20 * ms, "0: reset", "stay"}, step{40 * ms, "1: 200", "deliver from b until never"},
			step{sec, "1: finish", "done"}), 0},
		"answered before its hedge": {newSteps(step{10 * ms, hedge, try}, step{70 * ms, "0: 200", "deliver from a until never"}, step{sec, "0: finish", "done"}),
			70 * time.Millisecond},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := hedging() // 20 of a millisecond
			p := newPool(t, core.Config{Policy: core.Policy{AnswerWithin: time.Second, Hedge: h}}, "a", "b")
			run(t, new(core.Request), p.Router, c.steps)
			// Of 20 and some more the percentile is among the 20; with 400 more of what
			// is expected it is the expected one.
			for range 400 {
				run(t, new(core.Request), p.Router, c.steps)
			}
			got, _ := h.Delay(2 * sec)
			want := max(c.want, 10*time.Millisecond)
			if got < want || got > want+want/16 {
				t.Errorf("delay: got %v, want %v", got, want)
			}
		})
	}
	t.Run("only who may be hedged", func(t *testing.T) {
		h := hedging()
		p := newPool(t, core.Config{Policy: core.Policy{Hedge: h}}, "a", "b")
		for range 400 {
			run(t, new(core.Request), p.Router, []step{{0, "start once", "try a until never"}, {sec, "200", "deliver from a until never"}, {sec, "finish", "done"}})
		}
		if got, _ := h.Delay(2 * sec); got != 10*time.Millisecond {
			t.Errorf("delay: got %v, want 10ms", got)
		}
	})
}

func TestHedgedRequestsAllocateNothing(t *testing.T) {
	p := core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)}, Picker: inOrder{}, Policy: core.Policy{Hedge: hedging()},
		Equip: func(*core.Member) core.Parts { return core.Parts{} },
	})
	update(t, p, endpoints("a", "b")...)
	var q core.Request
	now := core.Instant(0)
	if got := testing.AllocsPerRun(500, func() {
		now += ms
		q.Reset()
		a := q.Start(now, p, true)
		if b := q.Hedge(a.Hedge); b.Do == core.Try {
			a = b
		}
		a = q.Answered(now+20*ms, a.Attempt, core.Sample{}, false)
		q.Finished(now+30*ms, a.Attempt, core.Sample{})
	}); got != 0 {
		t.Errorf("allocations of a hedged request: got %v, want 0", got)
	}
}
