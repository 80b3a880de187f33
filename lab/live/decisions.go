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
	var d decisions
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(admin + "/metrics")
	if err != nil {
		return d, err
	}
	defer answer.Body.Close()
	defer client.CloseIdleConnections()
	if answer.StatusCode != http.StatusOK {
		return d, fmt.Errorf("reading the proxy's metrics: %s", answer.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		return d, fmt.Errorf("reading the proxy's metrics: %w", err)
	}
	for _, m := range families["evenkeel_decisions_total"].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		for mode := range d {
			for reason := range d[mode] {
				if labels["mode"] == core.Mode(mode).String() && labels["reason"] == core.Reason(reason).String() {
					d[mode][reason] += uint64(m.GetCounter().GetValue())
				}
			}
		}
	}
	return d, nil
}
