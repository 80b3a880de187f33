package pick_test

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// Whoever asks why is given what he would have been given without asking, though that is
// found out another way: whatever the verdicts, the scores, equal ones among them, and
// how many are drawn.
func TestWhyChangesNothing(t *testing.T) {
	verdict := rapid.SampledFrom([]core.Verdict{core.Ready, core.Ready, core.Ready, core.Probing, core.Barred, core.Full})
	rapid.Check(t, func(rt *rapid.T) {
		verdicts := rapid.SliceOfN(verdict, 1, 20).Draw(rt, "verdicts")
		scores := rapid.SliceOfN(rapid.IntRange(-1, 3), len(verdicts), len(verdicts)).Draw(rt, "scores")
		var members []*core.Member
		score := func(m *core.Member, _ core.Instant) float64 {
			for slot := range members {
				if members[slot] == m {
					return float64(scores[slot])
				}
			}
			panic("a stranger")
		}
		d := rapid.IntRange(2, 5).Draw(rt, "draws")
		most := rapid.IntRange(d, pick.MaxChoices).Draw(rt, "most")
		enough := float64(rapid.IntRange(-2, 3).Draw(rt, "enough"))
		p := newPool(t, pick.NewChoices(d, score), verdicts...)
		members = p.View().Members
		seed := rapid.Uint64().Draw(rt, "seed")
		again := rapid.Bool().Draw(rt, "again")
		for name, scan := range map[string]bool{"some": false, "all": true} {
			picks := func(why *core.Decision) (got [6]core.Choice) {
				src, draws := rand.NewPCG(seed, 1), pick.NewChoices(d, score)
				for i := range got {
					a := core.Ask{Why: why}
					if again {
						a.Tried[0] = members[0]
					}
					var ok bool
					if scan {
						got[i], ok = pick.Scan{Score: score}.Pick(p.View(), &a, 0, src)
					} else {
						got[i], ok = draws.Draw(p.View(), &a, 0, src, most, enough)
					}
					if !ok {
						got[i].Slot = -1
					}
				}
				return got
			}
			if plain, told := picks(nil), picks(new(core.Decision)); told != plain {
				rt.Fatalf("%s: got %v without asking why, %v with", name, plain, told)
			}
		}
	})
}

// Of equals each of those drawn is as likely as any other, be they drawn in pairs or more.
func TestEqualsAmongTheDrawn(t *testing.T) {
	const members, picks = 5, 50_000
	equals := func(m *core.Member, _ core.Instant) float64 {
		if m.Key == "4" {
			return 2
		}
		return 1
	}
	for _, d := range []int{2, 3} {
		p := newPool(t, pick.NewChoices(d, equals), ready(members)...)
		got := counted(members, p.picks(picks))
		if got[4] != 0 {
			t.Errorf("%d drawn: the worst was taken %d times", d, got[4])
		}
		// Four standard deviations of a binomial count with p = 1/4 are 4·√(3/16·50000) = 387.
		for slot, n := range got[:4] {
			if n < picks/4-387 || n > picks/4+387 {
				t.Errorf("%d drawn: slot %d was taken %d times of %d", d, slot, n, picks)
			}
		}
	}
}

// counting is a source that counts what is drawn from it.
type counting struct {
	rand.Source
	drawn int
}

func (c *counting) Uint64() uint64 { c.drawn++; return c.Source.Uint64() }

// What is drawn from a source is for whom to look at, several from each number, as long as
// 32 bits of it are left; and there are no lots besides: equals came in an order of chance.
func TestDrawsTakeFewNumbers(t *testing.T) {
	equals := func(*core.Member, core.Instant) float64 { return 1 }
	for _, c := range []struct{ members, draws, want int }{
		{10, 2, 1}, {10, 5, 1}, {10, 9, 1}, {1000, 2, 1}, {1000, 3, 1}, {1000, 4, 2}, {1000, 7, 3},
	} {
		p := newPool(t, pick.NewChoices(c.draws, equals), ready(c.members)...)
		src := &counting{Source: rand.NewPCG(1, 2)}
		for range 10 {
			p.picker.Pick(p.View(), &core.Ask{}, 0, src)
		}
		if src.drawn != 10*c.want {
			t.Errorf("%d draws of %d: took %d numbers for 10 decisions, want %d", c.draws, c.members, src.drawn, 10*c.want)
		}
	}
}
