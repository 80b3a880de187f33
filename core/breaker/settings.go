package breaker

import (
	"fmt"
	"math"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

const (
	// MaxQuota is the most probes that a half-open breaker can let in.
	MaxQuota = 63
	// MaxConsecutive is the longest run that a breaker counts.
	MaxConsecutive = 1 << 24
)

// Settings say when a breaker opens and how it tests the water.
type Settings struct {
	// ConsecutiveFailures opens the breaker: as soon as the weights of the failures
	// since the last success come to so much, up to MaxConsecutive; 0 for never.
	ConsecutiveFailures int
	// FailureRatio opens it, once there are MinRequests outcomes within Window: when
	// the weights of the failures among them come to this share of their number, 0 to
	// 1; 0 for never.
	FailureRatio float64
	// SlowCall is the longest time to the first byte of an answer that is not slow; 0
	// for none. What ended without an answer was slow when it took longer than this.
	SlowCall time.Duration
	// SlowRatio opens it, too, once there are MinRequests outcomes within Window: the
	// share of slow ones, above 0 to 1. (resilience4j's slowCallRateThreshold, whose
	// defaults of 60 s and 100 % keep it from ever being met.)
	SlowRatio float64
	// Window is what both ratios are taken over, at least a second, in whole seconds;
	// MinRequests the least number of outcomes there.
	Window      time.Duration
	MinRequests int
	// Weights say how much each outcome is held against the member.
	Weights Weights
	// OpenFor is how long it stays open the first time, at least a millisecond;
	// each further time in a row twice as long, to at most MaxOpenFor.
	OpenFor, MaxOpenFor time.Duration
	// Jitter is the largest share of that time that chance takes off, 0 to 1: half is
	// the "equal jitter" of Finagle's failure accrual. Without it the breakers that an
	// outage has opened together would also probe together.
	Jitter float64
	// Quota is how many probes a half-open breaker lets in, and how many have to
	// succeed: 1 to MaxQuota.
	Quota int
	// ProbeTimeout is how long the probes may take to be answered, at least a
	// millisecond, before the breaker opens again.
	ProbeTimeout time.Duration
}

// Weights say how much each outcome is held against a member, by outcome: 0 to 1, in
// steps of a twentieth (what lies between is rounded, but never to 0).
//
//   - A weight above 0 makes the outcome a failure. It counts for so much in the run
//     of consecutive failures and in the ratio; a probe fails by it whatever it weighs.
//   - A weight of 0 makes a client error a success, and lets any other failure, and an
//     overtaken attempt, teach nothing, as if the client had left.
//
// A success weighs nothing and ends the run; an abandoned attempt teaches nothing, ever.
type Weights [core.Outcomes]float64

// DefaultWeights hold in full against a member what it did not do, and for a quarter
// what it refused to do: one that throttles is alive, and taking it out moves its load
// to others that are likely to be no better off. (linkerd lets a throttled answer count
// for the ratio in full and for the run not at all. A quarter of both is never enough
// alone to reach a ratio above a quarter, and twenty refusals without a success between
// them are five failures.) An overtaken attempt counts for a quarter, too: of a member
// that is well a few in a hundred are, between many successes; but where hedges spare the
// requests their timeouts, nothing else would tell that a member never answers.
var DefaultWeights = Weights{
	core.ConnectFailure: 1, core.Timeout: 1, core.Reset: 1, core.ServerError: 1,
	core.Throttled: 0.25, core.Overtaken: 0.25,
}

// Validate reports what is wrong with the settings.
func (s Settings) Validate() error {
	switch {
	case s.OpenFor < time.Millisecond || s.MaxOpenFor < s.OpenFor:
		return fmt.Errorf("breaker: open for %v to %v: expected at least 1ms, and the longest no shorter than the first", s.OpenFor, s.MaxOpenFor)
	case s.ProbeTimeout < time.Millisecond:
		return fmt.Errorf("breaker: probe timeout %v: expected at least 1ms", s.ProbeTimeout)
	case s.Quota < 1 || s.Quota > MaxQuota:
		return fmt.Errorf("breaker: quota of %d probes: expected 1 to %d", s.Quota, MaxQuota)
	case s.ConsecutiveFailures < 0 || s.ConsecutiveFailures > MaxConsecutive:
		return fmt.Errorf("breaker: %d consecutive failures: expected 0 to %d", s.ConsecutiveFailures, MaxConsecutive)
	case !share(s.FailureRatio):
		return fmt.Errorf("breaker: failure ratio %v: expected 0 to 1", s.FailureRatio)
	case !share(s.Jitter):
		return fmt.Errorf("breaker: jitter %v: expected 0 to 1", s.Jitter)
	case s.SlowCall < 0:
		return fmt.Errorf("breaker: slow call %v: expected a duration, or 0 for none", s.SlowCall)
	case s.SlowCall > 0 && (!share(s.SlowRatio) || s.SlowRatio == 0):
		return fmt.Errorf("breaker: slow ratio %v: expected above 0, at most 1", s.SlowRatio)
	case (s.FailureRatio > 0 || s.SlowCall > 0) && s.Window < time.Second:
		return fmt.Errorf("breaker: window %v: expected at least 1s", s.Window)
	}
	for o, w := range s.Weights {
		o := core.Outcome(o)
		if !share(w) || w > 0 && (o == core.Success || o == core.Abandoned) {
			return fmt.Errorf("breaker: weight %v of %v: expected 0 to 1, and 0 for what is no failure", w, o)
		}
	}
	return nil
}

func share(x float64) bool { return x >= 0 && x <= 1 }

const (
	// unit is what a weight of 1 is counted as. A second of the window holds
	// core.WindowMax units: 52,428 failures of the heaviest kind, beyond what one
	// member can fail to do for one proxy.
	unit = 20
	// unheard is what an outcome counts as that teaches nothing.
	unheard = -1
)

// units is what each outcome counts as: 0 for a success, unheard, or a failure's weight
// in units.
func (w Weights) units() [core.Outcomes]int8 {
	var all [core.Outcomes]int8
	for o, weight := range w {
		switch o := core.Outcome(o); {
		case weight > 0:
			all[o] = max(1, int8(math.Round(weight*unit)))
		case o.Failed(), o >= core.Abandoned:
			all[o] = unheard
		}
	}
	return all
}
