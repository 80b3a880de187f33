package probe

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

func TestCubic(t *testing.T) {
	settings := CubicSettings{Proxies: 3, Smoothing: 0.5, Penalty: 5 * time.Second}
	r := newRig(t, 1, &pick.RoundRobin{}, func(m *core.Member) core.Estimator { return NewCubic(m, settings) })
	c := r.member(0).Estimator().(*Cubic)
	cost := func(what string, want float64) {
		t.Helper()
		if got := c.Cost(r.now); math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	cost("nobody has answered", nominal)
	l := r.begin(&core.Ask{})
	cost("one pending counts for three", nominal*4*4*4)
	l.Settle(r.now, core.Sample{Outcome: core.Abandoned})
	cost("abandoned", nominal)
	c.Answered(r.now, answered(20*time.Millisecond, core.LoadReport{}))
	cost("without a report", 0.02)
	c.Answered(r.now, answered(40*time.Millisecond, load(1, -1, 0.01, -1, -1))) // R 30 ms, q 2
	cost("with a report", 0.03-0.01+0.01*8)
	c.Answered(r.now, answered(30*time.Millisecond, load(3, -1, 0.03, -1, -1))) // q̄ 2, 1/μ 20 ms
	cost("with another", 0.03-0.02+0.02*27)
	r.now += core.Instant(Memory) // q̄ 2/e; nobody has looked for medians: R stays, and 1/μ becomes it
	q, service := 1+2/math.E, 0.03-0.01/math.E
	cost("later", 0.03-service+service*q*q*q)
	c.End(r.now, core.Sample{Outcome: core.Reset, Total: time.Second, FirstAnswer: -1}) // R (0.03+5)/2
	if got, _ := c.Latency(r.now); math.Abs(got-2.515) > 1e-9 {
		t.Errorf("latency after a failure: got %v, want 2.515", got)
	}
	before := c.Cost(r.now)
	c.End(r.now, core.Sample{Outcome: core.Success, FirstAnswer: time.Millisecond, Told: true})
	c.End(r.now, core.Sample{Outcome: core.Abandoned, FirstAnswer: -1})
	cost("told already, or abandoned", before)
}

// Of two, the one that says that it has a queue is left alone.
func TestCubicGoesByReports(t *testing.T) {
	settings := CubicSettings{Proxies: 1, Smoothing: 0.3}
	r := newRig(t, 2, NewCubicScan(), func(m *core.Member) core.Estimator { return NewCubic(m, settings) })
	r.reports(0, load(9, -1, 0.001, -1, -1))
	r.reports(1, load(1, -1, 0.001, -1, -1))
	for range 20 {
		if key, _ := r.taken(); key != "1" {
			t.Fatal("got the one with a queue")
		}
	}
}

func TestCounts(t *testing.T) {
	r := newRig(t, 1, NewChoices(2), func(m *core.Member) core.Estimator { return NewCounts(m) })
	cost := func(want float64) {
		t.Helper()
		if got := r.member(0).Cost(r.now); math.Abs(got-want) > 1e-9 {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	r.now = 7 * sec
	cost(1)
	first, second := r.begin(&core.Ask{}), r.begin(&core.Ask{})
	cost(3)
	first.Answered(r.now, core.Sample{Load: load(7, -1, -1, -1, -1)}) // of the seven one is ours
	first.Settle(r.now, core.Sample{})
	cost(1 + 1 + 6)
	r.now += core.Instant(Memory)
	cost(1 + 1 + 6/math.E)
	second.Answered(r.now, core.Sample{Outcome: core.ServerError, Load: load(0, -1, -1, -1, -1)}) // failures teach nothing
	cost(1 + 1 + 6/math.E)
}

func TestStrain(t *testing.T) {
	r := newRig(t, 1, NewChoices(2), func(m *core.Member) core.Estimator { return NewStrain(m, NewCounts(m)) })
	cost := func(want float64) {
		t.Helper()
		if got := r.member(0).Cost(r.now); math.Abs(got-want) > 1e-9 {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	cost(1)
	r.reports(0, load(-1, 0.5, -1, -1, -1))
	cost(1.5)
	r.now += core.Instant(strainMemory)
	cost(1 + 0.5/math.E)
	r.reports(0, load(-1, 1e9, -1, -1, -1))
	cost(1 + mostUsed)
}

// heir is an estimator that keeps whom it has inherited from.
type heir struct {
	*Counts
	from any
}

func (h *heir) Inherit(_ core.Instant, from any) { h.from = from }

// A Strain takes over what the member uses of itself, and has what it is put on inherit from
// what the other was put on, or from what was there without one.
func TestStrainInherits(t *testing.T) {
	old := newRig(t, 1, NewChoices(2), func(m *core.Member) core.Estimator { return NewStrain(m, NewCounts(m)) })
	old.reports(0, load(-1, 0.5, -1, -1, -1))
	before := old.member(0).Estimator().(*Strain)
	for name, from := range map[string]core.Estimator{"a strain": before, "no strain": before.Estimator} {
		under := &heir{Counts: NewCounts(old.member(0))}
		s := NewStrain(old.member(0), under)
		s.Inherit(old.now, from)
		want := 1.0
		if from == core.Estimator(before) {
			want = 1.5
		}
		if got := s.Cost(old.now); math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: cost: got %v, want %v", name, got, want)
		}
		if under.from != before.Estimator {
			t.Errorf("%s: what it is put on has inherited from %v", name, under.from)
		}
	}
}
