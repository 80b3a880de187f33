package breaker_test

import (
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/breaker"
)

// BenchmarkAttempt is what a breaker costs an attempt: asked, acquired, answered and
// settled, 10 µs after the one before. Of the failing ones every fourth fails, too few
// to open it.
func BenchmarkAttempt(b *testing.B) {
	s := by(func(s *breaker.Settings) { s.FailureRatio, s.Window, s.MinRequests = 0.5, 10*time.Second, 20 })
	for name, every := range map[string]int{"well": 0, "failing": 4} {
		b.Run(name, func(b *testing.B) {
			gates := []core.Gate{newRig(b, s).Breaker} // as a member has them
			now, i := core.Instant(0), 0
			b.ReportAllocs()
			for b.Loop() {
				i++
				now += 10_000
				o := core.Success
				if every > 0 && i%every == 0 {
					o = core.ServerError
				}
				g := gates[0]
				g.Peek(now)
				p, ok := g.Acquire(now, false)
				if !ok {
					b.Fatal("it has opened")
				}
				sample := core.Sample{Outcome: o, FirstAnswer: time.Millisecond, Total: time.Millisecond}
				g.Answered(p, now, sample)
				sample.Told = true
				g.Settle(p, now, sample)
			}
		})
	}
}
