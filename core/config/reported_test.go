package config

import (
	"testing"
	"time"
)

func TestReportedSettings(t *testing.T) {
	parse := func(policies string) (Pool, error) {
		f, err := Parse("f", []byte("version: 1\npools: [{name: a, endpoints: [http://h], "+policies+"}]"))
		if err != nil {
			return Pool{}, err
		}
		return f.Pools[0], nil
	}
	p, err := parse("strategy: {name: prequal, probe_rate: 3, aversion: 0s}, reports: {keep: true}")
	if err != nil {
		t.Fatal(err)
	}
	want := NewStrategy("prequal")
	want.ProbeRate, want.Aversion = 3, 0
	if p.Strategy != want {
		t.Errorf("got %+v, want %+v", p.Strategy, want)
	}
	if r := (Reports{"in_flight", "latency", "", true}); *p.Reports != r {
		t.Errorf("reports: got %+v, want %+v", *p.Reports, r)
	}
	p, err = parse("strategy: {name: orca-weighted-round-robin, expiration: 1m}")
	if w := (WeightsByReports{1, 10 * time.Second, time.Minute, time.Second}); err != nil || p.Strategy.WeightsByReports != w {
		t.Errorf("weights: got %+v, %v, want %+v", p.Strategy.WeightsByReports, err, w)
	}
	for _, good := range []string{"{name: p2c-ewma, reported: true}", "{name: p2c-least-requests, reported: true}", "{name: c3, proxies: 20}"} {
		if _, err := parse("strategy: " + good); err != nil {
			t.Errorf("%s: got %v", good, err)
		}
	}
	for _, bad := range []string{
		"strategy: {name: random, reported: true}", "strategy: {name: random, update: 1s}", "strategy: {name: random, proxies: 2}",
		"strategy: {name: c3, probe_rate: 3}", "strategy: {name: c3, smoothing: 0}", "strategy: {name: c3, proxies: 0}",
		"strategy: {name: prequal, probe_pool: 1}", "strategy: {name: prequal, probe_rate: 0}", "strategy: {name: prequal, probe_path: x}",
		"strategy: {name: prequal, probe_age: 0s}", "strategy: {name: prequal, hot_quantile: 2}", "strategy: {name: prequal, choices: 2}",
		"strategy: {name: orca-weighted-round-robin, update: 99ms}", "strategy: {name: orca-weighted-round-robin, expiration: 0s}",
		"reports: {in_flight: 'a b'}",
	} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%s: got no error", bad)
		}
	}
}
