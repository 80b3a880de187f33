package shed_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/adaptive/shed"
	"github.com/evenkeel/evenkeel/core"
)

const (
	ms  = core.Instant(time.Millisecond)
	sec = core.Instant(time.Second)
)

func TestNew(t *testing.T) {
	for name, ok := range map[string]bool{
		"codel":           codelError(5*time.Millisecond, 100*time.Millisecond) == nil,
		"codel, as long":  codelError(time.Second, time.Second) == nil,
		"ratio":           ratioError(2, 2*time.Minute, 0.9) == nil,
		"ratio, all":      ratioError(1, time.Second, 1) == nil,
		"no target":       codelError(0, time.Second) != nil,
		"short interval":  codelError(time.Second, time.Second-1) != nil,
		"k below 1":       ratioError(0.9, time.Minute, 1) != nil,
		"k is NaN":        ratioError(math.NaN(), time.Minute, 1) != nil,
		"k is infinite":   ratioError(math.Inf(1), time.Minute, 1) != nil,
		"no window":       ratioError(2, time.Second-1, 1) != nil,
		"no share":        ratioError(2, time.Minute, 0) != nil,
		"more than all":   ratioError(2, time.Minute, 1.1) != nil,
		"a share of NaN":  ratioError(2, time.Minute, math.NaN()) != nil,
		"below no target": codelError(-1, time.Second) != nil,
	} {
		if !ok {
			t.Errorf("%s: got it wrong", name)
		}
	}
}

func codelError(target, interval time.Duration) error {
	_, err := shed.NewCoDel(target, interval)
	return err
}

func ratioError(k float64, window time.Duration, most float64) error {
	_, err := shed.NewAcceptRatio(k, window, most)
	return err
}

