package model

import (
	"math"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// reports are what a server knows of its own latency: a mean of the times that requests
// spent inside, in which what was learned a second ago weighs 1/e.
type reports struct {
	on   bool
	last core.Instant
	mean float64 // seconds
	any  bool
	// first is when the first request ended; ends is how many have, each weighing 1/e
	// of what it did a second before.
	first core.Instant
	ends  float64
}

// memory is how long a server's own latency remembers.
const memory = time.Second

func (r *reports) finished(now, arrived core.Instant) {
	if !r.on {
		return
	}
	took := now.Sub(arrived).Seconds()
	if !r.any {
		r.any, r.mean, r.last, r.first, r.ends = true, took, now, now, 1
		return
	}
	old := math.Exp(-now.Sub(r.last).Seconds() / memory.Seconds())
	r.ends = old*r.ends + 1
	r.mean = old*r.mean + (1-old)*took
	r.last = now
}

// rate is how many requests a second have ended of late; 0 until that is known.
func (r *reports) rate(now core.Instant) float64 {
	known := now.Sub(r.first).Seconds() / memory.Seconds()
	if !r.any || known <= 0 {
		return 0
	}
	faded := math.Exp(-now.Sub(r.last).Seconds() / memory.Seconds())
	return r.ends * faded / -math.Expm1(-known) / memory.Seconds()
}

// Measure makes the server measure its own latency, for its reports.
func (s *Server) Measure() { s.reports.on = true }

// Report is what the server says of its own load: requests in flight, the share of its
// slots that is in use (above 1 when requests wait), the mean time that requests spent
// inside lately, negative before there was one, and how many end in a second. It says
// nothing of errors.
func (s *Server) Report(now core.Instant) core.LoadReport {
	busy, waiting := s.station.load()
	r := core.LoadReport{
		Known:       true,
		InFlight:    float64(busy + waiting),
		Utilization: float64(busy+waiting) / float64(s.slots),
		Latency:     -1,
		Rate:        s.reports.rate(now),
		Errors:      -1,
	}
	if s.reports.any {
		r.Latency = s.reports.mean
	}
	return r
}
