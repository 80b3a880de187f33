package ewma_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive/ewma"
	"github.com/evenkeel/evenkeel/core"
)

const (
	ms  = core.Instant(time.Millisecond)
	sec = core.Instant(time.Second)
)

// longAgo is when the members of these tests came, so that none of them is new.
const longAgo = -3600 * sec

// penalty is what a failure counts as in these tests.
const penalty = 5 * time.Second

// classic is an average with a decay of ten seconds and the guards that need no pool.
var classic = ewma.Settings{Decay: 10 * time.Second, Penalty: penalty, Age: true, Drift: true, Seed: true}

// direct is a picker that takes the slot it is told.
type direct struct{ slot int }

func (d *direct) Pick(*core.View, *core.Ask, core.Instant, rand.Source) (core.Choice, bool) {
	return core.Choice{Slot: d.slot}, true
}

// rig is a router whose members are estimated with a decay of ten seconds.
type rig struct {
	*core.Router
	direct *direct
}

func newRig(t testing.TB, keys ...string) *rig {
	t.Helper()
	return rigWith(t, classic, keys...)
}

// rigWith is a rig whose estimators have other settings.
func rigWith(t testing.TB, settings ewma.Settings, keys ...string) *rig {
	t.Helper()
	return equipped(t, func(m *core.Member) core.Estimator { return ewma.New(m, &settings) }, keys...)
}

// equipped is a rig whose estimators are made elsewhere.
func equipped(t testing.TB, estimator func(*core.Member) core.Estimator, keys ...string) *rig {
	t.Helper()
	r := &rig{direct: &direct{}}
	r.Router = core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)},
		Picker: r.direct,
		Equip:  func(m *core.Member) core.Parts { return core.Parts{Estimator: estimator(m)} },
	})
	var es []core.Endpoint
	for _, k := range keys {
		es = append(es, core.Endpoint{Key: k, Weight: 1})
	}
	if err := r.Update(longAgo, es); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) member(slot int) *core.Member { return r.View().Members[slot] }

// begin leases the member in a slot. Every begin looks anew, so that the median is
// that of this instant.
func (r *rig) begin(t testing.TB, now core.Instant, slot int) *core.Lease {
	t.Helper()
	r.direct.slot = slot
	r.View().Pool.Stale()
	l := new(core.Lease)
	if !r.Begin(now, &core.Ask{}, l) {
		t.Fatal("begin: got no lease")
	}
	return l
}

// answer takes a member through an attempt that ends at now, answered after the latency.
func (r *rig) answer(t testing.TB, now core.Instant, slot int, latency time.Duration, s core.Sample) {
	t.Helper()
	l := r.begin(t, now.Add(-latency), slot)
	l.Answered(now, s)
	l.Settle(now, s)
}

var ok = core.Sample{Outcome: core.Success}

// near compares to within what the word rounds: 2^-24 of the estimate, and up to a tick of
// 1.05 ms of the time, which of ten seconds' decay is 1.05e-4 of the difference between
// estimate and sample: little more than 1e-3 where that is ten times the estimate.
func near(t testing.TB, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1.1e-3*math.Abs(want) {
		t.Errorf("%s: got %v s, want %v s", what, got, want)
	}
}

func TestUpdateRule(t *testing.T) {
	type sample struct {
		at      core.Instant
		latency time.Duration
	}
	cases := map[string]struct {
		samples []sample
		want    float64 // seconds, at the last sample
	}{
		"the first is taken as it is":    {[]sample{{sec, 100e6}}, 0.1},
		"the same stays":                 {[]sample{{sec, 100e6}, {3 * sec, 100e6}}, 0.1},
		"a decay later, 63 % are new":    {[]sample{{sec, 100e6}, {11 * sec, 20e6}}, 0.1*math.Exp(-1) + 0.02*(1-math.Exp(-1))},
		"soon after, the second is half": {[]sample{{sec, 100e6}, {sec + 100*ms, 1100e6}}, 0.6},
		"and the third a third":          {[]sample{{sec, 100e6}, {sec, 900e6}, {sec, 800e6}}, 0.6},
		"the fifteenth is a fifteenth":   {append(slices.Repeat([]sample{{sec, 100e6}}, 14), sample{sec, 1600e6}), 0.2},
		"from then on, soon after is little": {append(slices.Repeat([]sample{{sec, 100e6}}, 15), sample{sec + 100*ms, 1100e6}),
			0.1 + (1-math.Exp(-0.01))*1.0},
		"and it goes by time, not by count": {append(slices.Repeat([]sample{{sec, 100e6}}, 15), slices.Repeat([]sample{{sec, 900e6}}, 5)...), 0.1},
		"the more of share and time": {[]sample{{sec, 100e6}, {6 * sec, 50e6}, {11 * sec, 10e6}},
			0.075*math.Exp(-0.5) + 0.01*(1-math.Exp(-0.5))},
		"long after, all is": {[]sample{{sec, 100e6}, {1001 * sec, 10e6}}, 0.01},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "a")
			for _, s := range c.samples {
				r.answer(t, s.at, 0, s.latency, ok)
			}
			got, fresh := r.member(0).Latency(c.samples[len(c.samples)-1].at)
			near(t, "latency", got, c.want)
			if !fresh {
				t.Error("fresh: got false, want true")
			}
		})
	}
}

