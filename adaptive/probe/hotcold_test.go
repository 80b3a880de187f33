package probe

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"pgregory.net/rapid"
)

func newHotCold(t testing.TB, n int, s HotColdSettings) (*rig, *HotCold) {
	p := NewHotCold(s)
	r := newRig(t, n, p, func(*core.Member) core.Estimator { return NewTemper(s) })
	return r, p
}

// usual are settings about those of the paper's testbed.
var usual = HotColdSettings{
	Pool: 16, Rate: 2, Limit: 1000, Remove: 0.25, Age: time.Second, Idle: 250 * time.Millisecond,
	Quantile: 0.6, Aversion: time.Second,
}

// still is without probes for requests and without removals, so that a test decides.
func still() HotColdSettings {
	s := usual
	s.Rate, s.Remove, s.Quantile = 1e-9, 0, 0.5
	return s
}

// tell lets a probe be answered.
func (r *rig) tell(p *HotCold, i int, inFlight, latency float64) {
	p.Probed(r.member(i), r.now, load(inFlight, -1, latency, -1, -1), true)
}

func TestHotColdRule(t *testing.T) {
	r, p := newHotCold(t, 100, still())
	want := func(what, key string, mode core.Mode) {
		t.Helper()
		if got, c := r.taken(); key != "" && got != key || c.Mode != mode {
			t.Errorf("%s: got %s, %v, want %s, %v", what, got, c.Mode, key, mode)
		}
	}
	want("no answer", "", core.Fallback)
	r.tell(p, 7, 5, 0.5)
	want("one answer", "", core.Fallback)
	r.tell(p, 8, 6, 0.001)
	want("the fast one is hot", "7", core.Adaptive)
	r.tell(p, 9, 1, 0.9) // 1, 5, 6 and the median is 5: 7 has 6 by now
	want("the cold one, however slow", "9", core.Adaptive)
	r.tell(p, 10, 2, 0.1) // the median of 1, 2, 5, 6 is 2
	want("of two cold ones the fast one", "10", core.Adaptive)
	want("which has three now", "9", core.Adaptive)
	want("all are hot: the older of two with least in flight, whatever their latency", "9", core.Adaptive)
	r.now += sec
	want("a second later they are believed", "", core.Adaptive)
	r.now++
	want("and then not", "", core.Fallback)
}

// What is compared is per unit of weight: where members tell how many they have in flight, and
// take the longer the more, attempts are pending in proportion to their weights, and members
// are taken as often as they have any. Of 600 pending a unit of weight has 60; that an answer
// is a few requests old makes a difference of a few of them.
func TestHotColdWeights(t *testing.T) {
	r, p := newHotCold(t, 5, usual)
	weights := []float64{4, 3, 2, 0, 1}
	for i, w := range weights {
		r.endpoints[i].Weight = w
	}
	r.update()
	src := rand.NewPCG(3, 4)
	const pending, attempts = 600, 20_000
	var leases []*core.Lease
	before := make([]uint64, len(weights))
	for i := range 2*pending + attempts {
		if i == 2*pending {
			for slot := range before {
				before[slot] = r.member(slot).Leases()
			}
		}
		r.now += ms
		if len(leases) == pending {
			leases[0].Settle(r.now, core.Sample{})
			leases = leases[1:]
		}
		leases = append(leases, r.begin(&core.Ask{}))
		for {
			m, ok := p.Next(r.now, src)
			if !ok {
				break
			}
			n := float64(m.Pending())
			p.Probed(m, r.now, load(n, -1, 0.01*(n+1), -1, -1), true)
		}
	}
	for slot, w := range weights {
		got, want := float64(r.member(slot).Leases()-before[slot]), attempts*w/10
		if math.Abs(got-want) > 0.05*want {
			t.Errorf("weight %v: got %v of %d attempts, want %v ± 5 %%", w, got, attempts, want)
		}
	}
}

// A member that says that it has nothing to do has at least what it owes us, per weight.
func TestHotColdCountsItsOwn(t *testing.T) {
	r, p := newHotCold(t, 2, still())
	r.endpoints[0].Weight, r.endpoints[1].Weight = 0, 2
	r.update()
	for range 6 {
		r.begin(&core.Ask{})
	}
	for told, want := range map[float64]float64{0: 3, 2: 3, 6: 3, 20: 10} {
		r.tell(p, 1, told, 0)
		if got := p.state.pool[p.state.find(r.member(1))].inFlight; got != want {
			t.Errorf("six pending at weight 2, told of %v: got %v in flight, want %v", told, got, want)
		}
	}
}

