package stat

import (
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
	Void string `json:"void,omitempty"`
	// Unstable says why the trial had no steady state: more came in than could be
	// served, so its figures grow with its length. They count like others.
	Unstable  string     `json:"unstable,omitempty"`
	Generator *Generator `json:"generator,omitempty"`
	// Simulated are the figures of the same trial in the simulator, of a live one.
	Simulated *Figures `json:"simulated,omitempty"`
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
	// Shares are of the trial's Groups, in their order.
	Shares  []Share  `json:"shares"`
	Reasons []Reason `json:"reasons"`
	// Recovery is nil where no fault begins after the warm-up, or ends.
	Recovery *Recovery `json:"recovery,omitempty"`
}

// Modes are the shares of the decisions made in each mode. They sum to 1, or are
// all zero when no decision was made.
type Modes struct {
	Adaptive float64 `json:"adaptive"`
	Fallback float64 `json:"fallback"`
	Panic    float64 `json:"panic"`
}

// Share is an endpoint's share of the answered requests, or that of a Group.
type Share struct {
	Endpoint string  `json:"endpoint"` // the group's name
	Share    float64 `json:"share"`    // of the group together
	// Of a group of several: how many they are, and the least and the most that a single
	// one of them has. Else absent.
	Members int      `json:"members,omitempty"`
	Least   *float64 `json:"least,omitempty"`
	Most    *float64 `json:"most,omitempty"`
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
	// The rest is 0 where it is not known; see record.Generator.
	GCLongest   float64 `json:"gc_longest_seconds,omitempty"`
	PlannedRate float64 `json:"planned_rate_rps,omitempty"`
	SentRate    float64 `json:"sent_rate_rps,omitempty"`
	Busy        float64 `json:"busy,omitempty"`
	BeyondP50   float64 `json:"beyond_p50_seconds,omitempty"`
	BeyondP99   float64 `json:"beyond_p99_seconds,omitempty"`
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

func generator(g *record.Generator) *Generator {
	if g == nil {
		return nil
	}
	return &Generator{
		LatenessP50: g.LatenessP50.Seconds(), LatenessP99: g.LatenessP99.Seconds(), LatenessMax: g.LatenessMax.Seconds(),
		PeakInFlight: g.PeakInFlight, MeanInFlight: g.MeanInFlight, LittleInFlight: g.LittleInFlight,
		GCPauses: g.GCPauses.Seconds(), GCLongest: g.GCLongest.Seconds(),
		PlannedRate: g.PlannedRate, SentRate: g.SentRate, Busy: g.Busy,
		BeyondP50: g.BeyondP50.Seconds(), BeyondP99: g.BeyondP99.Seconds(),
	}
}

// ratio is a/b, and 0 of nothing.
func ratio(a, b uint64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
