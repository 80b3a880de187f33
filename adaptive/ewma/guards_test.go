package ewma_test

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive/ewma"
	"github.com/evenkeel/evenkeel/core"
)

// tick is what time is counted in: latencies and instants that are multiples of it are
// exact.
const tick = core.Instant(1 << 20)

// with is classic with a change.
func with(change func(*ewma.Settings)) ewma.Settings {
	s := classic
	change(&s)
	return s
}

// exactly compares to within what a float32 rounds.
func exactly(t testing.TB, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6*math.Abs(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// The average remembers for its decay; for longer where fewer samples come within it than
// it is to remember; and for twenty times as long at most.
func TestMemory(t *testing.T) {
	for name, c := range map[string]struct {
		samples int
		every   core.Instant
		memory  float64 // seconds
	}{
		"enough within the decay":       {10, 32 * tick, 1},
		"just not enough":               {10, 100 * tick, 10 * (100 * tick).Sub(0).Seconds()},
		"fewer":                         {10, 512 * tick, 10 * (512 * tick).Sub(0).Seconds()},
		"as many more as are wished":    {20, 512 * tick, 20 * (512 * tick).Sub(0).Seconds()},
		"so few that there is no sense": {10, 8192 * tick, 20},
		"no wish":                       {0, 512 * tick, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := rigWith(t, with(func(s *ewma.Settings) { s.Decay, s.Samples = time.Second, c.samples }), "a")
			latency := (4 * tick).Sub(0)
			now := core.Instant(0)
			for range 20 {
				now += c.every
				r.answer(t, now, 0, latency, ok)
			}
			before := latency.Seconds()
			r.begin(t, now+c.every-4*tick, 0).Settle(now, core.Sample{Outcome: core.Abandoned})
			exactly(t, "interval", r.View().Pool.Interval(), c.every.Sub(0).Seconds())
			m := r.member(0)
			last := now
			until := c.memory * 3
			if _, fresh := m.Latency(last.Add(time.Duration((until - 0.01) * 1e9))); !fresh {
				t.Errorf("just less than %v s later: got stale, want fresh", until)
			}
			if _, fresh := m.Latency(last.Add(time.Duration((until + 0.01) * 1e9))); fresh {
				t.Errorf("just more than %v s later: got fresh, want stale", until)
			}
			e := ewma.New(m, &ewma.Settings{Decay: time.Second, Samples: c.samples})
			for range 15 {
				e.Answered(now, core.Sample{FirstAnswer: latency})
			}
			now += c.every
			e.Answered(now, core.Sample{FirstAnswer: 100 * latency})
			share := 1 - math.Exp(-c.every.Sub(0).Seconds()/c.memory)
			got, _ := e.Latency(now)
			exactly(t, "estimate", got, before+share*99*before)
		})
	}
}

// What is near the median counts as the median, on either side; the bounds do not.
func TestNear(t *testing.T) {
	for _, c := range []struct{ near, latency, want float64 }{
		{0.1, 1.09, 1}, {0.1, 0.91, 1}, {0.1, 1.11, 1.11}, {0.1, 0.89, 0.89},
		{0.5, 1.49, 1}, {0.5, 0.51, 1}, {0.5, 1.5, 1.5}, {0.5, 0.5, 0.5}, {0, 1.001, 1.001}, {0, 0.999, 0.999},
	} {
		r := rigWith(t, with(func(s *ewma.Settings) { s.Near = c.near }), "a", "b", "c")
		for slot, seconds := range []float64{1, 1, c.latency} {
			r.answer(t, sec, slot, time.Duration(seconds*1e9), ok)
		}
		r.begin(t, sec, 0).Settle(sec, core.Sample{Outcome: core.Abandoned})
		exactly(t, "cost", r.member(2).Cost(sec), c.want)
		latency, _ := r.member(2).Latency(sec)
		exactly(t, "latency, which is told as it is", latency, c.latency)
	}
}

// An answer counts as at most so many times what its member, or the median, takes; one that is
// slower for good is known to be, step by step. A failure counts as it is, and so does all
// where the peak is to be seen.
func TestOutlier(t *testing.T) {
	failed := core.Sample{Outcome: core.ServerError, FirstAnswer: -1}
	for name, c := range map[string]struct {
		change func(*ewma.Settings)
		slot   int
		sample core.Sample
		took   time.Duration
		want   float64 // seconds; the mean of two
	}{
		"just within":            {nil, 0, ok, 40 * time.Millisecond, 0.025},
		"beyond":                 {nil, 0, ok, 800 * time.Millisecond, 0.025},
		"of the slow one":        {nil, 2, ok, 800 * time.Millisecond, 0.075},
		"of the median":          {nil, 1, ok, 800 * time.Millisecond, 0.0205},
		"off":                    {func(s *ewma.Settings) { s.Outlier = 0 }, 0, ok, 800 * time.Millisecond, 0.405},
		"half as much":           {func(s *ewma.Settings) { s.Outlier = 2 }, 0, ok, 800 * time.Millisecond, 0.015},
		"a peak":                 {func(s *ewma.Settings) { s.Peak = true }, 0, ok, 800 * time.Millisecond, 0.8},
		"a failure, its penalty": {nil, 0, failed, time.Millisecond, 2.505},
	} {
		t.Run(name, func(t *testing.T) {
			r := rigWith(t, with(func(s *ewma.Settings) {
				s.Outlier = 4
				if c.change != nil {
					c.change(s)
				}
			}), "a", "b", "c")
			for slot, latency := range []time.Duration{1e7, 1e6, 3e7} {
				r.answer(t, sec, slot, latency, ok)
			}
			r.View().Pool.Stale()
			r.begin(t, sec, 0).Settle(sec, core.Sample{Outcome: core.Abandoned}) // the median is known
			r.answer(t, sec+900*ms, c.slot, c.took, c.sample)
			got, _ := r.member(c.slot).Latency(sec + 900*ms)
			near(t, "latency", got, c.want)
		})
	}
	r := rigWith(t, with(func(s *ewma.Settings) { s.Outlier = 4 }), "a")
	r.answer(t, sec, 0, 10*time.Millisecond, ok)
	now := sec
	for range 10 {
		now += 20 * sec
		r.answer(t, now, 0, time.Second, ok)
	}
	got, _ := r.member(0).Latency(now)
	if got < 0.99 {
		t.Errorf("slow for good: got %v s, want 1 s", got)
	}
}

// A silence counts from the grace on, and then by what is beyond it.
func TestGrace(t *testing.T) {
	r := rigWith(t, with(func(s *ewma.Settings) { s.Grace = 4 }), "a")
	r.answer(t, sec, 0, 100*time.Millisecond, ok)
	r.begin(t, sec, 0)
	r.begin(t, sec, 0)
	for _, step := range []struct {
		after core.Instant
		want  float64
	}{{0, 0.1}, {400 * ms, 0.1}, {500 * ms, 0.1}, {600 * ms, 0.2}, {2400 * ms, 2}} {
		near(t, "cost", r.member(0).Cost(sec+step.after), 3*step.want)
		p, _ := r.View().Members[0].Explain(sec + step.after)
		if want := max(0, step.after.Sub(0).Seconds()-0.4); math.Abs(p.Silence-want) > 1e-4 {
			t.Errorf("silence after %v: told as %v s, want %v s", step.after, p.Silence, want)
		}
	}
}

// A member that has come into use looks ten times slower at first, and evenly less until
// the ramp is over.
func TestRamp(t *testing.T) {
	r := rigWith(t, with(func(s *ewma.Settings) { s.Ramp = 10 * time.Second }), "a")
	r.member(0).Return(0)
	exactly(t, "cold", r.member(0).Cost(0), 0)
	r.answer(t, 0, 0, 100*time.Millisecond, ok)
	used := func(what string, at core.Instant, want float64) {
		t.Helper()
		exactly(t, what, r.member(0).Cost(at), 0.1*want)
	}
	used("at once", 0, 10)
	used("a little before, by another clock", -sec, 10)
	used("after a half", 5*sec, 1/0.55)
	used("at the end", 10*sec, 1)
	used("and later", 100*sec, 1)
	r.member(0).Return(50 * sec)
	used("come back", 50*sec, 10)
}

// Each guard that is off leaves what it guards against.
func TestGuardsOff(t *testing.T) {
	t.Run("penalty", func(t *testing.T) {
		r := rigWith(t, with(func(s *ewma.Settings) { s.Penalty = 0 }), "a")
		l := r.begin(t, 0, 0)
		l.Settle(ms, core.Sample{Outcome: core.ConnectFailure, RetryAfter: time.Minute})
		got, _ := r.member(0).Latency(ms)
		exactly(t, "a refusal of a millisecond", got, 0.001)
	})
	t.Run("age", func(t *testing.T) {
		r := rigWith(t, with(func(s *ewma.Settings) { s.Age = false }), "a")
		r.answer(t, 0, 0, 10*time.Millisecond, ok)
		r.begin(t, 0, 0)
		exactly(t, "cost of a hung one", r.member(0).Cost(3600*sec), 0.02)
	})
	t.Run("drift", func(t *testing.T) {
		r := rigWith(t, with(func(s *ewma.Settings) { s.Drift = false }), "a", "b", "c")
		for slot, latency := range []time.Duration{1e6, 10e6, 100e6} {
			r.answer(t, 0, slot, latency, ok)
		}
		r.begin(t, 0, 0).Settle(0, core.Sample{Outcome: core.Abandoned})
		exactly(t, "the fast one after an hour", r.member(0).Cost(3600*sec), 0.001)
		exactly(t, "the slow one after an hour", r.member(2).Cost(3600*sec), 0.1)
	})
	t.Run("seed", func(t *testing.T) {
		r := rigWith(t, with(func(s *ewma.Settings) { s.Seed = false }), "cold", "a")
		r.answer(t, 0, 1, 10*time.Millisecond, ok)
		for range 3 {
			r.begin(t, 0, 0)
		}
		if got := r.member(0).Cost(0); got != 0 {
			t.Errorf("cost of a cold one with three pending: got %v, want 0", got)
		}
	})
}

// With a peak hold what is slower counts at once, and what is faster as ever.
func TestPeak(t *testing.T) {
	r := rigWith(t, with(func(s *ewma.Settings) { s.Peak = true }), "a")
	now := core.Instant(0)
	for _, c := range []struct{ sample, want float64 }{{0.1, 0.1}, {0.9, 0.9}, {0.3, 0.7}, {0.7, 0.7}, {0.8, 0.8}} {
		r.answer(t, now, 0, time.Duration(c.sample*1e9), ok)
		got, _ := r.member(0).Latency(now)
		exactly(t, "estimate", got, c.want)
	}
}

// A failure is never good news: not after a Retry-After beyond the penalty, not where the
// whole pool is slower than it, not for a member that drifts from below to a slow median.
func TestFailuresNeverLower(t *testing.T) {
	fail := func(r *rig, now core.Instant, s core.Sample) float64 {
		r.begin(t, now, 0).Settle(now, s)
		got, _ := r.member(0).Latency(now)
		return got
	}
	reset := core.Sample{Outcome: core.Reset}
	r := newRig(t, "a")
	exactly(t, "told to wait", fail(r, 0, core.Sample{Outcome: core.Throttled, RetryAfter: 2 * time.Minute}), 120)
	exactly(t, "and reset", fail(r, 0, reset), 120)
	exactly(t, "and again much later", fail(r, 1000*sec, reset), 120)

	slow := newRig(t, "cold", "a", "b")
	for slot := 1; slot < 3; slot++ {
		slow.answer(t, 0, slot, 100*time.Second, ok)
	}
	exactly(t, "the first of a cold one", fail(slow, 0, reset), 100)

	drifting := newRig(t, "fast", "a", "b")
	for slot, latency := range []time.Duration{time.Second, 100 * time.Second, 100 * time.Second} {
		drifting.answer(t, 0, slot, latency, ok)
	}
	later := 10000 * tick
	exactly(t, "of one that has drifted", fail(drifting, later, reset), 100-99*math.Exp(-later.Sub(0).Seconds()/10))
}

// Where most of a pool fail, a failure counts as elsewhere: what the failures themselves count
// as is no answer's latency.
func TestPenaltyWhereMostFail(t *testing.T) {
	r := newRig(t, "a", "b", "c", "d", "e")
	reset := core.Sample{Outcome: core.Reset}
	for i := range core.Instant(5) {
		for slot := range 2 {
			r.answer(t, i*sec, slot, 100*time.Millisecond, ok)
		}
		for slot := 2; slot < 5; slot++ {
			r.begin(t, i*sec, slot).Settle(i*sec, reset)
		}
	}
	if got := r.View().Pool.MedianLatency(); math.Abs(got-5) > 1e-3 {
		t.Errorf("median latency: got %v s, want 5 s", got)
	}
	if got := r.View().Pool.FastLatency(); math.Abs(got-0.1) > 1e-3 {
		t.Errorf("latency of the fastest quarter: got %v s, want 0.1 s", got)
	}
	if got, _ := r.member(4).Latency(4 * sec); math.Abs(got-5) > 1e-3 {
		t.Errorf("who fails: got %v s, want 5 s", got)
	}
}

// A failure counts as 25 times what answers take, where that is more than the penalty, and as
// fifteen penalties at most.
func TestPenaltyFollowsLatency(t *testing.T) {
	for _, c := range []struct {
		usual time.Duration
		want  float64 // seconds
	}{{10 * time.Millisecond, 5}, {200 * time.Millisecond, 5}, {400 * time.Millisecond, 10}, {3 * time.Second, 75}, {20 * time.Second, 75}} {
		r := newRig(t, "cold", "a", "b", "c", "d")
		for slot := 1; slot < 5; slot++ {
			r.answer(t, 0, slot, c.usual, ok)
		}
		r.begin(t, sec, 1).Settle(sec, core.Sample{Outcome: core.Abandoned})
		r.begin(t, sec, 0).Settle(sec, core.Sample{Outcome: core.Reset})
		got, _ := r.member(0).Latency(sec)
		if math.Abs(got-c.want) > 1e-3*c.want {
			t.Errorf("where answers take %v: a failure counts as %v s, want %v s", c.usual, got, c.want)
		}
	}
}

func TestSettingsValidate(t *testing.T) {
	on := ewma.Settings{
		Decay: time.Second, Samples: 10, Near: 0.1, Penalty: penalty, Peak: true, Age: true, Drift: true, Seed: true,
		Explore: time.Second, Ramp: time.Second,
	}
	if err := on.Validate(); err != nil {
		t.Errorf("everything on: %v", err)
	}
	off := ewma.Settings{Decay: 1}
	if err := off.Validate(); err != nil {
		t.Errorf("everything off: %v", err)
	}
	for name, change := range map[string]func(*ewma.Settings){
		"decay":      func(s *ewma.Settings) { s.Decay = 0 },
		"samples":    func(s *ewma.Settings) { s.Samples = -1 },
		"near":       func(s *ewma.Settings) { s.Near = 1 },
		"near below": func(s *ewma.Settings) { s.Near = -0.1 },
		"near NaN":   func(s *ewma.Settings) { s.Near = math.NaN() },
		"outlier":    func(s *ewma.Settings) { s.Outlier = 0.99 },
		"grace":      func(s *ewma.Settings) { s.Grace = -1 },
		"grace NaN":  func(s *ewma.Settings) { s.Grace = math.NaN() },
		"penalty":    func(s *ewma.Settings) { s.Penalty = -1 },
		"explore":    func(s *ewma.Settings) { s.Explore = -1 },
		"ramp":       func(s *ewma.Settings) { s.Ramp = -1 },
	} {
		s := on
		if change(&s); s.Validate() == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