// A failed first attempt is the whole estimate.
func TestFailuresAreSlow(t *testing.T) {
	cases := map[string]struct {
		answered bool
		sample   core.Sample
		took     time.Duration
		want     float64 // seconds; 0 for nothing learned
	}{
		"a fast refusal":               {false, core.Sample{Outcome: core.ConnectFailure}, time.Millisecond, 5},
		"a fast reset":                 {false, core.Sample{Outcome: core.Reset}, time.Millisecond, 5},
		"a fast 500":                   {true, core.Sample{Outcome: core.ServerError}, time.Millisecond, 5},
		"a slow timeout":               {false, core.Sample{Outcome: core.Timeout}, 20 * time.Second, 20},
		"Retry-After":                  {true, core.Sample{Outcome: core.Throttled, RetryAfter: 60 * time.Second}, time.Millisecond, 60},
		"Retry-After, small":           {true, core.Sample{Outcome: core.Throttled, RetryAfter: time.Second}, time.Millisecond, 5},
		"Retry-After, capped":          {true, core.Sample{Outcome: core.Throttled, RetryAfter: time.Hour}, time.Millisecond, 300},
		"a client's mistake is fast":   {true, core.Sample{Outcome: core.ClientError}, 3 * time.Millisecond, 0.003},
		"so is a success, with a wish": {true, core.Sample{Outcome: core.Success, RetryAfter: time.Hour}, 3 * time.Millisecond, 0.003},
		"an abandoned one":             {false, core.Sample{Outcome: core.Abandoned}, 9 * time.Second, 0},
		"an end without an answer":     {false, ok, 9 * time.Second, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "a")
			l := r.begin(t, sec, 0)
			end := sec.Add(c.took)
			if c.answered {
				l.Answered(end, c.sample)
			}
			l.Settle(end, c.sample)
			got, known := r.member(0).Latency(end)
			if known != (c.want > 0) {
				t.Errorf("known: got %v, want %v", known, c.want > 0)
			}
			near(t, "latency", got, c.want)
		})
	}
}

// The end teaches what the answer did not: a well answered one that breaks is a
// failure, one that the client leaves is nothing more, and nothing is told twice.
func TestTheEndAfterTheAnswer(t *testing.T) {
	w := math.Exp(-1)
	for end, want := range map[core.Outcome]float64{
		core.Success:   0.01,
		core.Abandoned: 0.01,
		core.Reset:     0.01*w + 10.01*(1-w), // a decay later; it took 10.01 s in all
	} {
		r := newRig(t, "a")
		l := r.begin(t, 0, 0)
		l.Answered(10*ms, ok)
		l.Settle(10*sec+10*ms, core.Sample{Outcome: end})
		got, _ := r.member(0).Latency(10*sec + 10*ms)
		near(t, "latency after "+end.String(), got, want)
	}
}

// What is not confirmed drifts to the pool's median; reading changes nothing.
func TestProjection(t *testing.T) {
	r := newRig(t, "slow", "median", "fast")
	r.answer(t, sec, 0, 100*time.Millisecond, ok)
	r.answer(t, sec, 1, 10*time.Millisecond, ok)
	r.answer(t, sec, 2, time.Millisecond, ok)
	r.begin(t, sec, 1).Settle(sec, core.Sample{Outcome: core.Abandoned})
	near(t, "median", r.View().Pool.MedianLatency(), 0.01)
	for _, idle := range []time.Duration{0, time.Second, 10 * time.Second, 29 * time.Second, 100 * time.Second} {
		w := math.Exp(-idle.Seconds() / 10)
		for slot, own := range []float64{0.1, 0.01, 0.001} {
			for range 2 {
				got, fresh := r.member(slot).Latency(sec.Add(idle))
				near(t, r.member(slot).Key+" after "+idle.String(), got, 0.01+(own-0.01)*w)
				near(t, "its cost", r.member(slot).Cost(sec.Add(idle)), 0.01+(own-0.01)*w)
				if want := idle < 30*time.Second; fresh != want {
					t.Errorf("fresh after %v: got %v, want %v", idle, fresh, want)
				}
			}
		}
	}
}