func ratio(t testing.TB, window time.Duration, most float64) *shed.AcceptRatio {
	r, err := shed.NewAcceptRatio(2, window, most)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// pass has one request come; accepted says how it would end.
func pass(r *shed.AcceptRatio, now core.Instant, priority uint8, src rand.Source, accepted bool) bool {
	if !r.Admit(now, priority, src) {
		return false
	}
	r.Begun(now, priority)
	o := core.ServerError
	if accepted {
		o = core.Success
	}
	r.Ended(now, priority, o)
	return true
}

// The formula, at its edges: max(0, (requests - 2 accepts) / (requests + 1)).
func TestRejectShare(t *testing.T) {
	for _, c := range []struct {
		requests, accepts int
		most, want        float64
	}{
		{0, 0, 1, 0},
		{1, 0, 1, 0.5},
		{100, 50, 1, 0}, // K = 2: half may fail
		{100, 49, 1, 2.0 / 101},
		{99, 0, 1, 0.99},
		{99, 0, 0.9, 0.9},
	} {
		r := ratio(t, 2*time.Minute, c.most)
		for i := range c.requests {
			r.Begun(0, 0)
			o := core.Success
			if i >= c.accepts {
				o = core.Timeout
			}
			r.Ended(sec, 0, o)
		}
		s := r.State(sec)
		if math.Abs(s.Reject-c.want) > 1e-12 || s.Requests != float64(c.requests) || s.Accepts != float64(c.accepts) {
			t.Errorf("%d of %d accepted, at most %v: got %+v, want a share of %v", c.accepts, c.requests, c.most, s, c.want)
		}
	}
}

// What counts as accepted. A request that hangs counts from its beginning.
func TestWhatIsAccepted(t *testing.T) {
	for o, want := range map[core.Outcome]float64{
		core.Success: 1, core.ClientError: 1,
		core.Abandoned: 0, core.ServerError: 0, core.Throttled: 0, core.Timeout: 0, core.ConnectFailure: 0, core.Reset: 0,
	} {
		r := ratio(t, time.Minute, 1)
		r.Begun(0, 0)
		if got := r.State(0); got.Requests != 1 || got.Accepts != 0 {
			t.Errorf("before the end: got %+v, want one request and no accept", got)
		}
		r.Ended(sec, 0, o)
		if got := r.State(sec); got.Requests != 1 || got.Accepts != want {
			t.Errorf("%v: got %+v, want one request and %v accepts", o, got, want)
		}
	}
}

// A pool that accepts a fifth of what it gets, at 1000 a second. In balance, with the
// share p turned away, accepts are (1-p)/5 of the requests, and p = 1 - 2·(1-p)/5, so
// that p would go to 1, and the bound of 0.9 holds. One that accepts all but is sent
// more than it can do, 400 of 1000 a second, gets 800: K times as many.
func TestAcceptRatioSettles(t *testing.T) {
	for _, c := range []struct {
		name      string
		accept    func(n int, begun int) bool // of the begun-th in this second
		low, high int
	}{
		{"a fifth", func(n, _ int) bool { return n%5 == 0 }, 80, 120},
		{"400 a second", func(_, begun int) bool { return begun < 400 }, 760, 840},
		{"all", func(int, int) bool { return true }, 1000, 1000},
		{"half", func(n, _ int) bool { return n%2 == 0 }, 950, 1000},
	} {
		r := ratio(t, 10*time.Second, 0.9)
		key := core.NewKey(5)
		n, begun := 0, 0
		for i := range 60_000 {
			if i%1000 == 0 {
				begun = 0
			}
			if pass(r, core.Instant(i)*ms, 0, &key, c.accept(n, begun)) {
				n, begun = n+1, begun+1
			}
		}
		if begun < c.low || begun > c.high {
			t.Errorf("%s: got %d let through in the last second, want %d to %d", c.name, begun, c.low, c.high)
		}
	}
}

// A pool that was down for a whole window of 12,000 requests and comes back. A tenth is
// let through, ten a second, until 600 are accepted; from then on twice as many as were
// accepted in the window, which grows by a factor of e in a minute, to half of them:
// 60 + 60·ln 10 = 200 seconds, were it not that the accepted ones leave the window, too.
// Two windows and a half are enough. Without the bound the first request alone would be
// awaited for two minutes.
func TestAcceptRatioRecovers(t *testing.T) {
	r := ratio(t, 2*time.Minute, 0.9)
	key := core.NewKey(6)
	now := core.Instant(0)
	for ; now < 180*sec; now += 10 * ms {
		pass(r, now, 0, &key, false)
	}
	if got := r.State(now).Reject; got != 0.9 {
		t.Fatalf("after three minutes down: got a share of %v, want 0.9", got)
	}
	for ; now < (180+300)*sec; now += 10 * ms {
		pass(r, now, 0, &key, true)
	}
	if got := r.State(now).Reject; got != 0 {
		t.Errorf("300 s after it was well again: got a share of %v, want 0", got)
	}
}

// An idle hour: nothing is left of what was before.
func TestAcceptRatioForgets(t *testing.T) {
	r := ratio(t, 2*time.Minute, 0.9)
	key := core.NewKey(1)
	for i := range 1000 {
		pass(r, core.Instant(i)*ms, 0, &key, false)
	}
	later := 3600 * sec
	if got := r.State(later); got != (core.ShedderState{}) {
		t.Errorf("after an hour: got %+v, want nothing", got)
	}
	for range 5 {
		if !r.Admit(later, 0, &key) {
			t.Error("after an hour: got a request turned away")
		}
	}
}

// The least important go first: a share of 40 % of all is all of a last class of 30 %,
// and a third of a class above it of 30 %; nothing of the first.
func TestPriorities(t *testing.T) {
	r := ratio(t, time.Minute, 0.9)
	for i := range 1000 {
		priority := []uint8{0, 0, 0, 0, 2, 2, 2, 3, 200, 255}[i%10] // beyond the last class is the last
		r.Begun(0, priority)
		o := core.Success
		if i%10 >= 3 { // 300 of 1000: a share of 0.4
			o = core.Timeout
		}
		r.Ended(0, priority, o)
	}
	key := core.NewKey(9)
	const n = 9000
	for priority, want := range map[uint8]float64{0: 1, 1: 1, 2: 2.0 / 3, 3: 0, 255: 0} {
		admitted := 0
		for range n {
			if r.Admit(0, priority, &key) { // at one instant: worked out once
				admitted++
			}
		}
		// Four standard deviations of the share of n draws are 0.02 at most.
		if got := float64(admitted) / n; math.Abs(got-want) > 0.02 {
			t.Errorf("priority %d: got %.3f admitted, want %.3f", priority, got, want)
		}
	}
}

// Invariants: of a class that is shed in part every less important one that has
// requests is shed wholly; nobody is turned away while no more than half fails; the
// share is within its bound.
func TestAcceptRatioInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, err := shed.NewAcceptRatio(2, time.Minute, 0.9)
		if err != nil {
			t.Fatal(err)
		}
		var requests [shed.Classes]int
		for class := range uint8(shed.Classes) {
			requests[class] = rapid.IntRange(0, 50).Draw(t, fmt.Sprint("requests of ", class))
			good := rapid.IntRange(0, requests[class]).Draw(t, "accepts")
			for i := range requests[class] {
				r.Begun(0, class)
				if i < good {
					r.Ended(0, class, core.Success)
				}
			}
		}
		state := r.State(0)
		if state.Reject < 0 || state.Reject > 0.9 {
			t.Fatalf("share: got %v, want 0 to 0.9", state.Reject)
		}
		low, high := least{}, most{}
		for class := range uint8(shed.Classes) {
			never := !r.Admit(0, class, low)
			if 2*state.Accepts >= state.Requests && !r.Admit(0, class, low) {
				t.Fatalf("class %d is shed while %v of %v are accepted", class, state.Accepts, state.Requests)
			}
			if never { // some of it is shed
				for below := class + 1; below < shed.Classes; below++ {
					if requests[below] > 0 && r.Admit(0, below, high) {
						t.Fatalf("class %d is shed in part, and class %d not wholly", class, below)
					}
				}
			}
		}
	})
}

