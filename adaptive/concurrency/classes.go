package concurrency

import (
	"math"
	"sync"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// maxClasses is how many classes are told apart, as for the estimates of members
// (adaptive/ewma); what is beyond shares the last.
const maxClasses = 16

// What a class typically takes is a mean over classMemory, and over classSamples at least: how
// classes compare is a matter of what is asked, which a pause does not change.
const (
	classMemory  = time.Minute
	classSamples = 50
)

// usual is what requests of a class typically take: a mean of their latencies.
type usual struct {
	seconds float64
	samples float64 // that the mean rests on
	last    core.Instant
}

func (u *usual) add(now core.Instant, seconds float64) {
	left := u.samples * math.Exp(-float64(now.Sub(u.last))/float64(classMemory))
	u.samples = max(left, min(u.samples, classSamples)) + 1
	u.seconds += (seconds - u.seconds) / u.samples
	u.last = now
}

// classes make latencies of different classes comparable. A latency x of class c counts as
//
//	x · M / M_c   seconds
//
// where M_c is what the class typically takes and M what the most frequent one does: so the
// unit does not depend on the mix, as that of a mean over all would. When another class becomes
// the most frequent (by twice, so that two do not take turns), its M is multiplied by what
// keeps the unit as it was, since limiters remember latencies for long.
//
// The zero value knows nothing and is ready for use; of one class all latencies are as they
// are. Not safe for concurrent use.
type classes struct {
	each [maxClasses]usual
	most uint8
	unit float64 // of the most frequent class; 0 for 1
}

// alike is what a latency would be if all requests were alike.
func (c *classes) alike(class uint8, now core.Instant, seconds float64) float64 {
	class = min(class, maxClasses-1)
	its, most := &c.each[class], &c.each[c.most]
	its.add(now, max(seconds, 1e-9))
	if c.unit == 0 {
		c.most, c.unit, most = class, 1, its
	}
	if its.samples > 2*most.samples {
		c.unit *= most.seconds / its.seconds
		c.most, most = class, its
	}
	seconds *= c.unit
	if its != most {
		seconds *= most.seconds / its.seconds
	}
	return seconds
}

// Classed is a Limiter that is told of what class each request was, so that one who takes
// long by nature does not look like one who has waited, nor a change of what is asked like a
// queue. It is a core.ClassedLimiter. Safe for concurrent use.
type Classed struct {
	*Limiter
	mu      sync.Mutex
	classes classes
}

// NewClassed has a limiter compare within classes. It is for limiters that go by latency, and
// of no use for others.
func NewClassed(l *Limiter) *Classed { return &Classed{Limiter: l} }

// LearnOf implements core.ClassedLimiter.
func (l *Classed) LearnOf(class uint8, now core.Instant, s core.Sample, inFlight int) {
	if timed(s) {
		l.mu.Lock()
		seconds := l.classes.alike(class, now, s.FirstAnswer.Seconds())
		l.mu.Unlock()
		s.FirstAnswer = time.Duration(min(seconds, mostSeconds) * float64(time.Second))
	}
	l.Learn(now, s, inFlight)
}

// mostSeconds is what a latency counts as at most, so that it is a Duration.
const mostSeconds = 1e9

// Inherit implements core.Heir: what the classes take goes on with the rest. from may be at
// work.
func (l *Classed) Inherit(now core.Instant, from any) {
	old, ok := from.(*Classed)
	if !ok {
		return
	}
	old.mu.Lock()
	known := old.classes
	old.mu.Unlock()
	l.mu.Lock()
	l.classes = known
	l.mu.Unlock()
	l.Limiter.Inherit(now, old.Limiter)
}
