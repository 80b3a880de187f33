package core_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
)

// fixed is an estimator that says what it is told to.
type fixed struct {
	cost, latency float64
	fresh         bool
}

func (f *fixed) Cost(core.Instant) float64            { return f.cost }
func (f *fixed) Latency(core.Instant) (float64, bool) { return f.latency, f.fresh }
func (*fixed) Begin(core.Instant)                     {}
func (*fixed) Answered(core.Instant, core.Sample)     {}
func (*fixed) End(core.Instant, core.Sample)          {}

// listener is a picker that writes down the surveys.
type listener struct {
	inOrder
	heard []core.Survey
	when  []core.Instant
}

func (l *listener) Survey(now core.Instant, s core.Survey) {
	l.heard, l.when = append(l.heard, s), append(l.when, now)
}

// surveyed is a pool whose surveys are heard, with an estimator for each member.
func surveyed(t *testing.T, keys ...string) (pool, *listener, map[string]*fixed) {
	l, estimators, gates := &listener{}, map[string]*fixed{}, map[string]*gate{}
	p := newPool(t, core.Config{Picker: l, Equip: func(m *core.Member) core.Parts {
		gates[m.Key], estimators[m.Key] = &gate{}, &fixed{}
		return core.Parts{Gates: []core.Gate{gates[m.Key]}, Estimator: estimators[m.Key]}
	}}, keys...)
	p.gates = gates
	return p, l, estimators
}

func TestSurvey(t *testing.T) {
	p, l, e := surveyed(t, "a", "b", "c", "d", "e", "f")
	*e["a"] = fixed{cost: 3, latency: 30, fresh: true}
	*e["b"] = fixed{cost: 1, latency: 10, fresh: true}
	*e["c"] = fixed{cost: 2, latency: 20, fresh: false}
	*e["d"] = fixed{cost: 9, latency: 90, fresh: true}
	*e["e"] = fixed{cost: 0, latency: 90, fresh: true}
	p.gates["d"].verdict = core.Full
	p.gates["e"].verdict = core.Barred
	update(t, p.Router, append(endpoints("a", "b", "c", "d", "e"), core.Endpoint{Key: "f"})...)
	p.begin(t, 0)
	want := core.Survey{Members: 6, Undrained: 5, Open: 4, Ready: 3, Known: 3, Fresh: 2, Median: 30, Fast: 10, Suspects: 1, Spread: 3, LowCost: 1, HighCost: 3, Level: true, Chance: 1}
	if diff := cmp.Diff([]core.Survey{want}, l.heard); diff != "" {
		t.Errorf("survey (-want +got):\n%s", diff)
	}
	if got := p.View().Pool.MedianLatency(); got != 30 {
		t.Errorf("median: got %v, want 30", got)
	}

	p.begin(t, sec) // a has one pending, the others none
	if got := l.heard[1].Level; got {
		t.Error("level with one pending at a: got true, want false")
	}
	if got, want := l.heard[1].Pending, 1.0/3; got != want {
		t.Errorf("pending with one at a, of three that are ready: got %v, want %v", got, want)
	}
}

// varying is an estimator that says how much the answers vary.
type varying struct {
	fixed
	variation float64
}

func (v *varying) Variation() float64 { return v.variation }

// What is left to chance follows the mean variation of the fresh ones, of which those without
// any say are taken for irregular: four times its square, from a tenth to all.
func TestChance(t *testing.T) {
	for _, c := range []struct {
		stale      bool // all are
		a, b, want float64
	}{
		{false, 0, 0, 0.1}, {false, 0.15, 0.15, 0.1}, {false, 0.2, 0.2, 0.16}, {false, 0.1, 0.5, 0.36},
		{false, 0.5, 0.5, 1}, {false, 0, 9, 1}, {true, 0, 0, 1},
	} {
		l, all := &listener{}, map[string]*varying{}
		p := newPool(t, core.Config{Picker: l, Equip: func(m *core.Member) core.Parts {
			all[m.Key] = &varying{fixed: fixed{latency: 1, fresh: m.Key != "stale" && !c.stale}}
			return core.Parts{Estimator: all[m.Key]}
		}}, "a", "b", "stale")
		if got := p.View().Pool.Chance(); got != 1 {
			t.Errorf("before a look: got %v, want 1", got)
		}
		all["a"].variation, all["b"].variation, all["stale"].variation = c.a, c.b, 100
		p.begin(t, 0)
		for what, got := range map[string]float64{"survey": l.heard[0].Chance, "pool": p.View().Pool.Chance()} {
			if math.Abs(got-c.want) > 1e-12 {
				t.Errorf("%s of variations %v and %v: got %v, want %v", what, c.a, c.b, got, c.want)
			}
		}
	}
}

// A look is due every 50 ms and 50 µs a member, after a change of the pool, and
// after a breaker turned.
func TestSurveysAreDue(t *testing.T) {
	p, l, _ := surveyed(t, "a", "b")
	const every = 50*ms + 2*ms/20
	steps := []struct {
		at   core.Instant
		do   func()
		want bool
	}{
		{0, func() {}, true},
		{1, func() {}, false},
		{every - 1, func() {}, false},
		{every, func() {}, true},
		{every + 1, func() { p.member("a").Turned(every, core.Closed, core.Open) }, true},
		{every + 2, func() {}, false},
		{every + 3, func() { update(t, p.Router, endpoints("a", "b")...) }, true},
		{2*every + 2, func() {}, false},
		{2*every + 3, func() {}, true},
	}
	for _, s := range steps {
		s.do()
		before := len(l.when)
		p.begin(t, s.at)
		if got := len(l.when) > before; got != s.want {
			t.Errorf("a look at %v: got %v, want %v", s.at.Sub(0), got, s.want)
		}
	}
}
