package core_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
)

func TestUpdateKeepsMembers(t *testing.T) {
	p := newPool(t, core.Config{}, "a", "b")
	a, b := p.member("a"), p.member("b")
	l := p.begin(t, 0)
	update(t, p.Router, core.Endpoint{Key: "c", Weight: 1}, core.Endpoint{Key: "a", Weight: 2.5})

	var keys []string
	for _, m := range p.View().Members {
		keys = append(keys, m.Key)
	}
	if diff := cmp.Diff([]string{"c", "a"}, keys); diff != "" {
		t.Errorf("view (-want +got):\n%s", diff)
	}
	if got := p.member("a"); got != a {
		t.Error("a: got a new member, want the old one")
	}
	if a.Weight() != 2.5 || a.Pending() != 1 {
		t.Errorf("a: got weight %v and pending %d, want 2.5 and 1", a.Weight(), a.Pending())
	}
	if l.Settle(1, outcome(core.Success)); a.Pending() != 0 {
		t.Errorf("a settled: got pending %d, want 0", a.Pending())
	}
	if b.Pool() != a.Pool() {
		t.Error("pool state: got a new one, want the router's")
	}
}

func TestUpdateDrainsByWeight(t *testing.T) {
	p := newPool(t, core.Config{}, "a", "b")
	a := p.member("a")
	update(t, p.Router, core.Endpoint{Key: "a"}, core.Endpoint{Key: "b", Weight: 1})
	if got := a.Verdict(0); got != core.Drained {
		t.Errorf("verdict at weight 0: got %v, want drained", got)
	}
	if got := p.begin(t, 0).Member().Key; got != "b" {
		t.Errorf("leased: got %s, want b", got)
	}
	update(t, p.Router, endpoints("a", "b")...)
	if got := a.Verdict(0); got != core.Ready {
		t.Errorf("verdict with its weight back: got %v, want ready", got)
	}
}

func TestUpdateRefuses(t *testing.T) {
	cases := map[string][]core.Endpoint{
		"twice":    {{Key: "a", Weight: 9}, {Key: "c", Weight: 1}, {Key: "a", Weight: 1}},
		"NaN":      {{Key: "a", Weight: 9}, {Key: "c", Weight: math.NaN()}},
		"negative": {{Key: "a", Weight: 9}, {Key: "c", Weight: -1}},
		"infinite": {{Key: "a", Weight: 9}, {Key: "c", Weight: math.Inf(1)}},
	}
	for name, es := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, core.Config{}, "a", "b")
			before := p.View()
			if err := p.Update(0, es); err == nil {
				t.Error("update: got no error")
			}
			if p.View() != before {
				t.Error("view: got another one, want the old one")
			}
			if got := p.member("a").Weight(); got != 1 {
				t.Errorf("weight of a: got %v, want 1", got)
			}
			if got := len(p.gates); got != 2 {
				t.Errorf("members equipped: got %d, want 2", got)
			}
		})
	}
}

func TestLeasesSettleAfterTheirMemberLeft(t *testing.T) {
	p := newPool(t, core.Config{}, "a", "b")
	a := p.member("a")
	l := p.begin(t, 0)
	update(t, p.Router, endpoints("b")...)
	update(t, p.Router, endpoints("a", "b")...)
	if p.member("a") == a {
		t.Error("a came back: got the old member, want a new one")
	}
	left := a.Pending()
	if !l.Settle(1, outcome(core.Success)) || left != 1 || a.Pending() != 0 {
		t.Errorf("pending of the one that left: got %d, then %d, want 1, then 0", left, a.Pending())
	}
	if got := p.pending(); got != 0 {
		t.Errorf("pending of the others: got %d, want 0", got)
	}
}

// Two gates, of which the second refuses: the first gets its permit back, and
// nothing was learned, counted or leased.
func TestPartlyRefusedAcquireRollsBack(t *testing.T) {
	first, second := &gate{permit: 7}, &gate{refuses: true}
	p := newPool(t, core.Config{Equip: func(*core.Member) core.Parts {
		return core.Parts{Gates: []core.Gate{first, second}}
	}}, "a")
	var ask core.Ask
	var l core.Lease
	if p.Begin(0, &ask, &l) {
		t.Fatal("begin: got a lease, want none")
	}
	if first.acquired == 0 || first.acquired != first.released {
		t.Errorf("permits of the first gate: got %d taken and %d released, want as many", first.acquired, first.released)
	}
	for _, permit := range first.permits {
		if permit != 7 {
			t.Errorf("released permit: got %d, want 7", permit)
		}
	}
	if second.released != 0 || len(first.settled)+len(second.settled) != 0 {
		t.Errorf("told: got released %d at the second, settled %v and %v, want nothing", second.released, first.settled, second.settled)
	}
	if l.Live() || p.member("a").Pending() != 0 || p.member("a").Leases() != 0 {
		t.Errorf("lease: live %v, pending %d, leases %d, want none", l.Live(), p.member("a").Pending(), p.member("a").Leases())
	}
}

