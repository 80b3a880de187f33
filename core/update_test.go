package core_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

// Invariants, against a map: whatever the order, and whatever goes and comes, the view
// has the endpoints in their places with their weights, a key that stays keeps its
// member, one that comes gets a new one, and a list in which a key stands twice changes
// nothing.
func TestUpdateAgainstModel(t *testing.T) {
	key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"})
	rapid.Check(t, func(rt *rapid.T) {
		made := 0
		r := core.NewRouter(core.Config{
			Driver: core.Driver{Source: rand.NewPCG(1, 2)}, Picker: inOrder{},
			Equip: func(*core.Member) core.Parts { made++; return core.Parts{} },
		})
		members := map[string]*core.Member{}
		var before []core.Endpoint
		for range rapid.IntRange(1, 8).Draw(rt, "updates") {
			keys := rapid.SliceOfN(key, 0, 8).Draw(rt, "keys")
			if rapid.Bool().Draw(rt, "distinct") {
				keys = rapid.SliceOfNDistinct(key, 0, 7, rapid.ID[string]).Draw(rt, "distinct keys")
			}
			var es []core.Endpoint
			seen, twice := map[string]bool{}, false
			for i, k := range keys {
				es = append(es, core.Endpoint{Key: k, Weight: float64(i)})
				twice, seen[k] = twice || seen[k], true
			}
			old, fresh := r.View(), made
			if err := r.Update(0, es); (err != nil) != twice {
				rt.Fatalf("update from %v to %v: got %v", before, es, err)
			}
			if twice {
				if r.View() != old || made != fresh {
					rt.Fatalf("a key twice in %v: something has changed", es)
				}
				continue
			}
			before = es
			next := map[string]*core.Member{}
			if got := len(r.View().Members); got != len(es) {
				rt.Fatalf("members: got %d, want %d", got, len(es))
			}
			for i, m := range r.View().Members {
				if m.Key != es[i].Key || m.Weight() != es[i].Weight {
					rt.Fatalf("place %d: got %s of weight %v, want %v", i, m.Key, m.Weight(), es[i])
				}
				if kept := members[m.Key]; kept != nil && kept != m {
					rt.Fatalf("%s stays: got a new member", m.Key)
				} else if kept == nil {
					fresh++
				}
				next[m.Key] = m
			}
			if made != fresh {
				rt.Fatalf("members made so far: got %d, want %d", made, fresh)
			}
			members = next
		}
	})
}

// planner prepares the keys of the view, with their weights.
type planner struct {
	inOrder
	tally bool
}

func (p planner) Plan(v *core.View) any {
	if p.tally {
		v.Pool.Tally()
	}
	text := ""
	for _, m := range v.Members {
		text += fmt.Sprint(m.Key, m.Weight(), " ")
	}
	return text
}

// Every view has a plan of its own, made for the weights to come.
func TestPlans(t *testing.T) {
	p := newPool(t, core.Config{Picker: planner{}}, "a", "b")
	first := p.View()
	update(t, p.Router, core.Endpoint{Key: "b", Weight: 3}, core.Endpoint{Key: "c", Weight: 2})
	if diff := cmp.Diff([]any{"a1 b1 ", "b3 c2 "}, []any{first.Plan, p.View().Plan}); diff != "" {
		t.Errorf("plans (-want +got):\n%s", diff)
	}
	if got := newPool(t, core.Config{}, "a").View().Plan; got != nil {
		t.Errorf("plan without a planner: got %v, want nil", got)
	}
}

// The tally counts what is pending anywhere, at members that have left the pool, too.
func TestTally(t *testing.T) {
	for _, tally := range []bool{true, false} {
		p := newPool(t, core.Config{Picker: planner{tally: tally}}, "a", "b")
		one, two := p.begin(t, 0), p.begin(t, 0)
		check := func(want int) {
			t.Helper()
			if !tally {
				want = 0
			}
			if got := p.View().Pool.Pending(); got != want {
				t.Errorf("pending with the tally %v: got %d, want %d", tally, got, want)
			}
		}
		check(2)
		update(t, p.Router, endpoints("b")...)
		check(2)
		one.Settle(1, outcome(core.Success))
		check(1)
		two.Settle(1, outcome(core.Reset))
		check(0)
	}
}

// The weight that may take work is that of who is ready or on probation, at the last
// look.
func TestOpenWeight(t *testing.T) {
	p := newPool(t, core.Config{}, "a", "b", "c", "d", "e")
	p.gates["b"].verdict = core.Probing
	p.gates["c"].verdict = core.Full
	p.gates["d"].verdict = core.Barred
	if got := p.View().Pool.OpenWeight(); got != 0 {
		t.Errorf("before any look: got %v, want 0", got)
	}
	update(t, p.Router, core.Endpoint{Key: "a", Weight: 1}, core.Endpoint{Key: "b", Weight: 2}, core.Endpoint{Key: "c", Weight: 4},
		core.Endpoint{Key: "d", Weight: 8}, core.Endpoint{Key: "e", Weight: 0})
	p.begin(t, 0)
	if got := p.View().Pool.OpenWeight(); got != 3 {
		t.Errorf("weight that may take work: got %v, want 3", got)
	}
}
