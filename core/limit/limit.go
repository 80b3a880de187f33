// Package limit has rate limiters: token buckets, each in one atomic word.
//
// The bucket is kept as the generic cell rate algorithm (GCRA, ITU-T I.371): instead
// of a number of tokens it holds the theoretical arrival time, the instant at which
// the bucket will be full again. A request of n tokens at now is let through when
//
//	max(TAT, now) + n·T - now <= burst·T,  T = 1/rate
//
// and moves TAT there. That is the token bucket exactly, without a timer to fill it. A
// request that may be delayed by d is let through when the left side exceeds the right
// one by at most d, and is to wait for the excess: the tokens that are still to come
// are its own already, and nobody overtakes it.
package limit

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Rate is what a bucket lets through. The zero value is not valid.
type Rate struct {
	perToken time.Duration // T
	depth    time.Duration // burst·T
	burst    int
}

// NewRate returns a rate of so many tokens a second, above 0 and at most 1e9, with a
// burst of at least 1 and at most a hundred years' worth. The time between two tokens is
// kept in whole nanoseconds, so the rate is off by up to itself in 2e9, as a share: by one
// in two thousand at a million a second.
func NewRate(perSecond float64, burst int) (Rate, error) {
	if !(perSecond > 0 && perSecond <= 1e9) {
		return Rate{}, fmt.Errorf("limit: rate of %v a second: expected above 0 and at most 1e9", perSecond)
	}
	perToken := time.Duration(math.Round(float64(time.Second) / perSecond))
	const century = 100 * 365 * 24 * time.Hour
	if burst < 1 || perToken > century || time.Duration(burst) > century/perToken {
		return Rate{}, fmt.Errorf("limit: burst of %d at %v a second: expected at least 1 and less than a century's worth", burst, perSecond)
	}
	return Rate{perToken, time.Duration(burst) * perToken, burst}, nil
}

// Bucket is one token bucket; the zero value is full. Safe for concurrent use.
type Bucket struct{ tat atomic.Int64 }

// Take takes n tokens (at least 1) at now. When there are not enough it takes none
// and returns how long it takes until there would be; a positive duration, or Never
// as a duration when n is more than the burst.
func (b *Bucket) Take(r Rate, now core.Instant, n int) (wait time.Duration, ok bool) {
	return b.Reserve(r, now, n, 0)
}

// Reserve is Take for who can wait, for at most most (not negative): where the tokens
// come within that time it takes them and returns how long to wait for them, 0 for not
// at all. Where they do not it takes none, and returns how long to wait before asking
// again.
func (b *Bucket) Reserve(r Rate, now core.Instant, n int, most time.Duration) (wait time.Duration, ok bool) {
	if n > r.burst {
		return math.MaxInt64, false
	}
	for {
		old := b.tat.Load()
		tat := max(old, int64(now)) + int64(n)*int64(r.perToken)
		over := time.Duration(tat-int64(now)) - r.depth
		if over > most {
			return over - most, false
		}
		if b.tat.CompareAndSwap(old, tat) {
			return max(over, 0), true
		}
	}
}

// Return gives back n tokens that were taken and not used.
func (b *Bucket) Return(r Rate, n int) { b.tat.Add(-int64(n) * int64(r.perToken)) }

// Left is how many tokens there are at now, and how long it takes until the bucket is
// full again.
func (b *Bucket) Left(r Rate, now core.Instant) (tokens int, full time.Duration) {
	full = max(0, time.Duration(b.tat.Load()-int64(now)))
	return int(max(0, r.depth-full) / r.perToken), full
}

// Limiter limits what passes: with one bucket for all, or one for each client key.
// Safe for concurrent use.
type Limiter struct {
	rate  Rate
	most  time.Duration // of a wait
	all   Bucket
	table *table // nil without keys
}

// New returns a limiter with one bucket, where nobody waits for longer than most; 0
// for not at all.
func New(r Rate, most time.Duration) *Limiter { return &Limiter{rate: r, most: most} }

// NewKeyed returns a limiter with a bucket for each key, in a table that holds at
// least so many keys and never grows: when more come, the bucket that is nearest to
// being full again among a few is given away, which forgives that key the least.
func NewKeyed(r Rate, most time.Duration, keys int) *Limiter {
	return &Limiter{rate: r, most: most, table: newTable(keys)}
}

// Keyed reports whether there is a bucket for each key.
func (l *Limiter) Keyed() bool { return l.table != nil }

// Take takes n tokens out of key's bucket; key is ignored without keys. When it is ok,
// wait is how long to wait before going on. See Bucket.Reserve.
func (l *Limiter) Take(now core.Instant, key uint64, n int) (wait time.Duration, ok bool) {
	return l.bucket(key).Reserve(l.rate, now, n, l.most)
}

// Return gives back n tokens that were taken and not used.
func (l *Limiter) Return(key uint64, n int) { l.bucket(key).Return(l.rate, n) }

// Left is how many tokens key's bucket has, and how long it takes to be full again.
func (l *Limiter) Left(now core.Instant, key uint64) (tokens int, full time.Duration) {
	return l.bucket(key).Left(l.rate, now)
}

// Quota is how many tokens a bucket has when it is full, and how long it takes to fill
// it.
func (l *Limiter) Quota() (tokens int, fill time.Duration) { return l.rate.burst, l.rate.depth }

func (l *Limiter) bucket(key uint64) *Bucket {
	if l.table == nil {
		return &l.all
	}
	return l.table.bucket(key)
}
