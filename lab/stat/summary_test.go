package stat

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const ms = time.Millisecond

// header is of a trial of ten seconds, one of them warm-up.
func header(subject string, block int) record.Header {
	return record.Header{
		Scenario: "s", Driver: record.Sim, Subject: subject, Seed: 100 + uint64(block), Block: block,
		Duration: 10 * time.Second, WarmUp: time.Second, ClientTimeout: 5 * time.Second,
		Objective: record.Objective{Latency: 100 * ms, Share: 0.99}, Endpoints: []string{"a", "b"},
	}
}

// steady is a trial of n requests after the warm-up, each of the given latency.
func steady(subject string, block, n int, latency time.Duration) *record.Trial {
	t := &record.Trial{Header: header(subject, block)}
	for i := range n {
		at := core.Instant(time.Second) + core.Instant(9*time.Second)*core.Instant(i)/core.Instant(n)
		t.Requests = append(t.Requests, record.Request{
			Seq: int64(i), Planned: at, Sent: at, Done: at.Add(latency), Endpoint: i % 2, Attempts: 1, Code: 200,
		})
	}
	return t
}

// digest digests a trial, its requests in a strange order.
func digest(trial *record.Trial) (Digest, error) {
	d, err := NewDigester(trial.Header)
	if err != nil {
		return Digest{}, err
	}
	n := len(trial.Requests)
	for i := range n / 2 {
		d.Add(trial.Requests[n-1-i])
		d.Add(trial.Requests[i])
	}
	if n%2 == 1 {
		d.Add(trial.Requests[n/2])
	}
	return d.Digest(trial.Header)
}

