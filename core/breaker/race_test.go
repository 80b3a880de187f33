package breaker_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/breaker"
)

// Goroutines ask a half-open breaker for probes at once, and give them back
// undecided. Invariant: never more than its quota are out.
func TestQuotaUnderRace(t *testing.T) {
	const goroutines, rounds, quota = 8, 3000, 3
	r := newRig(t, by(func(s *breaker.Settings) { s.Quota, s.ProbeTimeout = quota, time.Hour }))
	r.run(t, opened(0))
	var out, most, let atomic.Int64
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for round := range rounds {
				p, ok := r.Acquire(sec, false)
				if !ok {
					continue
				}
				n := out.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				let.Add(1)
				out.Add(-1)
				if (g+round)%2 == 0 {
					r.Release(p, sec)
				} else {
					r.Settle(p, sec, core.Sample{Outcome: core.Abandoned})
				}
			}
		})
	}
	wg.Wait()
	if got := most.Load(); got > quota || let.Load() == 0 {
		t.Errorf("probes out at once: got %d of %d, want at most %d", got, let.Load(), quota)
	}
	for i := range quota { // every place is free again, and there is no other
		if _, ok := r.Acquire(sec, false); !ok {
			t.Fatalf("probe %d afterwards: got none", i)
		}
	}
	if _, ok := r.Acquire(sec, false); ok {
		t.Error("one probe more than the quota: got it")
	}
	if len(r.turns) != 2 {
		t.Errorf("turns: got %v, want two", r.turns)
	}
}

// Goroutines take the probes of a half-open breaker until they are refused. Invariant:
// they get its quota, to the one.
func TestLargestQuotaUnderRace(t *testing.T) {
	const goroutines, rounds = 4, 2000
	for round := range rounds {
		r := newRig(t, by(func(s *breaker.Settings) { s.Quota = breaker.MaxQuota }))
		r.run(t, opened(0))
		var got atomic.Int64
		var ready, wg sync.WaitGroup
		ready.Add(goroutines)
		for range goroutines {
			wg.Go(func() {
				ready.Done()
				ready.Wait()
				for {
					if _, ok := r.Acquire(sec, false); !ok {
						return
					}
					if got.Add(1) > breaker.MaxQuota {
						return
					}
				}
			})
		}
		wg.Wait()
		if got := got.Load(); got != breaker.MaxQuota {
			t.Fatalf("round %d: got %d probes, want %d", round, got, breaker.MaxQuota)
		}
	}
}

// Everything at once, with time passing. Invariant: the turns that are heard are a
// multiset of which the steps join up: as many out of every state as into it, but for
// where it began and ended.
func TestTurnsUnderRace(t *testing.T) {
	const goroutines, rounds = 6, 4000
	var into, outOf [core.States]atomic.Int64
	s := by(func(s *breaker.Settings) {
		s.OpenFor, s.MaxOpenFor, s.ProbeTimeout = time.Millisecond, 2*time.Millisecond, time.Millisecond
	})
	b, err := breaker.New(s, core.NewKey(1), func(_ core.Instant, from, to core.State) {
		outOf[from].Add(1)
		into[to].Add(1)
	})
	if err != nil {
		t.Fatal(err)
	}
	var clock atomic.Int64
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			key := core.NewKey(uint64(g))
			for range rounds {
				now := core.Instant(clock.Add(int64(50 * time.Microsecond)))
				chance := key.Uint64()
				p, ok := b.Acquire(now, chance%16 == 0)
				if !ok {
					continue
				}
				o := core.Outcome(chance >> 8 % uint64(core.Outcomes))
				if chance>>16%2 == 0 {
					o = core.Success
				}
				b.Settle(p, now+1, core.Sample{Outcome: o})
			}
		})
	}
	wg.Wait()
	end := core.State(core.Closed)
	for state := range core.States {
		want := into[state].Load()
		if core.State(state) == core.Closed {
			want++ // it began there
		}
		switch left := want - outOf[state].Load(); left {
		case 0:
		case 1:
			end = core.State(state)
		default:
			t.Errorf("%v: entered %d times, left %d times", core.State(state), want, outOf[state].Load())
		}
	}
	if into[core.Open].Load() < 10 {
		t.Errorf("opened: got %d times, want many", into[core.Open].Load())
	}
	// At the instant of its last change nothing has timed out yet.
	if got := b.State(0); got != end {
		t.Errorf("state in the end: got %v, want %v", got, end)
	}
}
