package core

import "time"

// Instant is a point in time: nanoseconds since the epoch of one process or one
// run, monotonic. Only differences between instants of the same epoch mean
// anything. The zero value is the epoch itself.
type Instant int64

// Never is an instant that no clock reaches: "no deadline".
const Never Instant = 1<<63 - 1

// Add returns t+d. Adding to Never, or past it, yields Never.
func (t Instant) Add(d time.Duration) Instant {
	sum := t + Instant(d)
	if t == Never || d > 0 && sum < t {
		return Never
	}
	return sum
}

// Sub returns the duration t-u.
func (t Instant) Sub(u Instant) time.Duration { return time.Duration(t - u) }

// Seconds returns the seconds since the epoch.
func (t Instant) Seconds() float64 { return time.Duration(t).Seconds() }

// Earlier returns the earlier of two instants.
func Earlier(a, b Instant) Instant { return min(a, b) }
