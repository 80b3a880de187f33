package probe

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/evenkeel/evenkeel/core"
)

// What requests ask for while nobody sends it is forgotten, but for a pool full: who begins
// to send after a while does not send thousands.
func TestOwedProbes(t *testing.T) {
	r, p := newHotCold(t, 30, usual)
	for range 1000 {
		r.taken()
	}
	src, n := rand.NewPCG(3, 4), 0
	for {
		m, ok := p.Next(r.now, src)
		if !ok {
			break
		}
		p.Probed(m, r.now, load(1, -1, 0.01, -1, -1), true)
		n++
	}
	if n != p.state.size {
		t.Errorf("got %d probes, want as many as the pool holds, %d", n, p.state.size)
	}
}

func TestReuse(t *testing.T) {
	for _, c := range []struct {
		m, n         int
		rate, remove float64
		want         float64
	}{ // research on the paper's formula gives the first three
		{16, 100, 3, 1, 1.32}, {16, 100, 1, 0.25, 3.39}, {16, 100, 0.5, 0.25, 11.76}, {16, 100, 16, 0, 1},
		{2, 2, 1, 0.25, mostUses}, {1, 1, 1, 0.25, mostUses}, {3, 3, 3, 1, mostUses}, {3, 4, 1, 0.25, mostUses},
	} {
		if got := reuse(c.m, c.n, c.rate, c.remove); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%+v: got %.2f", c, got)
		}
	}
	for n, want := range map[int]int{0: 2, 1: 2, 2: 2, 3: 3, 18: 3, 30: 5, 96: 16, 1000: 16} {
		if got := sizeFor(n, 16); got != want {
			t.Errorf("pool for %d: got %d, want %d", n, got, want)
		}
	}
}

// A use is counted, and an answer goes when they are used up; the mean is what the formula
// says.
func TestUses(t *testing.T) {
	s := still()
	s.Rate, s.Remove = 1, 0.25 // b = 3.39 for 16 of 100
	_, p := newHotCold(t, 100, s)
	r := newRig(t, 100, p, func(*core.Member) core.Estimator { return NewTemper(s) })
	total := 0
	for range 1000 {
		r.tell(p, 1, 0, 0)
		total += p.state.pool[len(p.state.pool)-1].uses
	}
	if total < 3389 || total > 3391 {
		t.Errorf("uses of a thousand answers: got %d, want 3390", total)
	}
}

// Removal takes the worst and the oldest by turns: the hot one with most in flight, then
// who came first.
func TestRemoval(t *testing.T) {
	r, p := newHotCold(t, 100, still())
	for i, inFlight := range []float64{0, 9, 1, 8, 2} {
		r.tell(p, i, inFlight, float64(i))
	}
	var left []string
	for range 3 {
		p.state.remove(r.now)
		left = left[:0]
		for _, e := range p.state.pool {
			left = append(left, e.member.Key)
		}
	}
	if want := []string{"2", "4"}; !slices.Equal(left, want) {
		t.Errorf("left: got %v, want %v (without 1, 0, 3)", left, want)
	}
}

// A request brings about so many probes, of members drawn each once in a round; nobody is
// probed who may take no work, nor anybody while too many are unanswered, nor where there is
// no choice.
func TestProbes(t *testing.T) {
	s := usual
	s.Rate = 2.5
	r, p := newHotCold(t, 20, s)
	kicked := 0
	p.OnDue(func() { kicked++ })
	r.endpoints[3].Weight = 0
	r.update()
	src := rand.NewPCG(3, 4)
	seen := map[*core.Member]int{}
	drain := func() (n int) {
		for {
			m, ok := p.Next(r.now, src)
			if !ok {
				return n
			}
			n++
			seen[m]++
			p.Probed(m, r.now, core.LoadReport{}, false)
		}
	}
	r.now = 250 * ms
	if got := drain(); got != 1 {
		t.Errorf("after a quiet time: got %d probes, want 1", got)
	}
	total, told := 0, 0
	for range 40 {
		before := kicked
		r.taken()
		told += kicked - before
		total += drain()
	}
	if total != 100 || told != 40 {
		t.Errorf("of 40 requests: got %d probes, told %d times, want 100 and 40", total, told)
	}
	for i := range 20 {
		if got := seen[r.member(i)]; i == 3 && got != 0 || i != 3 && (got < 5 || got > 6) {
			t.Errorf("member %d: got %d probes of 101", i, got)
		}
	}
	if got, want := p.Wake(), r.now.Add(s.Idle); got != want {
		t.Errorf("wake: got %v, want %v", got, want)
	}
	away := 0
	for range 100 {
		r.taken()
		for {
			if _, ok := p.Next(r.now, src); !ok {
				break
			}
			away++
		}
	}
	if away != 2*p.state.size || p.Wake() != core.Never {
		t.Errorf("unanswered: got %d, wake %v, want %d, never", away, p.Wake(), 2*p.state.size)
	}
	for _, n := range []int{0, 1} {
		one, p := newHotCold(t, n, s)
		one.now = sec
		if _, ok := p.Next(one.now, src); ok || p.Wake() != core.Never {
			t.Errorf("%d members: got a probe", n)
		}
	}
}

// A member that hangs is probed once until that probe has failed, and costs the others none
// of theirs; then it is probed like the rest.
func TestHungProbe(t *testing.T) {
	r, p := newHotCold(t, 3, usual)
	src := rand.NewPCG(3, 4)
	hangs := r.member(0)
	seen := map[*core.Member]int{}
	round := func(hanging bool) {
		for range 100 {
			r.taken()
			r.now += 10 * ms
			for {
				m, ok := p.Next(r.now, src)
				if !ok {
					break
				}
				seen[m]++
				if !hanging || m != hangs {
					p.Probed(m, r.now, load(1, -1, 0.01, -1, -1), true)
				}
			}
		}
	}
	round(true)
	if got := seen[hangs]; got != 1 || seen[r.member(1)] < 60 || seen[r.member(2)] < 60 {
		t.Errorf("while it hangs: got %d probes of it, %d and %d of the others; want 1, and 60 at least",
			got, seen[r.member(1)], seen[r.member(2)])
	}
	p.Probed(hangs, r.now, core.LoadReport{}, false)
	clear(seen)
	round(false)
	for i := range 3 {
		if got := seen[r.member(i)]; got < 60 {
			t.Errorf("afterwards: got %d probes of member %d, want 60 at least", got, i)
		}
	}
}

// Beyond the limit a request brings about fewer, and takes out fewer.
func TestProbeLimit(t *testing.T) {
	_, p := newHotCold(t, 20, usual)
	p.Survey(0, core.Survey{Rate: 4000})
	if got := p.state.rate; got != 0.25 {
		t.Errorf("at 4,000 requests a second: got %v probes each, want 0.25", got)
	}
	p.Survey(0, core.Survey{Rate: 10})
	if got := p.state.rate; got != usual.Rate {
		t.Errorf("at 10: got %v, want %v", got, usual.Rate)
	}
}
