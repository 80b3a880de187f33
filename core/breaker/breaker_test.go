package breaker_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/breaker"
)

func TestOpens(t *testing.T) {
	ratio := by(func(s *breaker.Settings) {
		s.ConsecutiveFailures, s.FailureRatio, s.Window, s.MinRequests = 0, 0.5, 3*time.Second, 4
	})
	both := by(func(s *breaker.Settings) { s.FailureRatio, s.Window, s.MinRequests = 0.9, 3*time.Second, 4 })
	cases := map[string]struct {
		settings breaker.Settings
		steps    []step
		open     bool
	}{
		"closed at first":              {settings, nil, false},
		"two in a row":                 {settings, attempts(0, "fail", "fail"), false},
		"three in a row":               {settings, attempts(0, "fail", "timeout", "reset"), true},
		"three refused":                {settings, attempts(0, "refuse", "refuse", "refuse"), true},
		"a success ends the run":       {settings, attempts(0, "fail", "fail", "ok", "fail", "fail"), false},
		"so does a client's mistake":   {settings, attempts(0, "fail", "fail", "wrong", "fail", "fail"), false},
		"an abandoned one does not":    {settings, attempts(0, "fail", "fail", "abandon", "fail"), true},
		"abandoned ones teach nothing": {settings, attempts(0, "abandon", "abandon", "abandon", "abandon"), false},
		"throttled ones end no run":    {settings, attempts(0, "fail", "fail", "throttle", "fail"), true},
		"a run has no time":            {settings, slices.Concat(attempts(0, "fail", "fail"), attempts(3600*sec, "fail")), true},
		"never by run": {by(func(s *breaker.Settings) { s.ConsecutiveFailures = 0 }),
			attempts(0, "fail", "fail", "fail", "fail", "fail", "fail"), false},

		"ratio, below the volume":      {ratio, attempts(0, "fail", "fail", "fail"), false},
		"ratio, volume reached":        {ratio, attempts(0, "fail", "fail", "fail", "fail"), true},
		"ratio reached":                {ratio, attempts(0, "ok", "ok", "fail", "fail"), true},
		"ratio not reached":            {ratio, attempts(0, "ok", "ok", "ok", "fail", "fail"), false},
		"ratio, throttled ones alone":  {ratio, attempts(0, "throttle", "throttle", "throttle", "throttle", "throttle"), false},
		"ratio, abandoned ones do not": {ratio, attempts(0, "fail", "fail", "fail", "abandon", "abandon"), false},
		"ratio, in the last bucket":    {ratio, slices.Concat(attempts(0, "fail", "fail"), attempts(3*sec-1, "fail", "fail")), true},
		"ratio, old seconds expire":    {ratio, slices.Concat(attempts(sec-1, "fail", "fail"), attempts(3*sec, "fail", "fail")), false},
		"ratio, successes expire":      {ratio, slices.Concat(attempts(0, "ok", "ok", "ok", "ok"), attempts(3*sec, "fail", "fail", "fail", "fail")), true},
		"run before ratio":             {both, attempts(0, "fail", "fail", "fail"), true},
		"ratio without a run": {by(func(s *breaker.Settings) {
			s.ConsecutiveFailures, s.FailureRatio, s.Window, s.MinRequests = 4, 0.5, 3*time.Second, 4
		}),
			attempts(0, "fail", "ok", "ok", "fail"), true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, c.settings)
			verdict, state := "ready", "closed"
			if c.open {
				verdict, state = "barred", "open"
			}
			at := core.Instant(0)
			if n := len(c.steps); n > 0 {
				at = c.steps[n-1].at
			}
			r.run(t, then(c.steps, at, verdict, state))
		})
	}
}

// opened are steps that open a breaker of the settings at an instant.
func opened(at core.Instant, more ...step) []step {
	return append(attempts(at, "fail", "fail", "fail"), more...)
}

