package adaptive_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/evenkeel/evenkeel/adaptive"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
)

// runtimeSource draws like the proxy's: from the runtime, safe for concurrent use.
type runtimeSource struct{}

func (runtimeSource) Uint64() uint64 { return rand.Uint64() }

// worker makes attempts at one router, each 10 µs after the last, as under 100,000 a
// second; looks at the pool included.
type worker struct {
	*core.Router
	now      core.Instant
	ask      core.Ask
	lease    core.Lease
	adaptive int // decisions of the strategy's own, not of the fallback
}

// attempt is pick, acquire, answer and settle. Each member has a latency of its own,
// 1 to 7 ms, its target, so that the signal is not flat.
func (w *worker) attempt(b *testing.B) {
	w.now += 10_000
	w.ask.Key++
	if !w.Begin(w.now, &w.ask, &w.lease) {
		b.Fatal("begin: got no lease")
	}
	if w.lease.Choice().Mode == core.Adaptive {
		w.adaptive++
	}
	answered := w.now + core.Instant(w.lease.Member().Target.(uint8))*ms
	s := core.Sample{Outcome: core.Success}
	w.lease.Answered(answered, s)
	w.lease.Settle(answered, s)
}

// warm has all members answer, and then goes on at the rate that is measured for a second,
// so that each is known as well as it ever is; it returns when that was.
func warm(b *testing.B, r *core.Router, n int) core.Instant {
	w := worker{Router: r}
	for range 3 * n {
		w.now += 3 * sec / core.Instant(n)
		w.attempt(b)
	}
	for range 100_000 {
		w.attempt(b)
	}
	return w.now
}

// benchmarked runs a benchmark for every strategy and the sizes that are compared, over
// members that are known. The benchmark goes on where the last round of it
// ended, and returns how many of its attempts were decided by the strategy itself.
func benchmarked(b *testing.B, run func(b *testing.B, r *core.Router, clock *atomic.Int64) int) {
	for _, name := range config.Strategies {
		for _, n := range []int{2, 10, 100, 1000} {
			p := config.DefaultPolicies()
			p.Strategy = config.NewStrategy(name)
			r, err := adaptive.Build(p, core.Driver{Source: runtimeSource{}})
			if err != nil {
				b.Fatal(err)
			}
			es := numbered(n)
			for i := range es {
				es[i].Target = uint8(1 + i%7)
			}
			if err := r.Update(0, es); err != nil {
				b.Fatal(err)
			}
			var clock atomic.Int64
			b.Run(fmt.Sprintf("%s/members=%d", name, n), func(b *testing.B) {
				if clock.Load() == 0 {
					clock.Store(int64(warm(b, r, n)))
				}
				b.ReportAllocs()
				b.ResetTimer()
				adaptive := run(b, r, &clock)
				b.ReportMetric(float64(adaptive)/float64(b.N), "adaptive/op")
			})
		}
	}
}

func BenchmarkAttempt(b *testing.B) {
	benchmarked(b, func(b *testing.B, r *core.Router, clock *atomic.Int64) int {
		w := worker{Router: r, now: core.Instant(clock.Load())}
		for b.Loop() {
			w.attempt(b)
		}
		clock.Store(int64(w.now))
		return w.adaptive
	})
}

func BenchmarkAttemptParallel(b *testing.B) {
	benchmarked(b, func(b *testing.B, r *core.Router, clock *atomic.Int64) int {
		start := core.Instant(clock.Load())
		var adaptive atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			w := worker{Router: r, now: start}
			for pb.Next() {
				w.attempt(b)
			}
			adaptive.Add(int64(w.adaptive))
			clock.Store(max(clock.Load(), int64(w.now)))
		})
		return int(adaptive.Load())
	})
}

// BenchmarkUpdate is a change of one endpoint of so many: its weight, or another in its
// place. Under health checks, whose schedule changes, too.
func BenchmarkUpdate(b *testing.B) {
	for _, name := range config.Strategies {
		for _, change := range []string{"weight", "endpoint"} {
			for _, checked := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/members=5000/change=%s/health=%v", name, change, checked), func(b *testing.B) {
					p := config.DefaultPolicies()
					p.Strategy = config.NewStrategy(name)
					if checked {
						p.Health = new(config.Health)
						p.Health.Defaults()
					}
					r, err := adaptive.Build(p, core.Driver{Source: runtimeSource{}})
					if err != nil {
						b.Fatal(err)
					}
					es := numbered(5000)
					if err := r.Update(0, es); err != nil {
						b.Fatal(err)
					}
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						if change == "weight" {
							es[2500].Weight = float64(1 + i%2)
						} else {
							es[2500].Key = fmt.Sprint("other ", i%2)
						}
						if err := r.Update(0, es); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
