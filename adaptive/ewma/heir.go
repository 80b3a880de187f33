package ewma

import "github.com/evenkeel/evenkeel/core"

// estimating is an estimator of this package, whatever is around it.
type estimating interface{ estimator() *Estimator }

func (e *Estimator) estimator() *Estimator { return e }

// Inherit implements core.Heir: the estimate goes on, with its age and how many samples it
// is made of, by this estimator's settings from now on. What the member owes is owed to the
// other. from may be at work.
func (e *Estimator) Inherit(now core.Instant, from any) {
	old, ok := from.(estimating)
	if !ok {
		return
	}
	was := old.estimator()
	e.word.Store(was.word.Load())
	e.varies.Store(was.varies.Load())
	e.stands.word.Store(was.stands.word.Load())
	asked := was.asked.Load()
	if asked == 0 { // it was not kept: nobody is neglected yet
		asked = int64(now)
	}
	e.asked.Store(asked)
}

// Inherit implements core.Heir: what classes take is taken over with the first of a pool's
// members.
func (e *ClassedEstimator) Inherit(now core.Instant, from any) {
	e.Estimator.Inherit(now, from)
	if old, ok := from.(*ClassedEstimator); ok {
		e.classes.inherit(old.classes)
	}
}

// inherit takes over what other classes are known to take, unless that is known already.
func (c *Classes) inherit(from *Classes) {
	c.all.word.CompareAndSwap(0, from.all.word.Load())
	for i := range c.each {
		c.each[i].word.CompareAndSwap(0, from.each[i].word.Load())
	}
}
