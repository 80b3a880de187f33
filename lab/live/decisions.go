package live

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/evenkeel/evenkeel/core"
)

// decisions are the proxy's routing decisions so far, by mode and reason.
type decisions [core.Modes][core.Reasons]uint64

// minus is what was decided since the earlier count.
func (d decisions) minus(earlier decisions) decisions {
	for mode := range d {
		for reason := range d[mode] {
			d[mode][reason] -= earlier[mode][reason]
		}
	}
	return d
}

// scrape reads the proxy's count of its decisions from its metrics.
func scrape(admin string) (decisions, error) {
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	m, err := readMetrics(client, admin)
	return m.decisions(), err
}

// metrics are a proxy's counters and gauges, by name.
type metrics map[string][]series

// series is one counter or gauge.
type series struct {
	labels map[string]string
	value  float64
}

// readMetrics reads the proxy's metrics.
func readMetrics(client *http.Client, admin string) (metrics, error) {
	answer, err := client.Get(admin + "/metrics")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("reading the proxy's metrics: %s", answer.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the proxy's metrics: %w", err)
	}
	m := make(metrics)
	for name, family := range families {
		for _, one := range family.GetMetric() {
			s := series{labels: map[string]string{}, value: one.GetCounter().GetValue() + one.GetGauge().GetValue() + one.GetUntyped().GetValue()}
			for _, l := range one.GetLabel() {
				s.labels[l.GetName()] = l.GetValue()
			}
			m[name] = append(m[name], s)
		}
	}
	return m, nil
}

// decisions are those that the metrics count.
func (m metrics) decisions() (d decisions) {
	for _, s := range m["evenkeel_decisions_total"] {
		for mode := range d {
			for reason := range d[mode] {
				if s.labels["mode"] == core.Mode(mode).String() && s.labels["reason"] == core.Reason(reason).String() {
					d[mode][reason] += uint64(s.value)
				}
			}
		}
	}
	return d
}

// sum is the sum of what bears a name, and whether there is any.
func (m metrics) sum(name string) (total float64, any bool) {
	for _, s := range m[name] {
		total += s.value
	}
	return total, len(m[name]) > 0
}
