package report

import (
	"math"
	"slices"
)

// scale maps the values lo … hi to the pixels from … to, linearly or by their
// logarithm. Values outside are put on the edge.
type scale struct {
	lo, hi   float64
	from, to float64
	log      bool
}

func (s scale) at(v float64) float64 {
	v = min(max(v, s.lo), s.hi)
	share := (v - s.lo) / (s.hi - s.lo)
	if s.log {
		share = math.Log(v/s.lo) / math.Log(s.hi/s.lo)
	}
	return s.from + share*(s.to-s.from)
}

// logScale is a scale around values, its ends on 1, 2 or 5 times a power of ten
// and at least that far apart that it has three ticks. Values that are not
// positive are ignored.
func logScale(values []float64, from, to float64) scale {
	values = slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return !(v > 0) })
	if len(values) == 0 {
		values = []float64{0.001, 1}
	}
	lo, hi := roundDown(slices.Min(values)), roundUp(slices.Max(values))
	for hi < 4.9*lo {
		lo, hi = roundDown(lo*0.99), roundUp(hi*1.01)
	}
	return scale{lo: lo, hi: hi, from: from, to: to, log: true}
}

// nearly lets a bound be itself in spite of rounding.
const nearly = 1e-9

// roundDown returns the largest of 1, 2 and 5 times a power of ten that is not
// above v.
func roundDown(v float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)+nearly))
	for _, f := range []float64{5, 2} {
		if v >= f*decade*(1-nearly) {
			return f * decade
		}
	}
	return decade
}

// roundUp returns the smallest of those that is not below v.
func roundUp(v float64) float64 {
	down := roundDown(v)
	if v <= down*(1+nearly) {
		return down
	}
	decade := math.Pow(10, math.Floor(math.Log10(down)+nearly))
	for _, f := range []float64{2, 5} {
		if down < f*decade*(1-nearly) {
			return f * decade
		}
	}
	return 10 * decade
}

// ticks returns where the scale is labelled: for a logarithmic one 1, 2 and 5 times
// powers of ten when it spans less than most allows, else powers of ten; for a
// linear one about most round numbers.
func (s scale) ticks(most int) []float64 {
	var at []float64
	if !s.log {
		step := roundUp((s.hi - s.lo) / float64(most))
		for i := math.Ceil(s.lo/step - nearly); i*step <= s.hi*(1+nearly); i++ {
			at = append(at, i*step)
		}
		return at
	}
	for v := s.lo; v <= s.hi*(1+nearly); v = roundUp(v * 1.01) {
		at = append(at, v)
	}
	if len(at) <= most {
		return at
	}
	return slices.DeleteFunc(at, func(v float64) bool {
		d := math.Log10(v)
		return math.Abs(d-math.Round(d)) > nearly
	})
}
