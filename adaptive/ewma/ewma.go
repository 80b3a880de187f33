// Package ewma estimates what one more attempt at a member would cost from the
// latencies of its answers: an exponentially weighted moving average over time, not
// over samples, since samples come at irregular intervals.
//
// A sample x that comes dt after the last one moves the estimate E to
//
//	E·w + x·(1-w),  w = exp(-dt/memory)
//
// where x is cut off at a few times E or the median of the pool, whichever is more: the far
// tail of all work says nothing about who has drawn it. But the first few make up a plain
// mean, so that the very first does not stick: the k-th weighs at least 1/k. The memory is the
// decay time, or longer where a pool's members are asked so rarely that fewer than so many
// samples would be remembered. The cost of one more attempt is
//
//	max(L, silence - grace·L, aside) · (pending + 1) / ramp   seconds
//
// where
//
//   - L is E projected to now: what has not been confirmed for a while drifts to the
//     median of the pool, M + (E-M)·exp(-idle/memory), so that a member that was slow
//     is tried again, and one that was fast is not trusted for ever; of who is new, the
//     median at least. Reading changes
//     nothing (linkerd2-proxy and brpc project, too; Finagle and tower decay to
//     zero, which makes every idle member look free). An L near the median counts as the
//     median: members that are equal but for chance are told apart by what is pending.
//   - silence is how long the member has owed two answers, or more, without giving any: a
//     member that hangs is seen by it long before a timeout, and within the grace it is no
//     news. Attempts count for it until their first answer only; a stream is load, not
//     lateness. One that is owed may be a long one: a member that works on it beside others
//     would be left alone for nothing.
//   - aside is for how long yet it is to stand aside, since it has failed and not answered
//     well from then on.
//   - pending is the member's attempts leased and not settled.
//   - ramp grows from a tenth to 1 after a member has come into use, where that is wanted.
//
// Where that is wanted, a member that nobody has asked for long costs nothing until somebody
// does, and a sample is measured by what its class of requests takes (Classes).
//
// Failures never look fast: a failed attempt counts as a sample of at least a penalty,
// or of the Retry-After that came with it. One that was overtaken, or whose client has waited in
// vain, is a lower bound: it counts where it took longer than the member is taken for. Each of
// these guards can be switched off (Settings).
package ewma

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

const (
	// freshFor is how many times the memory a sample is trusted for.
	freshFor = 3
	// unproven is the cost in seconds per pending attempt of a member that has
	// never answered: beyond any latency, and finite.
	unproven = 1e6
	// rampFrom is where a ramp begins: a member that looks ten times slower gets about
	// a tenth of its share.
	rampFrom = 0.1
	// holdsFor is the part of the decay time, one in so many, for which a projection
	// holds: what lies between an estimate and the median changes by 6 % meanwhile. By
	// default each look at a pool of up to two thousand renews them before that.
	holdsFor = 16
	// noticed is how far off what a member is taken for an estimate has to be, one in so
	// many, to replace it before that.
	noticed = 256
	// penaltyFor is how many times what the fastest quarter takes a failure counts as at least,
	// up to mostPenalties: where answers take seconds, a penalty of one is none. Where nearly all
	// fail that is made of penalties itself, and would drive them without end.
	penaltyFor    = 25
	mostPenalties = 15
	// exploreOne is of how many attempts at a member one may be for the sake of exploring.
	exploreOne = 200
)

// Estimator is a core.Estimator for one member, in one line of memory. Safe for concurrent
// use.
type Estimator struct {
	word atomic.Uint64
	// taken is the latency that the member was taken for lately, and when; 0 when that
	// is not known. To project takes as long as all the rest of a decision about a
	// member, and changes next to nothing within a small part of the memory.
	taken    atomic.Uint64
	stands   stands
	varies   atomic.Uint32 // float32 bits of Variation; 0 while nothing is known
	decay    float32       // seconds
	debt     debt
	asked    atomic.Int64 // the Instant of the last attempt; kept only to explore
	member   *core.Member
	settings *Settings // of all the pool, so that they are at hand
}

// New returns the estimator of a member. The settings are expected to be valid, and to stay
// as they are.
func New(m *core.Member, s *Settings) *Estimator {
	e := new(Estimator)
	e.set(m, s)
	return e
}

func (e *Estimator) set(m *core.Member, s *Settings) {
	e.member, e.settings, e.decay = m, s, float32(s.Decay.Seconds())
}

// memory is the time constant in force, in seconds.
func (e *Estimator) memory() float64 {
	decay := float64(e.decay)
	if e.settings.Samples == 0 {
		return decay
	}
	return min(max(decay, float64(e.settings.Samples)*e.member.Pool().Interval()), MaxStretch*decay)
}

