package core

import (
	"sync/atomic"
	"time"
)

// tail is a percentile of recent durations, taken anew now and then. Safe for concurrent
// use; no locks, no allocation.
type tail struct {
	percentile float64
	least      uint64 // samples before it is known

	recent *recent      // what it is of; more than one may be
	next   atomic.Int64 // the Instant from which it is to be taken anew
	busy   atomic.Bool  // somebody is at it
	value  atomic.Int64 // 0 while it is not known
}

// newTail returns a tail of nothing yet.
func newTail(percentile float64, least uint64) tail {
	return tail{percentile: percentile, least: least, recent: new(recent)}
}

// tailEvery is how often the percentile is taken: some 400 buckets are read for it.
const tailEvery = 100 * time.Millisecond

// at is the percentile; false while it is not known.
func (t *tail) at(now Instant) (time.Duration, bool) {
	if int64(now) >= t.next.Load() && t.busy.CompareAndSwap(false, true) {
		t.next.Store(int64(now.Add(tailEvery)))
		d, _ := t.recent.quantile(now, t.percentile, t.least)
		t.value.Store(int64(d))
		t.busy.Store(false)
	}
	d := time.Duration(t.value.Load())
	return d, d > 0
}
