package breaker_test

import (
	"slices"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/breaker"
)

// repeat is one outcome many times over.
func repeat(n int, what string) []string { return slices.Repeat([]string{what}, n) }

func TestWeights(t *testing.T) {
	// weighing are the settings with other weights: what is given, for those outcomes.
	weighing := func(w map[core.Outcome]float64) breaker.Settings {
		return by(func(s *breaker.Settings) {
			for o, weight := range w {
				s.Weights[o] = weight
			}
		})
	}
	ratio := func(r float64) breaker.Settings {
		return by(func(s *breaker.Settings) {
			s.ConsecutiveFailures, s.FailureRatio, s.Window, s.MinRequests = 0, r, time.Second, 4
		})
	}
	touchy := by(func(s *breaker.Settings) { s.ConsecutiveFailures = 1 })
	cases := map[string]struct {
		settings breaker.Settings
		steps    []step
		open     bool
	}{
		"eleven throttled ones are not three failures": {settings, attempts(0, repeat(11, "throttle")...), false},
		"twelve are":                                {settings, attempts(0, repeat(12, "throttle")...), true},
		"they count on from others":                 {settings, attempts(0, "fail", "refuse", "throttle", "throttle", "throttle", "throttle"), true},
		"three quarters are not one":                {settings, attempts(0, "fail", "refuse", "throttle", "throttle", "throttle"), false},
		"a success ends a run of quarters":          {settings, slices.Concat(attempts(0, repeat(11, "throttle")...), attempts(0, "ok", "throttle")), false},
		"a quarter of the ratio":                    {ratio(0.25), attempts(0, "throttle", "throttle", "throttle", "throttle"), true},
		"less than a quarter of the ratio":          {ratio(0.25), attempts(0, "ok", "throttle", "throttle", "throttle", "throttle"), false},
		"the ratio sums weights":                    {ratio(0.5), attempts(0, "ok", "throttle", "throttle", "fail", "fail"), true},
		"the ratio counts outcomes":                 {ratio(0.5), attempts(0, "ok", "ok", "throttle", "fail", "fail"), false},
		"a client error may be held against it":     {weighing(map[core.Outcome]float64{core.ClientError: 1}), attempts(0, "wrong", "wrong", "wrong"), true},
		"then it ends no run":                       {weighing(map[core.Outcome]float64{core.ClientError: 0.05}), attempts(0, "fail", "fail", "wrong", "fail"), true},
		"a weightless failure teaches nothing":      {weighing(map[core.Outcome]float64{core.Timeout: 0}), attempts(0, repeat(9, "timeout")...), false},
		"not that all is well either":               {weighing(map[core.Outcome]float64{core.Timeout: 0}), attempts(0, "fail", "fail", "timeout", "fail"), true},
		"nor does an overtaken one, weightless":     {weighing(map[core.Outcome]float64{core.Overtaken: 0}), attempts(0, append(repeat(40, "overtaken"), "fail", "fail")...), false},
		"the least weight is no less than its step": {weighing(map[core.Outcome]float64{core.Reset: 0.001}), attempts(0, repeat(60, "reset")...), true},
		"rounded to a twentieth":                    {weighing(map[core.Outcome]float64{core.Reset: 0.124}), attempts(0, repeat(29, "reset")...), false},
		"reached in tenths":                         {weighing(map[core.Outcome]float64{core.Reset: 0.124}), attempts(0, repeat(30, "reset")...), true},
		"a light failure fails a probe": {touchy, slices.Concat(attempts(0, "fail"),
			[]step{{sec, "a", "take", "yes", "", ""}, {sec, "a", "throttle", "", "barred", "open"}}), true},
		"a weightless one frees its place": {by(func(s *breaker.Settings) { s.Weights[core.Throttled] = 0; s.Quota = 1 }), opened(0,
			step{sec, "a", "take", "yes", "barred", ""}, step{sec, "a", "throttle", "", "probing", "half-open"},
			step{sec, "b", "take", "yes", "", ""}, step{sec, "b", "fail", "", "barred", "open"}), true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			verdict, state := "ready", "closed"
			if c.open {
				verdict, state = "barred", "open"
			}
			newRig(t, c.settings).run(t, then(c.steps, c.steps[len(c.steps)-1].at, verdict, state))
		})
	}
}

