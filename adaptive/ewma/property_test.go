package ewma_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/adaptive/ewma"
	"github.com/evenkeel/evenkeel/core"
)

// outcomes are what an attempt can come to.
var outcomes = []core.Outcome{
	core.Success, core.ClientError, core.ServerError, core.Throttled, core.Timeout, core.ConnectFailure, core.Reset, core.Abandoned, core.Overtaken,
}

// Whatever the settings and the history: a cost is finite and at least 0, one more attempt
// pending never makes it less, a failure never lowers the estimate (where failures have a
// penalty), nor does one that was waited for in vain, and one that is abandoned changes nothing.
func TestCostProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		yes := rapid.Bool()
		settings := ewma.Settings{
			Decay:   time.Duration(rapid.Int64Range(1e6, 100e9).Draw(rt, "decay")),
			Samples: rapid.IntRange(0, 50).Draw(rt, "samples"),
			Near:    rapid.Float64Range(0, 0.9).Draw(rt, "near"),
			Penalty: time.Duration(rapid.SampledFrom([]int64{0, 1e6, 5e9}).Draw(rt, "penalty")),
			Aside:   yes.Draw(rt, "aside"),
			Peak:    yes.Draw(rt, "peak"), Age: yes.Draw(rt, "age"), Drift: yes.Draw(rt, "drift"), Seed: yes.Draw(rt, "seed"),
			Explore: time.Duration(rapid.SampledFrom([]int64{0, 1e6, 10e9}).Draw(rt, "explore")),
			Ramp:    time.Duration(rapid.SampledFrom([]int64{0, 10e9}).Draw(rt, "ramp")),
		}
		equip := func(m *core.Member) core.Estimator { return ewma.New(m, &settings) }
		if yes.Draw(rt, "classes") {
			classes := new(ewma.Classes)
			equip = func(m *core.Member) core.Estimator { return classes.Estimator(m, &settings) }
		}
		r := equipped(t, equip, "a", "b", "c")
		now := core.Instant(0)
		check := func(slot int) float64 {
			cost := r.member(slot).Cost(now)
			if !(cost >= 0) || math.IsInf(cost, 0) {
				rt.Fatalf("cost: got %v, want finite and at least 0", cost)
			}
			return cost
		}
		for range rapid.IntRange(1, 60).Draw(rt, "attempts") {
			now += core.Instant(rapid.Int64Range(0, 30e9).Draw(rt, "later"))
			slot := rapid.IntRange(0, 2).Draw(rt, "slot")
			r.begin(t, now, slot).Settle(now, core.Sample{Outcome: core.Abandoned}) // the survey
			idle := check(slot)
			l := new(core.Lease)
			if !r.Begin(now, &core.Ask{Class: rapid.Uint8Range(0, 20).Draw(rt, "class")}, l) {
				rt.Fatal("begin: got no lease")
			}
			if busy := check(slot); busy < idle {
				rt.Fatalf("cost with one pending: got %v, want at least the %v without", busy, idle)
			}
			now += core.Instant(rapid.Int64Range(0, 10e9).Draw(rt, "took"))
			o := rapid.SampledFrom(outcomes).Draw(rt, "outcome")
			before, known := r.member(slot).Latency(now)
			answered := o != core.Overtaken && yes.Draw(rt, "answered")
			if answered {
				l.Answered(now, core.Sample{Outcome: o})
			}
			waited := yes.Draw(rt, "waited")
			if waited {
				l.Waited(now)
			}
			l.Settle(now, core.Sample{Outcome: o})
			after, _ := r.member(slot).Latency(now)
			switch {
			case o == core.Abandoned && (answered || !waited || before == 0) && after != before:
				rt.Fatalf("estimate after an abandoned attempt: got %v, want the %v before", after, before)
			case o == core.Abandoned && after < before*(1-1e-6):
				rt.Fatalf("estimate after an abandoned attempt: got %v, want at least the %v before", after, before)
			case o.Failed() && settings.Penalty > 0 && known && after < before*(1-1e-6):
				rt.Fatalf("estimate after a failure: got %v, want at least the %v before", after, before)
			}
		}
	})
}

// Fifteen who learn at once lose no sample: the estimate is the mean of all.
func TestConcurrentLearners(t *testing.T) {
	r := newRig(t, "a")
	for range 300 {
		e := ewma.New(r.member(0), &classic)
		var wg sync.WaitGroup
		for i := range 15 {
			wg.Go(func() {
				e.Begin(0)
				e.Cost(0)
				e.Answered(0, core.Sample{FirstAnswer: time.Duration(i+1) * time.Second})
				e.End(0, core.Sample{FirstAnswer: time.Duration(i+1) * time.Second, Told: true})
			})
		}
		wg.Wait()
		got, _ := e.Latency(0)
		exactly(t, "mean of 1 to 15", got, 8)
		exactly(t, "cost an hour later, nothing owed", e.Cost(3600*sec), 8)
	}
}