func TestLifeOfABreaker(t *testing.T) {
	cases := map[string]struct {
		steps []step
		turns []string
	}{
		"open until its time is over": {opened(0,
			step{0, "a", "take", "no", "barred", "open"},
			step{sec - ms, "a", "take", "no", "barred", "open"},
			step{sec, "", "", "", "probing", "open"},
		), []string{"0s closed>open"}},
		"its quota succeeds": {opened(0,
			step{sec, "a", "take", "yes", "probing", "half-open"},
			step{sec, "b", "take", "yes", "barred", "half-open"},
			step{sec, "c", "take", "no", "barred", "half-open"},
			step{sec + ms, "a", "answer ok", "", "barred", "half-open"},
			step{sec + 2*ms, "b", "answer ok", "", "ready", "closed"},
			step{sec + 3*ms, "a", "told ok", "", "ready", "closed"},
			step{sec + 3*ms, "b", "told ok", "", "ready", "closed"},
		), []string{"0s closed>open", "1s open>half-open", "1.002s half-open>closed"}},
		"told once": {opened(0,
			step{sec, "a", "take", "yes", "", ""},
			step{sec, "a", "answer ok", "", "probing", "half-open"},
			step{sec, "a", "told ok", "", "probing", "half-open"}, // or it would be two
			step{sec, "b", "take", "yes", "", ""},
			step{sec, "b", "ok", "", "ready", "closed"},
		), []string{"0s closed>open", "1s open>half-open", "1s half-open>closed"}},
		"one fails": {opened(0,
			step{sec, "a", "take", "yes", "", ""},
			step{sec, "b", "take", "yes", "", ""},
			step{sec, "a", "ok", "", "barred", "half-open"},
			step{sec + ms, "b", "fail", "", "barred", "open"},
			step{3 * sec, "c", "take", "no", "barred", "open"}, // twice as long
			step{3*sec + ms, "c", "take", "yes", "probing", "half-open"},
		), []string{"0s closed>open", "1s open>half-open", "1.001s half-open>open", "3.001s open>half-open"}},
		"doubles up to its most": {opened(0,
			step{sec, "a", "take", "yes", "", ""}, step{sec, "a", "reset", "", "", "open"},
			step{3*sec - ms, "a", "take", "no", "", ""}, step{3 * sec, "a", "take", "yes", "", ""}, step{3 * sec, "a", "timeout", "", "", "open"},
			step{7*sec - ms, "a", "take", "no", "", ""}, step{7 * sec, "a", "take", "yes", "", ""}, step{7 * sec, "a", "throttle", "", "", "open"},
			step{11*sec - ms, "a", "take", "no", "", ""}, step{11 * sec, "a", "take", "yes", "", ""},
		), []string{"0s closed>open", "1s open>half-open", "1s half-open>open", "3s open>half-open", "3s half-open>open",
			"7s open>half-open", "7s half-open>open", "11s open>half-open"}},
		"closing forgets how often": {opened(0,
			step{sec, "a", "take", "yes", "", ""}, step{sec, "a", "fail", "", "", "open"},
			step{3 * sec, "a", "take", "yes", "", ""}, step{3 * sec, "b", "take", "yes", "", ""},
			step{3 * sec, "a", "ok", "", "", ""}, step{3 * sec, "b", "ok", "", "ready", "closed"},
			step{4 * sec, "a", "take", "yes", "", ""}, step{4 * sec, "b", "take", "yes", "", ""}, step{4 * sec, "c", "take", "yes", "", ""},
			step{4 * sec, "a", "fail", "", "ready", "closed"}, step{4 * sec, "b", "fail", "", "ready", "closed"}, step{4 * sec, "c", "fail", "", "barred", "open"},
			step{5*sec - ms, "a", "take", "no", "", ""}, step{5 * sec, "a", "take", "yes", "", ""},
		), []string{"0s closed>open", "1s open>half-open", "1s half-open>open", "3s open>half-open", "3s half-open>closed", "4s closed>open", "5s open>half-open"}},
		"a probe hangs": {opened(0,
			step{sec, "a", "take", "yes", "", ""},
			step{1500*ms - ms, "", "", "", "probing", "half-open"},
			step{1500 * ms, "b", "take", "no", "barred", "open"}, // its time is over
			step{3500*ms - ms, "b", "take", "no", "barred", "open"},
			step{3500 * ms, "b", "take", "yes", "probing", "half-open"}, // twice as long
			step{3500 * ms, "a", "fail", "", "probing", "half-open"},    // of another time
			step{3500 * ms, "b", "fail", "", "barred", "open"},
			step{7500*ms - ms, "c", "take", "no", "", ""},
			step{7500 * ms, "c", "take", "yes", "", ""},
		), []string{"0s closed>open", "1s open>half-open", "3.5s half-open>open", "7.5s open>half-open"}},
		"one of two hangs": {opened(0,
			step{sec, "a", "take", "yes", "", ""}, step{sec, "b", "take", "yes", "", ""},
			step{sec, "a", "ok", "", "barred", "half-open"},
			step{1500 * ms, "", "", "", "barred", "open"},
		), []string{"0s closed>open", "1s open>half-open"}},
		"an abandoned probe frees its place": {opened(0,
			step{sec, "a", "take", "yes", "", ""}, step{sec, "b", "take", "yes", "barred", ""},
			step{sec, "a", "abandon", "", "probing", "half-open"},
			step{sec, "c", "take", "yes", "barred", "half-open"},
			step{sec, "d", "take", "no", "barred", "half-open"},
		), []string{"0s closed>open", "1s open>half-open"}},
		"so does one that was released": {opened(0,
			step{sec, "a", "take", "yes", "", ""}, step{sec, "b", "take", "yes", "barred", ""},
			step{sec, "b", "release", "", "probing", "half-open"},
			step{sec, "c", "take", "yes", "barred", "half-open"},
		), []string{"0s closed>open", "1s open>half-open"}},
		"who left owes no answer": {opened(0, // nobody fails, so it does not open again
			step{sec, "a", "take", "yes", "", ""}, step{sec, "a", "abandon", "", "", ""},
			step{2 * sec, "", "", "", "probing", "half-open"},
			step{2 * sec, "b", "take", "yes", "probing", "half-open"},
			step{2400 * ms, "c", "take", "yes", "barred", "half-open"}, // there is time again
			step{2400 * ms, "b", "ok", "", "barred", "half-open"}, step{2400 * ms, "c", "ok", "", "ready", "closed"},
		), []string{"0s closed>open", "1s open>half-open", "2.4s half-open>closed"}},
		"probes far apart": {opened(0, // each is answered in time: together they close it
			step{sec, "a", "take", "yes", "", ""}, step{sec, "a", "ok", "", "probing", "half-open"},
			step{9 * sec, "b", "take", "yes", "barred", "half-open"}, step{9 * sec, "b", "ok", "", "ready", "closed"},
		), []string{"0s closed>open", "1s open>half-open", "9s half-open>closed"}},
		"answered well, then broken": {opened(0,
			step{sec, "a", "take", "yes", "", ""}, step{sec, "a", "answer ok", "", "probing", "half-open"},
			step{sec, "a", "reset", "", "barred", "open"},
		), []string{"0s closed>open", "1s open>half-open", "1s half-open>open"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, settings)
			r.run(t, c.steps)
			if diff := cmp.Diff(c.turns, r.turns); diff != "" {
				t.Errorf("turns (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForced(t *testing.T) {
	cases := map[string][]step{
		"passes an open one, and fails": opened(0,
			step{0, "a", "take", "no", "barred", "open"},
			step{0, "a", "force", "yes", "barred", "open"},
			step{ms, "a", "fail", "", "barred", "open"},
			step{sec, "b", "take", "yes", "probing", "half-open"}, // no sooner, no later
		),
		"its success counts as a probe's": opened(0,
			step{0, "a", "force", "yes", "barred", "open"}, step{0, "b", "force", "yes", "barred", "open"},
			step{ms, "a", "ok", "", "probing", "half-open"},
			step{ms, "c", "take", "yes", "", ""},
			step{2 * ms, "c", "ok", "", "ready", "closed"},
		),
		"an abandoned one teaches nothing": opened(0,
			step{0, "a", "force", "yes", "", ""}, step{0, "a", "abandon", "", "barred", "open"},
		),
		"takes a probe's place when there is one": opened(0,
			step{sec, "a", "force", "yes", "probing", "half-open"},
			step{sec, "b", "force", "yes", "barred", "half-open"},
			step{sec, "c", "force", "yes", "barred", "half-open"}, // beside the quota
			step{sec, "c", "fail", "", "barred", "half-open"},
			step{sec, "c", "abandon", "", "barred", "half-open"}, // it frees no place
			step{sec, "b", "fail", "", "barred", "open"},
		),
		"is nothing special while it is closed": {
			step{0, "a", "force", "yes", "", ""}, step{0, "b", "force", "yes", "", ""}, step{0, "c", "force", "yes", "", ""},
			step{0, "a", "fail", "", "", "closed"}, step{0, "b", "fail", "", "", "closed"}, step{0, "c", "fail", "", "barred", "open"},
		},
	}
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) { newRig(t, settings).run(t, steps) })
	}
}

// What comes back with the permit of an older generation is ignored, in every state.
func TestStalePermits(t *testing.T) {
	old := func(at core.Instant) []step {
		var steps []step
		for _, what := range []string{"ok", "fail", "fail", "fail", "abandon", "answer ok", "answer fail", "release"} {
			steps = append(steps, step{at: at, who: "old", do: what})
		}
		return steps
	}
	take := []step{{0, "old", "take", "yes", "ready", "closed"}}
	probe := opened(0, step{sec, "old", "take", "yes", "", ""}, step{sec, "a", "take", "yes", "", ""}, step{sec, "a", "fail", "", "barred", "open"})
	cases := map[string][]step{
		"a closed one's, while open":      slices.Concat(take, opened(0), old(0), []step{{0, "", "", "", "barred", "open"}}),
		"a closed one's, while half-open": slices.Concat(take, opened(0, step{sec, "a", "take", "yes", "", ""}), old(sec), []step{{sec, "", "", "", "probing", "half-open"}}),
		"a closed one's, closed again": slices.Concat(take, opened(0,
			step{sec, "a", "take", "yes", "", ""}, step{sec, "b", "take", "yes", "", ""}, step{sec, "a", "ok", "", "", ""}, step{sec, "b", "ok", "", "ready", "closed"}),
			old(sec), []step{{sec, "", "", "", "ready", "closed"}}),
		"a probe's, while open again": slices.Concat(probe, old(sec), []step{{sec, "", "", "", "barred", "open"}}),
		"a probe's, while half-open again": slices.Concat(probe, []step{{3 * sec, "b", "take", "yes", "probing", ""}, {3 * sec, "c", "take", "yes", "barred", ""}},
			old(3*sec), []step{{3 * sec, "", "", "", "barred", "half-open"}}),
	}
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) { newRig(t, settings).run(t, steps) })
	}
}

