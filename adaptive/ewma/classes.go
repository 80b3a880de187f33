package ewma

import (
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// MaxClasses is how many classes of requests are told apart; what is beyond shares the last.
const MaxClasses = 16

// classMemory is the time constant of what a class typically takes, in seconds. It is far
// longer than that of a member: how classes compare is a matter of what is asked, and what
// slows all of them down leaves their proportions as they are.
const classMemory = float64(time.Minute / time.Second)

// Classes is what requests to one pool typically take, all together and class by class: for
// each an average over time of all members' answers, as an Estimator's of one. All estimators
// of a pool share one. With it, a sample x of class c counts as
//
//	x · M / M_c   seconds
//
// where M_c is what the class takes and M what all take, so that a member that happened to
// get slow requests does not look slow. The zero value knows nothing and is ready for use.
// Safe for concurrent use.
type Classes struct {
	all  average
	each [MaxClasses]average
}

// alike is what a latency of a class would be if all classes took the same, in seconds. It
// is taken in, unless it is only a lower bound.
func (c *Classes) alike(class uint8, now core.Instant, o core.Outcome, x float64) float64 {
	its := &c.each[min(class, MaxClasses-1)]
	if !bounds(o) {
		c.all.learn(now, x)
		its.learn(now, x)
	}
	of, samples := its.read(now)
	if samples == 0 {
		return x
	}
	all, _ := c.all.read(now)
	return x * all / of
}

// ClassedEstimator is an Estimator that measures a latency by what its class of requests
// takes at the pool. It is a type of its own so that who does without classes does not pay
// for them. Safe for concurrent use.
type ClassedEstimator struct {
	Estimator
	classes *Classes
	_       [7]uint64 // to whole lines
}

// Estimator returns the estimator of a member, as New does.
func (c *Classes) Estimator(m *core.Member, s *Settings) *ClassedEstimator {
	e := &ClassedEstimator{classes: c}
	e.Estimator.set(m, s)
	return e
}

// AnsweredOf implements core.Classed.
func (e *ClassedEstimator) AnsweredOf(class uint8, now core.Instant, s core.Sample) {
	e.spoke(now)
	e.learnOf(class, now, s)
}

// EndOf implements core.Classed.
func (e *ClassedEstimator) EndOf(class uint8, now core.Instant, s core.Sample) {
	if e.ended(s) {
		e.learnOf(class, now, s)
	}
}

// Waited implements core.Waiting.
func (e *ClassedEstimator) Waited(now core.Instant, class uint8, d time.Duration) {
	e.take(now, core.Abandoned, e.classes.alike(class, now, core.Abandoned, d.Seconds()))
}

// learnOf takes in what a sample of a class stands for.
func (e *ClassedEstimator) learnOf(class uint8, now core.Instant, s core.Sample) {
	if x, ok := e.taught(s); ok {
		e.heed(now, s)
		if !s.Outcome.Failed() {
			x = e.classes.alike(class, now, s.Outcome, x)
		}
		e.take(now, s.Outcome, x)
	}
}

// average is a word as an Estimator has it, without any guard.
type average struct{ word atomic.Uint64 }

func (a *average) read(now core.Instant) (seconds float64, samples uint32) {
	seconds, _, samples = unpack(a.word.Load(), now)
	return seconds, samples
}

// learn takes a sample in. Of a whole pool there may be many within a tick, of which all but
// the first weigh nothing and write nothing.
func (a *average) learn(now core.Instant, x float64) {
	for {
		old := a.word.Load()
		estimate, idle, samples := unpack(old, now)
		share := weight(idle, classMemory, samples)
		if share == 0 || a.word.CompareAndSwap(old, pack(estimate+(x-estimate)*share, samples+1, now)) {
			return
		}
	}
}
