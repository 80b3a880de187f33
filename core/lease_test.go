package core_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
)

// begin leases from a pool at now, or fails the test.
func (p pool) begin(t *testing.T, now core.Instant) *core.Lease {
	t.Helper()
	var ask core.Ask
	l := new(core.Lease)
	if !p.Begin(now, &ask, l) {
		t.Fatal("begin: got no lease")
	}
	return l
}

func TestLeaseSamples(t *testing.T) {
	const began = 10 * ms
	at := func(d time.Duration) core.Instant { return began.Add(d) }
	answer := func(o core.Outcome) *core.Sample { return &core.Sample{Outcome: o, RetryAfter: 3} }
	cases := map[string]struct {
		answer       *core.Sample // at 5 ms, when not nil
		end          core.Sample  // at 8 ms
		heard, ended core.Sample
	}{
		"answered and well": {
			answer(core.Success), outcome(core.Success),
			core.Sample{Outcome: core.Success, RetryAfter: 3, FirstAnswer: 5e6, Total: 5e6},
			core.Sample{Outcome: core.Success, FirstAnswer: 5e6, Total: 8e6, Told: true},
		},
		"answered with a failure": {
			answer(core.ServerError), outcome(core.ServerError),
			core.Sample{Outcome: core.ServerError, RetryAfter: 3, FirstAnswer: 5e6, Total: 5e6},
			core.Sample{Outcome: core.ServerError, FirstAnswer: 5e6, Total: 8e6, Told: true},
		},
		"answered, then broken": {
			answer(core.Success), outcome(core.Reset),
			core.Sample{Outcome: core.Success, RetryAfter: 3, FirstAnswer: 5e6, Total: 5e6},
			core.Sample{Outcome: core.Reset, FirstAnswer: 5e6, Total: 8e6},
		},
		"answered, then abandoned": {
			answer(core.Success), outcome(core.Abandoned),
			core.Sample{Outcome: core.Success, RetryAfter: 3, FirstAnswer: 5e6, Total: 5e6},
			core.Sample{Outcome: core.Abandoned, FirstAnswer: 5e6, Total: 8e6},
		},
		"never answered": {
			nil, core.Sample{Outcome: core.Timeout, FirstAnswer: 77},
			core.Sample{},
			core.Sample{Outcome: core.Timeout, FirstAnswer: -1, Total: 8e6},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, core.Config{}, "a")
			p.gates["a"].permit = 42
			l := p.begin(t, began)
			if c.answer != nil {
				l.Answered(at(5*time.Millisecond), *c.answer)
				l.Answered(at(6*time.Millisecond), outcome(core.Timeout)) // only the first counts
			}
			if !l.Settle(at(8*time.Millisecond), c.end) {
				t.Error("settle: got false, want true")
			}
			l.Answered(at(9*time.Millisecond), outcome(core.Success)) // too late
			if l.Settle(at(9*time.Millisecond), outcome(core.Reset)) {
				t.Error("a second settle: got true, want false")
			}

			g := p.gates["a"]
			var heard []core.Sample
			permits := []core.Permit{42}
			if c.answer != nil {
				heard, permits = []core.Sample{c.heard}, []core.Permit{42, 42}
			}
			if diff := cmp.Diff(heard, g.answered); diff != "" {
				t.Errorf("told at the answer (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]core.Sample{c.ended}, g.settled); diff != "" {
				t.Errorf("told at the end (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(permits, g.permits); diff != "" {
				t.Errorf("permits (-want +got):\n%s", diff)
			}
		})
	}
}

// classed is an estimator that notes what it hears of classes, and nothing else.
type classed struct{ heard []uint8 }

func (*classed) Cost(core.Instant) float64            { return 0 }
func (*classed) Latency(core.Instant) (float64, bool) { return 0, false }
func (*classed) Begin(core.Instant)                   {}
func (*classed) Answered(core.Instant, core.Sample)   { panic("without a class") }
func (*classed) End(core.Instant, core.Sample)        { panic("without a class") }
func (c *classed) AnsweredOf(class uint8, _ core.Instant, _ core.Sample) {
	c.heard = append(c.heard, class)
}
func (c *classed) EndOf(class uint8, _ core.Instant, _ core.Sample) { c.heard = append(c.heard, class) }

