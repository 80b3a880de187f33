package core_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
)

// telling is an estimator that explains what it is told.
type telling struct{ parts core.CostParts }

func (e *telling) Cost(core.Instant) float64            { return e.parts.Cost }
func (e *telling) Latency(core.Instant) (float64, bool) { return e.parts.Latency, e.parts.Fresh }
func (e *telling) Begin(core.Instant)                   {}
func (e *telling) Answered(core.Instant, core.Sample)   {}
func (e *telling) End(core.Instant, core.Sample)        {}
func (e *telling) Explain(now core.Instant) core.CostParts {
	p := e.parts
	p.Idle = float64(now)
	return p
}

// script is a picker that does as it is told.
type script func(v *core.View, a *core.Ask) (core.Choice, bool)

func (s script) Pick(v *core.View, a *core.Ask, _ core.Instant, _ rand.Source) (core.Choice, bool) {
	return s(v, a)
}

// considering looks at the slots in turn, and lets the one lead by a merit.
func considering(leader int, by core.Merit, mode core.Mode, slots ...int) script {
	return func(v *core.View, a *core.Ask) (core.Choice, bool) {
		for _, slot := range slots {
			a.Why.Consider(v.Members[slot], a.Verdict(v.Members[slot], 0), float64(10+slot))
			if slot == leader {
				a.Why.Lead(by)
			}
		}
		return core.Choice{Slot: leader, Mode: mode, Reason: core.BarredDraw}, true
	}
}

func TestDecisionFields(t *testing.T) {
	parts := core.CostParts{Cost: 0.5, Estimate: 0.2, Median: 0.1, Latency: 0.25, Silence: 0.05, Ramp: 0.5, Known: true, Fresh: true}
	p := newPool(t, core.Config{
		Picker: considering(1, core.Cheapest, core.Fallback, 0, 1, 2),
		Equip: func(m *core.Member) core.Parts {
			parts := core.Parts{Gates: []core.Gate{&gate{}}}
			if m.Key == "c" {
				parts.Gates[0].(*gate).verdict = core.Full
			}
			if m.Key == "b" {
				parts.Estimator = &telling{core.CostParts{Cost: 0.5, Estimate: 0.2, Median: 0.1, Latency: 0.25, Silence: 0.05, Ramp: 0.5, Known: true, Fresh: true}}
			}
			return parts
		},
	})
	update(t, p.Router, core.Endpoint{Key: "a", Weight: 1}, core.Endpoint{Key: "b", Weight: 3}, core.Endpoint{Key: "c", Weight: 1})
	why := core.Decision{Considered: 7, Merit: core.Forced} // of an earlier attempt
	for range 2 {                                           // the second finds one pending
		if !p.Begin(42, &core.Ask{Why: &why}, new(core.Lease)) {
			t.Fatal("begin: got no lease")
		}
	}
	parts.Idle = 42
	want := []core.Candidate{
		{Member: p.member("b"), Score: 11, Pending: 1, Weight: 3, Parts: parts, Explained: true},
		{Member: p.member("a"), Score: 10, Weight: 1},
		{Member: p.member("c"), Verdict: core.Full, Score: 12, Weight: 1},
	}
	if diff := cmp.Diff(want, why.Listed(), cmp.Comparer(func(a, b *core.Member) bool { return a == b })); diff != "" {
		t.Errorf("candidates (-want +got):\n%s", diff)
	}
	if why.At != 42 || why.Mode != core.Fallback || why.Reason != core.BarredDraw || why.Merit != core.Cheapest ||
		why.Winner != p.member("b") || why.Considered != 3 {
		t.Errorf("decision: got at %v in %v for %v by %v for %v of %d", why.At, why.Mode, why.Reason, why.Merit, why.Winner, why.Considered)
	}
}

