package adaptive_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive"
	"github.com/evenkeel/evenkeel/adaptive/p2c"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/pick"
)

const (
	ms  = core.Instant(time.Millisecond)
	sec = core.Instant(time.Second)
)

// table is a router over members 0, 1, 2 ... whose verdicts a test can set.
type table struct {
	*core.Router
	now   core.Instant
	set   func(slot int, v core.Verdict)
	weigh func(weights ...float64) // gives the first members other weights than 1
	keys  core.Key                 // the next attempt's key is drawn from it
}

// What weights do with a strategy.
const (
	noWeights = iota // nothing
	byTurns          // members are taken in proportion to them
	byLoad           // members have attempts pending in proportion to them
)

// contestant is what the distribution suite runs over. draws is how many members a
// decision looks at; 0 for all that it needs.
type contestant struct {
	name  string
	draws int
	// takesTurns: a probing member has its turn like the others, instead of being
	// taken by whoever sees it.
	takesTurns bool
	weights    int
	assembled  bool
	build      func(t testing.TB, n int) *table
}

var contestants = []contestant{
	{name: "round-robin", takesTurns: true, build: bare(func() core.Picker { return &pick.RoundRobin{} })},
	{name: "weighted-round-robin", takesTurns: true, weights: byTurns, build: bare(func() core.Picker { return &pick.WeightedRoundRobin{} })},
	{name: "random", takesTurns: true, build: bare(func() core.Picker { return pick.Random{} })},
	{name: "least-requests", weights: byLoad, build: bare(func() core.Picker { return pick.LeastRequests() })},
	{name: "p2c-least-requests", draws: 2, weights: byLoad, build: bare(func() core.Picker { return pick.NewChoices(2, pick.Load) })},
	{name: "p3c-least-requests", draws: 3, weights: byLoad, build: bare(func() core.Picker { return pick.NewChoices(3, pick.Load) })},
	{name: "consistent-hash", takesTurns: true, weights: byTurns, build: bare(func() core.Picker { return &pick.Hash{Factor: 1.25} })},
	{name: "ip-hash", takesTurns: true, weights: byTurns, build: bare(func() core.Picker { return &pick.Hash{} })},
	{name: "p2c-ewma", draws: 2, weights: byLoad, build: bare(func() core.Picker { return p2c.New(p2c.Settings{Choices: 2, MostChoices: 2}) })},
	{name: "p4c-ewma", draws: 4, weights: byLoad, build: bare(func() core.Picker { return p2c.New(p2c.Settings{Choices: 4, MostChoices: 4}) })},
	{name: "ewma", weights: byLoad, build: bare(func() core.Picker { return p2c.NewScan() })},
	{name: "p2c-ewma, scanning", weights: byLoad, build: bare(func() core.Picker { return p2c.New(p2c.Settings{Choices: 2, MostChoices: 2, ScanUpTo: 1000}) })},
	{name: "ewma, of regular work", weights: byLoad, build: bare(func() core.Picker {
		return pick.NewSweep(p2c.Cost, 0.01, func(*core.View) bool { return true })
	})},
	assembled("round-robin", 0, true, noWeights),
	assembled("weighted-round-robin", 0, true, byTurns),
	assembled("random", 0, true, noWeights),
	assembled("least-requests", 0, false, byLoad),
	assembled("p2c-least-requests", 2, false, byLoad),
	assembled("consistent-hash", 0, true, byTurns),
	assembled("ip-hash", 0, true, byTurns),
	assembled("c3", 0, false, byLoad),
	assembled("prequal", 2, false, byLoad),                   // without probes: two drawn, by what is pending
	assembled("orca-weighted-round-robin", 0, true, byTurns), // without reports: by the configured weights
	assembled("ewma", 0, true, byTurns),                      // without samples it is in fallback
	assembled("p2c-ewma", 0, true, byTurns),                  // likewise
}

// numbered is n endpoints of weight 1.
func numbered(n int) []core.Endpoint {
	es := make([]core.Endpoint, n)
	for i := range es {
		es[i] = core.Endpoint{Key: fmt.Sprint(i), Weight: 1}
	}
	return es
}

// gate says what it is told to.
type gate struct{ verdict core.Verdict }

func (g *gate) Peek(core.Instant) core.Verdict { return g.verdict }
func (g *gate) Acquire(_ core.Instant, forced bool) (core.Permit, bool) {
	return 0, g.verdict.Open() || forced && g.verdict == core.Barred
}
func (*gate) Release(core.Permit, core.Instant)               {}
func (*gate) Answered(core.Permit, core.Instant, core.Sample) {}
func (*gate) Settle(core.Permit, core.Instant, core.Sample)   {}

// even is an estimator by which all are equal, but for what is pending.
type even struct{ member *core.Member }

func (e even) Cost(core.Instant) float64          { return 0.01 * float64(e.member.Pending()+1) }
func (even) Latency(core.Instant) (float64, bool) { return 0.01, true }
func (even) Begin(core.Instant)                   {}
func (even) Answered(core.Instant, core.Sample)   {}
func (even) End(core.Instant, core.Sample)        {}

