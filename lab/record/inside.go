package record

import (
	"fmt"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Inside is what a driver saw inside the proxies of a trial: over its planned time, warm-up
// included, in stretches of Bin, of all proxies together. A list of stretches has BinCount
// entries. Looking changes nothing, so trials with and without it have the same requests.
type Inside struct {
	Bin time.Duration `json:"bin_ns"`
	// Decisions are the routing decisions made in each stretch, by mode and reason; those
	// that were never made are left out.
	Decisions []DecisionsOverTime `json:"decisions"`
	// Pending is how many attempts were pending on average, by endpoint and stretch.
	Pending [][]float64 `json:"pending"`
	// Open and HalfOpen are the shares of the proxies whose breaker for an endpoint stood
	// so, 0 to 1, by endpoint and stretch; null for an endpoint of which none ever did.
	Open     [][]float64 `json:"open"`
	HalfOpen [][]float64 `json:"half_open"`
	// Limiter is null where the subject bounds nothing.
	Limiter *LimiterOverTime `json:"limiter,omitempty"`
	// Rejected are the requests that were turned away without an attempt, by stretch: over
	// the limit, out of the queue, shed, or with no endpoint to take them. Null for none.
	Rejected []uint64 `json:"rejected,omitempty"`
}

// DecisionsOverTime counts the decisions made in one mode for one reason.
type DecisionsOverTime struct {
	Mode   string   `json:"mode"`
	Reason string   `json:"reason"`
	Counts []uint64 `json:"counts"` // by stretch
}

// LimiterOverTime is what a concurrency limit came to, in requests, by stretch: means.
type LimiterOverTime struct {
	Limit    []float64 `json:"limit"`
	InFlight []float64 `json:"in_flight"`
	Waiting  []float64 `json:"waiting"` // in the queue
}

// BinFor is the width of the stretches into which a trial of duration d is cut for pictures:
// the next of 1, 2 or 5 times a power of ten above a 60th of it. It depends on nothing
// else, so that the trials of a scenario share it.
func BinFor(d time.Duration) time.Duration { return roundUp(d / 60) }

// BinCount is how many stretches make up d. bin must be above 0.
func BinCount(d, bin time.Duration) int { return int((d + bin - 1) / bin) }

// roundUp returns the next of 1, 2, 5, 10, 20, 50, … ns.
func roundUp(d time.Duration) time.Duration {
	d = max(d, 1)
	decade := time.Duration(1)
	for 10*decade <= d {
		decade *= 10
	}
	for _, f := range []time.Duration{1, 2, 5} {
		if d <= f*decade {
			return f * decade
		}
	}
	return 10 * decade
}

// NewInside returns the empty record of a trial of so many endpoints that lasts d.
func NewInside(d time.Duration, endpoints int) *Inside {
	in := &Inside{Bin: BinFor(d), Decisions: []DecisionsOverTime{}, Open: make([][]float64, endpoints), HalfOpen: make([][]float64, endpoints)}
	for range endpoints {
		in.Pending = append(in.Pending, make([]float64, BinCount(d, in.Bin)))
	}
	return in
}

// Wrong says what keeps in from being of a trial of so many endpoints that lasts d; empty
// when nothing does.
func (in *Inside) Wrong(d time.Duration, endpoints int) string {
	if in.Bin != BinFor(d) {
		return fmt.Sprintf("what was seen inside in stretches of %v, got %v", BinFor(d), in.Bin)
	}
	bins := BinCount(d, in.Bin)
	series := [][]float64{}
	for _, by := range [][][]float64{in.Pending, in.Open, in.HalfOpen} {
		if len(by) != endpoints {
			return fmt.Sprintf("what was seen inside of %d endpoints, got %d", endpoints, len(by))
		}
		series = append(series, by...)
	}
	if l := in.Limiter; l != nil {
		series = append(series, l.Limit, l.InFlight, l.Waiting)
	}
	for _, s := range series {
		if s != nil && len(s) != bins {
			return fmt.Sprintf("what was seen inside in %d stretches, got %d", bins, len(s))
		}
	}
	for _, c := range in.Decisions {
		if len(c.Counts) != bins {
			return fmt.Sprintf("decisions in %d stretches, got %d", bins, len(c.Counts))
		}
	}
	if in.Rejected != nil && len(in.Rejected) != bins {
		return fmt.Sprintf("rejections in %d stretches, got %d", bins, len(in.Rejected))
	}
	return ""
}

// Counts are decisions by stretch, mode and reason: what a driver counts in.
type Counts [][core.Modes][core.Reasons]uint64

// OverTime lists the counts by mode and reason, without those that are zero throughout.
func (c Counts) OverTime() []DecisionsOverTime {
	list := []DecisionsOverTime{}
	for mode := range core.Modes {
		for reason := range core.Reasons {
			series, any := make([]uint64, len(c)), false
			for bin := range c {
				series[bin] = c[bin][mode][reason]
				any = any || series[bin] > 0
			}
			if any {
				list = append(list, DecisionsOverTime{core.Mode(mode).String(), core.Reason(reason).String(), series})
			}
		}
	}
	return list
}
