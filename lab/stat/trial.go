package stat

import (
	"fmt"
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
)

// TrialSummary is one trial in figures.
type TrialSummary struct {
	Seed  uint64 `json:"seed"`
	Block int    `json:"block"`
	Figures
	// Void says why the trial cannot be trusted. Its figures are shown and count
	// nowhere.
	Void      string     `json:"void,omitempty"`
	Generator *Generator `json:"generator,omitempty"`
}

// Figures are what is measured of a trial, after its warm-up.
type Figures struct {
	Requests int `json:"requests"`
	// ErrorRatio is the share of requests that did not succeed (record.Request.OK).
	ErrorRatio float64 `json:"error_ratio"`
	// GoodputRPS is the number of successes within the objective's latency, per
	// second of measured time.
	GoodputRPS float64 `json:"goodput_rps"`
	// WithinObjective is the same number as a share of the requests.
	WithinObjective float64 `json:"within_objective"`
	Modes           Modes   `json:"modes"`
	// Latency is the response time, from the planned instant. A request that did not
	// succeed counts at its response time or the client's timeout, whichever is
	// longer: failing fast is not being fast.
	Latency Latency `json:"latency_seconds"`
	// LatencyOK is the response time of the successes alone.
	LatencyOK Latency `json:"latency_ok_seconds"`
	// Service is the time from the send instead, of all requests and without the
	// rule for failures: what a closed-loop generator would have reported. Live only.
	Service *Latency `json:"service_seconds,omitempty"`
	Shares  []Share  `json:"shares"`
	Reasons []Reason `json:"reasons"`
}

// Modes are the shares of the decisions made in each mode. They sum to 1, or are
// all zero when no decision was made.
type Modes struct {
	Adaptive float64 `json:"adaptive"`
	Fallback float64 `json:"fallback"`
	Panic    float64 `json:"panic"`
}

// Share is an endpoint's share of the answered requests.
type Share struct {
	Endpoint string  `json:"endpoint"`
	Share    float64 `json:"share"`
}

// Reason is the share of the decisions made in one mode for one reason.
type Reason struct {
	Mode   string  `json:"mode"`
	Reason string  `json:"reason"`
	Share  float64 `json:"share"`
}

// Generator is how well the load generator kept its plan, in seconds.
type Generator struct {
	LatenessP50    float64 `json:"lateness_p50_seconds"`
	LatenessP99    float64 `json:"lateness_p99_seconds"`
	LatenessMax    float64 `json:"lateness_max_seconds"`
	PeakInFlight   int     `json:"peak_in_flight"`
	MeanInFlight   float64 `json:"mean_in_flight"`
	LittleInFlight float64 `json:"little_in_flight"`
	GCPauses       float64 `json:"gc_pauses_seconds"`
}

// Trial summarises one trial. The error is a header that cannot be: no measured
// time, an unknown driver or mode, or a request answered by an endpoint that
// does not exist.
func Trial(t *record.Trial) (TrialSummary, error) {
	s, _, err := measure(t)
	return s, err
}