// probation is a gate that has its member on probation.
type probation struct{}

func (probation) Peek(core.Instant) core.Verdict                  { return core.Probing }
func (probation) Acquire(core.Instant, bool) (core.Permit, bool)  { return 0, true }
func (probation) Release(core.Permit, core.Instant)               {}
func (probation) Answered(core.Permit, core.Instant, core.Sample) {}
func (probation) Settle(core.Permit, core.Instant, core.Sample)   {}

// Who is on probation is taken, however bad its answer was: somebody has to try it. A retry
// takes it only where there is nobody else.
func TestHotColdAndProbation(t *testing.T) {
	p := NewHotCold(still())
	r := &rig{t: t, Router: core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)}, Picker: p, LoadProber: p,
		Equip: func(m *core.Member) core.Parts {
			parts := core.Parts{Estimator: NewTemper(still())}
			if m.Key == "1" {
				parts.Gates = []core.Gate{probation{}}
			}
			return parts
		},
	})}
	for _, key := range []string{"0", "1", "2"} {
		r.endpoints = append(r.endpoints, core.Endpoint{Key: key, Weight: 1})
	}
	r.update()
	tell := func() {
		r.tell(p, 0, 0, 0.001)
		r.tell(p, 1, 50, 9)
		r.tell(p, 2, 1, 0.002)
	}
	for range 20 {
		tell()
		if key, _ := r.taken(); key != "1" {
			t.Fatalf("a first attempt: got %s, want the one on probation", key)
		}
		tell()
		l := r.begin(&core.Ask{Tried: [core.MaxAttempts]*core.Member{r.member(0)}})
		l.Settle(r.now, core.Sample{Outcome: core.Abandoned})
		if l.Member().Key != "2" {
			t.Fatalf("a retry: got %s, want the one that is ready", l.Member().Key)
		}
	}
}

func TestHotColdWithoutLatency(t *testing.T) {
	r, p := newHotCold(t, 100, still())
	r.tell(p, 1, 0, -1)
	r.tell(p, 2, 1, -1)
	r.tell(p, 3, 4, -1)
	if key, _ := r.taken(); key != "1" {
		t.Errorf("got %s, want the one with least in flight", key)
	}
	p.Probed(r.member(5), r.now, load(0, 0.1, 0.1, -1, -1), false) // failed
	if n := len(p.state.pool); n != 3 {
		t.Errorf("got %d answers, want 3", n)
	}
	r.tell(p, 6, 0, 0) // no time at all is known, and the least there is
	if got := p.state.pool[3].latency; got != 0 {
		t.Errorf("told of no time: got %v", got)
	}
}

// A member that fails fast says that it is idle. It is left alone for a second for each
// failure in a row; and taken where there is nobody else.
func TestAversion(t *testing.T) {
	r, p := newHotCold(t, 100, still())
	both := func() { r.tell(p, 1, 0, 0.001); r.tell(p, 2, 50, 5) }
	both()
	for n := core.Instant(1); n <= 3; n++ {
		r.member(1).Estimator().End(r.now, core.Sample{Outcome: core.ServerError, FirstAnswer: -1})
		r.now += n*sec - 1
		both()
		if key, _ := r.taken(); key != "2" {
			t.Errorf("%d failures, just before: got %s, want 2", n, key)
		}
		r.now++
		if key, _ := r.taken(); key != "1" {
			t.Errorf("%d failures, later: got %s, want 1", n, key)
		}
	}
	r.member(1).Estimator().Answered(r.now, core.Sample{})
	r.member(1).Estimator().End(r.now, core.Sample{Outcome: core.Reset})
	r.now += sec
	both()
	if key, _ := r.taken(); key != "1" {
		t.Errorf("one failure after a success: got %s, want 1", key)
	}
}

// Of failures in a row no more than ten count: nobody is out of favour for longer.
func TestMostAversion(t *testing.T) {
	r, _ := newHotCold(t, 2, still())
	for range 100 {
		r.member(1).Estimator().End(r.now, core.Sample{Outcome: core.ServerError, FirstAnswer: -1})
	}
	r.now += mostAverse*sec - 1
	if !averse(r.member(1), r.now) {
		t.Error("just before ten seconds: in favour")
	}
	if r.now++; averse(r.member(1), r.now) {
		t.Error("after ten seconds: out of favour")
	}
}

