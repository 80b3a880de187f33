package config

import (
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// ByReports are the settings of strategies that go by what endpoints report of their own
// load (see Strategy.Reports). The zero value is that of a strategy that has none.
type ByReports struct {
	// Reported has a strategy that goes by what it sees itself go by reports, too:
	// p2c-least-requests by the number in flight that an endpoint last reported, p2c-ewma
	// by its utilisation. Default false.
	Reported bool `yaml:"reported,omitempty" doc:"whether what endpoints report of their load counts, too; only for p2c-*"`

	WeightsByReports `yaml:",inline"`
	C3               `yaml:",inline"`
	Prequal          `yaml:",inline"`
}

// WeightsByReports are the settings of orca-weighted-round-robin, with the defaults of gRPC
// proposal A58 and of Envoy's client_side_weighted_round_robin.
type WeightsByReports struct {
	// ErrorPenalty is the utilisation that an endpoint which fails all its requests is
	// taken to have besides its own, 0 to 1000. Default 1.
	ErrorPenalty float64 `yaml:"error_penalty,omitempty" doc:"utilisation that failing all requests counts as, 0 to 1000; only for orca-weighted-round-robin"`

	// Blackout is how long an endpoint has to report before its weight counts, 0 to 1h.
	// Default 10s.
	Blackout time.Duration `yaml:"blackout,omitempty" doc:"how long an endpoint has to report before its weight counts; only for orca-weighted-round-robin"`

	// Expiration is how long a weight is believed without a new report, 1s to 24h.
	// Default 3m.
	Expiration time.Duration `yaml:"expiration,omitempty" doc:"how long a weight is believed without a new report; only for orca-weighted-round-robin"`

	// Update is the time between two schedules, 100ms to 1h. Default 1s.
	Update time.Duration `yaml:"update,omitempty" doc:"time between two schedules; only for orca-weighted-round-robin"`
}

// C3 are the settings of c3. The paper's rate control is not among them: where all endpoints
// are at their bound its client lets the request wait, and a proxy would have to refuse it; as
// a preference among endpoints it gained nothing (adaptive/README.md has what was tried). What
// bounds an endpoint here is the pool's endpoint_concurrency, with any strategy.
type C3 struct {
	// Proxies is how many proxies share the endpoints, 1 to 10000: what one of them has
	// pending stands for so many times as much. Default 1.
	Proxies int `yaml:"proxies,omitempty" doc:"how many proxies share the endpoints; only for c3"`

	// Smoothing is how much of a mean its latest sample is, above 0 to 1. Default 0.3, as in
	// Elasticsearch's adaptive replica selection; the authors' simulator and Cassandra's C3
	// have 0.9, which is little more than the last sample.
	Smoothing float64 `yaml:"smoothing,omitempty" doc:"how much of a mean its latest sample is, above 0 to 1; only for c3"`
}

// Prequal are the settings of prequal. Where nothing else is said, the defaults are those
// of the paper.
type Prequal struct {
	// ProbePath is asked for by probes; its answer has to carry the header
	// Endpoint-Load-Metrics with the number in flight. Default /healthz.
	ProbePath string `yaml:"probe_path,omitempty" doc:"path that probes ask for; its answer carries Endpoint-Load-Metrics; only for prequal"`

	// ProbeTimeout is how long a probe may take, 1ms to 1m. Default 100ms: the paper's
	// 3 ms are for calls within a data centre; later the answer is old.
	ProbeTimeout time.Duration `yaml:"probe_timeout,omitempty" doc:"how long a probe may take; only for prequal"`

	// ProbePool is the number of answers that are kept, 2 to 64; never more than a sixth of
	// the endpoints, or three. Default 16.
	ProbePool int `yaml:"probe_pool,omitempty" doc:"answers to probes that are kept, 2 to 64; only for prequal"`

	// ProbeRate is the number of probes for each request, 0.01 to 16. Default 2: the
	// paper has 3 and finds little difference down to 1, and over HTTP a probe costs what
	// a small request costs; but in the lab's reported-load 1 is 11 % slower at p99.
	ProbeRate float64 `yaml:"probe_rate,omitempty" doc:"probes for each request, 0.01 to 16; only for prequal"`

	// ProbeLimit is the number of probes a second beyond which a request brings about
	// fewer, 1 to 1000000. Default 1000, some sixty pools full.
	ProbeLimit float64 `yaml:"probe_limit,omitempty" doc:"probes a second beyond which a request brings about fewer; only for prequal"`

	// RemoveRate is the number of answers that each request takes out of the pool, 0 to
	// 16. Default 0.25, the paper's for one probe a request.
	RemoveRate float64 `yaml:"remove_rate,omitempty" doc:"answers that each request takes out of the pool, 0 to 16; only for prequal"`

	// ProbeAge is how long an answer is believed, 1ms to 1m. Default 1s.
	ProbeAge time.Duration `yaml:"probe_age,omitempty" doc:"how long the answer to a probe is believed; only for prequal"`

	// ProbeIdle is the longest time without a probe, 1ms to 24h. Default 250ms, four in
	// the time that an answer is believed.
	ProbeIdle time.Duration `yaml:"probe_idle,omitempty" doc:"the longest time without a probe; only for prequal"`

	// HotQuantile is the share of the numbers in flight, of those reported of late, beyond
	// which an endpoint is hot, 0 to 1. Default 0.6: the paper has 0.84 and finds lower
	// ones to do as well; in the lab's reported-load 0.84 is 8 % slower at p99.
	HotQuantile float64 `yaml:"hot_quantile,omitempty" doc:"quantile of the numbers in flight beyond which an endpoint is hot; only for prequal"`

	// Aversion is how long a failure keeps its endpoint out of favour, for each in a row,
	// 0 to 1m. Default 1s, as long as an answer is believed.
	Aversion time.Duration `yaml:"aversion,omitempty" doc:"how long a failure keeps its endpoint out of favour; 0: not at all; only for prequal"`
}

// defaultByReports are the defaults of a strategy's settings.
func defaultByReports(name string) (b ByReports) {
	switch name {
	case "orca-weighted-round-robin":
		b.WeightsByReports = WeightsByReports{ErrorPenalty: 1, Blackout: 10 * time.Second, Expiration: 3 * time.Minute, Update: time.Second}
	case "c3":
		b.C3 = C3{Proxies: 1, Smoothing: 0.3}
	case "prequal":
		b.Prequal = Prequal{
			ProbePath: "/healthz", ProbeTimeout: 100 * time.Millisecond, ProbePool: 16, ProbeRate: 2, ProbeLimit: 1000, RemoveRate: 0.25,
			ProbeAge: time.Second, ProbeIdle: 250 * time.Millisecond, HotQuantile: 0.6, Aversion: time.Second,
		}
	}
	return b
}

// derive gives what is not mentioned the defaults d.
func (b *ByReports) derive(d ByReports, has func(string) bool) {
	for name, take := range map[string]func(){
		"reported":      func() { b.Reported = d.Reported },
		"error_penalty": func() { b.ErrorPenalty = d.ErrorPenalty },
		"blackout":      func() { b.Blackout = d.Blackout },
		"expiration":    func() { b.Expiration = d.Expiration },
		"update":        func() { b.Update = d.Update },
		"proxies":       func() { b.Proxies = d.Proxies },
		"smoothing":     func() { b.Smoothing = d.Smoothing },
		"probe_path":    func() { b.ProbePath = d.ProbePath },
		"probe_timeout": func() { b.ProbeTimeout = d.ProbeTimeout },
		"probe_pool":    func() { b.ProbePool = d.ProbePool },
		"probe_rate":    func() { b.ProbeRate = d.ProbeRate },
		"probe_limit":   func() { b.ProbeLimit = d.ProbeLimit },
		"remove_rate":   func() { b.RemoveRate = d.RemoveRate },
		"probe_age":     func() { b.ProbeAge = d.ProbeAge },
		"probe_idle":    func() { b.ProbeIdle = d.ProbeIdle },
		"hot_quantile":  func() { b.HotQuantile = d.HotQuantile },
		"aversion":      func() { b.Aversion = d.Aversion },
	} {
		if !has(name) {
			take()
		}
	}
}

// validate reports what is wrong with the settings of a strategy, those included that it
// does not have.
func (b *ByReports) validate(s *Strategy, report strict.Report) {
	if b.Reported && !s.Draws() {
		report("reported", "%s goes by reports always, or never: only p2c-* may do both", s.Name)
	}
	switch {
	case s.Name == "orca-weighted-round-robin":
		between(report, "error_penalty", b.ErrorPenalty, 0, 1000)
		within(report, "blackout", b.Blackout, 0, time.Hour)
		within(report, "expiration", b.Expiration, time.Second, day)
		within(report, "update", b.Update, 100*time.Millisecond, time.Hour)
	case b.WeightsByReports != (WeightsByReports{}):
		report("", "%s has no weights by reports: error_penalty, blackout, expiration and update are for orca-weighted-round-robin", s.Name)
	}
	switch {
	case s.Name == "c3":
		between(report, "proxies", b.Proxies, 1, 10_000)
		ratio(report, "smoothing", b.Smoothing)
	case b.C3 != (C3{}):
		report("", "%s is not c3: proxies and smoothing are for that", s.Name)
	}
	switch {
	case s.Name == "prequal":
		b.Prequal.validate(report)
	case b.Prequal != (Prequal{}):
		report("", "%s does not probe for load: the probe_* settings, remove_rate, hot_quantile and aversion are for prequal", s.Name)
	}
}

func (p *Prequal) validate(report strict.Report) {
	checkPath(report, "probe_path", p.ProbePath, true)
	within(report, "probe_timeout", p.ProbeTimeout, time.Millisecond, time.Minute)
	between(report, "probe_pool", p.ProbePool, 2, 64)
	between(report, "probe_rate", p.ProbeRate, 0.01, 16)
	between(report, "probe_limit", p.ProbeLimit, 1, maxCount)
	between(report, "remove_rate", p.RemoveRate, 0, 16)
	within(report, "probe_age", p.ProbeAge, time.Millisecond, time.Minute)
	within(report, "probe_idle", p.ProbeIdle, time.Millisecond, day)
	between(report, "hot_quantile", p.HotQuantile, 0, 1)
	within(report, "aversion", p.Aversion, 0, time.Minute)
}

// Reports say how the header Endpoint-Load-Metrics of the endpoints' answers is read
// (ORCA, gRPC proposal A51, as TEXT or JSON). It is read where the strategy goes by it, and
// taken out of what the client gets: how busy an endpoint is, is not for everybody.
type Reports struct {
	// InFlight is the named metric that is the number of requests in flight at the
	// endpoint, for which ORCA has no field; up to 64 letters, digits and _ . - /. Default
	// in_flight, in a report named_metrics.in_flight.
	InFlight string `yaml:"in_flight" doc:"named metric that is the number of requests in flight at the endpoint"`

	// Latency is the named metric that is the time in seconds which the endpoint expects
	// for a request. Default latency.
	Latency string `yaml:"latency" doc:"named metric that is the time in seconds that the endpoint expects for a request"`

	// Utilization is the named metric to be used instead of application_utilization and
	// cpu_utilization, as in gRPC proposal A114. Default none.
	Utilization string `yaml:"utilization" doc:"named metric to be used as the utilisation; empty: application_utilization, or cpu_utilization"`

	// Keep passes the header on to the client. Default false.
	Keep bool `yaml:"keep" doc:"whether the client gets the header, too"`
}

// Defaults sets every field.
func (r *Reports) Defaults() { *r = Reports{InFlight: "in_flight", Latency: "latency"} }

// Validate reports what is wrong with the settings, by paths from r.
func (r *Reports) Validate(report strict.Report) {
	for path, name := range map[string]string{"in_flight": r.InFlight, "latency": r.Latency, "utilization": r.Utilization} {
		if !metricPattern.MatchString(name) {
			report(path, "expected a name of at most 64 letters, digits and _ . - /, found %q", name)
		}
	}
}