// measure summarises the trial and also returns its sorted response times, in
// seconds.
func measure(t *record.Trial) (TrialSummary, []float64, error) {
	h := &t.Header
	if err := check(h); err != nil {
		return TrialSummary{}, nil, fmt.Errorf("stat: %s, %s, %s, seed %d: %w", h.Scenario, h.Driver, h.Subject, h.Seed, err)
	}
	s := TrialSummary{Seed: h.Seed, Block: h.Block, Void: h.Void, Generator: generator(h.Generator)}
	s.Modes, s.Reasons = decisions(h.Decisions)

	var all, ok, service []time.Duration
	all = make([]time.Duration, 0, len(t.Requests))
	answered := make([]int, len(h.Endpoints))
	good := 0
	for i := range t.Requests {
		r := &t.Requests[i]
		if r.Planned < core.Instant(h.WarmUp) {
			continue
		}
		all = append(all, responseTime(h, r))
		if r.OK() {
			ok = append(ok, r.ResponseTime())
			if r.ResponseTime() <= h.Objective.Latency {
				good++
			}
		}
		if h.Driver == record.Live {
			service = append(service, r.ServiceTime())
		}
		if r.Endpoint >= len(answered) {
			return TrialSummary{}, nil, fmt.Errorf("stat: %s, %s, seed %d: request %d was answered by endpoint %d of %d",
				h.Scenario, h.Subject, h.Seed, r.Seq, r.Endpoint, len(answered))
		}
		if r.Endpoint >= 0 {
			answered[r.Endpoint]++
		}
	}
	s.Requests = len(all)
	s.ErrorRatio = ratio(len(all)-len(ok), len(all))
	s.GoodputRPS = float64(good) / (h.Duration - h.WarmUp).Seconds()
	s.WithinObjective = ratio(good, len(all))
	s.Shares = shares(h.Endpoints, answered)

	slices.Sort(all)
	sorted := seconds(all)
	s.Latency = latencyOf(sorted)
	s.LatencyOK = s.Latency // most trials have no failure, and sorting is what this costs
	if len(ok) < len(all) {
		slices.Sort(ok)
		s.LatencyOK = latencyOf(seconds(ok))
	}
	if h.Driver == record.Live {
		slices.Sort(service)
		s.Service = new(latencyOf(seconds(service)))
	}
	return s, sorted, nil
}

// responseTime is how long r counts for in Figures.Latency.
func responseTime(h *record.Header, r *record.Request) time.Duration {
	if r.OK() {
		return r.ResponseTime()
	}
	return max(r.ResponseTime(), h.ClientTimeout)
}

func check(h *record.Header) error {
	if h.WarmUp < 0 || h.WarmUp >= h.Duration {
		return fmt.Errorf("a warm-up of %v leaves nothing of %v to measure", h.WarmUp, h.Duration)
	}
	if h.Driver != record.Sim && h.Driver != record.Live {
		return fmt.Errorf("unknown driver %q", h.Driver)
	}
	for _, d := range h.Decisions {
		if (&Modes{}).of(d.Mode) == nil {
			return fmt.Errorf("unknown mode %q", d.Mode)
		}
	}
	return nil
}

// of returns the share of a mode by its name, nil for an unknown one.
func (m *Modes) of(name string) *float64 {
	switch name {
	case core.Adaptive.String():
		return &m.Adaptive
	case core.Fallback.String():
		return &m.Fallback
	case core.Panic.String():
		return &m.Panic
	}
	return nil
}

func decisions(counts []record.Decisions) (Modes, []Reason) {
	var total uint64
	for _, d := range counts {
		total += d.Count
	}
	var m Modes
	reasons := []Reason{}
	for _, d := range counts {
		if d.Count == 0 {
			continue
		}
		share := float64(d.Count) / float64(total)
		*m.of(d.Mode) += share
		reasons = append(reasons, Reason{d.Mode, d.Reason, share})
	}
	return m, reasons
}

func shares(names []string, answered []int) []Share {
	total := 0
	for _, n := range answered {
		total += n
	}
	s := make([]Share, len(names))
	for i, name := range names {
		s[i] = Share{name, ratio(answered[i], total)}
	}
	return s
}

func generator(g *record.Generator) *Generator {
	if g == nil {
		return nil
	}
	return &Generator{
		LatenessP50: g.LatenessP50.Seconds(), LatenessP99: g.LatenessP99.Seconds(), LatenessMax: g.LatenessMax.Seconds(),
		PeakInFlight: g.PeakInFlight, MeanInFlight: g.MeanInFlight, LittleInFlight: g.LittleInFlight,
		GCPauses: g.GCPauses.Seconds(),
	}
}

// ratio is a/b, and 0 of nothing.
func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
