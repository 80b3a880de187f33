// Package explain keeps and tells why decisions were made: a few sampled ones of each
// pool for the admin listener (Log), and those of one request as the text of a response
// header (Header). It reads no clock and draws nothing: time and chance are arguments.
package explain

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// apart is the least time between two sampled requests: a thousand a second are more
// than anybody reads, and cost a thousandth of a core.
const apart = time.Millisecond

// Record is one decision as it was kept.
type Record struct {
	core.Decision
	Route   string
	Attempt int // of its request, from 1
}

// Log keeps the latest sampled decisions of a pool. Nobody on the way of a request ever
// waits for it: what cannot be kept at once is not kept. A nil Log samples nothing. Safe
// for concurrent use.
//
// Requests are sampled, not decisions, so that all attempts of a request are there; and
// by chance, not by count, since every hundredth decision of a round robin over ten
// endpoints would be for the same endpoint.
type Log struct {
	pool   string
	sample uint64
	next   atomic.Int64 // the Instant from which a request may be sampled

	mu     sync.Mutex
	kept   []Record // a ring
	oldest int      // in a full ring
}

// NewLog returns the log of a pool that keeps so many decisions of one in so many
// requests; nil, which samples nothing, unless both are above 0.
func NewLog(pool string, sample, keep int) *Log {
	if sample <= 0 || keep <= 0 {
		return nil
	}
	return &Log{pool: pool, sample: uint64(sample), kept: make([]Record, 0, keep)}
}

// Pool is the name of the pool.
func (l *Log) Pool() string { return l.pool }

// Wants reports whether the decisions of a request that begins now are to be kept: with
// a chance of one in sample, and at most one request a millisecond. The draw is a
// uniform 64-bit number.
func (l *Log) Wants(now core.Instant, draw uint64) bool {
	if l == nil {
		return false
	}
	if hi, _ := bits.Mul64(draw, l.sample); hi != 0 {
		return false
	}
	next := l.next.Load()
	return int64(now) >= next && l.next.CompareAndSwap(next, int64(now.Add(apart)))
}

// Keep keeps a decision, in the place of the oldest when there is no more room. It
// copies d; while somebody else is at the log it does nothing.
func (l *Log) Keep(d *core.Decision, route string, attempt int) {
	if !l.mu.TryLock() {
		return
	}
	defer l.mu.Unlock()
	r := Record{*d, route, attempt}
	if len(l.kept) < cap(l.kept) {
		l.kept = append(l.kept, r)
		return
	}
	l.kept[l.oldest] = r
	l.oldest = (l.oldest + 1) % len(l.kept)
}

// Latest returns the decisions that are kept, at most limit of them, the newest first.
func (l *Log) Latest(limit int) []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.kept)
	list := make([]Record, 0, max(0, min(limit, n)))
	for i := range cap(list) {
		list = append(list, l.kept[(l.oldest+2*n-1-i)%n])
	}
	return list
}
