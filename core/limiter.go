package core

import (
	"math"
	"math/rand/v2"
	"time"
)

// Limiter says how many may be in flight at once, at a pool (see Admission) or at one
// member (see adaptive/concurrency), and learns from what they came to. Safe for
// concurrent use, no allocation, no clock but now.
type Limiter interface {
	// Limit is how many may be in flight; at least 1.
	Limit() int
	// Learn takes in what one came to: s.FirstAnswer is the time to its first
	// answer (negative without one), s.Total how long it took up to now, and
	// inFlight how many were in flight when it began, itself included. Each is told
	// once for each outcome that it has: at its first answer, and at its end when
	// that was another.
	Learn(now Instant, s Sample, inFlight int)
	// State is what the limiter knows, for metrics.
	State() LimiterState
}

// ClassedLimiter is a Limiter that tells classes of requests apart (Ask.Class). It hears from
// an Admission by this instead of Learn.
type ClassedLimiter interface {
	LearnOf(class uint8, now Instant, s Sample, inFlight int)
}

// LimiterState is what a limiter decides by. What a limiter does not use, or does not
// know yet, is NaN. Make it with NewLimiterState.
type LimiterState struct {
	Limit    float64 // in flight; before rounding down
	InFlight float64 // most in flight in the last window
	Baseline float64 // seconds: latency without a queue
	Recent   float64 // seconds: latency in the last window
	Gradient float64 // what the last window multiplied the limit by, before the headroom
	Queue    float64 // how many of those in flight are thought to wait
	// Correlations, -1 to 1, of what was in flight with the throughput, and with
	// the latency, over the last windows.
	Throughput, Latency float64
}

// NewLimiterState returns the state of a limiter that uses nothing but its limit.
func NewLimiterState(limit float64) LimiterState {
	n := math.NaN()
	return LimiterState{limit, n, n, n, n, n, n, n}
}

// Limited is a Gate that asks a Limiter.
type Limited interface {
	Limiter() Limiter
}

// Shedder turns requests away at the door, before they take a place or a lease. Safe
// for concurrent use, no allocation, no clock but now.
type Shedder interface {
	// Admit decides about a request that has come, by chance from src. Priority 0
	// is the most important.
	Admit(now Instant, priority uint8, src rand.Source) bool
	// Begun tells that an admitted request has got as far as its first attempt.
	Begun(now Instant, priority uint8)
	// Ended tells what came of a request that had begun, each once: at its answer,
	// or at its end if there was none. Abandoned is then one that its client has left
	// without an answer.
	Ended(now Instant, priority uint8, o Outcome)
	// State is what it decides by, for metrics.
	State(now Instant) ShedderState
}

// ShedderState is what a Shedder decides by: the requests and the accepted ones among
// them in its window, and the share that it turns away, 0 to 1.
type ShedderState struct{ Requests, Accepts, Reject float64 }

// Patience says how the queue of an Admission is kept. It is asked under the
// admission's lock: it must be quick, and needs none of its own.
type Patience interface {
	// Wait is how long a request that comes now may stand in a queue that was empty
	// last at emptied, at most; and whether it is let go because of overload should
	// it wait for so long.
	Wait(now, emptied Instant) (most time.Duration, overload bool)
	// Standing reports whether the queue has been standing, instead of working off
	// a burst: then the newest in it goes first.
	Standing(now, emptied Instant) bool
}
