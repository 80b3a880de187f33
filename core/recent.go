package core

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// recent counts durations of the last five to ten seconds by their size, for quantiles:
// buckets of whole numbers of nanoseconds, sixteen to each power of two, so that a
// duration is known to within a sixteenth of itself (the layout of HdrHistogram, Gil
// Tene). What lies outside 4 µs to 137 s counts as the nearest that does not.
//
// A bucket holds two counts, of the present five seconds and of those before, and is
// brought up to date by whoever counts in it: nothing has to be cleared in time. Safe
// for concurrent use; no locks, no allocation.
type recent struct {
	// buckets hold the low 24 bits of the number of the span that was present when
	// they were written, then 20 bits for its count and 20 for the one before.
	buckets [recentOctaves << recentSubBits]atomic.Uint64
}

const (
	recentSpan    = 5 * time.Second
	recentSubBits = 4  // sixteen buckets to an octave
	recentLow     = 12 // the least duration is 2^12 ns
	recentOctaves = 25 // up to 2^37 ns
	recentMax     = 1<<20 - 1
	recentMask    = 1<<24 - 1
)

// span is the number of the five seconds that now falls into, counted from 1 so that an
// untouched bucket belongs to none.
func span(now Instant) uint64 { return uint64(now/Instant(recentSpan)) + 1 }

// counts are those of a bucket at a span: present and before. Of an instant that has
// just passed (a clock read a little earlier) they are the bucket's own.
func counts(word, span uint64) (present, before uint64) {
	switch age := (span - word>>40) & recentMask; {
	case age == 0 || age == recentMask:
		return word >> 20 & recentMax, word & recentMax
	case age == 1:
		return 0, word >> 20 & recentMax
	}
	return 0, 0
}

// add counts a duration.
func (r *recent) add(now Instant, d time.Duration) {
	b := &r.buckets[bucketOf(d)]
	s := span(now)
	for {
		old := b.Load()
		present, before := counts(old, s)
		stamp := s & recentMask
		if (s-old>>40)&recentMask == recentMask {
			stamp = old >> 40
		}
		if b.CompareAndSwap(old, stamp<<40|min(present+1, recentMax)<<20|before) {
			return
		}
	}
}

// quantile is a duration that a share of those counted did not exceed: the least upper
// edge of a bucket below which there are so many. False when fewer than least have been
// counted.
func (r *recent) quantile(now Instant, share float64, least uint64) (time.Duration, bool) {
	s := span(now)
	total := uint64(0)
	for i := range r.buckets {
		present, before := counts(r.buckets[i].Load(), s)
		total += present + before
	}
	if total == 0 || total < least {
		return 0, false
	}
	need, sum := share*float64(total), uint64(0)
	last := 0
	for i := range r.buckets {
		present, before := counts(r.buckets[i].Load(), s)
		if present+before > 0 {
			last = i
		}
		if sum += present + before; float64(sum) >= need && sum > 0 {
			break
		}
	}
	return edgeOf(last), true
}

// bucketOf is the bucket of a duration.
func bucketOf(d time.Duration) int {
	const low, high = 1 << recentLow, 1<<(recentLow+recentOctaves) - 1
	n := uint64(max(low, min(d, high)))
	octave := bits.Len64(n) - 1
	sub := n >> (octave - recentSubBits) & (1<<recentSubBits - 1)
	return (octave-recentLow)<<recentSubBits | int(sub)
}

// edgeOf is the longest duration that falls into a bucket.
func edgeOf(bucket int) time.Duration {
	octave := bucket>>recentSubBits + recentLow
	sub := bucket & (1<<recentSubBits - 1)
	return time.Duration(1<<recentSubBits+sub+1)<<(octave-recentSubBits) - 1
}
