package backend

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// mostPhases is into how many phases a trial is cut at most; one that would have more has
// its warm-up and the rest.
const mostPhases = 20

// phase is a part of the trial with instruments of its own: a request belongs to the one in
// which it arrived. What was before the trial belongs to the first.
type phase struct {
	from    core.Instant
	labels  string
	set     *metrics.Set
	seconds *metrics.Histogram
}

type phases []phase

// cuts are the instants at which something changes in a trial: its warm-up is over, the
// rate of arrivals is another, a fault begins or ends. The first is 0.
func cuts(s *scenario.Scenario) []time.Duration {
	all := []time.Duration{0, s.WarmUp}
	var until time.Duration
	for _, p := range s.Arrivals.Phases {
		until += p.For
		all = append(all, until)
	}
	for i := range s.Faults {
		all = append(all, s.Faults[i].From, s.Faults[i].To)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	all = slices.DeleteFunc(all, func(d time.Duration) bool { return d >= s.Duration })
	if len(all) > mostPhases {
		return slices.Compact([]time.Duration{0, s.WarmUp})
	}
	return all
}

// newPhases makes the instruments of the phases.
func newPhases(s *scenario.Scenario, set *metrics.Set, index int) (all phases) {
	cut := cuts(s)
	for i, from := range cut {
		to := s.Duration
		if i+1 < len(cut) {
			to = cut[i+1]
		}
		labels := fmt.Sprintf(`server="%d",phase="%v to %v"`, index, from, to)
		all = append(all, phase{
			from: core.Instant(from), labels: labels, set: set,
			seconds: set.NewHistogram("lab_backend_phase_duration_seconds{" + labels + "}"),
		})
	}
	return all
}

// at is the phase at an instant.
func (p phases) at(now core.Instant) *phase {
	for i := len(p) - 1; i > 0; i-- {
		if now >= p[i].from {
			return &p[i]
		}
	}
	return &p[0]
}

// note counts a request.
func (p *phase) note(code int, took time.Duration) {
	p.seconds.Update(took.Seconds())
	p.set.GetOrCreateCounter("lab_backend_phase_requests_total{" + p.labels + `,code="` + codeText(code) + `"}`).Inc()
}

// codeText is a code as a label.
func codeText(code int) string {
	if code < 0 {
		return "broken" // there was no answer
	}
	return strconv.Itoa(code)
}
