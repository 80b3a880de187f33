package telemetry

import (
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Listener is the metrics of one listener: its connections by what they are doing, and
// those that were closed by the reason. Make it with Metrics.Listener. Safe for concurrent
// use.
type Listener struct {
	metrics     *Metrics
	name        string
	states      []string
	connections []atomic.Int64       // by state; those of the first are not told
	refusals    []prometheus.Counter // by reason
}

// Listener returns the metrics of the listener with that name, a valid UTF-8 string. The
// states of its connections and the reasons to close one are closed sets of words; the
// first state is that of a connection which is not there. The same name yields the same
// Listener until it is closed, also after a reload.
func (m *Metrics) Listener(name string, states, reasons []string) *Listener {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.listeners[name]; l != nil {
		return l
	}
	l := &Listener{metrics: m, name: name, states: slices.Clone(states), connections: make([]atomic.Int64, len(states))}
	for _, r := range reasons {
		l.refusals = append(l.refusals, m.refusals.WithLabelValues(name, r))
	}
	m.listeners[name] = l
	return l
}

// Turned tells of a connection that has gone from one state to another, each by its place
// among the states: evenkeel_connections.
func (l *Listener) Turned(from, to int) {
	l.connections[from].Add(-1)
	l.connections[to].Add(1)
}

// Refused counts a connection that was closed, by the place of the reason among the
// reasons: evenkeel_connection_rejections_total.
func (l *Listener) Refused(why int) { l.refusals[why].Inc() }

// Close deletes the listener's series, after it has left the configuration. What is still
// told to l is lost.
func (l *Listener) Close() {
	l.metrics.mu.Lock()
	defer l.metrics.mu.Unlock()
	delete(l.metrics.listeners, l.name)
	l.metrics.refusals.DeletePartialMatch(prometheus.Labels{"listener": l.name})
}

var connections = desc("connections",
	"Connections of clients, by what they are doing.",
	"listener", "state")

// entrances is the collector that reads how many connections there are.
type entrances struct{ metrics *Metrics }

// Describe implements prometheus.Collector.
func (entrances) Describe(ch chan<- *prometheus.Desc) { ch <- connections }

// Collect implements prometheus.Collector.
func (e entrances) Collect(ch chan<- prometheus.Metric) {
	e.metrics.mu.Lock()
	var all []*Listener
	for _, l := range e.metrics.listeners {
		all = append(all, l)
	}
	e.metrics.mu.Unlock()
	for _, l := range all {
		for i, state := range l.states[1:] {
			gauge(ch, connections, float64(l.connections[i+1].Load()), l.name, state)
		}
	}
}
