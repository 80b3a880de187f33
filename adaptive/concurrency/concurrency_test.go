package concurrency_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/adaptive/concurrency"
	"github.com/evenkeel/evenkeel/core"
)

func TestNew(t *testing.T) {
	good := standard(20)
	with := func(change func(*concurrency.Settings)) concurrency.Settings {
		s := good
		change(&s)
		return s
	}
	for name, s := range map[string]concurrency.Settings{
		"no floor":             with(func(s *concurrency.Settings) { s.Floor = 0 }),
		"initial below floor":  with(func(s *concurrency.Settings) { s.Floor = 21 }),
		"initial beyond limit": with(func(s *concurrency.Settings) { s.Ceiling = 19 }),
		"no window":            with(func(s *concurrency.Settings) { s.Window = 0 }),
		"no samples":           with(func(s *concurrency.Settings) { s.Samples = 0 }),
	} {
		if _, err := concurrency.NewAIMD(s, 0); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	for name, err := range map[string]error{
		"timeout below 0":   second(concurrency.NewAIMD(good, -1)),
		"tolerance below 1": second(concurrency.NewGradient2(good, 0.9, 4)),
		"tolerance NaN":     second(concurrency.NewGradient2(good, math.NaN(), 4)),
		"headroom below 1":  second(concurrency.NewGradient2(good, 1.5, 0)),
		"quantile 0":        second(concurrency.NewCorrelated(good, 0)),
		"quantile 1":        second(concurrency.NewCorrelated(good, 1)),
		"settings":          second(concurrency.NewCorrelated(concurrency.Settings{}, 0.5)),
		"fixed at 0":        second(concurrency.NewFixed(0)),
	} {
		if err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestFixed(t *testing.T) {
	f, err := concurrency.NewFixed(7)
	if err != nil {
		t.Fatal(err)
	}
	f.Learn(0, dropped(time.Second), 7)
	if f.Limit() != 7 || f.State().Limit != 7 || !math.IsNaN(f.State().Recent) {
		t.Errorf("got limit %d and state %+v, want 7 and nothing else", f.Limit(), f.State())
	}
}

// No drops, however many, take a limit below its floor, nor does growth take it beyond its
// ceiling.
func TestFloorAndCeiling(t *testing.T) {
	s := standard(20)
	s.Floor, s.Ceiling = 18, 22
	key := core.NewKey(1)
	for name, l := range map[string]*concurrency.Limiter{
		"aimd":       must(concurrency.NewAIMD(s, 0)),
		"vegas":      must(concurrency.NewVegas(s, &key)),
		"gradient2":  must(concurrency.NewGradient2(s, 1.5, 4)),
		"correlated": must(concurrency.NewCorrelated(s, 0.9)),
	} {
		now := feed(l, 0, 2000, 10*time.Millisecond, 22)
		if got := l.Limit(); got != 22 {
			t.Errorf("%s: grown to %d, want 22", name, got)
		}
		for range 20 {
			now += sec
			l.Learn(now, dropped(time.Millisecond), 22)
		}
		if got := l.Limit(); got != 18 {
			t.Errorf("%s: fallen to %d, want 18", name, got)
		}
	}
}

// feed has the limiter learn of n samples of d, the first at from and one each
// millisecond.
func feed(l core.Limiter, from core.Instant, n int, d time.Duration, inFlight int) core.Instant {
	for i := range n {
		l.Learn(from.Add(time.Duration(i)*time.Millisecond), answered(d), inFlight)
	}
	return from.Add(time.Duration(n) * time.Millisecond)
}

// A window needs its time and its samples; the limit moves once a window.
func TestWindows(t *testing.T) {
	for _, c := range []struct {
		name string
		gap  time.Duration // between samples
		n    int
		want int
	}{
		{"time without samples", 20 * time.Millisecond, 9, 20},
		{"samples without time", time.Millisecond, 99, 20},
		{"both", 20 * time.Millisecond, 10, 21},
		{"the hundredth millisecond", time.Millisecond, 101, 21},
		{"two windows", 20 * time.Millisecond, 20, 22},
		{"so slow that it never fills", 340 * time.Millisecond, 100, 20},
		{"just fast enough", 333 * time.Millisecond, 10, 21},
	} {
		l := aimd(20)
		for i := range c.n {
			l.Learn(core.Instant(i)*core.Instant(c.gap), answered(time.Millisecond), 20)
		}
		if got := l.Limit(); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

// No growth without need: with less than half of the limit in flight nothing grows,
// from half on it does. (Netflix: inflight*2 < limit.)
func TestGrowthNeedsNeed(t *testing.T) {
	for name, make := range moving {
		idle, busy := make(20), make(20)
		feed(idle, 0, 2000, 10*time.Millisecond, 9)
		feed(busy, 0, 2000, 10*time.Millisecond, 10)
		if got := idle.Limit(); got != 20 {
			t.Errorf("%s, 9 of 20 in flight: got a limit of %d, want 20 still", name, got)
		}
		if got := busy.Limit(); got <= 20 {
			t.Errorf("%s, 10 of 20 in flight: got a limit of %d, want more", name, got)
		}
	}
}

// A drop reduces at once, those of the same stall no more, and those that began after
// it again.
func TestDrops(t *testing.T) {
	for name, c := range map[string]struct {
		limiter       *concurrency.Limiter
		first, second int
	}{
		"aimd":       {aimd(100), 90, 81},
		"vegas":      {vegas(100), 98, 97}, // log10: 2, then 1
		"gradient2":  {gradient2(100), 90, 81},
		"correlated": {correlated(100), 90, 81},
	} {
		for i := range 100 { // a hundred that began within a second, and end after ten
			l := c.limiter
			l.Learn(10*sec+core.Instant(i)*10*ms, dropped(10*time.Second), 100)
		}
		if got := c.limiter.Limit(); got != c.first {
			t.Errorf("%s after a stall: got %d, want %d", name, got, c.first)
		}
		c.limiter.Learn(20*sec, dropped(10*time.Second), 50) // began at the reduction
		if got := c.limiter.Limit(); got != c.second {
			t.Errorf("%s after another: got %d, want %d", name, got, c.second)
		}
	}
}

// What was seen before a drop teaches nothing after it: a window begins anew.
func TestADropBeginsAWindow(t *testing.T) {
	l := aimd(20)
	feed(l, 0, 99, 10*time.Millisecond, 20)
	l.Learn(99*ms, dropped(time.Millisecond), 20) // 18
	feed(l, 100*ms, 99, 10*time.Millisecond, 20)
	wantLimit(t, "before a window from the drop on has passed", l, 18, 18)
	feed(l, 199*ms, 1, 10*time.Millisecond, 20)
	wantLimit(t, "after it", l, 19, 19)
}

// What says nothing about the load teaches nothing: failures of another kind, those
// that the client has left, an end without an answer. Throttling is a drop.
func TestOutcomes(t *testing.T) {
	for name, make := range moving {
		for _, o := range []core.Outcome{core.ServerError, core.ConnectFailure, core.Reset, core.Abandoned} {
			l := make(20)
			for i := range core.Instant(500) {
				l.Learn(i*ms, core.Sample{Outcome: o, FirstAnswer: time.Microsecond, Total: time.Microsecond}, 20)
			}
			if got := l.State(); l.Limit() != 20 || !math.IsNaN(got.Recent) {
				t.Errorf("%s, fast ends with %v: got %+v, want nothing learned", name, o, got)
			}
		}
		l := make(20)
		for i := range core.Instant(500) {
			l.Learn(i*ms, core.Sample{Outcome: core.Success, FirstAnswer: -1, Total: time.Second}, 20)
		}
		if got := l.State(); !math.IsNaN(got.Recent) {
			t.Errorf("%s, ends without an answer: got %+v, want nothing learned", name, got)
		}
		l.Learn(sec, core.Sample{Outcome: core.Throttled, FirstAnswer: time.Millisecond, Total: time.Millisecond}, 20)
		if got := l.Limit(); got >= 20 {
			t.Errorf("%s throttled: got %d, want less than 20", name, got)
		}
	}
}

// AIMD's own timeout: a late answer is a drop.
func TestLateIsADrop(t *testing.T) {
	l := aimd(100)
	l.Learn(6*sec, answered(5*time.Second), 100)
	wantLimit(t, "at the timeout", l, 100, 100)
	l.Learn(6*sec, answered(5*time.Second+1), 100)
	wantLimit(t, "beyond it", l, 90, 90)
}

// An idle hour moves nothing, and what was seen before it teaches nothing after it.
func TestIdleHour(t *testing.T) {
	for name, make := range moving {
		l := make(20)
		now := feed(l, 0, 500, 10*time.Millisecond, 20)
		now = feed(l, now, 9, 9*time.Second, 20) // the beginning of a window, and all of it slow
		before, state := l.Limit(), l.State()
		now = now.Add(time.Hour)
		if l.Limit() != before || l.State() != state && !math.IsNaN(state.Baseline) && l.State().Baseline != state.Baseline {
			t.Errorf("%s after the hour: got %+v, want %+v", name, l.State(), state)
		}
		feed(l, now, 101, 10*time.Millisecond, 9)
		if got := l.State(); got.Recent > 0.0101 || got.Recent < 0.0099 && name != "correlated" {
			t.Errorf("%s, the first window after the hour: got a latency of %v s, want 10 ms", name, got.Recent)
		}
	}
}

// Invariants, whatever is learned: the limit stays from floor to ceiling, it grows in
// no window in which less than half of it was in flight, and never by more than Vegas's
// six units at once; the state says what the limit is; and a limiter is deterministic.
func TestInvariants(t *testing.T) {
	for name, make := range moving {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				initial := rapid.IntRange(1, 200).Draw(t, "initial")
				l, twin := make(initial), make(initial)
				now := core.Instant(0)
				for range rapid.IntRange(1, 30).Draw(t, "phases") {
					n := rapid.IntRange(1, 120).Draw(t, "samples")
					gap := rapid.SampledFrom([]time.Duration{0, time.Millisecond, 30 * time.Millisecond, time.Second}).Draw(t, "gap")
					latency := time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "latency"))
					inFlight := rapid.IntRange(1, 300).Draw(t, "in flight")
					outcome := rapid.SampledFrom([]core.Outcome{core.Success, core.Success, core.ClientError, core.Timeout, core.Abandoned}).Draw(t, "outcome")
					for range n {
						now = now.Add(gap)
						before := l.Limit()
						s := core.Sample{Outcome: outcome, FirstAnswer: latency, Total: latency}
						l.Learn(now, s, inFlight)
						twin.Learn(now, s, inFlight)
						after := l.Limit()
						if after < 1 || after > 1000 {
							t.Fatalf("limit: got %d, want 1 to 1000", after)
						}
						if most := 6 * math.Max(1, math.Floor(math.Log10(float64(before)))); float64(after-before) > most {
							t.Fatalf("limit: got from %d to %d, want at most %v more", before, after, most)
						}
						if state := l.State(); after > before && 2*state.InFlight < float64(before) {
							t.Fatalf("limit: got from %d to %d with %v in flight", before, after, state.InFlight)
						}
					}
				}
				if got := l.State().Limit; int(got) != l.Limit() {
					t.Fatalf("state says %v, the limit is %d", got, l.Limit())
				}
				if l.Limit() != twin.Limit() {
					t.Fatalf("the same samples: got %d and %d", l.Limit(), twin.Limit())
				}
			})
		})
	}
}

func TestAllocatesNothing(t *testing.T) {
	for name, make := range moving {
		l := make(20)
		g := concurrency.NewGate(l, false)
		now := core.Instant(0)
		if got := testing.AllocsPerRun(2000, func() {
			now += ms
			p, _ := g.Acquire(now, false)
			g.Answered(p, now, answered(10*time.Millisecond))
			g.Settle(p, now, core.Sample{Outcome: core.Success, Told: true})
			l.Learn(now, dropped(time.Millisecond), 3)
			l.State()
		}); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, got)
		}
	}
}

func BenchmarkLearn(b *testing.B) {
	for name, make := range moving {
		b.Run(name, func(b *testing.B) {
			l := make(20)
			now := core.Instant(0)
			b.ReportAllocs()
			for b.Loop() {
				now += ms / 10
				l.Learn(now, answered(10*time.Millisecond), 20)
			}
		})
	}
}