// Cost implements core.Estimator.
func (e *Estimator) Cost(now core.Instant) float64 {
	if e.settings.Explore > 0 && e.neglected(now) {
		return 0
	}
	latency, known := e.held(now)
	if !known {
		if latency, known = e.retake(now); !known {
			return e.unknown()
		}
	}
	if late := e.late(now, latency); late > latency {
		latency = late
	}
	if aside := e.stands.aside(now); aside > latency {
		latency = aside
	}
	cost := latency * float64(e.member.Pending()+1)
	if e.settings.Ramp == 0 {
		return cost
	}
	return cost / e.ramp(now)
}

// unknown is the cost of a member without a sample.
func (e *Estimator) unknown() float64 {
	if !e.settings.Seed {
		return 0
	}
	return e.member.Pool().MedianLatency() + unproven*float64(e.member.Pending())
}

// neglected tells whether the member has been left alone for so long that somebody has to
// try it. While it was out of use, nobody could have asked it.
func (e *Estimator) neglected(now core.Instant) bool {
	if e.settings.Explore == 0 || e.member.Pending() > 0 {
		return false
	}
	since := max(core.Instant(e.asked.Load()), e.member.Returned())
	return now.Sub(since).Seconds() > max(e.settings.Explore.Seconds(), exploreOne*e.member.Pool().Interval())
}

// takenFor is the latency that the member is taken for, in seconds: its estimate, projected
// and levelled; false while there is none.
func (e *Estimator) takenFor(now core.Instant) (seconds float64, known bool) {
	if seconds, known = e.held(now); known {
		return seconds, true
	}
	return e.retake(now)
}

// held is what the member was taken for lately; false where that holds no more.
func (e *Estimator) held(now core.Instant) (seconds float64, known bool) {
	taken := e.taken.Load()
	return float64(math.Float32frombits(uint32(taken >> 32))), taken != 0 && uint32(now>>tickBits)-uint32(taken) < uint32(e.settings.Decay>>tickBits/holdsFor)
}

// retake projects and levels the estimate anew; false while there is none.
func (e *Estimator) retake(now core.Instant) (seconds float64, known bool) {
	estimate, idle, samples := unpack(e.word.Load(), now)
	if samples == 0 {
		return 0, false
	}
	return e.hold(now, e.project(estimate, idle, e.member.Pool().MedianLatency())), true
}

// level takes a latency near the median for the median, and a shorter one of who is new.
func (e *Estimator) level(now core.Instant, latency, median float64) float64 {
	near := e.settings.Near * e.member.Pool().Chance()
	if latency < median*(1+near) && (latency > median*(1-near) || e.new(now)) {
		return median
	}
	return latency
}

// new tells whether the member has come to the others within the decay time. Who has just come is
// given much at once, having nothing to do, and the quick ones of that are answered first: a mean of
// those would have it given several times as much as it can do before the others are. Where all have
// just come, each has as much to do.
func (e *Estimator) new(now core.Instant) bool {
	came := e.member.Returned()
	return e.settings.Seed && now.Sub(came) < e.settings.Decay && came > e.member.Pool().Began()
}

// late is how much longer than there is to be expected the member has owed answers without
// giving any, in seconds: beyond Grace times the latency it is taken for. Not above 0 while
// that is not so.
func (e *Estimator) late(now core.Instant, latency float64) float64 {
	return e.owed(now) - e.settings.Grace*latency
}

// owed is how long the member has owed answers without giving any, in seconds; 0 when it
// owes fewer than are telling.
func (e *Estimator) owed(now core.Instant) float64 {
	if !e.settings.Age {
		return 0
	}
	return e.debt.age(now)
}

// ramp is the share of its traffic that a member is to get for how long it has been in
// use.
func (e *Estimator) ramp(now core.Instant) float64 {
	if e.settings.Ramp == 0 {
		return 1
	}
	used := float64(now.Sub(e.member.Returned())) / float64(e.settings.Ramp)
	return min(max(rampFrom+(1-rampFrom)*used, rampFrom), 1)
}

// Latency implements core.Estimator. From now on the member is taken for what it returns: a
// look at the pool, which asks all of them, spares the decisions after it the projections.
func (e *Estimator) Latency(now core.Instant) (seconds float64, fresh bool) {
	estimate, idle, samples := unpack(e.word.Load(), now)
	if samples == 0 {
		return 0, false
	}
	seconds = e.project(estimate, idle, e.member.Pool().MedianLatency())
	e.hold(now, seconds)
	return seconds, idle < freshFor*e.memory()
}

// project moves an estimate that is idle seconds old towards the pool's median.
func (e *Estimator) project(estimate, idle, median float64) float64 {
	if median == 0 || !e.settings.Drift {
		return estimate
	}
	return median + (estimate-median)*keeps(idle/e.memory())
}

// Begin implements core.Estimator.
func (e *Estimator) Begin(now core.Instant) {
	if e.settings.Explore > 0 {
		e.asked.Store(int64(now))
	}
	e.debt.begin(now)
}

// Answered implements core.Estimator.
func (e *Estimator) Answered(now core.Instant, s core.Sample) {
	e.spoke(now)
	e.learn(now, s)
}

