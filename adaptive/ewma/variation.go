package ewma

import "math"

const (
	// varyOver is how many samples the variation is a mean over, with weights that fall
	// exponentially, and it begins with 1: nothing is regular before some forty answers.
	varyOver = 16
	// mostVaried is what one sample counts as at most: an outlier is forgotten within a few
	// dozen others.
	mostVaried = 16
	// leastVaried is the least variation: as little as may be is left to chance (see
	// core.Survey.Chance) from a hundred times as much on down, and what does not change need
	// not be stored.
	leastVaried = 1e-3
)

// Variation implements core.Varied: the mean square of how far the last samples lay off the
// estimate, as a share of it. Of failures, which have their penalty instead of a time,
// nothing is learned; nor of what weighs nothing in the estimate.
func (e *Estimator) Variation() float64 {
	bits := e.varies.Load()
	if bits == 0 {
		return 1
	}
	return float64(math.Float32frombits(bits))
}

// vary takes in how far a sample was off the estimate, as a share of it. Of two samples at
// the same time one may be lost.
func (e *Estimator) vary(off float64) {
	v := e.Variation()
	v += (min(off*off, mostVaried) - v) / varyOver
	if bits := math.Float32bits(float32(max(v, leastVaried))); bits != e.varies.Load() {
		e.varies.Store(bits)
	}
}
