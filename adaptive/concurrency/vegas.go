package concurrency

import (
	"math"
	"math/rand/v2"

	"github.com/evenkeel/evenkeel/core"
)

// vegas estimates how many of those in flight wait, as TCP Vegas does (Brakmo and
// Peterson, 1994; the constants are those of Netflix's VegasLimit):
//
//	queue = ceil(L·(1 - baseline/latency)),  unit = log10(L)
//
//	drop, or queue surely > 6 units   L - unit
//	queue <= 1 unit                   L + 6 units
//	queue < 3 units                   L + unit
//
// baseline is the least mean latency of a window. It is measured anew, by taking what
// the next window shows, after 30·L windows, times a factor drawn from 0.5 to 1, so
// that several proxies do not do so at once. What that window shows has the limiter's
// own queue in it: where load stays at the limit for hours, the baseline creeps up
// with every measurement (Netflix/concurrency-limits #165). The limiter that does not
// is correlated.
//
// TCP's packets of one flow take as long as each other when nothing queues; requests do
// not, and by the textbook a request that is long by itself is one that has waited: the
// baseline becomes that of the luckiest of thousands of windows, and what is refused, for
// want of a queue, is 2 to 30 % where work differs by itself. Three departures keep chance apart
// from a queue, none of which does anything where all requests take the same:
//
//   - The baseline is two standard errors above a window's mean, and a limit falls when
//     the queue is too long for a latency two standard errors below it.
//   - A latency counts as at most [outlier] baselines. What waits shows in all requests,
//     what is long by itself in a few, which otherwise make up most of a mean's error.
//   - A limit falls only when it was reached.
type vegas struct {
	source   rand.Source
	baseline float64 // seconds; 0 while unknown
	windows  float64 // since the baseline was measured
	jitter   float64
}

// probeMultiplier is Netflix's: a measurement every 30·L.
const probeMultiplier = 30

// outlier is how many baselines a latency counts as at most: the same as for the estimates
// of members (adaptive/ewma). Of exponential times one in 50 is longer. Of work of two
// kinds, a tenth of which takes sixteen times as long, a mean is known as well from a
// sixth of the samples, and of a Pareto tail of index 1.3 over three decades from a
// twentieth; a queue is seen as before until it is three times as long as the work.
const outlier = 4

// NewVegas returns a limiter by the estimated queue. Chance comes from src; it is drawn
// from once a measurement of the baseline, under the limiter's lock.
func NewVegas(s Settings, src rand.Source) (*Limiter, error) {
	return newLimiter(s, &vegas{source: src})
}

func (v *vegas) update(limit float64, w *window, state *core.LimiterState) float64 {
	latency := w.latency()
	v.windows++
	if v.baseline == 0 || v.windows >= v.jitter*probeMultiplier*limit {
		v.baseline, v.windows = w.atMost(), 0
		v.jitter = 0.5 + 0.5*float64(v.source.Uint64()>>11)/(1<<53)
	}
	v.baseline = min(v.baseline, w.atMost())
	w.highest = outlier * v.baseline
	queue := math.Ceil(waiting(limit, v.baseline, latency))
	surely := math.Ceil(waiting(limit, v.baseline, w.atLeast()))
	state.Baseline, state.Recent, state.Queue = v.baseline, latency, queue
	if !w.bound(limit) {
		return limit
	}
	switch unit := log10(limit); {
	case queue <= unit:
		return limit + 6*unit
	case queue < 3*unit:
		return limit + unit
	case surely > 6*unit && w.reached(limit):
		return limit - unit
	}
	return limit
}

func (v *vegas) dropped(limit float64) float64 { return limit - log10(limit) }

func (v *vegas) late(float64) bool { return false }
