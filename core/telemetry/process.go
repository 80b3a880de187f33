package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Process is the metrics of the proxy as a whole: what became of its configurations, and
// its own defects. Safe for concurrent use.
type Process struct {
	loaded, failed prometheus.Counter
	successful     prometheus.Gauge
	at             prometheus.Gauge
	panics         prometheus.Counter
}

func newProcess(registry *prometheus.Registry) *Process {
	reloads := counters("config_reloads_total",
		"Configurations that were read while the proxy ran, by what became of them; a failed one changes nothing.",
		"result")
	p := &Process{
		loaded: reloads.WithLabelValues("success"),
		failed: reloads.WithLabelValues("failure"),
		successful: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "config_last_reload_successful",
			Help: "1 when the last configuration that was read is in force, 0 when it was not good.",
		}),
		at: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "config_last_reload_success_timestamp_seconds",
			Help: "When the configuration in force was read, in seconds since 1970.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "panics_total",
			Help: "Defects of the proxy that have cost a request or a probe.",
		}),
	}
	registry.MustRegister(reloads, p.successful, p.at, p.panics)
	return p
}

// Started tells of the configuration that the proxy has begun with, read at that time.
func (p *Process) Started(at time.Time) {
	p.successful.Set(1)
	p.at.Set(float64(at.UnixMilli()) / 1000)
}

// Reloaded tells of a configuration that was read while the proxy ran:
// evenkeel_config_reloads_total, and, if it is in force now, when that was.
func (p *Process) Reloaded(ok bool, at time.Time) {
	if !ok {
		p.failed.Inc()
		p.successful.Set(0)
		return
	}
	p.loaded.Inc()
	p.Started(at)
}

// Panicked counts a defect: evenkeel_panics_total.
func (p *Process) Panicked() { p.panics.Inc() }