// An estimator that tells classes apart hears of the class asked for, at both ends.
func TestLeaseClass(t *testing.T) {
	c := &classed{}
	r := core.NewRouter(core.Config{
		Picker: inOrder{}, Driver: core.Driver{Source: rand.NewPCG(1, 2)},
		Equip: func(*core.Member) core.Parts { return core.Parts{Estimator: c} },
	})
	if err := r.Update(0, []core.Endpoint{{Key: "a", Weight: 1}}); err != nil {
		t.Fatal(err)
	}
	l := new(core.Lease)
	for _, class := range []uint8{7, 0} {
		if !r.Begin(0, &core.Ask{Class: class}, l) {
			t.Fatal("begin: got no lease")
		}
		l.Answered(ms, core.Sample{})
		l.Settle(ms, core.Sample{})
	}
	if diff := cmp.Diff([]uint8{7, 7, 0, 0}, c.heard); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLeasePendingAndLive(t *testing.T) {
	p := newPool(t, core.Config{}, "a")
	m := p.member("a")
	check := func(when string, l *core.Lease, live bool, pending int) {
		t.Helper()
		if l.Live() != live || m.Pending() != pending {
			t.Errorf("%s: live %v, pending %d, want %v, %d", when, l.Live(), m.Pending(), live, pending)
		}
	}
	check("never given", new(core.Lease), false, 0)
	l := p.begin(t, 5)
	check("given", l, true, 1)
	if l.Member() != m || l.Began() != 5 {
		t.Errorf("lease: got %v at %v, want a at 5", l.Member().Key, l.Began())
	}
	second := p.begin(t, 6)
	check("the second", second, true, 2)
	l.Answered(7, outcome(core.Success))
	check("answered", l, true, 2)
	l.Settle(8, outcome(core.Success))
	check("settled", l, false, 1)
	second.Settle(9, outcome(core.Abandoned))
	check("all settled", second, false, 0)
	if got := m.Leases(); got != 2 {
		t.Errorf("leases in all: got %d, want 2", got)
	}
	if new(core.Lease).Settle(0, outcome(core.Success)) {
		t.Error("settle of a lease never given: got true, want false")
	}
}

// atomicGate counts what it hears, and may hear it from anywhere.
type atomicGate struct{ acquired, released, answered, settled atomic.Int64 }

func (g *atomicGate) Peek(core.Instant) core.Verdict { return core.Ready }
func (g *atomicGate) Acquire(core.Instant, bool) (core.Permit, bool) {
	g.acquired.Add(1)
	return 0, true
}
func (g *atomicGate) Release(core.Permit, core.Instant)               { g.released.Add(1) }
func (g *atomicGate) Answered(core.Permit, core.Instant, core.Sample) { g.answered.Add(1) }
func (g *atomicGate) Settle(core.Permit, core.Instant, core.Sample)   { g.settled.Add(1) }

// The owner answers while several goroutines settle: one of them does.
func TestLeaseSettledOnceUnderRace(t *testing.T) {
	const rounds, settlers = 5000, 4
	g := &atomicGate{}
	p := newPool(t, core.Config{Equip: func(*core.Member) core.Parts {
		return core.Parts{Gates: []core.Gate{g}}
	}}, "a")
	for round := range rounds {
		l := p.begin(t, core.Instant(round))
		var won atomic.Int64
		var ready, wg sync.WaitGroup
		ready.Add(settlers)
		for range settlers {
			wg.Go(func() {
				ready.Done()
				ready.Wait()
				if l.Settle(core.Instant(round)+2, outcome(core.Abandoned)) {
					won.Add(1)
				}
			})
		}
		ready.Wait()
		l.Answered(core.Instant(round)+1, outcome(core.Success))
		wg.Wait()
		if got := won.Load(); got != 1 || l.Live() {
			t.Fatalf("round %d: settled by %d, live %v, want 1 and false", round, got, l.Live())
		}
		if got := p.pending(); got != 0 {
			t.Fatalf("round %d: pending %d, want 0", round, got)
		}
	}
	if got := g.settled.Load(); got != rounds {
		t.Errorf("settled at the gate: got %d, want %d", got, rounds)
	}
}
