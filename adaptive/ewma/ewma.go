// Package ewma estimates what one more attempt at a member would cost from the
// latencies of its answers: an exponentially weighted moving average over time, not
// over samples, since samples come at irregular intervals.
//
// A sample x that comes dt after the last one moves the estimate E to
//
//	E·w + x·(1-w),  w = exp(-dt/decay)
//
// and the cost of one more attempt is
//
//	max(L, silence) · (pending + 1)   seconds
//
// where
//
//   - L is E projected to now: what has not been confirmed for a while drifts to the
//     median of the pool, M + (E-M)·exp(-idle/decay), so that a member that was slow
//     is tried again, and one that was fast is not trusted for ever. Reading changes
//     nothing (linkerd2-proxy and brpc project, too; Finagle and tower decay to
//     zero, which makes every idle member look free).
//   - silence is how long the member has owed an answer without giving any: a member
//     that hangs is seen by it long before a timeout. Attempts count for it until
//     their first answer only; a stream is load, not lateness.
//   - pending is the member's attempts leased and not settled.
//
// Failures never look fast: a failed attempt counts as a sample of at least Penalty,
// or of the Retry-After that came with it, capped at MaxPenalty (linkerd2-proxy's
// load biaser, 2026: 5 s and 300 s). An abandoned attempt teaches nothing.
//
// A member without any sample is taken to be as fast as the median of its peers,
// and given one attempt at a time until its first answer.
package ewma

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

const (
	// DefaultDecay is the time constant that Finagle, tower, linkerd and brpc
	// agree on: after it, 63 % of an old estimate is forgotten.
	DefaultDecay = 10 * time.Second
	// Penalty is the least that a failure counts as.
	Penalty = 5 * time.Second
	// MaxPenalty is the most that a Retry-After counts as.
	MaxPenalty = 300 * time.Second
	// freshFor is how many decay times a sample is trusted for.
	freshFor = 3
	// unproven is the cost in seconds per pending attempt of a member that has
	// never answered: beyond any latency, and finite.
	unproven = 1e6
)

// Estimator is a core.Estimator for one member. Safe for concurrent use.
type Estimator struct {
	member *core.Member
	decay  float64 // seconds
	word   atomic.Uint64
	// waiting counts the attempts that have not been answered yet; silent is the
	// Instant since which the member has owed an answer, meaningful while waiting
	// is above 0.
	waiting atomic.Int64
	silent  atomic.Int64
}

// New returns the estimator of a member. A decay that is not positive means
// DefaultDecay.
func New(m *core.Member, decay time.Duration) *Estimator {
	if decay <= 0 {
		decay = DefaultDecay
	}
	return &Estimator{member: m, decay: decay.Seconds()}
}

// Cost implements core.Estimator.
func (e *Estimator) Cost(now core.Instant) float64 {
	pending := float64(e.member.Pending())
	estimate, idle, known := unpack(e.word.Load(), now)
	median := e.member.Pool().MedianLatency()
	if !known {
		return median + unproven*pending
	}
	latency := e.project(estimate, idle, median)
	if e.waiting.Load() > 0 {
		latency = max(latency, now.Sub(core.Instant(e.silent.Load())).Seconds())
	}
	return latency * (pending + 1)
}

// Latency implements core.Estimator.
func (e *Estimator) Latency(now core.Instant) (seconds float64, fresh bool) {
	estimate, idle, known := unpack(e.word.Load(), now)
	if !known {
		return 0, false
	}
	return e.project(estimate, idle, e.member.Pool().MedianLatency()), idle < freshFor*e.decay
}

// project moves an estimate that is idle seconds old towards the pool's median.
func (e *Estimator) project(estimate, idle, median float64) float64 {
	if median == 0 || idle < e.decay/1000 {
		return estimate
	}
	return median + (estimate-median)*math.Exp(-idle/e.decay)
}

// Begin implements core.Estimator.
func (e *Estimator) Begin(now core.Instant) {
	if e.waiting.Add(1) == 1 {
		e.silent.Store(int64(now))
	}
}

// Answered implements core.Estimator.
func (e *Estimator) Answered(now core.Instant, s core.Sample) {
	e.silent.Store(int64(now))
	e.waiting.Add(-1)
	e.learn(now, s)
}

// End implements core.Estimator.
func (e *Estimator) End(now core.Instant, s core.Sample) {
	if s.FirstAnswer < 0 {
		e.waiting.Add(-1)
	}
	if !s.Told {
		e.learn(now, s)
	}
}

// learn takes a sample in.
func (e *Estimator) learn(now core.Instant, s core.Sample) {
	var x float64
	switch {
	case s.Outcome == core.Abandoned:
		return
	case s.Outcome.Failed():
		x = max(Penalty, min(s.RetryAfter, MaxPenalty), s.Total).Seconds()
	case s.FirstAnswer < 0:
		return // an end without an answer that is no failure: nothing was timed
	default:
		x = s.FirstAnswer.Seconds()
	}
	for {
		old := e.word.Load()
		estimate, idle, known := unpack(old, now)
		if !known {
			estimate = x
		} else {
			w := math.Exp(-idle / e.decay)
			estimate = estimate*w + x*(1-w)
		}
		if e.word.CompareAndSwap(old, pack(estimate, now)) {
			return
		}
	}
}

// The estimate and the stamp of its last sample are one atomic word: a float32 of
// seconds above 32 bits of time in ticks of 2^16 ns (65.5 µs), which wrap after 78
// hours. Two samples within a tick weigh as one, which at a million answers a second
// is still an unbiased choice among them. A word of 0 means no sample yet.
const (
	tickBits = 16
	// ahead is how many ticks a stamp may lie ahead of a reader that read its
	// clock a little earlier; further ahead is long ago.
	ahead = 1 << 16
)

func pack(estimate float64, now core.Instant) uint64 {
	bits := math.Float32bits(max(float32(estimate), math.SmallestNonzeroFloat32))
	return uint64(bits)<<32 | uint64(uint32(now>>tickBits))
}

// unpack returns the estimate and its age, both in seconds.
func unpack(word uint64, now core.Instant) (estimate, idle float64, known bool) {
	if word == 0 {
		return 0, 0, false
	}
	ticks := uint32(now>>tickBits) - uint32(word)
	if ticks > math.MaxUint32-ahead {
		ticks = 0
	}
	return float64(math.Float32frombits(uint32(word >> 32))), time.Duration(int64(ticks) << tickBits).Seconds(), true
}
