package core

import "time"

// Hung says from when on an attempt without an answer is taken for hung: its request, if it
// may be sent twice, is then sent to another member, too, and whoever answers well first is
// delivered. That is a retry which does not wait for the first attempt to fail, and is paid
// for by the retries' Budget; the whole has no more time to be answered than the first
// attempt alone. One that is slow and not hung has lost nothing: it is still waited for.
//
// It is part of a pool's Policy that its requests share, and learns from them how long
// answers commonly take: the 99th percentile of the times to the first byte of first
// attempts, of requests that may be sent twice, that were answered well. What never answers
// teaches nothing, or the delay would run away from what hangs. Safe for concurrent use; no
// locks, no allocation.
type Hung struct {
	least time.Duration
	usual tail
}

const (
	hungFactor  = 4    // times what is usual
	hungUsual   = 0.99 // the percentile that is
	hungSamples = 20   // before there is one: of so many it is the longest
)

// NewHung returns a Hung that takes nothing for hung before least, above 0.
func NewHung(least time.Duration) *Hung {
	return &Hung{least: least, usual: newTail(hungUsual, hungSamples)}
}

// Delay is how long an attempt that has to be answered within a bound (0 for none) may be
// unanswered before it is taken for hung: four times the 99th percentile, and least. But at
// most half of the bound for least, and half of it exactly where nothing is known, so that
// there is as much time for another. (Among exponential times one in 10^8 is longer than
// four times the 99th percentile; among the heavier tails of the lab one in a thousand.)
// False says that nothing is: answers that are usual take so long that one which hangs
// could not be told from them within the bound.
func (h *Hung) Delay(now Instant, within time.Duration) (time.Duration, bool) {
	usual, known := h.usual.at(now)
	d := max(h.least, hungFactor*usual)
	switch {
	case within <= 0:
		return d, known
	case !known:
		return within / 2, true
	}
	d = max(min(h.least, within/2), hungFactor*usual)
	return d, d < within
}

// Learn takes in how long a first attempt took to its first byte.
func (h *Hung) Learn(now Instant, took time.Duration) { h.usual.recent.add(now, took) }

// hungAt is when the first attempt is taken for hung; Never for a request that may not be
// tried again.
func (q *Request) hungAt(now Instant) Instant {
	h := q.policy.Hung
	if h == nil || !q.replayable || q.policy.Attempts < 2 {
		return Never
	}
	within := time.Duration(0)
	if q.answerBy != Never {
		within = q.answerBy.Sub(now)
	}
	d, ok := h.Delay(now, within)
	if !ok {
		return Never
	}
	return now.Add(d)
}

// rescue leases another attempt beside the first, which hangs.
func (q *Request) rescue(now Instant) Action {
	if r := q.retry(now); r != RetrySent {
		return Action{Do: Stay, Retry: r}
	}
	action := q.try(now, RetrySent)
	action.Until = Earlier(action.Until, q.answerBy)
	return action
}