// Who asks for the latency spares the next decisions to project it: for a sixteenth of the
// decay time it is what the member costs.
func TestLatencyHolds(t *testing.T) {
	r := newRig(t, "slow", "median", "fast")
	for slot, took := range []time.Duration{100 * time.Millisecond, 10 * time.Millisecond, time.Millisecond} {
		r.answer(t, sec, slot, took, ok)
	}
	r.begin(t, sec, 1).Settle(sec, core.Sample{Outcome: core.Abandoned}) // a look
	slow := r.member(0)
	for _, now := range []core.Instant{6 * sec, 6*sec + 600*ms} {
		latency, _ := slow.Latency(now)
		exactly(t, "the cost within the time", slow.Cost(now+600*ms), float64(float32(latency)))
	}
	latency, _ := r.member(2).Latency(6 * sec)
	if cost := r.member(2).Cost(6*sec + 700*ms); cost <= latency {
		t.Errorf("the cost after the time: got %v s, want more than the %v s of before", cost, latency)
	}
}

// A cold member costs as much as the median of its peers, and no other latency comes
// near its second attempt.
func TestColdMember(t *testing.T) {
	r := newRig(t, "cold", "a", "b", "c")
	if got := r.member(0).Cost(0); got != 0 {
		t.Errorf("cost when nothing is known: got %v, want 0", got)
	}
	for slot, latency := range []time.Duration{1: 10e6, 2: 20e6, 3: 30e6} {
		if slot > 0 {
			r.answer(t, sec, slot, latency, ok)
		}
	}
	l := r.begin(t, sec, 0)
	near(t, "cost with one pending", r.member(0).Cost(sec), 1e6+0.02)
	l.Settle(sec, core.Sample{Outcome: core.Abandoned})
	near(t, "cost", r.member(0).Cost(sec), 0.02)
	r.answer(t, sec, 0, 7*time.Millisecond, ok)
	near(t, "cost after its first answer", r.member(0).Cost(sec), 0.007)
}

// The cost counts what is pending; a member that owes two answers is at least as slow as it
// has been silent, which is seen long before a timeout. One that is owed may be a long one, and
// says nothing; a stream is not lateness.
func TestSilence(t *testing.T) {
	r := newRig(t, "a")
	r.answer(t, sec, 0, 10*time.Millisecond, ok)
	cost := func(what string, at core.Instant, want float64) {
		t.Helper()
		near(t, what, r.member(0).Cost(at), want)
	}
	cost("idle", sec, 0.01)
	first := r.begin(t, sec, 0)
	cost("one pending", sec, 0.01*2)
	cost("silent for less than its latency", sec+5*ms, 0.01*2)
	cost("one is silent for half a second", sec+500*ms, 0.01*2)
	second := r.begin(t, sec+500*ms, 0)
	cost("two are, since the first of them", sec+600*ms, 0.6*3)
	second.Answered(sec+600*ms, ok)
	e := (0.01 + 0.1) / 2 // the mean of two
	cost("an answer does", sec+600*ms, e*3)
	e = 0.01 + (e-0.01)*math.Exp(-0.1) // a second later
	cost("one is silent again", sec+1600*ms, e*3)
	third := r.begin(t, sec+1600*ms, 0)
	cost("two are again, since the answer", sec+1600*ms, 1.0*4)
	second.Settle(sec+1600*ms, ok)
	cost("it settles", sec+1600*ms, 1.0*3)
	first.Settle(sec+1600*ms, ok)
	cost("one of them has ended", sec+1600*ms, e*2)
	third.Settle(sec+1600*ms, core.Sample{Outcome: core.Abandoned})
	r.View().Pool.Stale()
	stream := r.begin(t, sec+1600*ms, 0)
	stream.Answered(sec+1600*ms, core.Sample{Outcome: core.Abandoned}) // teaches nothing
	hour := 3600 * sec
	if got, most := r.member(0).Cost(hour), 2*0.1; got > most {
		t.Errorf("a stream after an hour: got %v s, want at most %v s", got, most)
	}
	later := []*core.Lease{r.begin(t, hour, 0), r.begin(t, hour, 0)}
	if got, least := r.member(0).Cost(hour+sec), 4*1.0; math.Abs(got-least) > 2e-5 {
		t.Errorf("two hung ones beside the stream: got %v s, want %v s", got, least)
	}
	for _, l := range later {
		l.Settle(hour+sec, ok)
	}
	stream.Settle(hour+sec, core.Sample{Outcome: core.Abandoned})
	if got, most := r.member(0).Cost(hour+2*sec), 0.1; got > most {
		t.Errorf("nothing pending: got %v s, want at most %v s", got, most)
	}
}

