package concurrency

import (
	"fmt"

	"github.com/evenkeel/evenkeel/core"
)

// gradient2 follows the ratio of a long average of the latency to the last window's
// (Netflix's Gradient2Limit, with its constants):
//
//	g = clamp(tolerance·long/short, 0.5, 1)
//	L = 0.8·L + 0.2·(L·g + headroom)
//
// long is an exponential average over 600 windows (a minute of full load), a plain one
// over the first ten. Where short is less than half of long, long is too old, and
// loses a twentieth. At a latency that stays, with g < 1, the limit settles at
//
//	headroom / (1-g)
//
// but a latency that stays becomes the long average: where load stays at the limit,
// the limit grows with it, to the ceiling (Netflix/concurrency-limits, pull 134). A
// drop, to which Netflix's is deaf, takes a tenth: an endpoint that does nothing but
// time out shows no latency at all.
type gradient2 struct {
	tolerance, headroom float64
	long                average
}

// The constants of Gradient2Limit that are not settings.
const (
	longWindows   = 600
	warmUp        = 10
	leastGradient = 0.5
	smoothing     = 0.2
	shrink        = 0.95 // of long, when short has fallen to less than half of it
)

// NewGradient2 returns a limiter by the gradient of the latency. tolerance, at least 1,
// is how many times the long average a latency may be before the limit falls; headroom,
// at least 1, is the queue that is allowed for.
func NewGradient2(s Settings, tolerance, headroom float64) (*Limiter, error) {
	if !(tolerance >= 1) || !(headroom >= 1) {
		return nil, fmt.Errorf("concurrency: tolerance %v and headroom %v: expected both at least 1", tolerance, headroom)
	}
	return newLimiter(s, &gradient2{tolerance: tolerance, headroom: headroom, long: average{windows: longWindows, warmUp: warmUp}})
}

func (g *gradient2) update(limit float64, w *window, state *core.LimiterState) float64 {
	short := w.latency()
	long := g.long.add(short)
	if long > 2*short {
		long *= shrink
		g.long.value = long
	}
	gradient := min(max(g.tolerance*long/short, leastGradient), 1)
	state.Baseline, state.Recent, state.Gradient = long, short, gradient
	if !w.bound(limit) {
		return limit
	}
	return limit*(1-smoothing) + smoothing*(limit*gradient+g.headroom)
}

func (*gradient2) dropped(limit float64) float64 { return limit * backoff }

func (*gradient2) late(float64) bool { return false }

// average is an exponential average over a number of windows, with the weight
// 2/(windows+1) for a new one; plain over the first warmUp.
type average struct {
	value           float64
	count           int
	windows, warmUp float64
}

func (a *average) add(x float64) float64 {
	a.count++
	weight := 2 / (a.windows + 1)
	if n := float64(a.count); n <= a.warmUp {
		weight = 1 / n
	}
	a.value += (x - a.value) * weight
	return a.value
}
