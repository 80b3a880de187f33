package core_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/breaker"
	"github.com/evenkeel/evenkeel/core/pick"
)

// global is a source that is safe for concurrent use.
type global struct{ state atomic.Uint64 }

func (g *global) Uint64() uint64 {
	k := core.NewKey(g.state.Add(1))
	return k.Uint64()
}

// The pool changes while others begin, answer, fail, abandon and settle. Invariants:
// in the end nothing is pending at any member that ever was, and every attempt was
// settled once.
func TestRouterUnderRace(t *testing.T) {
	const goroutines, rounds = 6, 3000
	var mu sync.Mutex
	var members []*core.Member
	gates := &atomicGate{}
	r := core.NewRouter(core.Config{
		Driver: core.Driver{Source: &global{}},
		Picker: pick.NewChoices(2, pick.Load),
		Policy: core.Policy{Attempts: 3, Budget: core.NewBudget(0.5, 10)},
		Equip: func(m *core.Member) core.Parts {
			mu.Lock()
			defer mu.Unlock()
			members = append(members, m)
			b, err := breaker.New(breaker.Settings{
				ConsecutiveFailures: 3, Weights: breaker.DefaultWeights, OpenFor: time.Millisecond, MaxOpenFor: 4 * time.Millisecond, Quota: 2, ProbeTimeout: time.Millisecond,
			}, core.NewKey(1).At(core.Hash(m.Key)), m.Turned)
			if err != nil {
				panic(err)
			}
			return core.Parts{Gates: []core.Gate{gates, b}}
		},
	})
	var clock, leased atomic.Int64
	now := func() core.Instant { return core.Instant(clock.Add(10_000)) }

	var load, churn sync.WaitGroup
	done := make(chan struct{})
	if err := r.Update(now(), []core.Endpoint{{Key: "0", Weight: 1}}); err != nil { // or the load could be over before the first
		t.Fatal(err)
	}
	churn.Go(func() {
		key := core.NewKey(99)
		for {
			var es []core.Endpoint
			for i := range 6 {
				if w := key.Uint64() % 4; w > 0 {
					es = append(es, core.Endpoint{Key: fmt.Sprint(i), Weight: float64(w - 1)})
				}
			}
			if err := r.Update(now(), es); err != nil {
				t.Error(err)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for g := range goroutines {
		load.Go(func() {
			src := rand.NewPCG(7, uint64(g))
			var q core.Request
			for range rounds {
				q.Reset()
				leased.Add(drive(&q, r, src, now))
			}
		})
	}
	load.Wait()
	close(done)
	churn.Wait()

	var total uint64
	for _, m := range members {
		total += m.Leases()
		if got := m.Pending(); got != 0 {
			t.Errorf("pending at a member %s: got %d, want 0", m.Key, got)
		}
	}
	if want := uint64(leased.Load()); total != want || want == 0 {
		t.Errorf("leases: got %d, want %d, and some", total, want)
	}
	if got, want := gates.settled.Load()+gates.released.Load(), gates.acquired.Load(); got != want {
		t.Errorf("permits back: got %d, want %d", got, want)
	}
}

// drive takes a request to its end by chance and returns its attempts.
func drive(q *core.Request, r *core.Router, src rand.Source, now func() core.Instant) int64 {
	a := q.Start(now(), r, true)
	for a.Do == core.Try {
		switch src.Uint64() % 8 {
		case 0:
			a = q.Failed(now(), a.Attempt, outcome(core.ConnectFailure))
		case 1:
			a = q.Failed(now(), a.Attempt, outcome(core.Timeout))
		case 2:
			q.Abandon(now())
			return int64(q.Attempts())
		case 3:
			a = q.Answered(now(), a.Attempt, outcome(core.ServerError), true)
		default:
			a = q.Answered(now(), a.Attempt, outcome(core.Success), false)
		}
	}
	if a.Do == core.Deliver {
		q.Finished(now(), a.Attempt, outcome(core.Success))
	}
	return int64(q.Attempts())
}
