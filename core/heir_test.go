package core_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
)

// learner is an estimator and a gate that has learned one word, and hands it over.
type learner struct {
	gate
	word string
}

func (*learner) Cost(core.Instant) float64            { return 0 }
func (*learner) Latency(core.Instant) (float64, bool) { return 0, false }
func (*learner) Begin(core.Instant)                   {}
func (*learner) End(core.Instant, core.Sample)        {}

func (l *learner) Inherit(_ core.Instant, from any) {
	if old, ok := from.(*learner); ok {
		l.word += "from " + old.word
	}
}

// asEstimator is a learner in the place of an estimator, which Answered of a gate hides.
type asEstimator struct{ *learner }

func (asEstimator) Answered(core.Instant, core.Sample) {}
func (e asEstimator) Inherit(now core.Instant, from any) {
	if old, ok := from.(asEstimator); ok {
		e.learner.Inherit(now, old.learner)
	}
}

// learning is a pool whose members have learned their own key with a word, in an estimator
// and in the second of two gates.
func learning(t *testing.T, word string, keys ...string) (pool, map[string][2]*learner) {
	learners := map[string][2]*learner{}
	return newPool(t, core.Config{Equip: func(m *core.Member) core.Parts {
		of := [2]*learner{{}, {}}
		if word != "" {
			of[0].word, of[1].word = m.Key+word, m.Key+word
		}
		learners[m.Key] = of
		return core.Parts{Estimator: asEstimator{of[0]}, Gates: []core.Gate{&gate{}, of[1]}}
	}}, keys...), learners
}

// What the members have learned is handed over by key, whatever their places; who is new,
// or has another kind of parts, begins anew; and nothing changes for those before.
func TestInherit(t *testing.T) {
	old, before := learning(t, "!", "a", "b", "c")
	next, learners := learning(t, "", "c", "d", "a")
	next.Inherit(0, old.Router)
	got := map[string][2]string{}
	for key, of := range learners {
		got[key] = [2]string{of[0].word, of[1].word}
	}
	want := map[string][2]string{"a": {"from a!", "from a!"}, "c": {"from c!", "from c!"}, "d": {"", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("learned (-want +got):\n%s", diff)
	}
	if got := before["a"][0].word; got != "a!" {
		t.Errorf("what was learned before: got %q", got)
	}
	if next.pending() != 0 {
		t.Error("the next pool has attempts pending")
	}

	others := newPool(t, core.Config{}, "a", "b")
	others.Inherit(0, old.Router) // parts that are no heirs
	last, learners := learning(t, "", "a", "b")
	last.Inherit(0, others.Router) // parts that have nothing for their heirs
	if got := learners["a"][0].word + learners["b"][1].word; got != "" {
		t.Errorf("learned of strangers: got %q", got)
	}
}

// A member that stays has been in use since it was, unless it was drained until now.
func TestInheritReturned(t *testing.T) {
	old := newPool(t, core.Config{}, "a", "b")
	update(t, old.Router, core.Endpoint{Key: "a", Weight: 1}, core.Endpoint{Key: "b", Weight: 0})
	old.member("a").Return(3)
	next := newPool(t, core.Config{})
	if err := next.Update(9, endpoints("a", "b", "c")); err != nil {
		t.Fatal(err)
	}
	next.Inherit(9, old.Router)
	for key, want := range map[string]core.Instant{"a": 3, "b": 9, "c": 9} {
		if got := next.member(key).Returned(); got != want {
			t.Errorf("%s has been in use since %v, want %v", key, got, want)
		}
	}
}

// How often members are asked goes on from what it was: what comes within the next second
// weighs as a second does, and not as all that there is.
func TestInheritPace(t *testing.T) {
	old, _, _ := surveyed(t, "a", "b")
	old.begin(t, 0)
	for range 9 {
		old.begin(t, 0)
	}
	old.begin(t, sec) // ten in the first second, two members: 0.2 s between two attempts
	next, l, _ := surveyed(t, "a", "b", "c", "d")
	update(t, next.Router, core.Endpoint{Key: "a", Weight: 1}, core.Endpoint{Key: "b", Weight: 1}, core.Endpoint{Key: "c", Weight: 0})
	next.Inherit(sec, old.Router)
	if got := next.View().Pool.Interval(); math.Abs(got-0.2) > 1e-9 {
		t.Errorf("interval: got %v s, want 0.2 s", got)
	}
	next.begin(t, sec)
	next.begin(t, 2*sec)
	want := 10*math.Exp(-0.1) + 1*(1-math.Exp(-0.1))
	if got := l.heard[len(l.heard)-1].Rate; math.Abs(got-want) > 1e-9 {
		t.Errorf("rate: got %v a second, want %v", got, want)
	}
	// Nothing to inherit.
	first, _, _ := surveyed(t, "a")
	first.Inherit(0, newPool(t, core.Config{}, "a").Router)
	if got := first.View().Pool.Interval(); got != 0 {
		t.Errorf("interval of a pool after one that knew none: got %v s, want 0", got)
	}
}