func TestMerits(t *testing.T) {
	const R, P, F, B = core.Ready, core.Probing, core.Full, core.Barred
	cases := map[string]struct {
		picker   script
		verdicts []core.Verdict
		again    bool
		want     core.Merit
	}{
		"the picker's word": {considering(1, core.Turn, 0, 0, 1), []core.Verdict{R, R}, false, core.Turn},
		"another":           {considering(1, core.Hashed, 0, 0, 1), []core.Verdict{R, R}, false, core.Hashed},
		"it says nothing": {func(v *core.View, a *core.Ask) (core.Choice, bool) {
			a.Why.Consider(v.Members[0], R, 0)
			a.Why.Consider(v.Members[1], R, 0)
			return core.Choice{Slot: 1}, true
		}, []core.Verdict{R, R}, false, core.MeritNone},
		"it does not even look": {func(*core.View, *core.Ask) (core.Choice, bool) { return core.Choice{Slot: 1}, true },
			[]core.Verdict{R, R}, false, core.MeritNone},
		"alone in the pool":                     {considering(0, core.Cheapest, 0, 0), []core.Verdict{R}, false, core.OnlyOne},
		"alone looked at":                       {considering(0, core.Turn, 0, 0), []core.Verdict{R, R}, false, core.Turn},
		"the other is barred":                   {considering(1, core.Cheapest, 0, 0, 1), []core.Verdict{B, R}, false, core.OthersBarred},
		"the other is full":                     {considering(0, core.Cheapest, 0, 0, 1), []core.Verdict{R, F}, false, core.OthersBarred},
		"the last on probation":                 {considering(1, core.Cheapest, 0, 0, 1), []core.Verdict{B, P}, false, core.OthersBarred},
		"on probation":                          {considering(1, core.Cheapest, 0, 0, 1), []core.Verdict{R, P}, false, core.OnProbation},
		"both on probation":                     {considering(1, core.Cheapest, 0, 0, 1), []core.Verdict{P, P}, false, core.Cheapest},
		"on probation in its turn":              {considering(1, core.Turn, 0, 0, 1), []core.Verdict{R, P}, false, core.Turn},
		"a retry does not prefer probation":     {considering(1, core.Cheapest, 0, 0, 1), []core.Verdict{R, P, R}, true, core.Cheapest},
		"panic and well":                        {considering(1, core.Turn, core.Panic, 0, 1), []core.Verdict{R, R}, false, core.Turn},
		"panic and barred":                      {considering(1, core.Turn, core.Panic, 0, 1), []core.Verdict{R, B}, false, core.Forced},
		"panic and barred, and alone":           {considering(0, core.Turn, core.Panic, 0), []core.Verdict{B}, false, core.Forced},
		"panic and the others are barred, too ": {considering(1, core.Turn, core.Panic, 0, 1), []core.Verdict{B, B}, false, core.Forced},
	}
	for name, c := range cases {
		p := newPool(t, core.Config{Picker: c.picker}, []string{"a", "b", "c"}[:len(c.verdicts)]...)
		for i, m := range p.View().Members {
			p.gates[m.Key].verdict = c.verdicts[i]
		}
		var why core.Decision
		ask := core.Ask{Why: &why}
		if c.again {
			ask.Tried[0] = p.member("c")
		}
		if !p.Begin(0, &ask, new(core.Lease)) {
			t.Errorf("%s: got no lease", name)
		}
		if why.Merit != c.want {
			t.Errorf("%s: got %v, want %v", name, why.Merit, c.want)
		}
		if why.Candidates[0].Member != why.Winner || why.Considered > len(c.verdicts) {
			t.Errorf("%s: the winner is not the first of %d", name, why.Considered)
		}
	}
}

// However many are looked at, and whichever of them wins, it is listed, first, with what
// it was compared by.
func TestWinnerIsListed(t *testing.T) {
	const n = 3 * core.MaxCandidates
	var keys []string
	var slots []int
	for i := range n {
		keys, slots = append(keys, fmt.Sprint(i)), append(slots, i)
	}
	for winner := range n {
		p := newPool(t, core.Config{Picker: considering(winner, core.Cheapest, 0, slots...)}, keys...)
		var why core.Decision
		if !p.Begin(0, &core.Ask{Why: &why}, new(core.Lease)) {
			t.Fatal("begin: got no lease")
		}
		first := why.Listed()[0]
		if why.Winner != p.View().Members[winner] || first.Member != why.Winner || first.Score != float64(10+winner) {
			t.Errorf("winner %d: got %s with %v first", winner, first.Member.Key, first.Score)
		}
		if why.Considered != n || len(why.Listed()) != core.MaxCandidates || why.Merit != core.Cheapest {
			t.Errorf("winner %d: %d listed of %d, %v", winner, len(why.Listed()), why.Considered, why.Merit)
		}
		seen := map[*core.Member]bool{}
		for _, c := range why.Listed() {
			if seen[c.Member] {
				t.Errorf("winner %d: %s is listed twice", winner, c.Member.Key)
			}
			seen[c.Member] = true
		}
	}
}

// A choice that is refused at the last moment leaves nothing behind.
func TestRefusedChoiceIsForgotten(t *testing.T) {
	choices := 0
	p := newPool(t, core.Config{Picker: script(func(v *core.View, a *core.Ask) (core.Choice, bool) {
		choices++
		slot := min(choices/2, 1) // a, then b
		a.Why.Consider(v.Members[slot], core.Ready, float64(slot))
		a.Why.Lead(core.Turn)
		return core.Choice{Slot: slot}, true
	})}, "a", "b")
	p.gates["a"].refuses = true
	var why core.Decision
	if !p.Begin(0, &core.Ask{Why: &why}, new(core.Lease)) {
		t.Fatal("begin: got no lease")
	}
	if why.Winner != p.member("b") || why.Considered != 1 || why.Candidates[0].Member != why.Winner {
		t.Errorf("got %s of %d considered, want b of 1", why.Winner.Key, why.Considered)
	}
	p.gates["b"].refuses = true
	if p.Begin(0, &core.Ask{Why: &why}, new(core.Lease)) {
		t.Fatal("begin: got a lease, want none")
	}
	if why.Winner != nil || why.Merit != core.MeritNone {
		t.Errorf("nobody: got %v by %v, want none", why.Winner, why.Merit)
	}
}

// What is nobody's decision may be told things, too.
func TestNobodyAsks(t *testing.T) {
	p := newPool(t, core.Config{}, "a")
	var why *core.Decision
	why.Consider(p.member("a"), core.Ready, 1)
	why.Lead(core.Turn)
	why.By(core.Lot)
	if why != nil {
		t.Error("a decision has come from nowhere")
	}
}

func TestMeritNames(t *testing.T) {
	seen := map[string]bool{}
	for m := range core.Merits {
		name := core.Merit(m).String()
		if name == "" || seen[name] {
			t.Errorf("merit %d: name %q", m, name)
		}
		seen[name] = true
	}
}
