package ewma

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

// chosen is a picker that takes the slot it is told.
type chosen struct{ slot int }

func (c *chosen) Pick(*core.View, *core.Ask, core.Instant, rand.Source) (core.Choice, bool) {
	return core.Choice{Slot: c.slot}, true
}

// settings draws any guards, each on or off.
func settings(t *rapid.T) Settings {
	return Settings{
		Decay:   time.Duration(rapid.IntRange(1, 20_000).Draw(t, "decay ms")) * time.Millisecond,
		Samples: rapid.SampledFrom([]int{0, 20}).Draw(t, "samples"),
		Near:    rapid.SampledFrom([]float64{0, 0.1, 0.5}).Draw(t, "near"),
		Outlier: rapid.SampledFrom([]float64{0, 1, 4}).Draw(t, "outlier"),
		Grace:   rapid.SampledFrom([]float64{0, 4}).Draw(t, "grace"),
		Penalty: rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(t, "penalty"),
		Aside:   rapid.Bool().Draw(t, "aside"),
		Peak:    rapid.Bool().Draw(t, "peak"),
		Age:     rapid.Bool().Draw(t, "age"),
		Drift:   rapid.Bool().Draw(t, "drift"),
		Explore: rapid.SampledFrom([]time.Duration{0, time.Second, 30 * time.Second}).Draw(t, "explore"),
		Seed:    rapid.Bool().Draw(t, "seed"),
		Ramp:    rapid.SampledFrom([]time.Duration{0, 30 * time.Second}).Draw(t, "ramp"),
	}
}

// Invariant: whatever has happened, Explain's cost is Cost's, and its parts make it up.
func TestExplainIsCost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := settings(t)
		picker := &chosen{}
		r := core.NewRouter(core.Config{
			Driver: core.Driver{Source: rand.NewPCG(1, 2)}, Picker: picker,
			Equip: func(m *core.Member) core.Parts { return core.Parts{Estimator: New(m, &s)} },
		})
		if err := r.Update(0, []core.Endpoint{{Key: "a", Weight: 1}, {Key: "b", Weight: 1}, {Key: "c", Weight: 1}}); err != nil {
			t.Fatal(err)
		}
		now := core.Instant(0)
		var under []*core.Lease
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 5e9).Draw(t, "later")))
			if picker.slot = rapid.IntRange(-1, 2).Draw(t, "member"); picker.slot >= 0 {
				l := new(core.Lease)
				if !r.Begin(now, &core.Ask{}, l) {
					t.Fatal("begin: got no lease")
				}
				under = append(under, l)
			} else if len(under) > 0 {
				i := rapid.IntRange(0, len(under)-1).Draw(t, "lease")
				o := rapid.SampledFrom([]core.Outcome{core.Success, core.ServerError, core.Abandoned}).Draw(t, "outcome")
				under[i].Answered(now, core.Sample{Outcome: o})
				under[i].Settle(now, core.Sample{Outcome: o})
			}
			for _, m := range r.View().Members {
				check(t, m, now)
			}
		}
	})
}

func check(t *rapid.T, m *core.Member, now core.Instant) {
	cost := m.Cost(now)
	p, ok := m.Explain(now)
	if !ok || p.Cost != cost {
		t.Fatalf("%s: explained (%v) as %v, costs %v", m.Key, ok, p.Cost, cost)
	}
	latency, fresh := m.Latency(now)
	if fresh != p.Fresh || p.Known != (latency > 0) {
		t.Fatalf("%s: fresh %v, known %v; latency is %v, fresh %v", m.Key, p.Fresh, p.Known, latency, fresh)
	}
	if !p.Known || cost == 0 { // or it is neglected
		return
	}
	if made := max(p.Latency, p.Silence, p.Aside) * float64(m.Pending()+1) / p.Ramp; math.Abs(made-cost) > 1e-9*cost {
		t.Fatalf("%s: the parts %+v make %v, costs %v", m.Key, p, made, cost)
	}
}

// Each part, in a pool where they all differ.
func TestExplainParts(t *testing.T) {
	const sec = core.Instant(time.Second)
	picker := &chosen{}
	r := core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)}, Picker: picker,
		Equip: func(m *core.Member) core.Parts {
			return core.Parts{Estimator: New(m, &Settings{Decay: 10 * time.Second, Age: true, Drift: true, Seed: true, Ramp: 40 * time.Second})}
		},
	})
	if err := r.Update(0, []core.Endpoint{{Key: "slow", Weight: 1}, {Key: "fast", Weight: 1}, {Key: "like it", Weight: 1}, {Key: "new", Weight: 1}}); err != nil {
		t.Fatal(err)
	}
	begin := func(at core.Instant, slot int) *core.Lease {
		picker.slot = slot
		l := new(core.Lease)
		if !r.Begin(at, &core.Ask{}, l) {
			t.Fatal("begin: got no lease")
		}
		return l
	}
	ok := core.Sample{Outcome: core.Success}
	for slot, took := range []core.Instant{4 * sec, sec, sec} {
		begin(4*sec-took, slot).Settle(4*sec, core.Sample{Outcome: core.Overtaken})
	}
	l := begin(4*sec, 1)
	l.Answered(5*sec, ok) // fast has had two samples, and is idle for 15 s
	l.Settle(5*sec, ok)
	begin(18*sec, 0)
	begin(18*sec, 0) // slow owes two for 2 s, and the median is that of now
	p, _ := r.View().Members[0].Explain(20 * sec)
	near := func(what string, got, want float64) {
		if math.Abs(got-want) > 1e-3*want {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	near("estimate", p.Estimate, 4)
	near("idle", p.Idle, 16)
	near("median", p.Median, 1)
	near("latency", p.Latency, 1+3*math.Exp(-1.6))
	near("silence", p.Silence, 2)
	near("ramp", p.Ramp, 0.1+0.9*20/40)
	near("cost", p.Cost, 3*2/p.Ramp)
	if !p.Known || !p.Fresh {
		t.Errorf("known %v, fresh %v, want both", p.Known, p.Fresh)
	}
	fresh, _ := r.View().Members[3].Explain(20 * sec)
	if want := (core.CostParts{Cost: fresh.Median, Median: fresh.Median, Ramp: p.Ramp, Strain: 1}); fresh != want || want.Median == 0 {
		t.Errorf("a new one: got %+v, want %+v", fresh, want)
	}
}
