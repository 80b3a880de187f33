package core

import (
	"sync/atomic"
	"time"
)

// Window counts two things over the last whole seconds: exact one-second buckets
// that advance with the instants they are given. (A decaying average of a success
// rate was tried by linkerd and dropped: a tight burst hides an outage, an idle gap
// forgets it.) Safe for concurrent use; no locks, no allocation.
//
// A bucket holds at most [WindowMax] of each count and saturates there.
type Window struct {
	// buckets[s % len] holds the counts of second s: the low 24 bits of s, then
	// 20 bits for each count.
	buckets []atomic.Uint64
}

// WindowMax is the most that one bucket of a Window counts.
const WindowMax = 1<<20 - 1

const (
	windowCountBits = 20
	windowStampMask = 1<<24 - 1
)

// NewWindow returns a window over the given span, rounded up to whole seconds, at
// least one.
func NewWindow(span time.Duration) *Window {
	n := max(1, int((span+time.Second-1)/time.Second))
	return &Window{buckets: make([]atomic.Uint64, n)}
}

// Span returns the time that the window covers.
func (w *Window) Span() time.Duration { return time.Duration(len(w.buckets)) * time.Second }

// stamp is the number of the second that now falls into, counted from 1 so that an
// untouched bucket belongs to no second.
func stamp(now Instant) uint64 { return uint64(now/Instant(time.Second)) + 1 }

// Add counts a and b at now.
func (w *Window) Add(now Instant, a, b uint64) {
	s := stamp(now)
	bucket := &w.buckets[s%uint64(len(w.buckets))]
	for {
		old := bucket.Load()
		var x, y uint64
		if old>>(2*windowCountBits) == s&windowStampMask {
			x, y = old>>windowCountBits&WindowMax, old&WindowMax
		}
		x, y = min(x+a, WindowMax), min(y+b, WindowMax)
		if bucket.CompareAndSwap(old, s&windowStampMask<<(2*windowCountBits)|x<<windowCountBits|y) {
			return
		}
	}
}

// Sum returns both counts over the window that ends with now's second.
func (w *Window) Sum(now Instant) (a, b uint64) {
	s := stamp(now)
	for i := range w.buckets {
		word := w.buckets[i].Load()
		age := (s - word>>(2*windowCountBits)) & windowStampMask
		if word != 0 && age < uint64(len(w.buckets)) {
			a += word >> windowCountBits & WindowMax
			b += word & WindowMax
		}
	}
	return a, b
}

// Reset forgets everything.
func (w *Window) Reset() {
	for i := range w.buckets {
		w.buckets[i].Store(0)
	}
}
