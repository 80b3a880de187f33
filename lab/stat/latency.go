package stat

import (
	"math"
	"slices"
	"strconv"
)

// Latency describes a sample of durations, in seconds: count, mean and maximum exactly,
// percentiles to 0.05 %. A figure that the sample is too small to carry is nil (null in
// JSON); the zero value is an empty sample.
type Latency struct {
	Mean *float64 `json:"mean"`
	P50  *float64 `json:"p50"`
	P90  *float64 `json:"p90"`
	P99  *float64 `json:"p99"`
	P999 *float64 `json:"p999"`
	Max  *float64 `json:"max"`
}

// The sizes from which a sample carries a percentile: below them no two of its
// order statistics enclose the percentile with 95 % confidence, even if the
// requests were independent (lab.md §3.2, "Sample size floor").
const (
	floorP50  = 6
	floorP90  = 36
	floorP99  = 368
	floorP999 = 3690
)

// latencyOf describes a sample. Its percentiles are order statistics, the inverse of
// the empirical distribution: the p-quantile of n durations is the ⌈p·n⌉-th smallest.
func latencyOf(h *histogram) Latency {
	var l Latency
	if h.count == 0 {
		return l
	}
	l.Mean, l.Max = new(h.mean()), new(h.high.Seconds())
	at := h.quantiles(0.50, 0.90, 0.99, 0.999)
	for i, p := range []struct {
		of    **float64
		floor uint64
	}{{&l.P50, floorP50}, {&l.P90, floorP90}, {&l.P99, floorP99}, {&l.P999, floorP999}} {
		if h.count >= p.floor {
			*p.of = new(at[i].Seconds())
		}
	}
	return l
}

// median returns the median of values, the mean of the middle two of an even
// number; NaN of none. It reorders values.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

// medianOf returns the median of those figures that are there; nil of none.
func medianOf(figures []*float64) *float64 {
	var values []float64
	for _, f := range figures {
		if f != nil {
			values = append(values, *f)
		}
	}
	if len(values) == 0 {
		return nil
	}
	return new(median(values))
}

// medianLatency takes the median of each figure.
func medianLatency(of []Latency) Latency {
	pick := func(f func(*Latency) *float64) *float64 {
		figures := make([]*float64, len(of))
		for i := range of {
			figures[i] = f(&of[i])
		}
		return medianOf(figures)
	}
	return Latency{
		Mean: pick(func(l *Latency) *float64 { return l.Mean }),
		P50:  pick(func(l *Latency) *float64 { return l.P50 }),
		P90:  pick(func(l *Latency) *float64 { return l.P90 }),
		P99:  pick(func(l *Latency) *float64 { return l.P99 }),
		P999: pick(func(l *Latency) *float64 { return l.P999 }),
		Max:  pick(func(l *Latency) *float64 { return l.Max }),
	}
}

// CurvePoint is a point of a percentile curve.
type CurvePoint struct {
	Q         float64 // the quantile, 0 <= Q < 1
	Seconds   float64 // the median of the trials
	Low, High float64 // the least and the most of them
}

// significant rounds v to so many significant digits, so that a file does not carry digits
// that say nothing.
func significant(v float64, digits int) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', digits-1, 64), 64)
	if err != nil {
		return v // what is beyond the largest number when it is rounded up
	}
	return rounded
}

// curveSteps is how many points a curve has per decade of 1/(1-q).
const curveSteps = 16

// curveDecades ends every curve: at the 99.999th percentile.
const curveDecades = 5

// curveGrid are the quantiles of every curve: those at 1/(1-q) = 10^(i/16). It depends
// on nothing, so that points of different trials can be compared.
var curveGrid = func() (grid []float64) {
	for i := range curveDecades*curveSteps + 1 {
		grid = append(grid, 1-math.Pow(10, -float64(i)/curveSteps))
	}
	return grid
}()

// curveOf returns the quantiles of a sample at curveGrid, in seconds, as far as the
// sample carries them: the floors of Latency, carried on to any q >= 0.5 as the smallest
// n with q^n <= 0.025. (That gives 3688 for the 99.9th percentile where the floor says
// 3690.)
func curveOf(h *histogram) []float64 {
	n := 0
	for n < len(curveGrid) && float64(h.count) >= math.Ceil(math.Log(0.025)/math.Log(max(curveGrid[n], 0.5))) {
		n++
	}
	curve := make([]float64, 0, n)
	for _, d := range h.quantiles(curveGrid[:n]...) {
		curve = append(curve, significant(d.Seconds(), 5)) // the grain says no more
	}
	return curve
}

// MedianCurve takes the median of the trials' curves at each quantile that any of them
// reaches. Void trials are left out.
func MedianCurve(digests []Digest) []CurvePoint {
	var curve []CurvePoint
	for i, q := range curveGrid {
		var values []float64
		for _, d := range digests {
			if d.Header.Void == "" && i < len(d.Curve) {
				values = append(values, d.Curve[i])
			}
		}
		if len(values) == 0 {
			break
		}
		curve = append(curve, CurvePoint{q, median(values), slices.Min(values), slices.Max(values)})
	}
	return curve
}
