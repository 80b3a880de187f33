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
//	past the knee, or queue surely > 6 units before it   L - unit
//	queue < 3 units                                      L + unit
//
// Past the knee means that the latency goes with what is in flight (correlation above
// 0.5) and the throughput does not (below 0.3), or goes against it (below -0.3;
// failsafe-go has 0 here, which noise is below half of the time). Not so while recent is
// better by half than the mean of those windows: then it is the service that has
// changed, which looks the same when throughput rises and latency falls at once. Before it
// means that the throughput goes with what is in flight (0.5 or above): what looks like a
// queue is then work that gets done.
//
// Only a window in which the limit was reached says anything of this, and only in such a
// one the limit falls. Where less is in flight than may be, it is not the limit that decides
// how much; a latency that is long by itself then brings more in flight (Little's law), and
// the two go together whatever the service could do. Each window without need makes one
// be forgotten.
//
// recent is the median of the quantile in the last five windows. baseline is its plain
// mean over the first ten windows (the very first sees the quick answers alone, which
// have ended by then); from then on it follows over ten windows: downwards when recent is
// surely below it, and upwards only when the rise is not the limiter's own doing:
// when the limit was not needed, or when the throughput goes with what is in flight
// and the latency does not (below 0.5). So it can rise when the service
// has become slower, and does not creep up with the limiter's own queue.
//
// Surely means by more than chance: of n samples the share that lies below the true
// quantile q is within 2·sqrt(q(1-q)/n) of q (the binomial law, normal for large n). So
// what is compared are the quantiles that far above or below, of each window, and their
// medians. A quantile at the edge between two kinds of work, such as 0.9 where one request
// in ten takes sixteen times as long, is known to no better than a third of itself from a
// hundred samples.
type correlated struct {
	quantile   float64
	windows    int
	recent     [5]interval // of windows, in turn
	baseline   float64     // seconds; 0 while unknown
	past       history
	throughput float64 // correlations with what was in flight; NaN while unknown
	latency    float64
}

// interval is a quantile of a window in seconds, and what it surely is between.
type interval struct{ low, middle, high float64 }

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
	c.recent[c.windows%len(c.recent)] = c.of(w)
	c.windows++
	recent := c.median()
	reached := w.reached(limit)
	if reached {
		c.past.add(point{w.inFlight / float64(w.count), w.throughput(), w.histogram.quantile(c.quantile)})
	} else {
		c.past.forget()
	}
	c.throughput, c.latency = c.past.correlations()

	bound := w.bound(limit)
	switch {
	case c.windows <= baselineWindows:
		c.baseline += (recent.middle - c.baseline) / float64(c.windows)
	case recent.high < c.baseline || !bound || c.throughput >= follows && !(c.latency >= follows):
		c.baseline += (recent.middle - c.baseline) * 2 / (baselineWindows + 1)
	}
	queue := waiting(limit, c.baseline, recent.middle)
	state.Baseline, state.Recent, state.Queue = c.baseline, recent.middle, queue
	state.Throughput, state.Latency = c.throughput, c.latency
	if !bound {
		return limit
	}
	unit := log10(limit)
	past := c.knee() && recent.middle*better > c.past.latency()
	tooLong := waiting(limit, c.baseline, recent.low) > 6*unit && !(c.throughput >= follows)
	switch {
	case reached && (past || tooLong):
		return limit - unit
	case queue < 3*unit:
		return limit + unit
	}
	return limit
}

// of is the quantile of a window.
func (c *correlated) of(w *window) interval {
	chance := sure * math.Sqrt(c.quantile*(1-c.quantile)/float64(w.count))
	h := w.histogram
	return interval{h.quantile(max(c.quantile-chance, 0)), h.quantile(c.quantile), h.quantile(min(c.quantile+chance, 1))}
}

// knee reports whether more in flight has brought more latency and no throughput.
func (c *correlated) knee() bool {
	return c.latency > follows && c.throughput < followsNot || c.throughput < against
}

// median is that of the recent quantiles, and of either end of what they surely are
// between.
func (c *correlated) median() interval {
	var low, middle, high [len(c.recent)]float64
	n := min(c.windows, len(c.recent))
	for i, r := range c.recent[:n] {
		low[i], middle[i], high[i] = r.low, r.middle, r.high
	}
	for _, ends := range [][]float64{low[:n], middle[:n], high[:n]} {
		slices.Sort(ends)
	}
	return interval{low[n/2], middle[n/2], high[n/2]}
}

func (*correlated) dropped(limit float64) float64 { return limit * backoff }

func (*correlated) late(float64) bool { return false }