// End implements core.Estimator.
func (e *Estimator) End(now core.Instant, s core.Sample) {
	if e.ended(s) {
		e.learn(now, s)
	}
}

// spoke notes the first byte of an answer.
func (e *Estimator) spoke(now core.Instant) {
	e.debt.answered(now)
}

// ended notes the end of an attempt, and tells whether it teaches what was not learned
// before.
func (e *Estimator) ended(s core.Sample) bool {
	if s.FirstAnswer < 0 {
		e.debt.end()
	}
	return !s.Told
}

// learn takes in what a sample stands for.
func (e *Estimator) learn(now core.Instant, s core.Sample) {
	if x, ok := e.taught(s); ok {
		e.heed(now, s)
		e.take(now, s.Outcome, x)
	}
}

// take takes in a latency of x seconds.
func (e *Estimator) take(now core.Instant, o core.Outcome, x float64) {
	for {
		old := e.word.Load()
		before, idle, samples := unpack(old, now)
		if idle == 0 && samples == counted && !e.settings.Peak {
			return // another of the same tick, which weighs nothing
		}
		floor := e.floor(o, before, idle, samples)
		x, estimate := e.within(o, x, before), before
		switch {
		case bounds(o) && samples > 0 && x <= floor, o == core.Abandoned && samples == 0:
			return // a lower bound, and no news
		case samples == 0 || e.settings.Peak && x > estimate:
			estimate = x
		default:
			estimate += (x - estimate) * weight(idle, e.memory(), samples)
		}
		estimate = max(estimate, floor)
		if e.word.CompareAndSwap(old, pack(estimate, samples+1, now)) {
			if samples > 0 && !o.Failed() && !bounds(o) {
				e.vary((x - before) / before)
			}
			e.confirm(now, estimate)
			return
		}
	}
}

// within is what an answer of x seconds counts as at a member of this estimate. A failure
// counts as it is, and so do all where the peak is to be seen.
func (e *Estimator) within(o core.Outcome, x, estimate float64) float64 {
	most := e.settings.Outlier * max(estimate, e.member.Pool().MedianLatency())
	if most == 0 || e.settings.Peak || o.Failed() {
		return x
	}
	return min(x, most)
}

// hold has the member taken for a latency, levelled, for a while from now on.
func (e *Estimator) hold(now core.Instant, latency float64) float64 {
	return e.keep(now, e.level(now, max(latency, least), e.member.Pool().MedianLatency()))
}

// confirm has the member taken for an estimate of now, unless it is taken for much the same:
// that is as good for as long as it holds.
func (e *Estimator) confirm(now core.Instant, estimate float64) {
	level := e.level(now, max(estimate, least), e.member.Pool().MedianLatency())
	taken := float64(math.Float32frombits(uint32(e.taken.Load() >> 32)))
	if math.Abs(level-taken) > taken/noticed {
		e.keep(now, level)
	}
}

// keep has the member taken for a latency, and returns what is kept of it.
func (e *Estimator) keep(now core.Instant, latency float64) float64 {
	taken := float32(latency)
	e.taken.Store(uint64(math.Float32bits(taken))<<32 | uint64(uint32(now>>tickBits)))
	return float64(taken)
}

// weight is the share of a new sample in an average that is idle seconds old and made of so
// many.
func weight(idle, memory float64, samples uint32) float64 {
	share := 1 - keeps(idle/memory)
	if samples < counted {
		share = max(share, 1/float64(samples+1))
	}
	return share
}

// floor is what a member is taken for at least after an outcome, in seconds: neither a failure
// nor a lower bound makes it faster than it was taken for, even where that was slower than the
// penalty.
func (e *Estimator) floor(o core.Outcome, estimate, idle float64, samples uint32) float64 {
	failed := o.Failed() && e.settings.Penalty > 0
	if !failed && (!bounds(o) || samples == 0) {
		return 0
	}
	median := e.member.Pool().MedianLatency()
	if samples == 0 {
		return median
	}
	return e.project(estimate, idle, median)
}

// penalty is the least that a failure counts as.
func (e *Estimator) penalty() time.Duration {
	usual := time.Duration(e.member.Pool().FastLatency() * float64(time.Second))
	return max(e.settings.Penalty, min(penaltyFor*usual, mostPenalties*e.settings.Penalty))
}

// taught is the latency that a sample stands for, in seconds; false for none.
func (e *Estimator) taught(s core.Sample) (seconds float64, ok bool) {
	switch {
	case s.Outcome == core.Abandoned:
		return 0, false
	case s.Outcome.Failed():
		if e.settings.Penalty == 0 {
			return s.Total.Seconds(), true
		}
		return max(e.penalty(), min(s.RetryAfter, MaxPenalty), s.Total).Seconds(), true
	case s.Outcome == core.Overtaken:
		return s.Total.Seconds(), true
	case s.FirstAnswer < 0:
		return 0, false // an end without an answer that is no failure: nothing was timed
	}
	return s.FirstAnswer.Seconds(), true
}