// Generations wrap: a probe's permit that comes back 1,024 of them later is taken for
// a current one. It must not give back a place that nobody holds.
func TestGenerationsWrap(t *testing.T) {
	r := newRig(t, settings)
	r.run(t, opened(0, step{sec, "old", "take", "yes", "", ""}, step{sec, "a", "take", "yes", "", ""}))
	now := sec
	for range 512 { // open and half-open again
		r.run(t, []step{{now, "a", "fail", "", "barred", "open"}, {now + 4*sec, "a", "take", "yes", "probing", "half-open"}})
		now += 4 * sec
	}
	r.run(t, []step{
		{now, "a", "release", "", "probing", "half-open"},
		{now, "old", "release", "", "probing", "half-open"},
		{now, "a", "take", "yes", "probing", ""}, {now, "b", "take", "yes", "barred", ""},
		{now, "a", "ok", "", "barred", "half-open"}, {now, "b", "ok", "", "ready", "closed"},
	})
}

func TestAllocatesNothing(t *testing.T) {
	r := newRig(t, by(func(s *breaker.Settings) {
		s.FailureRatio, s.SlowCall, s.SlowRatio, s.Window, s.MinRequests = 0.9, time.Second, 0.9, 10*time.Second, 10
		s.Jitter = 0.5
	}))
	now := core.Instant(0)
	if got := testing.AllocsPerRun(200, func() {
		now += 10 * ms
		p, _ := r.Acquire(now, false)
		r.Peek(now)
		r.State(now)
		r.Answered(p, now, core.Sample{Outcome: core.Success, FirstAnswer: 2 * time.Second})
		r.Settle(p, now, core.Sample{Outcome: core.Reset})
	}); got != 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}

