package core

import (
	"math"
	"sync/atomic"
	"time"
)

// Hedge says when a request is hedged: when it has not been answered for longer than
// most are, a second attempt is leased at another member, the first good answer is
// delivered, and the other attempt is given up (Dean and Barroso, "The Tail at Scale",
// CACM 2013). It is the part of a pool's Policy that its requests share, and learns the
// delay from them. Safe for concurrent use; no locks, no allocation.
//
// What it learns is how long first attempts take to their first byte: of requests that
// may be hedged, and that were answered well. One that is overtaken by its hedge, or
// times out, counts with its age, which is less than its answer would have taken but
// beyond the delay already, and that is all that the percentile needs to know: what ends
// early must not pull it down, or hedging would bring on more hedging. Hedges and
// retries themselves teach it nothing, nor does failing fast.
type Hedge struct {
	minDelay time.Duration
	budget   *Budget
	first    tail // of times to the first byte
}

// Hedging is what became of the wish to hedge a request.
type Hedging uint8

const (
	HedgeNone       Hedging = iota // there was no such wish, or the request has moved on
	HedgeSent                      // another attempt was leased
	HedgeWon                       // and later: its answer is good, and was the first
	HedgeNoBudget                  // the hedges of all requests are at their bound
	HedgeNoEndpoint                // no other member may take it

	// Hedgings is how many there are.
	Hedgings = int(HedgeNoEndpoint) + 1
)

var hedgingNames = [Hedgings]string{"none", "sent", "won", "no-budget", "no-endpoint"}

// String returns the name in metrics.
func (h Hedging) String() string { return hedgingNames[h] }

// NewHedge returns a Hedge that hedges after the percentile (above 0, below 1) of the
// recent times to the first byte, and after no less than minDelay, at most maxRatio
// requests of those of the last ten seconds (see Budget). There is no hedging before so
// many requests were answered, within five to ten seconds, that one of them is expected
// to lie beyond the percentile, and 20 at least.
func NewHedge(percentile float64, minDelay time.Duration, maxRatio float64) *Hedge {
	return &Hedge{
		minDelay: minDelay,
		budget:   NewBudget(maxRatio, 0),
		first:    newTail(percentile, uint64(max(20, math.Ceil(1/(1-percentile))))),
	}
}

// Delay is how long a request may be unanswered before it is hedged; false while that
// is not known.
func (h *Hedge) Delay(now Instant) (time.Duration, bool) {
	d, ok := h.first.at(now)
	return max(d, h.minDelay), ok
}

// Learn takes in how long a first attempt took to its first byte, or that it took
// longer than this.
func (h *Hedge) Learn(now Instant, took time.Duration) { h.first.recent.add(now, took) }

// Hedge tells that Action.Hedge has passed without an answer. The action is Try for an
// attempt that runs beside the first, as its hedge or because that is taken for hung (see
// Hung); or Stay, when there is none: the hedges or the retries of all requests are at their
// bound, no other member may take it, or the request has moved on meanwhile. An
// Action.Hedge of a Stay that lies ahead is when to ask once more.
//
// Then the answers of both are told as they come, and each failure: what one of them
// came to that cannot be delivered leads to Stay as long as there is the other. With
// Deliver, the other attempt has been settled, and the driver is to call it off. It
// counts as overtaken if it began first; as abandoned if it was the second, which has had
// no fair chance. News of it that come later lead to Stay.
func (q *Request) Hedge(now Instant) Action {
	h := q.policy.Hedge
	switch {
	case !q.replayable || q.attempts != 1 || !q.leases[0].waiting() || now >= q.deadline:
		return Action{Do: Stay}
	case now >= q.hung:
		return q.rescue(now)
	case h == nil:
		return q.unhedged(HedgeNone)
	case !h.budget.Allows(now):
		return q.unhedged(HedgeNoBudget)
	case !q.lease(now):
		return q.unhedged(HedgeNoEndpoint)
	}
	h.budget.Spend(now)
	q.hedged = true
	action := q.try(now, RetryNone)
	action.Hedged = HedgeSent
	return action
}

// unhedged says that there is no hedge, and when the attempt will be taken for hung.
func (q *Request) unhedged(why Hedging) Action {
	a := Action{Do: Stay, Hedged: why}
	if q.hung != Never {
		a.Hedge = q.hung
	}
	return a
}

// hedgeAt is when the first attempt is to be hedged: Never, too, in a pool that panics,
// where those that are left have enough to do.
func (q *Request) hedgeAt(now Instant) Instant {
	h := q.policy.Hedge
	if h == nil || !q.replayable || q.leases[0].Choice().Mode == Panic {
		return Never
	}
	delay, ok := h.Delay(now)
	if !ok {
		return Never
	}
	return now.Add(delay)
}

// timed tells the pool's Hedge how long an attempt took, or that it took longer.
func (q *Request) timed(now Instant, attempt int) {
	if h := q.policy.Hedge; h != nil && q.replayable && attempt == 0 {
		h.Learn(now, now.Sub(q.leases[0].Began()))
	}
}

// waiting reports whether the lease is given and not yet answered.
func (l *Lease) waiting() bool { return atomic.LoadUint32(&l.state) == leaseWaiting }

// rivalled reports whether another attempt than this one is under way.
func (q *Request) rivalled(attempt int) bool {
	for i := range q.attempts {
		if i != attempt && q.leases[i].Live() {
			return true
		}
	}
	return false
}

// overtake gives up whatever is under way beside the winner.
func (q *Request) overtake(now Instant, winner int) {
	for i := range q.attempts {
		if i == winner || !q.leases[i].Live() {
			continue
		}
		o := Abandoned
		if i < winner {
			o = Overtaken
			q.timed(now, i)
		}
		q.leases[i].Settle(now, Sample{Outcome: o})
	}
}
