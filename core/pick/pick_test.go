package pick_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

const (
	R = core.Ready
	P = core.Probing
	F = core.Full
	B = core.Barred
	D = core.Drained
)

func TestRoundRobinTurns(t *testing.T) {
	cases := map[string]struct {
		verdicts []core.Verdict
		want     []int
	}{
		"three":                      {ready(3), []int{0, 1, 2, 0, 1, 2}},
		"no skew around the barred":  {[]core.Verdict{R, B, R}, []int{0, 2, 0, 2, 0, 2}},
		"two barred in a row":        {[]core.Verdict{R, B, B, R, R}, []int{0, 3, 4, 0, 3, 4, 0}},
		"the last is barred":         {[]core.Verdict{R, R, B}, []int{0, 1, 0, 1, 0}},
		"a probing one has its turn": {[]core.Verdict{R, P}, []int{0, 1, 0, 1}},
		"full and drained have none": {[]core.Verdict{F, R, D, R}, []int{1, 3, 1, 3}},
		"nobody":                     {[]core.Verdict{B, F, D}, []int{-1, -1}},
		"one":                        {ready(1), []int{0, 0}},
		"empty":                      {nil, []int{-1, -1}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, &pick.RoundRobin{}, c.verdicts...)
			if diff := cmp.Diff(c.want, p.picks(len(c.want))); diff != "" {
				t.Errorf("turns (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRoundRobinAgain(t *testing.T) {
	p := newPool(t, &pick.RoundRobin{}, P, R, R)
	again := func(slots ...int) *core.Ask {
		a := &core.Ask{}
		for i, s := range slots {
			a.Tried[i] = p.View().Members[s]
		}
		return a
	}
	for i, step := range []struct {
		ask  *core.Ask
		want int
	}{{again(1), 2}, {again(1), 2}, {again(2), 1}, {again(1, 2), 0}, {again(0, 1, 2), -1}} {
		if got := p.pick(step.ask); got != step.want {
			t.Errorf("retry %d: got %d, want %d", i, got, step.want)
		}
	}
}

func TestRoundRobinAnyone(t *testing.T) {
	var robin pick.RoundRobin
	p := newPool(t, &robin, B, F, R, D, P)
	var got []int
	for range 6 {
		slot, ok := robin.Anyone(p.View(), &core.Ask{}, 0)
		if !ok {
			slot = -1
		}
		got = append(got, slot)
	}
	if diff := cmp.Diff([]int{0, 2, 4, 0, 2, 4}, got); diff != "" {
		t.Errorf("anyone's turns (-want +got):\n%s", diff)
	}
	p = newPool(t, &robin, F, D)
	if slot, ok := robin.Anyone(p.View(), &core.Ask{}, 0); ok {
		t.Errorf("anyone of a full and a drained one: got %d, want nobody", slot)
	}
}

// Invariant: as many members as there are to draw are considered, and no one twice.
func TestDrawsAreDistinct(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n, d := rapid.IntRange(1, 40).Draw(rt, "members"), rapid.IntRange(2, pick.MaxChoices).Draw(rt, "draws")
		p := newPool(t, pick.NewChoices(d, pick.Load), ready(n)...)
		p.src = rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0)
		var why core.Decision
		slot := p.pick(&core.Ask{Why: &why})
		if want := min(n, d); why.Considered != want {
			rt.Fatalf("considered: got %d, want %d", why.Considered, want)
		}
		seen := map[*core.Member]bool{}
		for _, c := range why.Candidates[:why.Considered] {
			if seen[c.Member] {
				rt.Fatalf("drawn twice: %s", c.Member.Key)
			}
			seen[c.Member] = true
		}
		if !seen[p.View().Members[slot]] {
			rt.Fatalf("picked: got %d, want one of those drawn", slot)
		}
	})
}

// Every member is drawn in d of n decisions. The number of N = 20,000 decisions that
// draw one has a standard deviation of at most sqrt(N/4) = 71; six are 424, which
// chance passes in 2e-9 of the cases.
func TestDrawsAreUniform(t *testing.T) {
	const n, decisions = 20, 20_000
	for d := 2; d <= pick.MaxChoices; d++ {
		p := newPool(t, pick.NewChoices(d, pick.Load), ready(n)...)
		drawn := map[*core.Member]int{}
		for range decisions {
			var why core.Decision
			p.pick(&core.Ask{Why: &why})
			for _, c := range why.Candidates[:d] {
				drawn[c.Member]++
			}
		}
		for _, m := range p.View().Members {
			if got, want := drawn[m], decisions*d/n; math.Abs(float64(got-want)) > 424 {
				t.Errorf("d = %d, member %s: drawn %d times, want %d ± 424", d, m.Key, got, want)
			}
		}
	}
}

// The least pending per weight wins wherever it is looked at.
func TestLeastRequestsGoesByLoad(t *testing.T) {
	for name, picker := range map[string]core.Picker{"scan": pick.LeastRequests(), "choices of all": pick.NewChoices(3, pick.Load)} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, picker, R, R, R)
			es := []core.Endpoint{{Key: "0", Weight: 1}, {Key: "1", Weight: 2}, {Key: "2", Weight: 4}}
			if err := p.Update(0, es); err != nil {
				t.Fatal(err)
			}
			// (pending+1)/weight: seven attempts fill up to 1, 2 and 4 pending.
			for range 7 {
				var ask core.Ask
				if !p.Begin(0, &ask, new(core.Lease)) {
					t.Fatal("begin: got no lease")
				}
			}
			var got []int
			for _, m := range p.View().Members {
				got = append(got, m.Pending())
			}
			if diff := cmp.Diff([]int{1, 2, 4}, got); diff != "" {
				t.Errorf("pending (-want +got):\n%s", diff)
			}
		})
	}
}

// When nobody drawn may take it, one decision goes round robin over the others, and
// says so.
func TestChoicesFallBack(t *testing.T) {
	p := newPool(t, pick.NewChoices(2, pick.Load), B, B, B, B, R)
	for range 50 {
		var why core.Decision
		c, ok := p.picker.Pick(p.View(), &core.Ask{Why: &why}, 0, p.src)
		if !ok || c.Slot != 4 {
			t.Fatalf("picked: got %d (%v), want 4", c.Slot, ok)
		}
		first, second := why.Candidates[0].Verdict, why.Candidates[1].Verdict
		want := core.Choice{Slot: 4}
		if first == B && second == B {
			want.Mode, want.Reason = core.Fallback, core.BarredDraw
		}
		if c != want {
			t.Fatalf("choice after drawing %v and %v: got %v, want %v", first, second, c, want)
		}
	}
}

// Each of 7 cells expects N/7 = 10,000 of N = 70,000 draws, with a standard deviation
// of sqrt(N·1/7·6/7) = 92.6; six are 556.
func TestBelow(t *testing.T) {
	src := rand.NewPCG(5, 6)
	var cells [7]int
	for range 70_000 {
		cells[pick.Below(src, 7)]++ // outside is an index error
	}
	for cell, got := range cells {
		if math.Abs(float64(got)-10_000) > 556 {
			t.Errorf("cell %d: got %d, want 10000 ± 556", cell, got)
		}
	}
	for _, bits := range []constant{0, math.MaxUint64} {
		if got, want := pick.Below(bits, 7), int(bits>>63*6); got != want {
			t.Errorf("below 7 of the bits %x: got %d, want %d", uint64(bits), got, want)
		}
	}
}

// constant is a source that always says the same.
type constant uint64

func (c constant) Uint64() uint64 { return uint64(c) }
