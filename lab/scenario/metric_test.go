package scenario_test

import (
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/lab/scenario"
)

// A scenario names one metric of the list, or has the p99; the live size may have another.
func TestMetric(t *testing.T) {
	const base = "version: 1\nname: x\nmodels: x\narrivals: {load: 0.5}\n"
	if got := parse(t, base, scenario.Sim).Metric; got != "p99" {
		t.Errorf("by default: got %q, want p99", got)
	}
	for _, metric := range scenario.Metrics {
		s := parse(t, base+"metric: mean\nlive: {metric: "+metric+"}\n", scenario.Live)
		if s.Metric != metric {
			t.Errorf("got %q, want %q", s.Metric, metric)
		}
	}
	_, err := scenario.Parse("f", []byte(base+"metric: p95\n"), scenario.Sim)
	if err == nil || !strings.HasPrefix(err.Error(), `f:5:9: metric: unknown metric "p95"`) {
		t.Errorf("an unknown metric: got %v", err)
	}
}
