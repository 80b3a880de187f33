package live

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/evenkeel/evenkeel/lab/record"
)

const (
	// maxLateness is how late the generator's p99 may be, in any case.
	maxLateness = 2 * time.Millisecond
	// latenessShare is how late it may be as a share of the median service time.
	latenessShare = 0.05
	// rateError is how far the rate at which requests were sent may lie from the planned one,
	// besides what lateness is allowed.
	rateError = 0.01
	// mostBusy is the share of the processors' time from which on the machine is called
	// saturated: who waits for a processor then is chance.
	mostBusy = 0.95
	// early is how much sooner than planned a request may seem to be sent: the
	// clock's own grain.
	early = 50 * time.Microsecond
	// littleError is how far what was metered in flight may lie from what the records
	// say by Little's law, over a whole trial.
	littleError = 0.02
)

// generatorHealth measures how well the generator has kept its plan. peak and area are
// what the meter has read: the most requests in flight, and their number over time; spent
// is what was used up meanwhile.
func generatorHealth(requests []record.Request, peak int, area time.Duration, used spent) *record.Generator {
	late := make([]float64, len(requests))
	for i, r := range requests {
		late[i] = float64(max(0, r.Sent.Sub(r.Planned)))
	}
	slices.Sort(late)
	g := &record.Generator{GCPauses: used.gc, GCLongest: used.longest, Busy: used.busy, PeakInFlight: peak}
	if len(late) == 0 {
		return g
	}
	quantile := func(q float64) time.Duration { return time.Duration(stat.Quantile(q, stat.Empirical, late, nil)) }
	g.LatenessP50, g.LatenessP99, g.LatenessMax = quantile(0.5), quantile(0.99), time.Duration(late[len(late)-1])
	g.MeanInFlight, g.LittleInFlight = meanInFlight(requests, area)
	if first, last, n := &requests[0], &requests[len(requests)-1], float64(len(requests)-1); last.Planned > first.Planned && last.Sent > first.Sent {
		g.PlannedRate = n / last.Planned.Sub(first.Planned).Seconds()
		g.SentRate = n / last.Sent.Sub(first.Sent).Seconds()
	}
	return g
}

// meanInFlight is the mean number of requests in flight: as it was metered, and as
// Little's law has it from the records (arrivals a second times mean time in flight).
func meanInFlight(requests []record.Request, area time.Duration) (metered, little float64) {
	first, last := requests[0].Sent, requests[0].Done
	var total time.Duration
	for _, r := range requests {
		first, last = min(first, r.Sent), max(last, r.Done)
		total += r.ServiceTime()
	}
	span := last.Sub(first).Seconds()
	if span <= 0 {
		return 0, 0
	}
	rate := float64(len(requests)) / span
	return area.Seconds() / span, rate * (total.Seconds() / float64(len(requests)))
}

// void says why a trial cannot be trusted; empty when it can.
func void(requests []record.Request, planned int, g *record.Generator) string {
	if len(requests) != planned {
		return fmt.Sprintf("%d of %d planned requests were sent", len(requests), planned)
	}
	var service []float64
	for i, r := range requests {
		if r.Seq != int64(i) {
			return fmt.Sprintf("request %d is missing", i)
		}
		if r.Sent < r.Planned.Add(-early) {
			return fmt.Sprintf("request %d was sent %v before its time", i, r.Planned.Sub(r.Sent))
		}
		service = append(service, r.ServiceTime().Seconds())
	}
	slices.Sort(service)
	budget := maxLateness
	if len(service) > 0 {
		median := stat.Quantile(0.5, stat.Empirical, service, nil)
		budget = max(budget, time.Duration(latenessShare*median*float64(time.Second)))
	}
	switch {
	case g.LatenessP99 > budget:
		return fmt.Sprintf("the load generator was late: p99 %v, allowed %v", g.LatenessP99, budget)
	case g.GCLongest > budget:
		return fmt.Sprintf("the load generator stood still for garbage collection: %v at a time, allowed %v", g.GCLongest, budget)
	case g.Busy > mostBusy:
		return fmt.Sprintf("the machine was saturated: its processors were busy for %.0f %% of the time, allowed %.0f %%", 100*g.Busy, 100*mostBusy)
	case rateMissed(requests, g, budget):
		return fmt.Sprintf("the planned rate was missed: %.1f requests a second sent, %.1f planned", g.SentRate, g.PlannedRate)
	case g.PeakInFlight > safeInFlight:
		return fmt.Sprintf("%d requests in flight: more than %d, the generator's safe limit", g.PeakInFlight, safeInFlight)
	case math.Abs(g.MeanInFlight-g.LittleInFlight) > littleError*g.LittleInFlight:
		return fmt.Sprintf("Little's law does not hold: %.2f in flight, %.2f by the records", g.MeanInFlight, g.LittleInFlight)
	}
	return ""
}

// rateMissed tells whether all requests together took longer, or shorter, to be sent than
// planned: by more than a hundredth and what one of them may be late.
func rateMissed(requests []record.Request, g *record.Generator, late time.Duration) bool {
	if g.PlannedRate == 0 {
		return false
	}
	n := float64(len(requests) - 1)
	planned, sent := n/g.PlannedRate, n/g.SentRate
	return math.Abs(sent-planned) > rateError*planned+late.Seconds()
}

// safeInFlight is how many requests in flight, and so connections and goroutines, the
// generator is trusted with on a small machine.
const safeInFlight = 20_000
