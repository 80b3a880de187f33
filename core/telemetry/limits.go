package telemetry

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evenkeel/evenkeel/core"
)

// What is read of limits and shedding at scrape time. What a limiter does not use, or
// does not know yet, has no series.
var (
	poolInFlight = desc("pool_in_flight_requests",
		"Requests that the pool's admission has let in and that have not ended; absent without one.",
		"pool")
	poolWaiting = desc("pool_waiting_requests",
		"Requests that stand in the queue of the pool's admission; absent without one.",
		"pool")
	poolBeyond = desc("pool_beyond_limit_total",
		"Requests beyond the limit that were let in because the limiter is on a dry run.",
		"pool")
	shedRatio = desc("pool_shed_ratio",
		"Share of the pool's requests that the shedder turns away, 0 to 1; absent without one.",
		"pool")
	shedRequests = desc("pool_shed_window_requests",
		"Requests in the window of the pool's shedder.",
		"pool")
	shedAccepts = desc("pool_shed_window_accepts",
		"Requests in the window of the pool's shedder that were accepted.",
		"pool")

	poolLimiter     = newLimiterDescs("pool", "pool")
	endpointLimiter = newLimiterDescs("endpoint", "pool", "endpoint")
)

// limiterDescs are the series of a limiter.
type limiterDescs struct {
	limit, inFlight, baseline, recent, gradient, queue, correlation *prometheus.Desc
}

func newLimiterDescs(of string, labels ...string) limiterDescs {
	more := append(labels[:len(labels):len(labels)], "with")
	return limiterDescs{
		limit: desc(of+"_concurrency_limit",
			"How many the limiter of the "+of+" allows in flight; it is rounded down.", labels...),
		inFlight: desc(of+"_limiter_in_flight",
			"Most in flight at the "+of+" in the last window of its limiter.", labels...),
		baseline: desc(of+"_limiter_baseline_seconds",
			"Latency in seconds that the limiter of the "+of+" takes to be that without a queue.", labels...),
		recent: desc(of+"_limiter_recent_seconds",
			"Latency in seconds that the limiter of the "+of+" saw in its last windows.", labels...),
		gradient: desc(of+"_limiter_gradient",
			"What the last window multiplied the limit of the "+of+" by, before the headroom.", labels...),
		queue: desc(of+"_limiter_queue",
			"How many of those in flight at the "+of+" its limiter thinks to be waiting.", labels...),
		correlation: desc(of+"_limiter_correlation",
			"Correlation, -1 to 1, of what was in flight at the "+of+" with its throughput or its latency, over the last windows.", more...),
	}
}

func (d limiterDescs) all() []*prometheus.Desc {
	return []*prometheus.Desc{d.limit, d.inFlight, d.baseline, d.recent, d.gradient, d.queue, d.correlation}
}

// collect reads a limiter; nil for none.
func (d limiterDescs) collect(ch chan<- prometheus.Metric, l core.Limiter, labels ...string) {
	if l == nil {
		return
	}
	known := func(desc *prometheus.Desc, value float64, more ...string) {
		if !math.IsNaN(value) {
			gauge(ch, desc, value, append(labels[:len(labels):len(labels)], more...)...)
		}
	}
	s := l.State()
	known(d.limit, s.Limit)
	known(d.inFlight, s.InFlight)
	known(d.baseline, s.Baseline)
	known(d.recent, s.Recent)
	known(d.gradient, s.Gradient)
	known(d.queue, s.Queue)
	known(d.correlation, s.Throughput, "throughput")
	known(d.correlation, s.Latency, "latency")
}

// limitDescs are all of these series.
func limitDescs() []*prometheus.Desc {
	pool := []*prometheus.Desc{poolInFlight, poolWaiting, poolBeyond, shedRatio, shedRequests, shedAccepts}
	return append(append(pool, poolLimiter.all()...), endpointLimiter.all()...)
}

// collectLimits reads the limits of a pool as a whole.
func collectLimits(ch chan<- prometheus.Metric, pool string, r *core.Router, now core.Instant) {
	if a := r.Admission(); a != nil {
		inFlight, waiting := a.InFlight()
		gauge(ch, poolInFlight, float64(inFlight), pool)
		gauge(ch, poolWaiting, float64(waiting), pool)
		ch <- prometheus.MustNewConstMetric(poolBeyond, prometheus.CounterValue, float64(a.Beyond()), pool)
		poolLimiter.collect(ch, a.Limiter(), pool)
	}
	if s := r.Shedder(); s != nil {
		state := s.State(now)
		gauge(ch, shedRatio, state.Reject, pool)
		gauge(ch, shedRequests, state.Requests, pool)
		gauge(ch, shedAccepts, state.Accepts, pool)
	}
}
