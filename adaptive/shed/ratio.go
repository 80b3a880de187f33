package shed

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Classes is how many classes of priority are told apart: 0 to 3, those of Google
// (critical plus, critical, sheddable plus, sheddable). Beyond is as the last.
const Classes = 4

// AcceptRatio is a core.Shedder: the client-side throttle of "Site Reliability
// Engineering" (Beyer and others, 2016, chapter 21), in front of a pool. Of the
// requests of the last Window it turns away the share
//
//	max(0, (requests - K·accepts) / (requests + 1)), at most Most
//
// so that it stays out of the way until fewer than one in K comes to anything, and
// then lets through about K times as many as are accepted. The book has K = 2 and two
// minutes. The bound is failsafe-go's (0.9): without one, a pool that was down for the
// whole window gets one request in as many as the window holds, and takes many windows
// to be found well again.
//
// A request counts when its first attempt begins, and is accepted when it is answered:
// endpoints that hang are seen long before their timeouts, where counting both at the
// end would see nothing. Those that are turned away here count as requests. An answer
// of 4xx is an acceptance, 5xx and 429 are not, nor is a request that its client has
// left without an answer: where all are slower than their clients wait for, nothing else
// tells. (Elsewhere that teaches nothing, since one endpoint may not be to blame.)
//
// The share is that of all requests; it is taken from the least important first: all
// of class 3 before any of class 2, and so on.
//
// Requests are counted in exact seconds; the shares are worked out anew every tenth of
// a second, by whoever comes first. Safe for concurrent use, without locks.
type AcceptRatio struct {
	k, most float64
	counts  [Classes]*core.Window // requests, accepts
	due     atomic.Int64          // the Instant of the next working out
	share   [Classes]atomic.Uint64
}

// every is how often the shares are worked out: a thousandth of the default window, and
// no cost that could be measured.
const every = 100 * time.Millisecond

// NewAcceptRatio returns a shedder. k is at least 1, the window at least a second
// (rounded up to whole ones), most above 0 and at most 1.
func NewAcceptRatio(k float64, window time.Duration, most float64) (*AcceptRatio, error) {
	if !(k >= 1) || math.IsInf(k, 1) || window < time.Second || !(most > 0 && most <= 1) {
		return nil, fmt.Errorf("shed: k %v, window %v, at most %v: expected k from 1, a window from 1s, a share above 0 and at most 1", k, window, most)
	}
	r := &AcceptRatio{k: k, most: most}
	for i := range r.counts {
		r.counts[i] = core.NewWindow(window)
	}
	return r, nil
}

// Inherit implements core.Heir: over the same window what was counted counts, whatever k is,
// and both count together from now on; over another it begins anew. from may be at work.
func (r *AcceptRatio) Inherit(_ core.Instant, from any) {
	if old, ok := from.(*AcceptRatio); ok && old.counts[0].Span() == r.counts[0].Span() {
		r.counts = old.counts
	}
}

// Admit implements core.Shedder.
func (r *AcceptRatio) Admit(now core.Instant, priority uint8, src rand.Source) bool {
	if due := r.due.Load(); int64(now) >= due && r.due.CompareAndSwap(due, int64(now.Add(every))) {
		r.workOut(now)
	}
	c := class(priority)
	share := math.Float64frombits(r.share[c].Load())
	if share == 0 || float64(src.Uint64()>>11)/(1<<53) >= share {
		return true
	}
	r.counts[c].Add(now, 1, 0)
	return false
}

// Begun implements core.Shedder.
func (r *AcceptRatio) Begun(now core.Instant, priority uint8) {
	r.counts[class(priority)].Add(now, 1, 0)
}

// Ended implements core.Shedder.
func (r *AcceptRatio) Ended(now core.Instant, priority uint8, o core.Outcome) {
	if !o.Failed() && o != core.Abandoned {
		r.counts[class(priority)].Add(now, 0, 1)
	}
}

// State implements core.Shedder.
func (r *AcceptRatio) State(now core.Instant) core.ShedderState {
	var s core.ShedderState
	for _, w := range r.counts {
		requests, accepts := w.Sum(now)
		s.Requests += float64(requests)
		s.Accepts += float64(accepts)
	}
	s.Reject = r.reject(s.Requests, s.Accepts)
	return s
}

// reject is the share of all requests that is to be turned away.
func (r *AcceptRatio) reject(requests, accepts float64) float64 {
	return min(max(0, (requests-r.k*accepts)/(requests+1)), r.most)
}

// workOut divides the share among the classes, the least important first.
func (r *AcceptRatio) workOut(now core.Instant) {
	var of [Classes]float64
	var requests, accepts float64
	for i, w := range r.counts {
		n, a := w.Sum(now)
		of[i] = float64(n)
		requests += float64(n)
		accepts += float64(a)
	}
	left := r.reject(requests, accepts) * requests
	for i := Classes - 1; i >= 0; i-- {
		share := 0.0
		if of[i] > 0 {
			share = min(left/of[i], 1)
			left = max(0, left-of[i])
		}
		r.share[i].Store(math.Float64bits(share))
	}
}

func class(priority uint8) int { return min(int(priority), Classes-1) }
