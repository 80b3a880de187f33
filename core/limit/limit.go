// Package limit has rate limiters: token buckets, each in one atomic word.
//
// The bucket is kept as the generic cell rate algorithm (GCRA, ITU-T I.371): instead
// of a number of tokens it holds the theoretical arrival time, the instant at which
// the bucket will be full again. A request of n tokens at now is let through when
//
//	max(TAT, now) + n·T - now <= burst·T,  T = 1/rate
//
// and moves TAT there. That is the token bucket exactly, without a timer to fill it.
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
// burst of at least 1 and at most a hundred years' worth.
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
	if n > r.burst {
		return math.MaxInt64, false
	}
	for {
		old := b.tat.Load()
		tat := max(old, int64(now)) + int64(n)*int64(r.perToken)
		if over := time.Duration(tat-int64(now)) - r.depth; over > 0 {
			return over, false
		}
		if b.tat.CompareAndSwap(old, tat) {
			return 0, true
		}
	}
}

// Limiter limits a route: with one bucket for all, or one for each client key.
type Limiter struct {
	rate  Rate
	all   Bucket
	table *table // nil without keys
}

// New returns a limiter with one bucket.
func New(r Rate) *Limiter { return &Limiter{rate: r} }

// NewKeyed returns a limiter with a bucket for each key, in a table that holds at
// least so many keys and never grows: when more come, the bucket that is nearest to
// being full again among a few is given away, which forgives that key the least.
func NewKeyed(r Rate, keys int) *Limiter { return &Limiter{rate: r, table: newTable(keys)} }

// Keyed reports whether there is a bucket for each key.
func (l *Limiter) Keyed() bool { return l.table != nil }

// Take takes n tokens out of key's bucket; key is ignored without keys. See
// Bucket.Take.
func (l *Limiter) Take(now core.Instant, key uint64, n int) (wait time.Duration, ok bool) {
	if l.table == nil {
		return l.all.Take(l.rate, now, n)
	}
	return l.table.bucket(key).Take(l.rate, now, n)
}