func TestAbandonedTeachesNothing(t *testing.T) {
	r := newRig(t, "a")
	r.answer(t, sec, 0, 10*time.Millisecond, ok)
	l := r.begin(t, sec, 0)
	l.Settle(9*sec, core.Sample{Outcome: core.Abandoned})
	near(t, "latency", func() float64 { x, _ := r.member(0).Latency(sec); return x }(), 0.01)
	if _, fresh := r.member(0).Latency(31*sec + 1*ms); fresh {
		t.Error("fresh 30 s after the last sample: got true, want false")
	}
}

// Who has come within the decay time is not taken for faster than the median: it has had
// nothing to do yet. A slower one is known to be slow at once, and without the seed nobody is
// held back.
func TestNewMembersAreNotFast(t *testing.T) {
	for name, c := range map[string]struct {
		seed    bool
		latency time.Duration
		after   core.Instant // since it has come
		want    float64      // seconds
	}{
		"fast, and new":             {true, 2 * time.Millisecond, 0, 0.02},
		"just within the decay":     {true, 2 * time.Millisecond, 10*sec - 1, 0.02},
		"a decay later":             {true, 2 * time.Millisecond, 10 * sec, 0.02 - 0.018*math.Exp(-1)},
		"slow, and new":             {true, 80 * time.Millisecond, 0, 0.08},
		"fast and new, but no seed": {false, 2 * time.Millisecond, 0, 0.002},
	} {
		r := rigWith(t, with(func(s *ewma.Settings) { s.Seed = c.seed }), "a", "b", "c")
		for slot := 1; slot < 3; slot++ {
			r.answer(t, 4*sec, slot, 20*time.Millisecond, ok)
		}
		r.begin(t, 4*sec, 1).Settle(4*sec, ok) // the median is known
		r.member(0).Return(5 * sec)
		r.answer(t, 5*sec, 0, c.latency, ok)
		now := 5*sec + c.after
		near(t, name, r.member(0).Cost(now), c.want)
		if got, _ := r.member(0).Latency(5 * sec); math.Abs(got-c.latency.Seconds()) > 1e-6 {
			t.Errorf("%s: its latency: got %v s, want %v as it was", name, got, c.latency)
		}
	}
}

// Where all have come together, nobody is new among others; neither is who comes first to a pool
// that was empty for a while.
func TestMembersThatCameTogether(t *testing.T) {
	r := newRig(t, "a", "b", "c")
	all := []core.Endpoint{{Key: "a", Weight: 1}, {Key: "b", Weight: 1}, {Key: "c", Weight: 1}}
	for _, es := range [][]core.Endpoint{nil, all} {
		if err := r.Update(5*sec, es); err != nil {
			t.Fatal(err)
		}
	}
	for slot, latency := range []time.Duration{2 * time.Millisecond, 20 * time.Millisecond, 20 * time.Millisecond} {
		r.answer(t, 5*sec+100*ms, slot, latency, ok)
	}
	r.begin(t, 5*sec+100*ms, 1).Settle(5*sec+100*ms, ok) // the median is known
	near(t, "the cost of the fast one", r.member(0).Cost(5*sec+100*ms), 0.002)
}

// A clock a little behind the last sample's neither breaks nor forgets anything.
func TestClockBehind(t *testing.T) {
	r := newRig(t, "a")
	r.answer(t, 10*sec, 0, 10*time.Millisecond, ok)
	got, fresh := r.member(0).Latency(9 * sec)
	near(t, "latency a second before", got, 0.01)
	if !fresh {
		t.Error("fresh: got false, want true")
	}
	l := r.begin(t, 10*sec, 0)
	if got := r.member(0).Cost(9 * sec); got < 0 || math.IsNaN(got) {
		t.Errorf("cost a second before: got %v, want at least 0", got)
	}
	l.Settle(10*sec, core.Sample{Outcome: core.Abandoned})
}

func TestAllocatesNothing(t *testing.T) {
	r := newRig(t, "a", "b")
	m, now := r.member(0), core.Instant(0)
	e := ewma.New(m, &classic)
	if got := testing.AllocsPerRun(200, func() {
		now += ms
		e.Begin(now)
		e.Cost(now)
		e.Latency(now)
		e.Answered(now, core.Sample{FirstAnswer: 5})
		e.End(now, core.Sample{Outcome: core.Reset, FirstAnswer: 5, Total: 6})
	}); got != 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}
