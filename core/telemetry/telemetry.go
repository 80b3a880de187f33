// Package telemetry is the proxy's Prometheus metrics: what the requests of each
// route, the attempts at each endpoint and the decisions of each pool came to.
//
// Two ways lead into it, and neither costs the hot path more than a few atomic
// additions:
//
//   - What happens is counted when it happens. The handles for it are resolved once,
//     when a route or a member is made, so that [Route.Finished], [Pool.Retried] and
//     the observers of [Pool.Observe] look up no label, allocate nothing and take no
//     lock of this package.
//   - What is, is read when somebody asks: pending attempts, breaker states, costs
//     and verdicts come out of the router's view at scrape time, see [Pool.Watch], and
//     the connections of a listener out of a few counters.
//
// # Labels and how many series they make
//
// Every label comes from a closed set: the names of routes, pools and endpoints from
// the configuration, and the fixed words of package core. No path, client or error
// text ever becomes one; they are valid UTF-8. Series that an alert would want to see start at zero, since
// a rate over a series that appears with its first error misses that error. That
// makes
//
//   - 48 series for a route: 6 codes, 21 reasons of rejection, 2 of being cut, and a
//     histogram of 19.
//   - 15 series for a pool: 5 pairs of mode and reason (of 15; the others do not
//     occur), 3 results of retries and 4 of hedges, and 3 modes.
//   - 44 series for an endpoint: 9 outcomes, 5 turns of its breaker, a histogram of
//     19, and 11 that are read at scrape time. [Pool.Forget] takes them away again.
//   - 10 series for a listener: 4 states of its connections, and 6 reasons to close one.
//
// A pool with limits has up to 11 more, with a shedder 3, and its endpoints up to 8 each
// with limits of their own: which ones depends on what the limiter goes by.
//
// Histograms are native ones and classic ones at once: a scraper that speaks
// protobuf gets buckets 10 % wide, any other one those of [Buckets].
package telemetry

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/evenkeel/evenkeel/core"
)

// Buckets returns the upper bounds of the classic histograms' buckets in seconds:
// from half a millisecond, below which only answers of the same machine lie, to a
// minute, beyond the default time that a whole request may take.
func Buckets() []float64 {
	return []float64{
		0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
		0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
	}
}

// Metrics is a registry of its own with everything that the proxy tells of itself.
// Make it with New. Safe for concurrent use.
type Metrics struct {
	// Process is of the proxy as a whole.
	Process  *Process
	registry *prometheus.Registry

	requests        *prometheus.CounterVec
	requestDuration *prometheus.HistogramVec
	rejections      *prometheus.CounterVec
	cuts            *prometheus.CounterVec
	refusals        *prometheus.CounterVec
	attempts        *prometheus.CounterVec
	attemptDuration *prometheus.HistogramVec
	decisions       *prometheus.CounterVec
	turns           *prometheus.CounterVec
	retries         *prometheus.CounterVec
	hedges          *prometheus.CounterVec

	mu        sync.Mutex // of what follows; no hot path takes it, and no router is read under it
	pools     map[string]*Pool
	listeners map[string]*Listener
}

