package concurrency_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/adaptive/concurrency"
	"github.com/evenkeel/evenkeel/core"
)

// told is a core.Limiter that says what it is told to and writes down what it hears.
type told struct {
	limit    int
	heard    []core.Sample
	inFlight []int
}

func (l *told) Limit() int { return l.limit }
func (l *told) Learn(_ core.Instant, s core.Sample, inFlight int) {
	l.heard, l.inFlight = append(l.heard, s), append(l.inFlight, inFlight)
}
func (l *told) State() core.LimiterState { return core.NewLimiterState(float64(l.limit)) }

func TestGateLearns(t *testing.T) {
	l := &told{limit: 3}
	g := concurrency.NewGate(l, false)
	a, _ := g.Acquire(0, false)
	b, _ := g.Acquire(0, false)
	c, _ := g.Acquire(0, false)
	g.Answered(b, 0, answered(time.Second))
	g.Settle(b, 0, core.Sample{Outcome: core.Success, Told: true})
	g.Settle(c, 0, dropped(time.Second))
	g.Release(a, 0)
	if diff := cmp.Diff([]core.Sample{answered(time.Second), dropped(time.Second)}, l.heard); diff != "" {
		t.Errorf("the limiter heard (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{2, 3}, l.inFlight); diff != "" {
		t.Errorf("in flight at the start (-want +got):\n%s", diff)
	}
	if g.Limiter() != l {
		t.Errorf("limiter: got %v, want the one it was made with", g.Limiter())
	}
}

// Invariants, against a count: what Peek says Acquire does; nothing is acquired at or
// above the limit, forced or not; what was released or settled makes room. In a dry run
// everything is acquired, and the limiter hears the same.
func TestGateAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &told{limit: rapid.IntRange(1, 5).Draw(t, "limit")}
		dry := rapid.Bool().Draw(t, "dry")
		g := concurrency.NewGate(l, dry)
		var out []core.Permit
		t.Repeat(map[string]func(*rapid.T){
			"limit": func(t *rapid.T) { l.limit = rapid.IntRange(1, 5).Draw(t, "limit") },
			"acquire": func(t *rapid.T) {
				want := dry || len(out) < l.limit
				if got := g.Peek(0) == core.Ready; got != want {
					t.Fatalf("peek with %d of %d in flight: got ready %v, want %v", len(out), l.limit, got, want)
				}
				p, ok := g.Acquire(0, rapid.Bool().Draw(t, "forced"))
				if ok != want {
					t.Fatalf("acquire with %d of %d in flight: got %v, want %v", len(out), l.limit, ok, want)
				}
				if ok {
					if out = append(out, p); int(p) != len(out) {
						t.Fatalf("permit: got %d, want %d in flight", p, len(out))
					}
				}
			},
			"give back": func(t *rapid.T) {
				if len(out) == 0 {
					t.Skip("nothing is out")
				}
				if rapid.Bool().Draw(t, "used") {
					g.Settle(out[0], 0, answered(time.Second))
				} else {
					g.Release(out[0], 0)
				}
				out = out[1:]
			},
		})
	})
}

// Goroutines acquire and settle at once. Invariant: never more than the limit are in
// flight.
func TestGateUnderRace(t *testing.T) {
	const limit = 3
	f, err := concurrency.NewFixed(limit)
	if err != nil {
		t.Fatal(err)
	}
	g := concurrency.NewGate(f, false)
	var inside, most, got atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5000 {
				p, ok := g.Acquire(0, false)
				if !ok {
					continue
				}
				got.Add(1)
				n := inside.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				inside.Add(-1)
				g.Settle(p, 0, answered(time.Second))
			}
		})
	}
	wg.Wait()
	if most.Load() > limit || got.Load() == 0 {
		t.Errorf("got %d in, %d at once; want some, and at most %d", got.Load(), most.Load(), limit)
	}
	if v := g.Peek(0); v != core.Ready {
		t.Errorf("in the end: got %v, want ready", v)
	}
}

// Goroutines teach one limiter at once: nothing is lost to the race detector, and the
// limit stays in its bounds.
func TestLimitersUnderRace(t *testing.T) {
	for name, make := range moving {
		l := make(20)
		var clock atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 3000 {
					now := core.Instant(clock.Add(int64(ms)))
					l.Learn(now, answered(10*time.Millisecond), 20)
					if n := l.Limit(); n < 1 || n > 1000 {
						t.Errorf("%s: got a limit of %d", name, n)
					}
				}
			})
		}
		wg.Wait()
		if got := l.State(); int(got.Limit) != l.Limit() || l.Limit() <= 20 {
			t.Errorf("%s: got %+v and a limit of %d, want them equal and above 20", name, got, l.Limit())
		}
	}
}
