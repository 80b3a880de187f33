package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/evenkeel/evenkeel/core"
)

// What is read at scrape time. States are one series for each, of which exactly one
// is 1: a number for a state would have to be looked up, and could not be averaged.
var (
	poolMode = desc("pool_mode",
		"Mode in which the pool decides: 1 for the mode in force, 0 for the others.",
		"pool", "mode")
	pendingAttempts = desc("pending_attempts",
		"Attempts at the endpoint that are under way.",
		"pool", "endpoint")
	breakerState = desc("breaker_state",
		"State of the endpoint's circuit breaker: 1 for the state it is in, 0 for the others; an endpoint without a breaker is closed.",
		"pool", "endpoint", "state")
	endpointVerdict = desc("endpoint_verdict",
		"Whether the endpoint may take attempts: 1 for the verdict of its breaker, health checks and limits, 0 for the others.",
		"pool", "endpoint", "verdict")
	endpointLatency = desc("endpoint_latency_seconds",
		"Estimated latency of the endpoint in seconds; absent until there is an estimate.",
		"pool", "endpoint")
	endpointCost = desc("endpoint_cost_seconds",
		"Expected wait of one more attempt at the endpoint in seconds, by which latency-aware strategies choose; absent until there is an estimate.",
		"pool", "endpoint")
)

// verdicts is how many verdicts there are.
const verdicts = int(core.Drained) + 1

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

// views is the collector that reads the views of the watched routers.
type views struct{ metrics *Metrics }

// Describe implements prometheus.Collector.
func (views) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range append(limitDescs(),
		poolMode, pendingAttempts, breakerState, endpointVerdict, endpointLatency, endpointCost,
	) {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (v views) Collect(ch chan<- prometheus.Metric) {
	for _, p := range v.metrics.all() {
		r := p.router.Load()
		if r == nil {
			continue
		}
		now := p.now()
		mode, _ := r.Mode()
		oneHot(ch, poolMode, core.Modes, mode, p.name)
		collectLimits(ch, p.name, r, now)
		for _, m := range r.View().Members {
			collect(ch, p.name, m, now)
		}
	}
}

// collect reads one member.
func collect(ch chan<- prometheus.Metric, pool string, m *core.Member, now core.Instant) {
	gauge(ch, pendingAttempts, float64(m.Pending()), pool, m.Key)
	oneHot(ch, breakerState, core.States, m.Breaker(now), pool, m.Key)
	oneHot(ch, endpointVerdict, verdicts, m.Verdict(now), pool, m.Key)
	endpointLimiter.collect(ch, m.Limiter(), pool, m.Key)
	// Before the first sample the cost is a stand-in far beyond any latency, which
	// would spoil every graph.
	if latency, fresh := m.Latency(now); fresh || latency > 0 {
		gauge(ch, endpointLatency, latency, pool, m.Key)
		gauge(ch, endpointCost, m.Cost(now), pool, m.Key)
	}
}

// word is a value of a closed set that starts at 0.
type word interface {
	~uint8
	String() string
}

// oneHot is a series for each of n words, the one that is true at 1.
func oneHot[W word](ch chan<- prometheus.Metric, d *prometheus.Desc, n int, is W, labels ...string) {
	for i := range n {
		w, value := W(i), 0.0
		if w == is {
			value = 1
		}
		gauge(ch, d, value, append(labels[:len(labels):len(labels)], w.String())...)
	}
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}