// least and most are draws at the ends: what is shed by chance at all is shed by the
// first, and what is let in by chance at all is let in by the second.
type least struct{}

func (least) Uint64() uint64 { return 0 }

type most struct{}

func (most) Uint64() uint64 { return math.MaxUint64 }

func TestAllocatesNothing(t *testing.T) {
	r := ratio(t, 2*time.Minute, 0.9)
	key := core.NewKey(1)
	now := core.Instant(0)
	if got := testing.AllocsPerRun(2000, func() {
		now += 10 * ms
		pass(r, now, 1, &key, now%3 == 0)
	}); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func BenchmarkAcceptRatio(b *testing.B) {
	r := ratio(b, 2*time.Minute, 0.9)
	key := core.NewKey(1)
	now := core.Instant(0)
	b.ReportAllocs()
	for b.Loop() {
		now += 10_000
		pass(r, now, 1, &key, true)
	}
}

// What was counted over the same window counts, whatever k is, and both count together from
// then on; over another window it begins anew.
func TestInheritRatio(t *testing.T) {
	fill := func(r *shed.AcceptRatio, n int) {
		for range n {
			r.Begun(0, 1)
		}
	}
	old := ratio(t, time.Minute, 1)
	fill(old, 10)
	for window, want := range map[time.Duration]float64{time.Minute: 15, time.Hour: 5} {
		next, err := shed.NewAcceptRatio(3, window, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		next.Inherit(0, old)
		fill(next, 5)
		if got := next.State(0); got.Requests != want || got.Reject != 0.5 {
			t.Errorf("window of %v: got %+v, want %v requests, and at most half turned away", window, got, want)
		}
	}
	if got := old.State(0).Requests; got != 15 {
		t.Errorf("the one before: got %v requests, want 15: it counts what comes after, too", got)
	}
	old.Inherit(0, "no shedder")
	if got := old.State(0).Requests; got != 15 {
		t.Errorf("after what is no shedder: got %v requests, want 15", got)
	}
}
