package p2c_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/evenkeel/evenkeel/adaptive/p2c"
	"github.com/evenkeel/evenkeel/core"
)

// cost is an estimator that says what it is told to.
type cost float64

func (c cost) Cost(core.Instant) float64          { return float64(c) }
func (cost) Latency(core.Instant) (float64, bool) { return 0, false }
func (cost) Begin(core.Instant)                   {}
func (cost) Answered(core.Instant, core.Sample)   {}
func (cost) End(core.Instant, core.Sample)        {}

func newRouter(t *testing.T, d int, costs map[string]float64, es ...core.Endpoint) *core.Router {
	t.Helper()
	return routerWith(t, p2c.New(p2c.Settings{Choices: d, MostChoices: d}), costs, es...)
}

func routerWith(t *testing.T, p core.Picker, costs map[string]float64, es ...core.Endpoint) *core.Router {
	t.Helper()
	r := core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)},
		Picker: p,
		Equip:  func(m *core.Member) core.Parts { return core.Parts{Estimator: cost(costs[m.Key])} },
	})
	if err := r.Update(0, es); err != nil {
		t.Fatal(err)
	}
	return r
}

// picked counts who gets so many attempts.
func picked(t *testing.T, r *core.Router, attempts int) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for range attempts {
		var l core.Lease
		if !r.Begin(0, &core.Ask{}, &l) {
			t.Fatal("begin: got no lease")
		}
		counts[l.Member().Key]++
		l.Settle(0, core.Sample{Outcome: core.Abandoned})
	}
	return counts
}

// Costs are per unit of weight: 3 s at weight 4 is less than 1 s at weight 1.
func TestCostPerWeight(t *testing.T) {
	r := newRouter(t, 2, map[string]float64{"a": 1, "b": 3}, core.Endpoint{Key: "a", Weight: 1}, core.Endpoint{Key: "b", Weight: 4})
	for slot, want := range []float64{1, 0.75} {
		if got := p2c.Cost(r.View().Members[slot], 0); got != want {
			t.Errorf("cost of member %d: got %v, want %v", slot, got, want)
		}
	}
	light := newRouter(t, 2, map[string]float64{"a": 1}, core.Endpoint{Key: "a", Weight: 0.5})
	if got := p2c.Cost(light.View().Members[0], 0); got != 2 {
		t.Errorf("cost of 1 s at weight 0.5: got %v, want 2", got)
	}
	if got := picked(t, r, 100)["b"]; got != 100 {
		t.Errorf("attempts at b: got %d of 100, want all", got)
	}
}

// Of four members with different costs, two of which are drawn, the k-th best wins
// against the worse ones only: 3, 2, 1 and 0 of the 6 pairs. The share p of N = 12,000
// attempts has a standard deviation of at most sqrt(N/4) = 55; six are 329.
func TestTheBetterOfTwoWins(t *testing.T) {
	r := newRouter(t, 2, map[string]float64{"a": 3, "b": 1, "c": 4, "d": 2},
		core.Endpoint{Key: "a", Weight: 1}, core.Endpoint{Key: "b", Weight: 1}, core.Endpoint{Key: "c", Weight: 1}, core.Endpoint{Key: "d", Weight: 1})
	const attempts = 12_000
	got := picked(t, r, attempts)
	for key, pairs := range map[string]int{"b": 3, "d": 2, "a": 1, "c": 0} {
		if want := attempts * pairs / 6; math.Abs(float64(got[key]-want)) > 329 {
			t.Errorf("attempts at %s: got %d, want %d ± 329", key, got[key], want)
		}
	}
	if got["c"] != 0 {
		t.Errorf("attempts at the worst: got %d, want 0", got["c"])
	}
}