func TestHotColdAllocatesNothing(t *testing.T) {
	r, p := newHotCold(t, 50, usual)
	src := rand.NewPCG(3, 4)
	var l core.Lease
	var ask core.Ask
	i := 0
	if got := testing.AllocsPerRun(5000, func() {
		i++
		r.now += ms
		if !r.Begin(r.now, &ask, &l) {
			t.Fatal("begin: got no lease")
		}
		l.Settle(r.now, core.Sample{})
		if m, ok := p.Next(r.now, src); ok {
			p.Probed(m, r.now, load(float64(i%7), -1, 0.01, -1, -1), true)
		}
	}); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

// Whatever happens in whatever order: the pool is within its size, in the order of age, of
// members that are there, one answer each; and a decision takes who may take work.
func TestHotColdHolds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(rt, "members")
		r, p := newHotCold(t, n, usual)
		src := rand.NewPCG(5, 6)
		var away []*core.Member
		for range 100 {
			r.now += core.Instant(rapid.Int64Range(0, int64(300*ms)).Draw(rt, "passes"))
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				r.endpoints[rapid.IntRange(0, n-1).Draw(rt, "who")].Weight = float64(rapid.IntRange(0, 2).Draw(rt, "weight"))
				r.update()
			case 1:
				i := rapid.IntRange(0, n-1).Draw(rt, "who")
				r.endpoints[i].Key += "'"
				r.update()
			case 2, 3:
				var l core.Lease
				if r.Begin(r.now, &core.Ask{}, &l) {
					if l.Member().Weight() == 0 {
						rt.Fatal("got a drained member")
					}
					o := []core.Outcome{core.Success, core.ServerError, core.Abandoned}[rapid.IntRange(0, 2).Draw(rt, "outcome")]
					l.Settle(r.now, core.Sample{Outcome: o})
				}
			case 4:
				if m, ok := p.Next(r.now, src); ok {
					if slices.Contains(away, m) {
						rt.Fatal("got a member that is probed already")
					}
					away = append(away, m)
				}
			case 5:
				if len(away) > 0 {
					p.Probed(away[0], r.now, load(rapid.Float64Range(0, 100).Draw(rt, "in flight"), -1, 0.1, -1, -1), true)
					away = away[1:]
				}
			}
			s := &p.state
			if len(s.pool) > s.size || len(s.away) != len(away) {
				rt.Fatalf("pool %d of %d, away %d of %d", len(s.pool), s.size, len(s.away), len(away))
			}
			for i, e := range s.pool {
				if s.find(e.member) != i || i > 0 && e.at < s.pool[i-1].at || !slices.Contains(r.View().Members, e.member) || e.uses < 1 {
					rt.Fatalf("entry %d of %v", i, s.pool)
				}
			}
		}
	})
}

func TestValidate(t *testing.T) {
	if err := usual.Validate(); err != nil {
		t.Error(err)
	}
	for i, change := range []func(*HotColdSettings){
		func(s *HotColdSettings) { s.Pool = 1 }, func(s *HotColdSettings) { s.Pool = MaxPool + 1 },
		func(s *HotColdSettings) { s.Rate = 0 }, func(s *HotColdSettings) { s.Limit = 0 }, func(s *HotColdSettings) { s.Remove = -1 },
		func(s *HotColdSettings) { s.Age = 0 }, func(s *HotColdSettings) { s.Idle = 0 }, func(s *HotColdSettings) { s.Quantile = 1.1 },
		func(s *HotColdSettings) { s.Aversion = -1 },
	} {
		s := usual
		change(&s)
		if s.Validate() == nil {
			t.Errorf("%d: got no error", i)
		}
	}
	for _, s := range []WeightSettings{{-1, 0, 1, sec2}, {0, -1, 1, sec2}, {0, 0, 0, sec2}, {0, 0, 1, LeastUpdate - 1}} {
		if s.Validate() == nil {
			t.Errorf("%+v: got no error", s)
		}
	}
	least := HotColdSettings{Pool: 2, Rate: 0.01, Limit: 1, Age: 1, Idle: 1}
	for _, s := range []interface{ Validate() error }{least, WeightSettings{0, 0, 1, LeastUpdate}, CubicSettings{1, 1, 0}, CubicSettings{1, 0.1, 1}} {
		if err := s.Validate(); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
	for _, s := range []CubicSettings{{0, 1, 0}, {1, 0, 0}, {1, 1.1, 0}, {1, 1, -1}} {
		if s.Validate() == nil {
			t.Errorf("%+v: got no error", s)
		}
	}
}

const sec2 = 2 * time.Second
