package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/sim"
)

// BenchmarkRun plays a fleet at 70 % load, breakers on, without keeping records, and says
// how many requests it gets done in a second of one core.
func BenchmarkRun(b *testing.B) {
	for _, n := range []int{10, 1000} {
		for _, subject := range []string{"round-robin", "least-requests", "p2c-least-requests", "p2c-ewma"} {
			if subject == "least-requests" && n > 10 {
				continue // a full scan for each request
			}
			b.Run(fmt.Sprintf("%s/n=%d", subject, n), func(b *testing.B) {
				s := scenario.Default()
				s.Name, s.Arrivals.Load, s.Servers.Count = "bench", 0.7, n
				s.WarmUp, s.Duration = 0, time.Duration(280_000/s.Rate()*float64(time.Second))
				which, err := s.Subject(subject)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				requests := 0
				for b.Loop() {
					if _, err := sim.Run(b.Context(), &s, which, 1, func(record.Request) { requests++ }); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(requests)/b.Elapsed().Seconds(), "requests/s")
			})
		}
	}
}

// BenchmarkManyProxies plays a million requests through a hundred proxies, each with its own
// view of a thousand endpoints.
func BenchmarkManyProxies(b *testing.B) {
	for _, subject := range []string{"round-robin", "p2c-least-requests", "p2c-ewma"} {
		b.Run(subject, func(b *testing.B) {
			s := scenario.Default()
			s.Name, s.Arrivals.Load, s.Servers.Count, s.Proxies = "bench", 0.7, 1000, 100
			s.WarmUp, s.Duration = 0, time.Duration(1e6/s.Rate()*float64(time.Second))
			which, err := s.Subject(subject)
			if err != nil {
				b.Fatal(err)
			}
			requests := 0
			for b.Loop() {
				if _, err := sim.Run(b.Context(), &s, which, 1, func(record.Request) { requests++ }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(requests)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}
