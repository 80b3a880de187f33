package core_test

import (
	"testing"

	"github.com/evenkeel/evenkeel/core"
)

// switched is a gate that is a breaker: it turns when it is told to, and counts how often it
// was asked for its verdict.
type switched struct {
	gate
	state core.State
	quiet bool // it does not tell
	asked int
}

func (s *switched) Turns() bool { return !s.quiet }

func (s *switched) State(core.Instant) core.State { return s.state }
func (s *switched) Peek(core.Instant) core.Verdict {
	s.asked++
	return [...]core.Verdict{core.Closed: core.Ready, core.Open: core.Barred, core.HalfOpen: core.Probing}[s.state]
}
func (s *switched) Inherit(_ core.Instant, from any) {
	if old, ok := from.(*switched); ok {
		s.state = old.state
	}
}

// guarded is a member with a breaker, and with other gates before it.
func guarded(t *testing.T, state core.State, others ...core.Gate) (pool, *core.Member, *switched) {
	b := &switched{state: state}
	p := newPool(t, core.Config{Equip: func(*core.Member) core.Parts {
		return core.Parts{Gates: append(others, b)}
	}}, "a")
	return p, p.member("a"), b
}

// A breaker is asked as long as it is not closed, however it came to be so.
func TestClosedBreakersAreNotAsked(t *testing.T) {
	_, m, b := guarded(t, core.Closed)
	turn := func(to core.State) {
		from := b.state
		b.state = to
		m.Turned(0, from, to)
	}
	for i, s := range []struct {
		to      core.State
		verdict core.Verdict
	}{
		{core.Open, core.Barred}, {core.HalfOpen, core.Probing}, {core.Open, core.Barred},
		{core.HalfOpen, core.Probing}, {core.Closed, core.Ready}, {core.Open, core.Barred},
	} {
		b.asked = 0
		if m.Verdict(0) != [...]core.Verdict{core.Ready, core.Barred, core.Probing}[b.state] || b.asked > 0 != (b.state != core.Closed) {
			t.Errorf("before step %d: asked %d times in state %v", i, b.asked, b.state)
		}
		turn(s.to)
		if got := m.Verdict(0); got != s.verdict {
			t.Errorf("step %d: got %v, want %v", i, got, s.verdict)
		}
	}
}

// Of turns at the same time, those told later may have been earlier. In the end it is told
// as it is.
func TestTurnsToldInAnyOrder(t *testing.T) {
	turns := [4][2]core.State{
		{core.Closed, core.Open}, {core.Open, core.HalfOpen}, {core.HalfOpen, core.Closed}, {core.Closed, core.Open},
	}
	for _, order := range [][4]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {0, 3, 1, 2}, {2, 0, 3, 1}} {
		_, m, b := guarded(t, core.Closed)
		b.state = core.Open
		for _, i := range order {
			m.Turned(0, turns[i][0], turns[i][1])
		}
		if got := m.Verdict(0); got != core.Barred {
			t.Errorf("verdict of an open breaker, told in the order %v: got %v", order, got)
		}
	}
}

// Other gates are asked beside a closed breaker, and whatever the gates say, who has no
// weight is drained.
func TestDoubtsOfOtherKinds(t *testing.T) {
	full := &gate{verdict: core.Full}
	p, m, _ := guarded(t, core.Closed, full)
	if got := m.Verdict(0); got != core.Full {
		t.Errorf("beside a gate that is full: got %v", got)
	}
	for _, s := range []struct {
		weight float64
		full   bool
		want   core.Verdict
	}{
		{0, true, core.Drained}, {0, false, core.Drained}, {2, false, core.Ready}, {1, false, core.Ready},
		{0, false, core.Drained}, {0, false, core.Drained}, {1, true, core.Full},
	} {
		full.verdict = core.Ready
		if s.full {
			full.verdict = core.Full
		}
		update(t, p.Router, core.Endpoint{Key: "a", Weight: s.weight})
		if got := m.Verdict(0); got != s.want {
			t.Errorf("with %+v: got %v", s, got)
		}
	}
	if _, m, _ := guarded(t, core.Open); m.Verdict(0) != core.Barred {
		t.Error("a breaker that is open from the beginning was not asked")
	}
	old, _, b := guarded(t, core.Closed)
	b.state = core.Open
	next, m, _ := guarded(t, core.Closed)
	next.Inherit(0, old.Router)
	if got := m.Verdict(0); got != core.Barred {
		t.Errorf("a breaker that was inherited open: got %v", got)
	}
}

// What is drained more than once is in use again as it was.
func TestDrainedTwice(t *testing.T) {
	p, m, b := guarded(t, core.Closed)
	for _, weight := range []float64{0, 0, 1} {
		update(t, p.Router, core.Endpoint{Key: "a", Weight: weight})
	}
	if m.Verdict(0) != core.Ready || b.asked > 0 {
		t.Error("a closed breaker is asked after its member was drained")
	}
}

// A breaker that does not tell when it turns is asked, whatever it was at first.
func TestQuietBreakersAreAsked(t *testing.T) {
	for _, state := range []core.State{core.Closed, core.Open} {
		b := &switched{state: state, quiet: true}
		p := newPool(t, core.Config{Equip: func(*core.Member) core.Parts {
			return core.Parts{Gates: []core.Gate{b}}
		}}, "a")
		m := p.member("a")
		if state == core.Open {
			m.Turned(0, core.Open, core.Closed) // this once
		}
		b.state = core.Open
		if got := m.Verdict(0); got != core.Barred {
			t.Errorf("%v at first: got %v", state, got)
		}
	}
}