// New returns metrics in a registry of their own: those of the proxy, of the Go
// runtime and of the process, and evenkeel_build_info with the given version.
func New(version string) *Metrics {
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		pools:     make(map[string]*Pool),
		listeners: make(map[string]*Listener),

		requests: counters("requests_total",
			"Requests of clients that have ended, by the class of the status that was sent; 499 is a client that left before its answer was complete.",
			"route", "code"),
		requestDuration: histograms("request_duration_seconds",
			"Time in seconds from the head of a client's request to the end of its answer, or to when the client left.",
			"route"),
		rejections: counters("rejections_total",
			"Requests that the proxy answered itself instead of an endpoint, by the reason.",
			"route", "reason"),
		cuts: counters("cut_requests_total",
			"Requests that were cut because their clients were too slow to send their bodies or to take their answers.",
			"route", "reason"),
		refusals: counters("connection_rejections_total",
			"Connections of clients that the proxy closed because of what their clients did, by the reason.",
			"listener", "reason"),
		attempts: counters("attempts_total",
			"Attempts at an endpoint that have ended, by their outcome; retries count as attempts of their own.",
			"pool", "endpoint", "outcome"),
		attemptDuration: histograms("attempt_duration_seconds",
			"Time in seconds from the choice of an endpoint to the end of the attempt; attempts that the client abandoned are left out.",
			"pool", "endpoint"),
		decisions: counters("decisions_total",
			"Choices of an endpoint, by the mode in which they were made and the reason for that mode.",
			"pool", "mode", "reason"),
		turns: counters("breaker_transitions_total",
			"Changes of state of an endpoint's circuit breaker.",
			"pool", "endpoint", "from", "to"),
		retries: counters("retries_total",
			"Wishes to try a request once more, by what became of them.",
			"pool", "result"),
		hedges: counters("hedges_total",
			"Wishes to send a request that is not answered for long to a second endpoint, too, by what became of them; those that are won were sent before.",
			"pool", "result"),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(version),
		m.requests, m.requestDuration, m.rejections, m.cuts, m.refusals,
		m.attempts, m.attemptDuration, m.decisions, m.turns, m.retries, m.hedges,
		views{m}, entrances{m},
	)
	m.Process = newProcess(m.registry)
	return m
}

// Handler answers with all metrics in the format that the scraper asks for. What
// cannot be collected is left out and counted in
// promhttp_metric_handler_errors_total; the rest is served.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling:     promhttp.ContinueOnError,
		Registry:          m.registry,
		EnableOpenMetrics: true,
	})
}

// Route returns the metrics of the route with that name, a valid UTF-8 string. The
// same name yields the same series, also after a reload.
func (m *Metrics) Route(name string) *Route {
	r := &Route{
		metrics:  m,
		name:     name,
		duration: m.requestDuration.WithLabelValues(name),
		rejected: make(map[string]prometheus.Counter),
		cut:      make(map[string]prometheus.Counter),
	}
	for i, code := range codes {
		r.finished[i] = m.requests.WithLabelValues(name, code)
	}
	for _, reason := range Rejections() {
		r.rejected[reason] = m.rejections.WithLabelValues(name, reason)
	}
	r.other = r.rejected[RejectOther]
	for _, reason := range Cuts() {
		r.cut[reason] = m.cuts.WithLabelValues(name, reason)
	}
	return r
}

// Pool returns the metrics of the pool with that name, a valid UTF-8 string; now is
// the clock of the pool's routers. The same name yields the same Pool, and keeps its
// first clock, until it is closed.
func (m *Metrics) Pool(name string, now func() core.Instant) *Pool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.pools[name]
	if p == nil {
		p = newPool(m, name, now)
		m.pools[name] = p
	}
	return p
}

// drop takes a pool out of what is collected.
func (m *Metrics) drop(p *Pool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pools[p.name] == p {
		delete(m.pools, p.name)
	}
}

// all is every pool that there is now.
func (m *Metrics) all() []*Pool {
	m.mu.Lock()
	defer m.mu.Unlock()
	pools := make([]*Pool, 0, len(m.pools))
	for _, p := range m.pools {
		pools = append(pools, p)
	}
	return pools
}

const namespace = "evenkeel"

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: name, Help: help,
	}, labels)
}

// histograms are classic and native. The native ones have the resolution and the
// bounds that client_golang's documentation proposes: a factor of 1.1 between
// buckets, at most 160 of them, and a reset no more than once an hour to get there.
func histograms(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help,
		Buckets:                         Buckets(),
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
	}, labels)
}

// buildInfo is 1, with what was built as its labels.
func buildInfo(version string) prometheus.Collector {
	revision, dirty := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = "-dirty"
			}
		}
	}
	if version == "" {
		version = "unknown"
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info",
		Help: "Always 1; the labels say which version was built, with which Go, from which revision.",
		ConstLabels: prometheus.Labels{
			"version": version, "goversion": runtime.Version(), "revision": revision + dirty,
		},
	})
	g.Set(1)
	return g
}
