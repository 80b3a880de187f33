package ewma

import (
	"fmt"
	"time"
)

// Settings of the estimators of one pool. The guards can be switched off one by one, so
// that the lab can show what each is good for; New takes the zero value of each as off. What
// a pool has that says nothing is for config.Guards to say.
type Settings struct {
	// Decay is the time constant of the average: after it, 63 % of an old estimate is
	// forgotten. Above 0.
	Decay time.Duration
	// Samples is how many samples the average remembers at least: where members are
	// asked so rarely that fewer arrive within Decay, it remembers for longer, up to
	// MaxStretch times. 0: never longer.
	Samples int
	// Near is how far from the pool's median, as a share of it, a latency counts as the
	// median itself: what is nearly equal is told apart by what is pending. 0: never.
	Near float64
	// Outlier is how many times what the member is taken for, or what the median takes,
	// an answer counts as at most; 0 or at least 1. 0: as its time. Without effect with
	// Peak.
	Outlier float64
	// Penalty is the least that a failure counts as; where 25 times what the fastest quarter
	// takes is more, that, up to 15 penalties. 0: a failure counts as its time, and so a fast one as fast.
	Penalty time.Duration
	// Aside: who has failed stands aside until it has answered well, for at most the Penalty
	// at a time, or for what came as Retry-After. Without effect without a Penalty.
	Aside bool
	// Peak: a sample above the estimate replaces it at once (Finagle, tower, linkerd).
	Peak bool
	// Age: a member that owes two answers, or more, is at least as slow as it has owed them
	// without giving any, beyond Grace.
	Age bool
	// Grace is how many times what it takes a member may owe answers for before that counts.
	// 0: none.
	Grace float64
	// Drift: an estimate that is not confirmed drifts to the pool's median.
	Drift bool
	// Seed: a member without a sample is taken for as fast as the median, and given one
	// attempt at a time until its first answer; and one that has come (back) to the others within
	// the Decay time is taken for no faster. Otherwise it is taken for the fastest.
	Seed bool
	// Explore is how long a member that has nothing pending is left alone before one
	// decision takes it as free, and longer where that would take more than one attempt in
	// 200 from the others. go-zero picks what was not picked for 1 s, kratos for 3 s. 0:
	// never.
	Explore time.Duration
	// Ramp is how long a member that has come (back) into use is made to look slower
	// than it is: ten times at first, evenly less until then. 0: never.
	Ramp time.Duration
}

// MaxPenalty is the most that a Retry-After counts as (linkerd's load biaser, 2026).
const MaxPenalty = 300 * time.Second

// MaxStretch is how many times as long as Decay the average may remember for the sake of
// Samples.
const MaxStretch = 20

// Validate reports what is wrong with the settings.
func (s Settings) Validate() error {
	if s.Decay <= 0 || s.Samples < 0 || !(s.Near >= 0 && s.Near < 1) || !(s.Outlier == 0 || s.Outlier >= 1) || !(s.Grace >= 0) || s.Penalty < 0 || s.Explore < 0 || s.Ramp < 0 {
		return fmt.Errorf("ewma: decay %v, samples %d, near %v, outlier %v, penalty %v, grace %v, explore %v, ramp %v: expected decay above 0, near from 0 to below 1, outlier 0 or at least 1, the others at least 0",
			s.Decay, s.Samples, s.Near, s.Outlier, s.Penalty, s.Grace, s.Explore, s.Ramp)
	}
	return nil
}
