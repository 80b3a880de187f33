package backend

import (
	"fmt"
	"io"

	"github.com/VictoriaMetrics/metrics"
)

// instrument makes the backend's own instruments, which count from the server's side
// what the proxy and the load generator count from theirs.
func (b *Backend) instrument() {
	b.set = metrics.NewSet()
	b.seconds = b.set.NewHistogram(b.name("lab_backend_request_duration_seconds"))
	b.phases = newPhases(b.scenario, b.set, b.index)
	b.set.NewGauge(b.name("lab_backend_busy_slots"), func() float64 {
		b.mu.Lock()
		defer b.mu.Unlock()
		return float64(b.model.Busy())
	})
	b.set.NewGauge(b.name("lab_backend_queued_requests"), func() float64 {
		b.mu.Lock()
		defer b.mu.Unlock()
		return float64(b.model.Queued())
	})
}

func (b *Backend) name(metric string) string {
	return fmt.Sprintf(`%s{server="%d"}`, metric, b.index)
}

func (b *Backend) counter(code int) *metrics.Counter {
	return b.set.GetOrCreateCounter(fmt.Sprintf(`lab_backend_requests_total{server="%d",code="%s"}`, b.index, codeText(code)))
}

// Served is how many requests were answered with the code; with a code below zero, how many
// connections were cut before an answer.
func (b *Backend) Served(code int) uint64 { return b.counter(code).Get() }

// WriteMetrics writes the backend's metrics in the Prometheus text format.
func (b *Backend) WriteMetrics(w io.Writer) { b.set.WritePrometheus(w) }
