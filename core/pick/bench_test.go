package pick_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// bench runs a benchmark for every strategy over members of weights 1 to 5.
func bench(b *testing.B, sizes []int, run func(b *testing.B, p pool, weights []float64)) {
	for _, s := range []struct {
		name   string
		picker func() core.Picker
	}{
		{"round-robin", func() core.Picker { return &pick.RoundRobin{} }},
		{"weighted-round-robin", func() core.Picker { return &pick.WeightedRoundRobin{} }},
		{"random", func() core.Picker { return pick.Random{} }},
		{"least-requests", func() core.Picker { return pick.LeastRequests() }},
		{"p2c-least-requests", func() core.Picker { return pick.NewChoices(2, pick.Load) }},
		{"consistent-hash", func() core.Picker { return &pick.Hash{Factor: 1.25} }},
		{"ip-hash", func() core.Picker { return &pick.Hash{} }},
	} {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/members=%d", s.name, n), func(b *testing.B) {
				weights := make([]float64, n)
				for i := range weights {
					weights[i] = float64(1 + i%5)
				}
				p := newPool(b, s.picker(), ready(n)...)
				p.weigh(b, weights...)
				b.ReportAllocs()
				run(b, p, weights)
			})
		}
	}
}

var sizes = []int{2, 10, 100, 1000}

func BenchmarkPick(b *testing.B) {
	bench(b, sizes, func(b *testing.B, p pool, _ []float64) {
		var ask core.Ask
		for b.Loop() {
			ask.Key++
			p.pick(&ask)
		}
	})
}

func BenchmarkPickParallel(b *testing.B) {
	bench(b, sizes, func(b *testing.B, p pool, _ []float64) {
		b.RunParallel(func(pb *testing.PB) {
			mine := pool{p.Router, p.picker, rand.NewPCG(rand.Uint64(), 0)}
			var ask core.Ask
			for pb.Next() {
				ask.Key++
				mine.pick(&ask)
			}
		})
	})
}

// BenchmarkUpdate is a change of one weight.
func BenchmarkUpdate(b *testing.B) {
	bench(b, []int{10, 1000, 5000}, func(b *testing.B, p pool, weights []float64) {
		es := make([]core.Endpoint, len(weights))
		for i, w := range weights {
			es[i] = core.Endpoint{Key: fmt.Sprint(i), Weight: w}
		}
		for i := 0; b.Loop(); i++ {
			es[len(es)/2].Weight = float64(1 + i%2)
			if err := p.Update(0, es); err != nil {
				b.Fatal(err)
			}
		}
	})
}
