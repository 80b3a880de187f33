package model

import (
	"math"
	"math/bits"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// reports are what a server knows of its own latency: means of the times that requests
// spent inside, in which what was learned a second ago weighs 1/e, by how many others they
// found there when they came. So a server that was crowded and is empty does not go on
// saying that it is slow (Prequal, NSDI 2024, §4: the latency at or near the present number
// in flight).
type reports struct {
	bands [bands]band
	// first is when the first request ended, last the latest one; ends is how many have,
	// each weighing 1/e of what it did a second before.
	first, last core.Instant
	ends        float64
}

// bands are of 0, 1, 2 and 3, 4 to 7 … others inside.
const bands = 16

// band is the mean of those who found so many there.
type band struct {
	mean float64 // seconds
	last core.Instant
	any  bool
}

func bandOf(others int) int { return min(bits.Len(uint(others)), bands-1) }

// memory is how long a server's own latency remembers.
const memory = time.Second

func (r *reports) finished(now core.Instant, j job) {
	if r.ends == 0 {
		r.first, r.last = now, now
	}
	r.ends = r.ends*faded(now, r.last) + 1
	r.last = now
	b := &r.bands[bandOf(int(j.others))]
	took := now.Sub(j.arrived).Seconds()
	if !b.any {
		b.any, b.mean, b.last = true, took, now
		return
	}
	old := faded(now, b.last)
	b.mean = old*b.mean + (1-old)*took
	b.last = now
}

// faded is what is left now of what was learned then.
func faded(now, then core.Instant) float64 {
	return math.Exp(-now.Sub(then).Seconds() / memory.Seconds())
}

// latency is what one that finds so many others may expect, by the nearest band that knows,
// of two the lower; -1 when none does.
func (r *reports) latency(others int) float64 {
	at := bandOf(others)
	for off := range bands {
		for _, i := range [...]int{at - off, at + off} {
			if i >= 0 && i < bands && r.bands[i].any {
				return r.bands[i].mean
			}
		}
	}
	return -1
}

// rate is how many requests a second have ended of late; 0 until that is known.
func (r *reports) rate(now core.Instant) float64 {
	known := now.Sub(r.first).Seconds() / memory.Seconds()
	if r.ends == 0 || known <= 0 {
		return 0
	}
	return r.ends * faded(now, r.last) / -math.Expm1(-known) / memory.Seconds()
}

// Measure makes the server measure its own latency, for its reports.
func (s *Server) Measure() { s.reports = new(reports) }

// Report is what the server says of its own load: requests in flight, the share of its
// slots that is in use (above 1 when requests wait), the mean time that requests spent
// inside lately which found about as many there as there are now, negative before there was
// one, and how many end in a second. It says nothing of errors.
func (s *Server) Report(now core.Instant) core.LoadReport {
	busy, waiting := s.station.load()
	report := core.LoadReport{
		Known:       true,
		InFlight:    float64(busy + waiting),
		Utilization: float64(busy+waiting) / float64(s.slots),
		Latency:     -1,
		Errors:      -1,
	}
	if s.reports != nil {
		report.Latency, report.Rate = s.reports.latency(busy+waiting), s.reports.rate(now)
	}
	return report
}
