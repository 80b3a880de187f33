package concurrency

import (
	"fmt"
	"math"
	"slices"

	"github.com/evenkeel/evenkeel/core"
)

// correlated estimates the queue as Vegas does, from a quantile of the latency instead
// of its mean, and does not believe the estimate against the evidence: over the last
// 50 windows, how did the throughput go with what was in flight, and how the latency?
// (The guard is that of failsafe-go's adaptive limiter and of Uber's Cinnamon.)
//
//	queue = L·(1 - baseline/recent),  unit = log10(L)
//
//	past the knee, or queue > 6 units   L - unit
//	queue < 3 units                     L + unit
//
// Past the knee means that the latency goes with what is in flight (correlation above
// 0.5) and the throughput does not (below 0.3), or goes against it (below -0.3;
// failsafe-go has 0 here, which noise is below half of the time). Not so while recent is
// better by half than the mean of those windows: then it is the service that has
// changed, which looks the same when throughput rises and latency falls at once.
//
// recent is the median of the quantile in the last five windows. baseline is its plain
// mean over the first ten windows (the very first sees the quick answers alone, which
// have ended by then); from then on it follows over ten windows, but upwards only when the
// rise is not the limiter's own doing: when the limit was not needed, or when the
// throughput goes with what is in flight (above 0.5) and the latency does not (below 0.5).
// So it can rise when the service has become slower, and does not creep up with the
// limiter's own queue.
type correlated struct {
	quantile   float64
	recent     [5]float64 // of windows, in turn
	windows    int
	baseline   float64 // seconds; 0 while unknown
	past       history
	throughput float64 // correlations with what was in flight; NaN while unknown
	latency    float64
}

// The constants of failsafe-go's adaptive limiter, but for the last two.
const (
	baselineWindows = 10
	follows         = 0.5  // a correlation that is one
	followsNot      = 0.3  // one that is none
	against         = -0.3 // at 50 windows chance goes beyond 0.28 one time in twenty
	better          = 1.5
)

// NewCorrelated returns a limiter with a correlation guard. quantile, above 0 and below
// 1, is that of the latencies in a window.
func NewCorrelated(s Settings, quantile float64) (*Limiter, error) {
	if !(quantile > 0 && quantile < 1) {
		return nil, fmt.Errorf("concurrency: quantile %v: expected above 0 and below 1", quantile)
	}
	l, err := newLimiter(s, &correlated{quantile: quantile, throughput: math.NaN(), latency: math.NaN()})
	if err == nil {
		l.window.histogram = &histogram{}
	}
	return l, err
}

func (c *correlated) update(limit float64, w *window, state *core.LimiterState) float64 {
	now := w.histogram.quantile(c.quantile)
	c.recent[c.windows%len(c.recent)] = now
	c.windows++
	recent := c.median()
	c.past.add(point{w.inFlight / float64(w.count), w.throughput(), now})
	c.throughput, c.latency = c.past.correlations()

	bound := w.bound(limit)
	switch {
	case c.windows <= baselineWindows:
		c.baseline += (recent - c.baseline) / float64(c.windows)
	case recent < c.baseline || !bound || c.throughput >= follows && !(c.latency >= follows):
		c.baseline += (recent - c.baseline) * 2 / (baselineWindows + 1)
	}
	queue := max(0, limit*(1-c.baseline/recent))
	state.Baseline, state.Recent, state.Queue = c.baseline, recent, queue
	state.Throughput, state.Latency = c.throughput, c.latency
	if !bound {
		return limit
	}
	switch unit := log10(limit); {
	case c.knee() && recent*better > c.past.latency() || queue > 6*unit:
		return limit - unit
	case queue < 3*unit:
		return limit + unit
	}
	return limit
}

// knee reports whether more in flight has brought more latency and no throughput.
func (c *correlated) knee() bool {
	return c.latency > follows && c.throughput < followsNot || c.throughput < against
}

// median of the recent quantiles.
func (c *correlated) median() float64 {
	n := min(c.windows, len(c.recent))
	sorted := c.recent
	slices.Sort(sorted[:n])
	return sorted[n/2]
}

func (*correlated) dropped(limit float64) float64 { return limit * backoff }

func (*correlated) late(float64) bool { return false }