// digests digests trials.
func digests(t testing.TB, trials ...*record.Trial) (all []Digest) {
	t.Helper()
	for _, trial := range trials {
		d, err := digest(trial)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// summarise sorts and summarises trials.
func summarise(t testing.TB, order []string, trials ...*record.Trial) (Scenario, error) {
	t.Helper()
	all := digests(t, trials...)
	Sort(all, order)
	return Summarise(all)
}

func TestFigures(t *testing.T) {
	at := func(d time.Duration) core.Instant { return core.Instant(d) }
	trial := &record.Trial{Header: header("x", 3)}
	trial.Header.Decisions = []record.Decisions{
		{Mode: "adaptive", Count: 6}, {Mode: "fallback", Reason: "signal-thin", Count: 1},
		{Mode: "fallback", Reason: "signal-flat", Count: 1}, {Mode: "panic", Reason: "few-ready", Count: 0},
	}
	trial.Requests = []record.Request{
		// Warm-up: a nanosecond too early, and slow.
		{Seq: 0, Planned: at(time.Second) - 1, Sent: at(time.Second), Done: at(9 * time.Second), Endpoint: 1, Code: 200},
		{Seq: 1, Planned: at(1 * time.Second), Sent: at(1010 * ms), Done: at(1100 * ms), Endpoint: 0, Code: 200}, // 100 ms: just within
		{Seq: 2, Planned: at(2 * time.Second), Sent: at(2 * time.Second), Done: at(2101 * ms), Endpoint: 0, Code: 399},
		{Seq: 3, Planned: at(3 * time.Second), Sent: at(3 * time.Second), Done: at(3001 * ms), Endpoint: 1, Code: 503}, // fast failure: 5 s
		{Seq: 4, Planned: at(4 * time.Second), Sent: at(4 * time.Second), Done: at(10 * time.Second), Endpoint: -1},    // 6 s
	}
	d, err := digest(trial)
	if err != nil {
		t.Fatal(err)
	}
	want := TrialSummary{Seed: 103, Block: 3, Figures: Figures{
		Requests: 4, ErrorRatio: 0.5, GoodputRPS: 1.0 / 9, WithinObjective: 0.25,
		Modes:     Modes{Adaptive: 0.75, Fallback: 0.25},
		Latency:   Latency{Mean: new((0.1 + 0.101 + 5 + 6) / 4), Max: new(6.0)},
		LatencyOK: Latency{Mean: new((0.1 + 0.101) / 2), Max: new(0.101)},
		Shares:    []Share{{Endpoint: "a", Share: 2.0 / 3}, {Endpoint: "b", Share: 1.0 / 3}},
		Reasons:   []Reason{{"adaptive", "", 0.75}, {"fallback", "signal-thin", 0.125}, {"fallback", "signal-flat", 0.125}},
	}}
	if diff := cmp.Diff(want, d.Summary, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	trial.Header.Driver = record.Live
	if d, err = digest(trial); err != nil {
		t.Fatal(err)
	}
	got := d.Summary
	if got.Service == nil || math.Abs(*got.Service.Mean-(0.09+0.101+0.001+6)/4) > 1e-12 {
		t.Errorf("service time %+v, want a mean of 1.548 s, from the send, failures as they were", got.Service)
	}
}

func TestDigesterErrors(t *testing.T) {
	for name, breakIt := range map[string]func(*record.Trial){
		"no measured time": func(t *record.Trial) { t.Header.WarmUp = t.Header.Duration },
		"unknown mode":     func(t *record.Trial) { t.Header.Decisions = []record.Decisions{{Mode: "clever", Count: 1}} },
		"unknown driver":   func(t *record.Trial) { t.Header.Driver = "dream" },
		"no such endpoint": func(t *record.Trial) { t.Requests[0].Endpoint = 2 },
	} {
		trial := steady("x", 0, 10, ms)
		breakIt(trial)
		if _, err := digest(trial); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestSummarise(t *testing.T) {
	void := steady("p2c-ewma", 2, 100, 9000*ms)
	void.Header.Void = "the generator fell behind"
	got, err := summarise(t, []string{"round-robin", "p2c-ewma"},
		steady("zeta", 0, 100, 30*ms),
		void,
		steady("p2c-ewma", 1, 200, 20*ms),
		steady("p2c-ewma", 0, 101, 10*ms),
		steady("alpha", 0, 3, 40*ms),
	)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range got.Subjects {
		names = append(names, s.Name)
	}
	if want := []string{"p2c-ewma", "alpha", "zeta"}; !slices.Equal(names, want) {
		t.Errorf("subjects %v, want %v", names, want)
	}
	if got.Seed != 100 || got.Verdicts == nil {
		t.Errorf("seed %d, verdicts %v; want that of block 0 and an empty list", got.Seed, got.Verdicts)
	}
	p2c := got.Subjects[0]
	if len(p2c.Trials) != 3 || p2c.Trials[0].Block != 0 || p2c.Trials[2].Void == "" {
		t.Errorf("trials %+v, want those of blocks 0, 1 and 2, the last one void", p2c.Trials)
	}
	if m := p2c.Median; m.Requests != 151 || math.Abs(*m.Latency.P90-0.015) > 1e-12 || m.Latency.P99 != nil {
		t.Errorf("median %+v, want 151 requests (150.5, rounded), p90 15 ms, no p99", m)
	}
	if m := got.Subjects[1].Median; m.Latency.P50 != nil || m.Latency.Mean == nil {
		t.Errorf("median of three requests %+v, want a mean and no p50", m.Latency)
	}
}

func TestSummariseAllVoid(t *testing.T) {
	trial := steady("x", 0, 10, ms)
	trial.Header.Void = "noise"
	got, err := summarise(t, nil, trial)
	if err != nil {
		t.Fatal(err)
	}
	if got.Subjects[0].Median != nil {
		t.Errorf("median %+v of void trials, want none", got.Subjects[0].Median)
	}
}

func TestSummariseErrors(t *testing.T) {
	other := steady("y", 0, 10, ms)
	other.Header.Scenario = "t"
	seed := steady("y", 0, 10, ms)
	seed.Header.Seed = 1
	x := steady("x", 0, 10, ms)
	for name, trials := range map[string][]*record.Trial{
		"nothing": nil, "two scenarios": {x, other}, "twice": {x, x}, "two seeds in a block": {x, seed},
	} {
		if _, err := summarise(t, nil, trials...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMedianSharesAndReasons(t *testing.T) {
	one := func(name string, share float64) Share { return Share{Endpoint: name, Share: share} }
	many := func(share, least, most float64) Share {
		return Share{Endpoint: "99 others", Share: share, Members: 99, Least: &least, Most: &most}
	}
	of := []Figures{
		{Shares: []Share{one("a", 0.2), one("b", 0.8), many(0.1, 0.01, 0.05)}, Reasons: []Reason{{"fallback", "signal-thin", 1}}},
		{Shares: []Share{one("a", 0.4), one("b", 0.6), many(0.2, 0.02, 0.06)}, Reasons: []Reason{{"adaptive", "", 1}}},
		{Shares: []Share{one("a", 0.5), one("c", 0.5), many(0.3, 0.05, 0.09)}, Reasons: []Reason{{"adaptive", "", 0.6}, {"fallback", "barred", 0.4}}},
	}
	if diff := cmp.Diff([]Share{one("a", 0.4), one("b", 0.6), many(0.2, 0.02, 0.06), one("c", 0)}, medianShares(of)); diff != "" {
		t.Errorf("shares (-want +got):\n%s", diff)
	}
	want := []Reason{{"adaptive", "", 0.6}, {"fallback", "barred", 0}, {"fallback", "signal-thin", 0}}
	if diff := cmp.Diff(want, medianReasons(of)); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}

// The keys are a contract with whoever reads summary.json.
func TestSummaryKeys(t *testing.T) {
	trial := steady("x", 0, 10, ms)
	trial.Header.Driver = record.Live
	trial.Header.Generator = &record.Generator{PeakInFlight: 4}
	s, err := summarise(t, nil, trial)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := (Summary{Scenarios: []Scenario{s}}).Encode(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(b.String(), "}\n") {
		t.Error("no newline at the end")
	}
	var v struct {
		Version   int
		Scenarios []map[string]any
	}
	if err := json.Unmarshal(b.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	keys := func(m any) string {
		var k []string
		for name := range m.(map[string]any) {
			k = append(k, name)
		}
		slices.Sort(k)
		return strings.Join(k, " ")
	}
	entry := v.Scenarios[0]
	first := func(m any, list string) any { return m.(map[string]any)[list].([]any)[0] }
	one := first(entry, "subjects")
	row := first(one, "trials")
	median := one.(map[string]any)["median"]
	figures := "error_ratio goodput_rps latency_ok_seconds latency_seconds modes reasons requests service_seconds shares within_objective"
	for _, c := range []struct {
		of   any
		want string
	}{
		{entry, "driver metric scenario seed subjects verdicts"},
		{one, "median name trials"},
		{median, figures},
		{row, "block error_ratio generator goodput_rps latency_ok_seconds latency_seconds modes reasons requests seed service_seconds shares within_objective"},
		{row.(map[string]any)["latency_seconds"], "max mean p50 p90 p99 p999"},
		{row.(map[string]any)["modes"], "adaptive fallback panic"},
	} {
		if got := keys(c.of); got != c.want {
			t.Errorf("keys %s\nwant %s", got, c.want)
		}
	}
	if p99, ok := row.(map[string]any)["latency_seconds"].(map[string]any)["p99"]; !ok || p99 != nil {
		t.Errorf("p99 of ten requests is %v, want null", p99)
	}
	if v.Version != 1 || entry["verdicts"] == nil {
		t.Errorf("version %d, verdicts %v", v.Version, entry["verdicts"])
	}
}

func TestSummaryFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if _, err := ReadSummary(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v, want ErrNotExist", err)
	}
	s, err := summarise(t, nil, steady("x", 0, 500, ms), steady("x", 1, 500, 3*ms))
	if err != nil {
		t.Fatal(err)
	}
	s.Verdicts = []Verdict{{Baseline: "round-robin", Subject: "x", Metric: P99, Effect: Effect{Ratio: new(0.5), CI95: &[2]float64{0.4, 0.6}}, PAdjusted: 0.01, Verdict: Win}}
	want := Summary{Version: Version, Scenarios: []Scenario{s}}
	if err := WriteSummary(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSummary(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-wrote +read):\n%s", diff)
	}
	os.WriteFile(filepath.Join(dir, File), []byte(`{"version": 1, "scenarios": [{"scenario": "old"}, {"metric": "mean"}]}`), 0o644)
	if got, err := ReadSummary(dir); err != nil || got.Scenarios[0].Metric != P99 || got.Scenarios[1].Metric != Mean {
		t.Errorf("metrics: got %+v, %v, want p99 where none is named, and mean", got, err)
	}
	for text, want := range map[string]string{
		"{\"version\": 1,\n\n]": ":3:", `{"version": 2}`: "version 2, expected 1",
	} {
		os.WriteFile(filepath.Join(dir, File), []byte(text), 0o644)
		if _, err := ReadSummary(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v does not say %q", text, err, want)
		}
	}
}
