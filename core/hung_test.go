package core_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// suspicious takes nothing for hung before a second, and knows so many answers of 300 ms.
func suspicious(answers int) *core.Hung {
	h := core.NewHung(time.Second)
	for range answers {
		h.Learn(0, 300*time.Millisecond)
	}
	return h
}

func TestHungSteps(t *testing.T) {
	const within, start = 10 * time.Second, "try a until 10s, hedge at 5s"
	const second = "try b until 10s, retry sent" // no longer than the first
	cases := map[string]struct {
		policy  core.Policy
		keys    string
		steps   []step
		teaches string // outcomes by member, in the order of their settlement
	}{
		"answered in time": {core.Policy{}, "a b", []step{
			{0, "start", start}, {sec, "200", "deliver from a until never"}, {sec, "finish", "done"},
		}, "a success"},
		"it hangs": {core.Policy{}, "a b", []step{
			{0, "start", start}, {5 * sec, "hedge", second}, {6 * sec, "200", "deliver from b until never"}, {7 * sec, "1: finish", "done"},
		}, "a overtaken, b success"},
		"it was slow": {core.Policy{}, "a b", []step{
			{0, "start", start}, {5 * sec, "hedge", second}, {6 * sec, "0: 200", "deliver from a until never"}, {7 * sec, "0: finish", "done"},
		}, "b abandoned, a success"},
		"both hang, and nobody waits for longer than for one": {core.Policy{Attempts: 3}, "a b c", []step{
			{0, "start", start}, {5 * sec, "hedge", second}, {10 * sec, "0: timeout", "stay"}, {10 * sec, "1: timeout", "give up: timeout"},
		}, "a timeout, b timeout"},
		"the second fails": {core.Policy{}, "a b", []step{
			{0, "start", start}, {5 * sec, "hedge", second}, {6 * sec, "1: reset", "stay"}, {10 * sec, "0: timeout", "give up: timeout"},
		}, "b reset, a timeout"},
		"both fail, and there is one left": {core.Policy{Attempts: 3}, "a b c", []step{
			{0, "start", start}, {5 * sec, "hedge", second}, {6 * sec, "0: reset", "stay"}, {7 * sec, "1: reset", "try c until 17s, retry sent"},
			{8 * sec, "200", "deliver from c until never"}, {8 * sec, "2: finish", "done"},
		}, "a reset, b reset, c success"},
		"told early, it is to be told again": {core.Policy{}, "a b", []step{
			{0, "start", start}, {4 * sec, "hedge", "stay, hedge at 5s"}, {5 * sec, "hedge", second}, {6 * sec, "abandon", "done"},
		}, "a abandoned, b abandoned"},
		"never twice": {core.Policy{}, "a b c", []step{
			{0, "start", start}, {5 * sec, "hedge", second}, {6 * sec, "hedge", "stay"}, {6 * sec, "abandon", "done"},
		}, "a abandoned, b abandoned"},
		"not when it has been tried again": {core.Policy{}, "a b c", []step{
			{0, "start", start}, {sec, "reset", "try b until 11s, retry sent"}, {5 * sec, "hedge", "stay"}, {6 * sec, "abandon", "done"},
		}, "a reset, b abandoned"},
		"not when it may be sent only once": {core.Policy{}, "a b", []step{
			{0, "start once", "try a until 10s"}, {5 * sec, "hedge", "stay"}, {10 * sec, "timeout", "give up: timeout"},
		}, "a timeout"},
		"not without retries": {core.Policy{Attempts: 1}, "a b", []step{
			{0, "start", "try a until 10s"}, {5 * sec, "hedge", "stay"}, {10 * sec, "timeout", "give up: timeout"},
		}, "a timeout"},
		"no other endpoint": {core.Policy{}, "a", []step{
			{0, "start", start}, {5 * sec, "hedge", "stay, retry no-endpoint"}, {10 * sec, "timeout", "give up: timeout"},
		}, "a timeout"},
		"no budget": {core.Policy{Budget: core.NewBudget(0, 0)}, "a b", []step{
			{0, "start", start}, {5 * sec, "hedge", "stay, retry no-budget"}, {10 * sec, "timeout", "give up: timeout"},
		}, "a timeout"},
		"the whole bounds it": {core.Policy{Total: 4 * time.Second}, "a b", []step{
			{0, "start", "try a until 4s, hedge at 2s"}, {2 * sec, "hedge", "try b until 4s, retry sent"}, {3 * sec, "abandon", "done"},
		}, "a abandoned, b abandoned"},
		"hedged before, it has had its second": {core.Policy{Hedge: hedging()}, "a b c", []step{
			{0, "start", "try a until 10s, hedge at 10ms"}, {10 * ms, "hedge", "try b until 10.01s"}, {5 * sec, "hedge", "stay"}, {5 * sec, "abandon", "done"},
		}, "a abandoned, b abandoned"},
		"no hedge to be had, but this": {core.Policy{Hedge: unaffordable()}, "a b", []step{
			{0, "start", "try a until 10s, hedge at 10ms"}, {10 * ms, "hedge", "stay, hedge at 5s"}, {5 * sec, "hedge", second}, {6 * sec, "abandon", "done"},
		}, "a abandoned, b abandoned"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.policy.Attempts == 0 {
				c.policy.Attempts = 2
			}
			c.policy.AnswerWithin, c.policy.Hung = within, core.NewHung(time.Minute) // it knows nothing: half of the bound
			p := newPool(t, core.Config{Policy: c.policy}, strings.Fields(c.keys)...)
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

// unaffordable hedges after 10 ms, nobody.
func unaffordable() *core.Hedge {
	h := core.NewHedge(0.95, 10*time.Millisecond, 0)
	for range 20 {
		h.Learn(0, time.Millisecond)
	}
	return h
}

// Its attempt is paid for by the retries' budget, when it is sent.
func TestHungBudget(t *testing.T) {
	budget := core.NewBudget(0, 0.1) // one in ten seconds
	p := newPool(t, core.Config{Policy: core.Policy{Attempts: 2, AnswerWithin: 2 * time.Second, Budget: budget, Hung: core.NewHung(time.Second)}}, "a", "b")
	p.gates["b"].verdict = core.Barred
	for _, want := range []string{"stay, retry no-endpoint", "try b until 2s, retry sent", "stay, retry no-budget"} {
		run(t, new(core.Request), p.Router, []step{{0, "start", "try a until 2s, hedge at 1s"}, {sec, "hedge", want}, {sec, "abandon", "done"}})
		p.gates["b"].verdict = core.Ready
	}
}

func TestHungDelay(t *testing.T) {
	const none = time.Duration(-1)
	fast, slow := core.NewHung(time.Second), core.NewHung(time.Second)
	for range 20 {
		fast.Learn(0, time.Millisecond)
		slow.Learn(0, 3*time.Second)
	}
	cases := map[string]struct {
		h            *core.Hung
		within, want time.Duration // to within a sixteenth
	}{
		"nothing is known":                      {suspicious(19), 10 * time.Second, 5 * time.Second},
		"nor is there a bound":                  {suspicious(19), 0, none},
		"fast":                                  {fast, 10 * time.Second, time.Second},
		"fast, with little time":                {fast, 500 * time.Millisecond, 250 * time.Millisecond},
		"fast, without a bound":                 {fast, 0, time.Second},
		"four times what is usual":              {suspicious(20), 10 * time.Second, 1200 * time.Millisecond},
		"more than half of the bound":           {suspicious(20), 1600 * time.Millisecond, 1200 * time.Millisecond},
		"more than the bound":                   {suspicious(20), 1200 * time.Millisecond, none},
		"slow":                                  {slow, 10 * time.Second, none},
		"slow, without a bound":                 {slow, 0, 12 * time.Second},
		"one in a hundred is not what is usual": {mostly(99, 1), 10 * time.Second, time.Second},
		"one and a half are":                    {mostly(197, 3), 10 * time.Second, 8 * time.Second},
		"two are":                               {mostly(98, 2), 10 * time.Second, 8 * time.Second},
	}
	for name, c := range cases {
		got, ok := c.h.Delay(0, c.within)
		switch {
		case ok != (c.want != none):
			t.Errorf("%s: got %v, %v, want %v", name, got, ok, c.want)
		case ok && (got < c.want || got > c.want+c.want/16):
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// mostly knows so many answers of a millisecond and so many of two seconds.
func mostly(fast, slow int) *core.Hung {
	h := core.NewHung(time.Second)
	for range fast {
		h.Learn(0, time.Millisecond)
	}
	for range slow {
		h.Learn(0, 2*time.Second)
	}
	return h
}

// First attempts that are answered well teach it, of requests that may be sent twice; and
// nothing that was not answered does, or one endpoint that hangs would teach it to wait.
func TestHungLearns(t *testing.T) {
	const start, hedge, second = "try a until 10s, hedge at 5s", "hedge", "try b until 10s, retry sent"
	cases := map[string]struct {
		steps  []step
		learns bool
	}{
		"answered":                {[]step{{0, "start", start}, {6 * sec, "200", "deliver from a until never"}, {6 * sec, "finish", "done"}}, true},
		"not found":               {[]step{{0, "start", start}, {6 * sec, "404", "deliver from a until never"}, {6 * sec, "finish", "done"}}, true},
		"answered after all":      {[]step{{0, "start", start}, {5 * sec, hedge, second}, {6 * sec, "0: 200", "deliver from a until never"}, {6 * sec, "0: finish", "done"}}, true},
		"overtaken":               {[]step{{0, "start", start}, {5 * sec, hedge, second}, {6 * sec, "1: 200", "deliver from b until never"}, {6 * sec, "1: finish", "done"}}, false},
		"timed out":               {[]step{{0, "start", start}, {10 * sec, "timeout", "give up: timeout"}}, false},
		"answered with a failure": {[]step{{0, "start", start}, {6 * sec, "500", "deliver from a until never"}, {6 * sec, "finish", "done"}}, false},
		"a retry":                 {[]step{{0, "start", start}, {sec, "reset", "try b until 11s, retry sent"}, {6 * sec, "200", "deliver from b until never"}, {6 * sec, "1: finish", "done"}}, false},
		"sent once":               {[]step{{0, "start once", "try a until 10s"}, {6 * sec, "200", "deliver from a until never"}, {6 * sec, "finish", "done"}}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := core.NewHung(time.Minute)
			p := newPool(t, core.Config{Policy: core.Policy{Attempts: 2, AnswerWithin: 10 * time.Second, Hung: h}}, "a", "b")
			for range 20 {
				h.Delay(10*sec, 0) // what is known is kept for a while
				run(t, new(core.Request), p.Router, c.steps)
			}
			if _, known := h.Delay(10*sec+200*ms, 0); known != c.learns {
				t.Errorf("after 20: known is %v, want %v", known, c.learns)
			}
		})
	}
}

func TestHungRequestsAllocateNothing(t *testing.T) {
	p := core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)}, Picker: inOrder{},
		Policy: core.Policy{Attempts: 2, AnswerWithin: 2 * time.Second, Hung: core.NewHung(time.Second)},
		Equip:  func(*core.Member) core.Parts { return core.Parts{} },
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
		a = q.Answered(a.Hedge, a.Attempt, core.Sample{}, false)
		q.Finished(now+30*ms, a.Attempt, core.Sample{})
	}); got != 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}
