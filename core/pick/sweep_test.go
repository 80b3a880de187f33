package pick_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// swept takes so many decisions, a second apart, of members that have these scores, and
// returns the slots.
func swept(t *testing.T, near float64, decisions int, verdicts []core.Verdict, scores ...float64) []int {
	t.Helper()
	byKey := map[string]float64{}
	sweep := pick.NewSweep(func(m *core.Member, _ core.Instant) float64 { return byKey[m.Key] }, near, always)
	p := newPool(t, sweep, verdicts...)
	for slot, m := range p.View().Members {
		byKey[m.Key] = scores[slot]
	}
	var slots []int
	src := rand.NewPCG(1, 2)
	for i := range decisions {
		c, ok := sweep.Pick(p.View(), &core.Ask{}, core.Instant(i+1)*1e9, src)
		if !ok {
			t.Fatalf("decision %d: got nobody", i)
		}
		slots = append(slots, c.Slot)
	}
	return slots
}

// always is for work that is regular.
func always(*core.View) bool { return true }

// Where work is irregular there are lots among those that are equal, and no turns: two of four
// who are the least have half each of 10,000, with a standard deviation of 50 (six are 300),
// and the same one twice in a row as often as not.
func TestSweepOfIrregularWork(t *testing.T) {
	irregular := func(*core.View) bool { return false }
	sweep := pick.NewSweep(pick.Load, 0.9, irregular)
	p := newPool(t, sweep, ready(4)...)
	for _, slot := range []int{1, 3} { // one pending: within 90 % of none, and not the least
		var others core.Ask
		n := 0
		for i, m := range p.View().Members {
			if i != slot {
				others.Tried[n] = m
				n++
			}
		}
		if !p.Begin(0, &others, new(core.Lease)) {
			t.Fatal("got no lease")
		}
	}
	counts, again, last := make([]int, 4), 0, -1
	src := rand.NewPCG(1, 2)
	for i := range 10_000 {
		c, _ := sweep.Pick(p.View(), &core.Ask{}, core.Instant(i+1), src)
		counts[c.Slot]++
		if c.Slot == last {
			again++
		}
		last = c.Slot
	}
	if counts[1]+counts[3] > 0 || counts[0] < 5000-300 || counts[0] > 5000+300 || again < 5000-300 || again > 5000+300 {
		t.Errorf("got %v, and %d times the same again; want 5000 ± 300 of the first and the third, and as often the same", counts, again)
	}
}

// Whoever is near the least has a turn, and each as many as the others; nobody else has any.
// It may miss one where a look begins with it, and goes on to one that is near it and not the
// least (half is allowed for).
func TestSweepTakesTurns(t *testing.T) {
	for name, c := range map[string]struct {
		near     float64
		verdicts []core.Verdict
		scores   []float64
		turns    []int // which one has, of as many decisions as there are of them
		exactly  bool
	}{
		"all are equal":           {0.1, ready(4), []float64{1, 1, 1, 1}, []int{1, 1, 1, 1}, true},
		"all are near":            {0.1, ready(4), []float64{1, 1.05, 1.1, 0.995}, []int{1, 1, 1, 1}, true},
		"one is beyond":           {0.1, ready(4), []float64{1, 1.05, 1.12, 1}, []int{1, 1, 0, 1}, false},
		"near its neighbour only": {0.1, ready(3), []float64{1, 1.1, 1.2}, []int{1, 1, 0}, false},
		"one is the least":        {0.1, ready(3), []float64{0.8, 1, 1}, []int{1, 0, 0}, true},
		"nothing is near":         {0, ready(3), []float64{1, 1.000001, 1}, []int{1, 0, 1}, true},
		"one is barred":           {0.1, []core.Verdict{R, B, R}, []float64{1, 1, 1}, []int{1, 0, 1}, true},
		"scores of nothing":       {0.1, ready(3), []float64{0, 0, 1}, []int{1, 1, 0}, true},
	} {
		const rounds = 60
		each := 0
		for _, n := range c.turns {
			each += n
		}
		got := make([]int, len(c.turns))
		for i, slot := range swept(t, c.near, rounds*each, c.verdicts, c.scores...) {
			got[slot]++
			for other, n := range got {
				if want := i/each*c.turns[other] + 1; c.exactly && n > want {
					t.Fatalf("%s: after %d decisions slot %d had %d turns, want at most %d", name, i+1, other, n, want)
				}
			}
		}
		for slot, n := range got {
			if want := rounds * c.turns[slot]; n < want/2 || want == 0 && n > 0 {
				t.Errorf("%s: slot %d had %d turns, want %d", name, slot, n, want)
			}
		}
	}
}

// Near is near the least of all, and not near one that was near it.
func TestSweepMeasuresByTheLeast(t *testing.T) {
	for _, slot := range swept(t, 0.01, 100, ready(3), 1, 1.012, 1.005) {
		if slot == 1 {
			t.Fatal("got the one that is 1.2 % above the least, and near to another only")
		}
	}
}

// Where one is taken far more often than the others, these still have their turns in the
// order of when they were taken last, and not the first after it each time.
func TestSweepGoesByTheLastTurn(t *testing.T) {
	byKey := map[string]float64{}
	sweep := pick.NewSweep(func(m *core.Member, _ core.Instant) float64 { return byKey[m.Key] }, 0.1, always)
	p := newPool(t, sweep, ready(4)...)
	busiest := p.View().Members[0].Key
	counts := make([]int, 4)
	src := rand.NewPCG(1, 2)
	for i := range 600 {
		byKey[busiest] = 0.1 // beyond the others, but every other time
		if i%2 == 1 {
			byKey[busiest] = 1
		}
		for _, m := range p.View().Members[1:] {
			byKey[m.Key] = 1
		}
		c, ok := sweep.Pick(p.View(), &core.Ask{}, core.Instant(i+1)*1e9, src)
		if !ok {
			t.Fatal("got nobody")
		}
		counts[c.Slot]++
	}
	if diff := cmp.Diff([]int{300, 100, 100, 100}, counts); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
}

// Proxies that begin at the same time do not all begin with the same member. Of 1,000, each
// of four members gets 250 with a standard deviation of 13.7; six are 82.
func TestSweepBeginsAnywhere(t *testing.T) {
	counts := make([]int, 4)
	src := rand.NewPCG(3, 4)
	for range 1000 {
		sweep := pick.NewSweep(pick.Load, 0.1, always)
		p := newPool(t, sweep, ready(4)...)
		c, _ := sweep.Pick(p.View(), &core.Ask{}, 1, src)
		counts[c.Slot]++
	}
	for slot, n := range counts {
		if n < 250-82 || n > 250+82 {
			t.Errorf("slot %d was the first %d times of 1000, want 250 ± 82", slot, n)
		}
	}
}

// Nobody is nobody.
func TestSweepOfNobody(t *testing.T) {
	sweep := pick.NewSweep(pick.Load, 0.1, always)
	for _, verdicts := range [][]core.Verdict{{}, {B, B}} {
		p := newPool(t, sweep, verdicts...)
		if c, ok := sweep.Pick(p.View(), &core.Ask{}, 1, rand.NewPCG(1, 2)); ok {
			t.Errorf("of %v: got slot %d, want nobody", verdicts, c.Slot)
		}
	}
}
