// Package record is the one format in which both drivers of the lab, the
// simulator and the live one, say what happened in a trial: a header and a row
// per request. Everything after the drivers (statistics, reports) hears only of these.
package record

import (
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Version is the version of the format that this package writes.
const Version = 1

// Drivers.
const (
	Sim  = "sim"  // virtual time
	Live = "live" // the wall clock, real HTTP
)

// Header says what was tried, and what the driver counted besides the requests.
type Header struct {
	Version  int    `json:"version"`
	Scenario string `json:"scenario"`
	// Sum is that of the scenario file as it was played, see the function Sum; empty where
	// it is not known.
	Sum string `json:"sum,omitempty"`
	// Set is what was set in place of the scenario's own, as PATH=VALUE.
	Set     []string `json:"set,omitempty"`
	Driver  string   `json:"driver"`
	Subject string   `json:"subject"`
	Seed    uint64   `json:"seed"`  // of this trial: arrivals, demands, faults, picks
	Block   int      `json:"block"` // trials of one block share their seed
	Order   int      `json:"order"` // place within the block, from 0

	Duration      time.Duration `json:"duration_ns"`       // of the whole trial, warm-up included
	WarmUp        time.Duration `json:"warm_up_ns"`        // requests planned before it are played, not counted
	ClientTimeout time.Duration `json:"client_timeout_ns"` // a failure counts at no less than this
	Objective     Objective     `json:"objective"`
	Metric        string        `json:"metric,omitempty"` // what subjects are compared by; empty is p99
	Endpoints     []string      `json:"endpoints"`        // names, by server index
	Faults        []Fault       `json:"faults"`           // ground truth
	Decisions     []Decisions   `json:"decisions"`        // after the warm-up
	Generator     *Generator    `json:"generator,omitempty"`
	Inside        *Inside       `json:"inside,omitempty"` // nil where nobody looked

	// Void says why the trial cannot be trusted; empty when it can.
	Void string `json:"void,omitempty"`
	// Unstable says why the trial has no steady state ("offered load 1.20 of the
	// capacity"), or why it was stopped before its end; empty when it has one. It counts,
	// unlike a void one: a strategy that lets a system run over is to be seen.
	Unstable string `json:"unstable,omitempty"`
}

// Objective is what a request should reach: an answer within Latency, for Share
// of the requests.
type Objective struct {
	Latency time.Duration `json:"latency_ns"`
	Share   float64       `json:"share"`
}

// Fault is one fault as it was played.
type Fault struct {
	Kind    string       `json:"kind"`
	Servers []int        `json:"servers"`
	From    core.Instant `json:"from_ns"`
	To      core.Instant `json:"to_ns"`
	Note    string       `json:"note,omitempty"` // e.g. "5x slower"
}

// Decisions counts the routing decisions made in one mode for one reason.
type Decisions struct {
	Mode   string `json:"mode"`
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
}

// DecisionsOf lists the counts that are not zero, by mode and reason.
func DecisionsOf(counts [core.Modes][core.Reasons]uint64) []Decisions {
	list := []Decisions{}
	for mode := range counts {
		for reason, n := range counts[mode] {
			if n > 0 {
				list = append(list, Decisions{core.Mode(mode).String(), core.Reason(reason).String(), n})
			}
		}
	}
	return list
}

// Generator is how well a live load generator kept its plan.
type Generator struct {
	LatenessP50  time.Duration `json:"lateness_p50_ns"`
	LatenessP99  time.Duration `json:"lateness_p99_ns"`
	LatenessMax  time.Duration `json:"lateness_max_ns"`
	PeakInFlight int           `json:"peak_in_flight"`
	// MeanInFlight as it was metered on the way, beside what Little's law makes of the
	// records (arrivals a second times mean time in flight): they must agree.
	MeanInFlight   float64       `json:"mean_in_flight"`
	LittleInFlight float64       `json:"little_in_flight"`
	GCPauses       time.Duration `json:"gc_pauses_ns"` // of the generator's process, total
	GCLongest      time.Duration `json:"gc_longest_ns,omitempty"`
	// PlannedRate and SentRate are requests a second from the first to the last.
	PlannedRate float64 `json:"planned_rate_rps,omitempty"`
	SentRate    float64 `json:"sent_rate_rps,omitempty"`
	// Busy is the share of the processors' time that was not idle, whoever used it: 0 to 1;
	// 0 where the system does not tell.
	Busy float64 `json:"busy,omitempty"`
	// BeyondP50 and BeyondP99 are what successes took beyond their time in the server: the
	// proxy, the connections, the generator itself.
	BeyondP50 time.Duration `json:"beyond_p50_ns,omitempty"`
	BeyondP99 time.Duration `json:"beyond_p99_ns,omitempty"`
}

// Request is one request as the client saw it. Instants count from the start of
// the trial.
type Request struct {
	Seq      int64
	Planned  core.Instant // when the schedule wanted it sent
	Sent     core.Instant // when it was sent
	Done     core.Instant // when its answer was complete, or it was given up
	Endpoint int          // index of the server that answered; -1 when none did or it is not known
	Attempts int          // attempts that the proxy made (live: that reached a server); 0 when not known
	Code     int          // HTTP status; 0 when no answer came
}

// OK reports whether the request succeeded: an answer with a status from 200 to
// 399, as vegeta counts it.
func (r Request) OK() bool { return r.Code >= 200 && r.Code < 400 }

// ResponseTime is the time from the planned instant to the end.
func (r Request) ResponseTime() time.Duration { return r.Done.Sub(r.Planned) }

// ServiceTime is the time from the send to the end.
func (r Request) ServiceTime() time.Duration { return r.Done.Sub(r.Sent) }

// Trial is a header with its requests in the order of Seq.
type Trial struct {
	Header   Header
	Requests []Request
}
