package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The contract of summary.json, by hand from the design: what scripts rely on. A
// pointer is a field that has to be there; json.RawMessage keeps null apart from
// nothing at all.
type contract struct {
	Version   *int `json:"version"`
	Scenarios *[]struct {
		Scenario *string            `json:"scenario"`
		Driver   *string            `json:"driver"`
		Seed     *uint64            `json:"seed"`
		Subjects *[]contractSubject `json:"subjects"`
		Verdicts *[]contractVerdict `json:"verdicts"`
	} `json:"scenarios"`
}

type contractVerdict struct {
	Baseline *string     `json:"baseline"`
	Subject  *string     `json:"subject"`
	Metric   *string     `json:"metric"`
	Ratio    *float64    `json:"ratio"`
	CI95     *[2]float64 `json:"ci95"`
	P        *float64    `json:"p_adjusted"`
	Verdict  *string     `json:"verdict"`
}

type contractSubject struct {
	Name   *string `json:"name"`
	Trials *[]struct {
		Seed *uint64 `json:"seed"`
		contractFigures
	} `json:"trials"`
	Median *contractFigures `json:"median"`
}

type contractFigures struct {
	Requests   *int     `json:"requests"`
	ErrorRatio *float64 `json:"error_ratio"`
	GoodputRPS *float64 `json:"goodput_rps"`
	Modes      *struct {
		Adaptive *float64 `json:"adaptive"`
		Fallback *float64 `json:"fallback"`
		Panic    *float64 `json:"panic"`
	} `json:"modes"`
	Latency   map[string]json.RawMessage `json:"latency_seconds"`
	LatencyOK map[string]json.RawMessage `json:"latency_ok_seconds"`
}

// check looks at the figures of a trial or of the median. null names the latencies
// that the sample is too small to carry.
func (f contractFigures) check(t *testing.T, where string, null map[string]bool) {
	t.Helper()
	if f.Requests == nil || f.ErrorRatio == nil || f.GoodputRPS == nil || f.Modes == nil ||
		f.Modes.Adaptive == nil || f.Modes.Fallback == nil || f.Modes.Panic == nil {
		t.Errorf("%s: a field is missing: %+v", where, f)
		return
	}
	if *f.Requests == 0 || *f.ErrorRatio != 0 || *f.GoodputRPS <= 0 {
		t.Errorf("%s: got %d requests, error ratio %v, goodput %v", where, *f.Requests, *f.ErrorRatio, *f.GoodputRPS)
	}
	if sum := *f.Modes.Adaptive + *f.Modes.Fallback + *f.Modes.Panic; sum < 0.999999 || sum > 1.000001 {
		t.Errorf("%s: the modes' shares sum to %v, want 1", where, sum)
	}
	names := []string{"mean", "p50", "p90", "p99", "p999", "max"}
	for _, latency := range []map[string]json.RawMessage{f.Latency, f.LatencyOK} {
		if len(latency) != len(names) {
			t.Errorf("%s: latencies: got %d fields, want %v", where, len(latency), names)
		}
		for _, name := range names {
			var seconds *float64
			text, there := latency[name]
			if err := json.Unmarshal(text, &seconds); !there || err != nil {
				t.Errorf("%s: latency %s: got %q, %v", where, name, text, err)
			} else if null[name] != (seconds == nil) || seconds != nil && (*seconds <= 0 || *seconds > 5) {
				t.Errorf("%s: latency %s: got %s, want null: %t", where, name, text, null[name])
			}
		}
	}
}

// check looks at a verdict; ratio and interval are null where no trial carries the metric.
func (v contractVerdict) check(t *testing.T, where string, known bool) {
	t.Helper()
	if v.Baseline == nil || v.Subject == nil || v.Metric == nil || v.P == nil || v.Verdict == nil {
		t.Fatalf("%s: a field of a verdict is missing: %+v", where, v)
	}
	if *v.Baseline != "round-robin" || *v.Subject == "round-robin" || *v.Metric != "p99" || *v.P <= 0 || *v.P > 1 ||
		!slices.Contains([]string{"WIN", "LOSS", "TIE", "UNDECIDED"}, *v.Verdict) {
		t.Errorf("%s: %s against %s by %s: p %v, %s", where, *v.Subject, *v.Baseline, *v.Metric, *v.P, *v.Verdict)
	}
	if (v.Ratio != nil) != known || (v.CI95 != nil) != known || known && (v.CI95[0] > *v.Ratio || v.CI95[1] < *v.Ratio) {
		t.Errorf("%s: ratio %v, interval %v, want them: %t", where, v.Ratio, v.CI95, known)
	}
}

func TestContract(t *testing.T) {
	dir, out := scenarios(t), t.TempDir()
	must(t, "sim", "--scenarios", dir, "--seeds", "6", "--subjects", "random,round-robin,least-requests", "--out", out)
	text, err := os.ReadFile(filepath.Join(out, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c contract
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&c); err != nil {
		t.Fatal(err)
	}
	if c.Version == nil || *c.Version != 1 || c.Scenarios == nil || len(*c.Scenarios) != 2 {
		t.Fatalf("got %+v, want version 1 and two scenarios", c)
	}
	// The percentiles take 36, 368 and 3,690 requests: some 450 carry the 99th, 60 the
	// 90th.
	null := map[string]map[string]bool{"short": {"p999": true}, "tiny": {"p99": true, "p999": true}}
	for _, s := range *c.Scenarios {
		if s.Scenario == nil || s.Driver == nil || *s.Driver != "sim" || s.Seed == nil || *s.Seed != 1 || s.Subjects == nil {
			t.Fatalf("a field is missing or wrong: %+v", s)
		}
		if s.Verdicts == nil || len(*s.Verdicts) != 2 {
			t.Fatalf("%s: got %+v, want the verdicts of two subjects", *s.Scenario, s.Verdicts)
		}
		for _, v := range *s.Verdicts {
			v.check(t, *s.Scenario, !null[*s.Scenario]["p99"])
		}
		for _, subject := range *s.Subjects {
			if subject.Name == nil || subject.Trials == nil || len(*subject.Trials) != 6 || subject.Median == nil {
				t.Fatalf("%s: a field is missing: %+v", *s.Scenario, subject)
			}
			where := *s.Scenario + ", " + *subject.Name
			for _, trial := range *subject.Trials {
				if trial.Seed == nil {
					t.Errorf("%s: a trial without a seed", where)
				}
				trial.check(t, where, null[*s.Scenario])
			}
			subject.Median.check(t, where+", median", null[*s.Scenario])
		}
	}
	for _, name := range []string{"provenance.json", "report.html", "report.md", "records"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Errorf("results: %v", err)
		}
	}
}
