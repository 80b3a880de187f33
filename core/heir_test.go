package core_test

import (
	"math"
	"testing"
	"time"

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

// heirLimit is a limit that adds one to what it takes over.
type heirLimit struct{ *movable }

func (l heirLimit) Inherit(_ core.Instant, from any) {
	if old, ok := from.(heirLimit); ok {
		l.limit.Store(old.limit.Load() + 1)
	}
}

// A pool's admission goes on, with new settings and a limiter that inherits: who is in flight
// by the router before counts, who waits goes on waiting, and when the former leave, by the
// router that they came by, the latter are let in.
func TestInheritAdmission(t *testing.T) {
	make := func(limit, room int) *core.Admission {
		return core.NewAdmission(core.AdmissionSettings{Limiter: heirLimit{limitOf(limit)}, Room: room, MaxWait: time.Second})
	}
	before := make(1, 1)
	old := newPool(t, core.Config{Admission: before}, "a")
	var in, waits, more, last core.Ticket
	enter(old.Admission(), &in)
	if got := enter(old.Admission(), &waits); got != core.Queued {
		t.Fatalf("before: got %v, want queued", got)
	}
	next := newPool(t, core.Config{Admission: make(7, 0)}, "a")
	next.Inherit(0, old.Router)
	if next.Admission() != before {
		t.Fatal("got another admission, want the one before to go on")
	}
	if got := next.Admission().Limiter().Limit(); got != 2 {
		t.Errorf("limit: got %d, want 2, one more than before", got)
	}
	if inFlight, waiting := next.Admission().InFlight(); inFlight != 1 || waiting != 1 {
		t.Errorf("got %d in flight and %d waiting, want one of each", inFlight, waiting)
	}
	if got := enter(next.Admission(), &more); got != core.Admitted {
		t.Errorf("below the new limit: got %v, want admitted", got)
	}
	if got := enter(next.Admission(), &last); got != core.Refused {
		t.Errorf("at the limit: got %v, want refused: there is no room to wait any more", got)
	}
	if got := old.Admission().Leave(0); got != &waits {
		t.Errorf("one leaves: got %p woken, want the one that waited", got)
	}

	// Where there was no limit it begins with nobody, and where there is none any more the
	// old one sees to its own.
	unlimited := newPool(t, core.Config{}, "a")
	unlimited.Inherit(0, next.Router)
	if unlimited.Admission() != nil {
		t.Error("got a limit where there is none")
	}
	own := make(3, 0)
	limited := newPool(t, core.Config{Admission: own}, "a")
	limited.Inherit(0, unlimited.Router)
	if limited.Admission() != own || own.Limiter().Limit() != 3 {
		t.Error("after no limit: got another than its own, or not as it was")
	}
}

// heirBouncer is a shedder that has learned whom it has inherited from.
type heirBouncer struct {
	bouncer
	from any
}

func (b *heirBouncer) Inherit(_ core.Instant, from any) { b.from = from }

func TestInheritShedder(t *testing.T) {
	old, next := &heirBouncer{}, &heirBouncer{from: "untouched"}
	router := newPool(t, core.Config{Shedder: next}, "a").Router
	router.Inherit(0, newPool(t, core.Config{}, "a").Router)
	if next.from != "untouched" {
		t.Errorf("of nobody: got %v", next.from)
	}
	router.Inherit(0, newPool(t, core.Config{Shedder: old}, "a").Router)
	if next.from != any(old) {
		t.Errorf("inherited from %v, want the shedder before", next.from)
	}
}

// What requests have spent and what they took is known to the policy that comes after, by its
// own settings, in objects that were its own before; and what either comes to is known to both.
func TestInheritPolicy(t *testing.T) {
	policy := func(ratio, percentile float64) core.Policy {
		return core.Policy{
			Attempts: 2, Budget: core.NewBudget(ratio, 0), Hedge: core.NewHedge(percentile, 0, ratio), Hung: core.NewHung(time.Millisecond),
		}
	}
	old := newPool(t, core.Config{Policy: policy(0.1, 0.5)}, "a", "b")
	next := newPool(t, core.Config{Policy: policy(0.2, 0.9)}, "a", "b")
	was, is := *old.Policy(), *next.Policy() // as routes have them
	next.Inherit(0, old.Router)
	for i := range 20 {
		new(core.Request).Start(0, old.Router, true)
		took := time.Duration(1+i/10) * 10 * time.Millisecond // half of them 10 ms, half 20
		was.Hedge.Learn(0, took)
		was.Hung.Learn(0, took)
	}
	// Of 20 requests the old budget has two retries, and the new one four.
	for spent, want := range [][2]bool{{true, true}, {true, true}, {false, true}, {false, true}, {false, false}} {
		if got := [2]bool{was.Budget.Allows(0), is.Budget.Allows(0)}; got != want {
			t.Errorf("after %d retries: got allowed before and now %v, want %v", spent, got, want)
		}
		is.Budget.Spend(0)
	}
	about := func(got, want time.Duration) bool { return got >= want && got <= want+want/8 }
	const later = sec // than the delays were asked for last
	if got, ok := was.Hedge.Delay(later); !ok || !about(got, 10*time.Millisecond) {
		t.Errorf("hedge delay before: got %v, want 10 ms", got)
	}
	if got, ok := is.Hedge.Delay(later); !ok || !about(got, 20*time.Millisecond) {
		t.Errorf("hedge delay: got %v, %v; want that of nine in ten, 20 ms", got, ok)
	}
	if got, ok := is.Hung.Delay(later, 0); !ok || !about(got, 80*time.Millisecond) {
		t.Errorf("hung after: got %v, %v; want four times 20 ms", got, ok)
	}
	// And so with hedges: two of up to 23 requests, then five of up to 26.
	var hedges []core.Hedging
	for i := range 7 {
		q, router := new(core.Request), old.Router
		if i >= 3 {
			router = next.Router
		}
		q.Start(sec, router, true)
		hedges = append(hedges, q.Hedge(sec).Hedged)
	}
	sent, none := core.HedgeSent, core.HedgeNoBudget
	if diff := cmp.Diff([]core.Hedging{sent, sent, none, sent, sent, sent, none}, hedges); diff != "" {
		t.Errorf("hedges (-want +got):\n%s", diff)
	}
	// With nothing to inherit, and nobody to.
	newPool(t, core.Config{}, "a").Inherit(0, old.Router)
	plain := newPool(t, core.Config{Policy: policy(0.1, 0.5)}, "a")
	plain.Inherit(0, newPool(t, core.Config{}, "a").Router)
	if plain.Policy().Budget.Allows(0) {
		t.Error("a budget of no requests: got a retry allowed")
	}
}