// bare is a picker without an assembly around it, over gates that say what they are told.
func bare(picker func() core.Picker) func(t testing.TB, n int) *table {
	return func(t testing.TB, n int) *table {
		var gates []*gate
		tb := &table{}
		tb.Router = core.NewRouter(core.Config{
			Driver: core.Driver{Source: rand.NewPCG(1, 2)},
			Picker: picker(),
			Equip: func(m *core.Member) core.Parts {
				g := &gate{}
				gates = append(gates, g)
				return core.Parts{Gates: []core.Gate{g}, Estimator: even{m}}
			},
		})
		es := numbered(n)
		if err := tb.Update(0, es); err != nil {
			t.Fatal(err)
		}
		tb.set = func(slot int, v core.Verdict) {
			gates[slot].verdict = v
			if v == core.Drained {
				es[slot].Weight = 0
			}
			if err := tb.Update(tb.now, es); err != nil {
				t.Fatal(err)
			}
		}
		tb.weigh = weighing(t, tb, es)
		return tb
	}
}

// weighing sets the weights of endpoints.
func weighing(t testing.TB, tb *table, es []core.Endpoint) func(weights ...float64) {
	return func(weights ...float64) {
		t.Helper()
		for i, w := range weights {
			es[i].Weight = w
		}
		if err := tb.Update(tb.now, es); err != nil {
			t.Fatal(err)
		}
	}
}

// assembled is a strategy as it ships, with the default policies but for panic, which
// would override what the suite bars.
func assembled(name string, draws int, takesTurns bool, weights int) contestant {
	return contestant{"assembled " + name, draws, takesTurns, weights, true, func(t testing.TB, n int) *table {
		p := config.DefaultPolicies()
		p.Strategy, p.PanicThreshold = config.NewStrategy(name), 0
		p.Breaker.OpenFor, p.Breaker.MaxOpenFor = time.Minute, time.Minute // longer than any test
		return assemble(t, p, n)
	}}
}

// assemble builds a table from policies. It bars a member by failing it until its
// breaker opens.
func assemble(t testing.TB, p config.Policies, n int) *table {
	t.Helper()
	r, err := adaptive.Build(p, core.Driver{Source: rand.NewPCG(1, 2)})
	if err != nil {
		t.Fatal(err)
	}
	tb := &table{Router: r}
	es := numbered(n)
	change := func(es []core.Endpoint) {
		if err := r.Update(tb.now, es); err != nil {
			t.Fatal(err)
		}
	}
	change(es)
	tb.weigh = weighing(t, tb, es)
	tb.set = func(slot int, v core.Verdict) {
		switch v {
		case core.Drained:
			es[slot].Weight = 0
		case core.Barred, core.Probing:
			alone := slices.Clone(es)
			for i := range alone {
				if i != slot {
					alone[i].Weight = 0
				}
			}
			change(alone)
			for range p.Breaker.ConsecutiveFailures {
				l := tb.begin(t, &core.Ask{})
				l.Settle(tb.now, core.Sample{Outcome: core.ConnectFailure})
			}
			if v == core.Probing {
				tb.now = tb.now.Add(p.Breaker.OpenFor)
			}
		default:
			t.Fatalf("an assembled member cannot be made %v", v)
		}
		change(es)
		if got := r.View().Members[slot].Verdict(tb.now); got != v {
			t.Fatalf("verdict: got %v, want %v", got, v)
		}
	}
	return tb
}

// begin leases for an ask, or fails the test.
func (tb *table) begin(t testing.TB, a *core.Ask) *core.Lease {
	t.Helper()
	l := new(core.Lease)
	if !tb.Begin(tb.now, a, l) {
		t.Fatal("begin: got no lease")
	}
	return l
}

// counts are the members' shares of so many attempts, each of which is abandoned at
// once: it teaches nothing and leaves nothing pending.
func (tb *table) counts(t testing.TB, attempts int, tried ...int) []int {
	t.Helper()
	members := tb.View().Members
	counts := make([]int, len(members))
	for range attempts {
		tb.now++
		a := core.Ask{Key: tb.keys.Uint64()}
		for i, slot := range tried {
			a.Tried[i] = members[slot]
		}
		l := tb.begin(t, &a)
		counts[slices.Index(members, l.Member())]++
		l.Settle(tb.now, core.Sample{Outcome: core.Abandoned})
	}
	return counts
}

// flow keeps so many attempts pending, each new one coming as the oldest is answered,
// and returns the members' shares of so many of them, those not counted that come
// before there were as many answers as there are pending.
func (tb *table) flow(t testing.TB, pending, attempts int) []int {
	t.Helper()
	members := tb.View().Members
	counts := make([]int, len(members))
	leases := make([]*core.Lease, 0, pending)
	for i := range 2*pending + attempts {
		tb.now += ms / 10
		if len(leases) == pending {
			s := core.Sample{Outcome: core.Success}
			leases[0].Answered(tb.now, s)
			leases[0].Settle(tb.now, s)
			leases = append(leases[:0], leases[1:]...)
		}
		l := tb.begin(t, &core.Ask{Key: tb.keys.Uint64()})
		leases = append(leases, l)
		if i >= 2*pending {
			counts[slices.Index(members, l.Member())]++
		}
	}
	return counts
}
