package stat

import (
	"math"
	"slices"
)

// Metric is the figure by which the subjects of a scenario are compared: one of Metrics,
// by its name in summary.json. A latency is that of latency_seconds, in which a failure
// counts at no less than the client's timeout.
type Metric string

// The metrics.
const (
	P50        Metric = "p50"
	P90        Metric = "p90"
	P99        Metric = "p99"
	P999       Metric = "p999"
	Mean       Metric = "mean"
	GoodputRPS Metric = "goodput_rps"
	ErrorRatio Metric = "error_ratio"
)

// DefaultMetric is that of a scenario which names none.
const DefaultMetric = P99

// Metrics are all there are. lab/scenario has the same list.
var Metrics = []Metric{P50, P90, P99, P999, Mean, GoodputRPS, ErrorRatio}

// Valid reports whether m is one of Metrics.
func (m Metric) Valid() bool { return slices.Contains(Metrics, m) }

// Inverse reports whether more of the metric is better. Ratios of such a metric are
// turned round, the baseline's over the subject's, so that of any ratio in a verdict less
// than 1 is better: 0.5 is half the latency, or twice the goodput.
func (m Metric) Inverse() bool { return m == GoodputRPS }

// Ratios reports whether the metric is compared by ratios. Errors are not, which are often
// none at all: they are compared by their differences, as shares of the requests.
func (m Metric) Ratios() bool { return m != ErrorRatio }

// Of returns the figure, nil where the trial is too small to carry it.
func (m Metric) Of(f *Figures) *float64 {
	switch m {
	case P50:
		return f.Latency.P50
	case P90:
		return f.Latency.P90
	case P99:
		return f.Latency.P99
	case P999:
		return f.Latency.P999
	case Mean:
		return f.Latency.Mean
	case GoodputRPS:
		return &f.GoodputRPS
	case ErrorRatio:
		return &f.ErrorRatio
	}
	return nil
}

// pair compares two trials: the logarithm of the subject's badness over the baseline's, or
// the difference where the metric is one of differences. Above 0 the subject is worse.
// It is false where either trial does not carry the metric; a latency of nothing is none.
//
// A goodput of nothing counts as half a success, so that a collapse is seen and not left
// out; where neither has any they are equal.
func (m Metric) pair(baseline, subject *Figures) (float64, bool) {
	b, s := m.Of(baseline), m.Of(subject)
	switch {
	case b == nil || s == nil:
		return 0, false
	case !m.Ratios():
		return *s - *b, true
	case m.Inverse():
		return inversePair(baseline, subject), true
	case *b <= 0 || *s <= 0:
		return 0, false
	}
	return math.Log(*s / *b), true
}

// inversePair is pair for the goodput. Trials of a pair are measured for the same time, so
// what half a success is of the one follows from the other.
func inversePair(baseline, subject *Figures) float64 {
	b, s := baseline.GoodputRPS, subject.GoodputRPS
	switch {
	case b == s:
		return 0
	case b == 0:
		b = halfSuccess(subject)
	case s == 0:
		s = halfSuccess(baseline)
	}
	return math.Log(b / s)
}

// halfSuccess is the goodput that half a success would have been in a trial that has some.
func halfSuccess(f *Figures) float64 {
	successes := f.WithinObjective * float64(f.Requests)
	return f.GoodputRPS / (2 * max(successes, 1))
}

// value is what pair compares, of a trial by itself: for samples without pairs. A goodput
// of nothing counts as half, which is halfSuccess of some trial as long as this one.
func (m Metric) value(f *Figures, half float64) (float64, bool) {
	v := m.Of(f)
	switch {
	case v == nil:
		return 0, false
	case !m.Ratios():
		return *v, true
	case m.Inverse():
		if *v > 0 {
			half = *v
		}
		return -math.Log(half), true
	case *v <= 0:
		return 0, false
	}
	return math.Log(*v), true
}