func TestValidate(t *testing.T) {
	wrong := map[string]func(*breaker.Settings){
		"open for no time":     func(s *breaker.Settings) { s.OpenFor = 0 },
		"at most before least": func(s *breaker.Settings) { s.MaxOpenFor = s.OpenFor - 1 },
		"no probe timeout":     func(s *breaker.Settings) { s.ProbeTimeout = time.Microsecond },
		"no quota":             func(s *breaker.Settings) { s.Quota = 0 },
		"too large a quota":    func(s *breaker.Settings) { s.Quota = breaker.MaxQuota + 1 },
		"ratio above one":      func(s *breaker.Settings) { s.FailureRatio = 1.1 },
		"ratio below zero":     func(s *breaker.Settings) { s.FailureRatio = -0.1 },
		"ratio without window": func(s *breaker.Settings) { s.FailureRatio = 0.5 },
		"run below zero":       func(s *breaker.Settings) { s.ConsecutiveFailures = -1 },
		"too long a run":       func(s *breaker.Settings) { s.ConsecutiveFailures = breaker.MaxConsecutive + 1 },
		"jitter above one":     func(s *breaker.Settings) { s.Jitter = 1.1 },
		"negative slow call":   func(s *breaker.Settings) { s.SlowCall = -1 },
		"slow without ratio":   func(s *breaker.Settings) { s.SlowCall, s.Window = time.Second, time.Second },
		"slow without window":  func(s *breaker.Settings) { s.SlowCall, s.SlowRatio = time.Second, 0.5 },
		"weight above one":     func(s *breaker.Settings) { s.Weights[core.Timeout] = 1.1 },
		"weight of NaN":        func(s *breaker.Settings) { s.Weights[core.Timeout] = math.NaN() },
		"success that weighs":  func(s *breaker.Settings) { s.Weights[core.Success] = 0.5 },
		"abandoned weighs":     func(s *breaker.Settings) { s.Weights[core.Abandoned] = 0.5 },
	}
	for name, change := range wrong {
		if _, err := breaker.New(by(change), core.Key{}, nil); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if _, err := breaker.New(by(func(s *breaker.Settings) { s.Quota = breaker.MaxQuota }), core.Key{}, nil); err != nil {
		t.Errorf("the largest quota: got %v, want no error", err)
	}
}
