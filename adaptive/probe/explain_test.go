package probe

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
	"pgregory.net/rapid"
)

// told is an estimator that explains its cost and knows how much its answers vary.
type told struct{ silent }

func (told) Cost(core.Instant) float64 { return 0.25 }
func (told) Variation() float64        { return 0.5 }
func (told) Explain(core.Instant) core.CostParts {
	return core.CostParts{Cost: 0.25, Latency: 0.125, Ramp: 1, Strain: 1, Known: true}
}

// A strain on an estimator takes nothing from what that can say.
func TestStrainExplains(t *testing.T) {
	r := newRig(t, 1, NewChoices(2), func(m *core.Member) core.Estimator { return NewStrain(m, told{}) })
	r.reports(0, load(-1, 0.5, -1, -1, -1))
	want := core.CostParts{Cost: 0.375, Latency: 0.125, Ramp: 1, Strain: 1.5, Known: true}
	if got, ok := r.member(0).Explain(r.now); !ok || got != want {
		t.Errorf("got %+v, %v, want %+v", got, ok, want)
	}
	if got := NewStrain(r.member(0), told{}).Variation(); got != 0.5 {
		t.Errorf("variation: got %v, want 0.5", got)
	}
	plain := NewStrain(r.member(0), NewCounts(r.member(0)))
	if got, want := plain.Explain(r.now), (core.CostParts{Cost: 1, Strain: 1}); got != want {
		t.Errorf("on one that cannot tell: got %+v, want %+v", got, want)
	}
	if got := plain.Variation(); got != 1 {
		t.Errorf("variation of one that cannot tell: got %v, want 1", got)
	}
}

func TestCubicExplains(t *testing.T) {
	r := newRig(t, 1, &pick.RoundRobin{}, func(m *core.Member) core.Estimator {
		return NewCubic(m, CubicSettings{Proxies: 1, Smoothing: 0.5})
	})
	explains := func(want core.CostParts) {
		t.Helper()
		if got, ok := r.member(0).Explain(r.now); !ok || got != want {
			t.Errorf("got %+v, %v, want %+v", got, ok, want)
		}
	}
	explains(core.CostParts{Cost: nominal, Ramp: 1, Strain: 1})
	r.member(0).Estimator().Answered(r.now, answered(250*time.Millisecond, core.LoadReport{}))
	r.now += sec
	explains(core.CostParts{Cost: 0.25, Estimate: 0.25, Latency: 0.25, Idle: 1, Ramp: 1, Strain: 1, Known: true, Fresh: true})
}

// Whatever endpoints report, a cost is a number, at least 0 and finite: one that is none
// would neither win nor lose against any.
func TestCostsAreNumbers(t *testing.T) {
	what := rapid.OneOf(rapid.Float64Range(0, 1), rapid.Float64Range(0, math.MaxFloat64), rapid.SampledFrom([]float64{-1, 0, 5e-324, 1e-300, 1e300, math.MaxFloat64}))
	for name, estimator := range map[string]func(*core.Member) core.Estimator{
		"cubic":  func(m *core.Member) core.Estimator { return NewCubic(m, CubicSettings{Proxies: 10, Smoothing: 0.3}) },
		"counts": func(m *core.Member) core.Estimator { return NewCounts(m) },
		"strain": func(m *core.Member) core.Estimator {
			return NewStrain(m, NewCubic(m, CubicSettings{Proxies: 1, Smoothing: 1}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				r := newRig(t, 3, &pick.RoundRobin{}, estimator)
				for range rapid.IntRange(1, 20).Draw(rt, "answers") {
					r.now += core.Instant(rapid.Int64Range(0, int64(2*time.Second)).Draw(rt, "passes"))
					took := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(rt, "took"))
					x := answered(took, load(what.Draw(rt, "in flight"), what.Draw(rt, "utilization"), what.Draw(rt, "latency"), -1, -1))
					l := r.begin(&core.Ask{})
					l.Member().Estimator().Answered(r.now, x)
					if rapid.Bool().Draw(rt, "ends") {
						l.Settle(r.now, core.Sample{Outcome: core.Abandoned})
					}
					for i := range 3 {
						if cost := r.member(i).Cost(r.now); !(cost >= 0 && cost <= math.MaxFloat64) {
							rt.Fatalf("the cost of %d is %v", i, cost)
						}
					}
				}
			})
		})
	}
}
