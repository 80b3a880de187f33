package pick_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/evenkeel/evenkeel/core"
)

// gate says what it is told to.
type gate struct{ verdict core.Verdict }

func (g *gate) Peek(core.Instant) core.Verdict { return g.verdict }
func (g *gate) Acquire(_ core.Instant, forced bool) (core.Permit, bool) {
	return 0, g.verdict.Open() || forced && g.verdict == core.Barred
}
func (*gate) Release(core.Permit, core.Instant)               {}
func (*gate) Answered(core.Permit, core.Instant, core.Sample) {}
func (*gate) Settle(core.Permit, core.Instant, core.Sample)   {}

// pool is a router over members 0, 1, 2 ... with the verdicts given.
type pool struct {
	*core.Router
	picker core.Picker
	src    rand.Source
}

func newPool(t testing.TB, picker core.Picker, verdicts ...core.Verdict) pool {
	t.Helper()
	src := rand.NewPCG(1, 2)
	slot := 0
	r := core.NewRouter(core.Config{
		Driver: core.Driver{Source: src},
		Picker: picker,
		Equip: func(*core.Member) core.Parts {
			g := &gate{}
			if slot < len(verdicts) { // who comes later is ready
				g.verdict = verdicts[slot]
			}
			slot++
			return core.Parts{Gates: []core.Gate{g}}
		},
	})
	var es []core.Endpoint
	for i, v := range verdicts {
		e := core.Endpoint{Key: fmt.Sprint(i), Weight: 1}
		if v == core.Drained {
			e.Weight = 0
		}
		es = append(es, e)
	}
	if err := r.Update(0, es); err != nil {
		t.Fatal(err)
	}
	return pool{r, picker, src}
}

// ready is n verdicts of ready.
func ready(n int) []core.Verdict { return make([]core.Verdict, n) }

// pick picks a slot for an ask; -1 for none.
func (p pool) pick(a *core.Ask) int {
	c, ok := p.picker.Pick(p.View(), a, 0, p.src)
	if !ok {
		return -1
	}
	return c.Slot
}

// picks are the slots of so many first attempts.
func (p pool) picks(n int) []int {
	var slots []int
	for range n {
		slots = append(slots, p.pick(&core.Ask{}))
	}
	return slots
}

// weighed is newPool with these weights, everybody being ready.
func weighed(t testing.TB, picker core.Picker, weights ...float64) pool {
	t.Helper()
	p := newPool(t, picker, ready(len(weights))...)
	p.weigh(t, weights...)
	return p
}

// weigh gives the members new weights.
func (p pool) weigh(t testing.TB, weights ...float64) {
	t.Helper()
	var es []core.Endpoint
	for i, w := range weights {
		es = append(es, core.Endpoint{Key: fmt.Sprint(i), Weight: w})
	}
	if err := p.Update(0, es); err != nil {
		t.Fatal(err)
	}
}

// counted counts slots by member; what is below zero is nobody.
func counted(members int, slots []int) []int {
	counts := make([]int, members)
	for _, s := range slots {
		if s >= 0 {
			counts[s]++
		}
	}
	return counts
}