// However long nothing succeeds, the run of a breaker that never opens by it stays
// within bounds.
func TestRunWithoutLimit(t *testing.T) {
	r := newRig(t, by(func(s *breaker.Settings) { s.ConsecutiveFailures = 0 }))
	r.run(t, then(attempts(0, repeat(5000, "fail")...), 0, "ready", "closed"))
}

func TestSlowCalls(t *testing.T) {
	slow := by(func(s *breaker.Settings) {
		s.SlowCall, s.SlowRatio, s.Window, s.MinRequests = time.Second, 0.5, 3*time.Second, 4
	})
	off := by(func(s *breaker.Settings) { s.Window, s.MinRequests = 3*time.Second, 1 })
	// answers are whole attempts that are told at the answer, slow or not.
	answers := func(at core.Instant, whats ...string) []step {
		var steps []step
		for _, what := range whats {
			steps = append(steps, step{at: at, who: "x", do: "take", got: "yes"}, step{at: at, who: "x", do: what})
		}
		return steps
	}
	cases := map[string]struct {
		settings breaker.Settings
		steps    []step
		open     bool
	}{
		"below the volume":                {slow, answers(0, "slow ok", "slow ok", "slow ok"), false},
		"the volume reached":              {slow, answers(0, "slow ok", "slow ok", "slow ok", "slow ok"), true},
		"half of them":                    {slow, answers(0, "answer ok", "slow ok", "answer ok", "slow ok"), true},
		"fewer than half":                 {slow, answers(0, "answer ok", "answer ok", "answer ok", "slow ok", "slow ok"), false},
		"off":                             {off, answers(0, repeat(9, "slow ok")...), false},
		"a client error may be slow":      {slow, answers(0, "slow wrong", "slow wrong", "slow wrong", "slow wrong"), true},
		"a slow success ends a run":       {slow, answers(0, "fail", "fail", "slow ok", "fail"), false},
		"what hung was slow":              {slow, answers(0, "ok", "ok", "hung throttle", "hung throttle"), true},
		"what failed fast was not":        {slow, answers(0, "ok", "throttle", "throttle", "throttle"), false},
		"an abandoned one teaches none":   {slow, answers(0, "ok", "ok", "hung abandon", "hung abandon", "hung abandon"), false},
		"an overtaken one was slow":       {slow, answers(0, "ok", "ok", "hung overtaken", "hung overtaken"), true},
		"when it was old":                 {slow, answers(0, "ok", "ok", "overtaken", "overtaken"), false},
		"old seconds expire":              {slow, slices.Concat(answers(0, "slow ok", "slow ok"), answers(3*sec, "answer ok", "answer ok", "answer ok", "slow ok")), false},
		"closing forgets them":            {slow, slices.Concat(answers(0, repeat(4, "slow ok")...), answers(sec, "ok", "ok"), answers(sec, "ok", "ok", "ok", "slow ok")), false},
		"failures and slowness are two":   {by(func(s *breaker.Settings) { *s = slow; s.FailureRatio = 0.75 }), answers(0, "ok", "fail", "slow ok", "ok", "fail"), false},
		"either of them is enough":        {by(func(s *breaker.Settings) { *s = slow; s.FailureRatio = 0.75 }), answers(0, "ok", "fail", "fail", "slow throttle", "slow ok", "slow ok"), true},
		"a slow probe fails":              {slow, slices.Concat(opened(0), answers(sec, "slow ok")), true},
		"a probe that is just not slow":   {by(func(s *breaker.Settings) { *s = slow; s.Quota, s.SlowCall = 1, time.Second+time.Millisecond }), slices.Concat(opened(0), answers(sec, "slow ok")), false},
		"a slow forced success is none":   {slow, opened(0, step{0, "a", "force", "yes", "", ""}, step{0, "a", "slow ok", "", "barred", "open"}), true},
		"told once":                       {slow, answers(0, "ok", "ok", "ok", "slow ok"), false},
		"and not again at its settlement": {slow, slices.Concat(answers(0, "ok", "ok", "ok", "slow ok"), []step{{0, "x", "told ok", "", "ready", "closed"}}), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			verdict, state := "ready", "closed"
			if c.open {
				verdict, state = "barred", "open"
			}
			newRig(t, c.settings).run(t, then(c.steps, c.steps[len(c.steps)-1].at, verdict, state))
		})
	}
}