// A member that refuses at the last moment is asked a few times only, and then
// whoever can takes the attempt.
func TestBeginGivesUpOnWhoRefuses(t *testing.T) {
	p := newPool(t, core.Config{}, "a", "b")
	p.gates["a"].refuses = true
	l := p.begin(t, 0)
	if got := l.Member().Key; got != "b" {
		t.Errorf("leased: got %s, want b", got)
	}
	if got, want := l.Choice(), (core.Choice{Slot: 1, Mode: core.Fallback, Reason: core.BarredDraw}); got != want {
		t.Errorf("choice: got %v, want %v", got, want)
	}
}

// That last resort goes by the verdicts too: a gate refuses nobody for being drained or
// tried.
func TestTheLastResortSparesDrainedAndTried(t *testing.T) {
	p := newPool(t, core.Config{}, "refuses", "drained", "tried")
	p.gates["refuses"].refuses = true
	update(t, p.Router, core.Endpoint{Key: "refuses", Weight: 1}, core.Endpoint{Key: "drained"}, core.Endpoint{Key: "tried", Weight: 1})
	ask := core.Ask{Tried: [core.MaxAttempts]*core.Member{p.member("tried")}}
	var l core.Lease
	if p.Begin(0, &ask, &l) {
		t.Errorf("begin: got %s, want none", l.Member().Key)
	}
}

// counting counts how often it is asked.
type counting struct {
	core.Picker
	asked int
}

func (c *counting) Pick(v *core.View, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	c.asked++
	return c.Picker.Pick(v, a, now, src)
}

// Nobody, or nobody who may: an answer, after a bounded number of looks.
func TestBeginEndsWithoutAMember(t *testing.T) {
	all := func(v core.Verdict) func(pool) {
		return func(p pool) {
			for _, g := range p.gates {
				g.verdict = v
			}
		}
	}
	cases := map[string]struct {
		mode core.Mode
		keys []string
		make func(pool)
		want bool
	}{
		"empty view":               {core.Adaptive, nil, all(core.Ready), false},
		"empty view in panic":      {core.Panic, nil, all(core.Ready), false},
		"one member":               {core.Adaptive, []string{"a"}, all(core.Ready), true},
		"one on probation":         {core.Adaptive, []string{"a"}, all(core.Probing), true},
		"all barred":               {core.Adaptive, []string{"a", "b"}, all(core.Barred), false},
		"all barred in panic":      {core.Panic, []string{"a", "b"}, all(core.Barred), true},
		"all full":                 {core.Adaptive, []string{"a", "b"}, all(core.Full), false},
		"all full in panic":        {core.Panic, []string{"a", "b"}, all(core.Full), false},
		"all refuse":               {core.Adaptive, []string{"a", "b"}, func(p pool) { p.gates["a"].refuses, p.gates["b"].refuses = true, true }, false},
		"drained":                  {core.Adaptive, []string{"a"}, func(p pool) { update(t, p.Router, core.Endpoint{Key: "a"}) }, false},
		"drained in panic":         {core.Panic, []string{"a"}, func(p pool) { update(t, p.Router, core.Endpoint{Key: "a"}) }, false},
		"all gone":                 {core.Adaptive, []string{"a"}, func(p pool) { update(t, p.Router) }, false},
		"barred and full in panic": {core.Panic, []string{"a", "b"}, func(p pool) { p.gates["a"].verdict, p.gates["b"].verdict = core.Full, core.Barred }, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			picker := &counting{Picker: inOrder{c.mode}}
			p := newPool(t, core.Config{Picker: picker}, c.keys...)
			c.make(p)
			var ask core.Ask
			var l core.Lease
			if got := p.Begin(0, &ask, &l); got != c.want || l.Live() != c.want {
				t.Errorf("begin: got %v (live %v), want %v", got, l.Live(), c.want)
			}
			if picker.asked > 4 {
				t.Errorf("picks: got %d, want at most 4", picker.asked)
			}
			if got, want := p.pending(), map[bool]int{true: 1}[c.want]; got != want {
				t.Errorf("pending: got %d, want %d", got, want)
			}
		})
	}
}

// Panic forces, the other modes do not.
func TestOnlyPanicForces(t *testing.T) {
	for mode, want := range map[core.Mode]int{core.Adaptive: 0, core.Fallback: 0, core.Panic: 1} {
		p := newPool(t, core.Config{Picker: inOrder{mode}}, "a")
		p.begin(t, 0)
		if got := p.gates["a"].forced; got != want {
			t.Errorf("forced acquires in %v: got %d, want %d", mode, got, want)
		}
	}
}

func TestBeginTellsWhy(t *testing.T) {
	p := newPool(t, core.Config{Picker: inOrder{core.Panic}}, "a", "b")
	var why core.Decision
	ask := core.Ask{Why: &why}
	ask.Tried[0] = p.member("a")
	var l core.Lease
	if !p.Begin(0, &ask, &l) {
		t.Fatal("begin: got no lease")
	}
	if why.Winner != p.member("b") || why.Mode != core.Panic {
		t.Errorf("decision: got %v in %v, want b in panic", why.Winner.Key, why.Mode)
	}
}
