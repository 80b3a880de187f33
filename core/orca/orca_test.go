package orca

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core"
)

var names = Names{InFlight: "rif", Latency: "latency_s", Utilization: "gpu"}

func reader(t testing.TB, n Names) *Reader {
	t.Helper()
	r, err := NewReader(n)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// of is a report of these, and of nothing else.
func of(inFlight, utilization, latency, rate, errors float64) core.LoadReport {
	return core.LoadReport{Known: true, InFlight: inFlight, Utilization: utilization, Latency: latency, Rate: rate, Errors: errors}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		value string
		want  core.LoadReport
	}{
		{"TEXT cpu_utilization=0.3,application_utilization=0.5,rps_fractional=10,eps=0.5", of(-1, 0.5, -1, 10, 0.5)},
		{"TEXT application_utilization=0,cpu_utilization=0.3", of(-1, 0.3, -1, -1, -1)},
		{"TEXT application_utilization=0", of(-1, 0, -1, -1, -1)},
		{"TEXT named_metrics.rif=7,named_metrics.latency_s=0.025,named_metrics.other=1", of(7, -1, 0.025, -1, -1)},
		{"TEXT named_metrics.gpu=0,application_utilization=0.9", of(-1, 0, -1, -1, -1)},
		{"TEXT mem_utilization=0.9,utilization.disk=0.1,request_cost.rows=3,rif=9,something/new=1", of(-1, -1, -1, -1, -1)},
		{"TEXT  cpu_utilization = 1.5e-1 ,\teps=0", of(-1, 0.15, -1, -1, 0)},
		{`JSON {"cpu_utilization": 0.3, "rps_fractional": 10, "eps": 2, "named_metrics": {"rif": 7, "x": 1}}`, of(7, 0.3, -1, 10, 2)},
		{`JSON {"cpuUtilization": 0.3, "applicationUtilization": 0.4, "rpsFractional": 1, "namedMetrics": {"latency_s": 1}}`, of(-1, 0.4, 1, 1, -1)},
		{`JSON {"utilization": {"cpu_utilization": 0.3, "rif": 3}}`, of(-1, -1, -1, -1, -1)},
		{`JSON {}`, of(-1, -1, -1, -1, -1)},
	} {
		got, err := reader(t, names).Parse(c.value)
		if err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v, want %+v", c.value, got, err, c.want)
		}
	}
	if got, err := new(Reader).Parse("TEXT named_metrics.=1,named_metrics.rif=2"); err != nil || got != of(-1, -1, -1, -1, -1) {
		t.Errorf("without named metrics: got %+v, %v", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	many := func(n int) string { return strings.TrimSuffix(strings.Repeat("x=1,", n), ",") }
	for value, want := range map[string]error{
		"": ErrForm, "cpu_utilization=1": ErrForm, "BIN AAAA": ErrForm, "text eps=1": ErrForm,
		"TEXT": ErrMetric, "TEXT ": ErrMetric, "TEXT eps": ErrMetric, "TEXT eps=": ErrMetric, "TEXT =1": ErrMetric,
		"TEXT eps=1,": ErrMetric, "TEXT ,eps=1": ErrMetric, "TEXT eps=1;x=2": ErrMetric, "TEXT ep s=1": ErrMetric,
		"TEXT eps=NaN": ErrMetric, "TEXT eps=Inf": ErrMetric, "TEXT eps=1e999": ErrMetric, "TEXT eps=-1": ErrMetric,
		"TEXT eps=0x1p3": ErrMetric, "TEXT eps=1_000": ErrMetric, "TEXT eps=1,eps=1": ErrMetric, "TEXT eps=e": ErrMetric,
		"TEXT named_metrics.rif=1,named_metrics.rif=2": ErrMetric,
		"TEXT eps=" + strings.Repeat("1", 33):          ErrMetric,
		"TEXT " + many(MaxMetrics+1):                   ErrMetric,
		"TEXT x=1" + strings.Repeat(" ", MaxLength):    ErrLong,
		"JSON": ErrJSON, "JSON []": ErrJSON, "JSON 1": ErrJSON, `JSON {"eps": "1"}`: ErrJSON, `JSON {"eps": [1]}`: ErrJSON,
		`JSON {"eps": 1`: ErrJSON, `JSON {"eps": 1} {}`: ErrJSON, `JSON {"named_metrics": {"a": {}}}`: ErrJSON, `JSON {"eps"`: ErrJSON,
		`JSON {"eps": -1}`: ErrMetric, `JSON {"eps": 1, "eps": 1}`: ErrMetric, `JSON {"eps": null}`: ErrJSON,
		`JSON {"named_metrics": {"rif": 1}, "namedMetrics": {"rif": 1}}`: ErrMetric,
	} {
		if got, err := reader(t, names).Parse(value); !errors.Is(err, want) || got != (core.LoadReport{}) {
			t.Errorf("%q: got %+v, %v, want %v", value, got, err, want)
		}
	}
	if _, err := new(Reader).Parse("TEXT " + many(MaxMetrics)); err != nil {
		t.Errorf("as many metrics as may be: got %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, n := range []Names{{InFlight: "a b"}, {Latency: "ä"}, {Utilization: "a=b"}, {InFlight: strings.Repeat("a", MaxName+1)}} {
		if _, err := NewReader(n); err == nil {
			t.Errorf("%+v: got no error", n)
		}
	}
	if _, err := NewReader(Names{InFlight: strings.Repeat("a", MaxName)}); err != nil {
		t.Error(err)
	}
}

func TestTextAllocatesNothing(t *testing.T) {
	r := reader(t, names)
	for _, value := range []string{
		"TEXT cpu_utilization=0.31,application_utilization=0.52,rps_fractional=10.25,named_metrics.rif=1,named_metrics.x=4",
		"TEXT eps=NaN", "TEXT eps=1,eps=1", "BIN AAAA",
	} {
		if got := testing.AllocsPerRun(100, func() { r.Parse(value) }); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", value, got)
		}
	}
}

// Whatever is sent, a report is what was said or nothing: finite, and either -1 or not
// negative; and of the two forms the same comes out.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"TEXT cpu_utilization=0.3,named_metrics.rif=1", `JSON {"eps": 1, "named_metrics": {"rif": 2}}`, "TEXT eps=1e308", `JSON {"a":{}}`,
	} {
		f.Add(seed)
	}
	r := reader(f, names)
	f.Fuzz(func(t *testing.T, value string) {
		got, err := r.Parse(value)
		if err != nil {
			if got != (core.LoadReport{}) {
				t.Errorf("%q: got %+v with %v", value, got, err)
			}
			return
		}
		text := "TEXT x=0"
		for name, x := range map[string]float64{
			"named_metrics.rif": got.InFlight, "named_metrics.gpu": got.Utilization, "named_metrics.latency_s": got.Latency,
			"rps_fractional": got.Rate, "eps": got.Errors,
		} {
			if math.IsNaN(x) || math.IsInf(x, 0) || x < 0 && x != -1 {
				t.Fatalf("%q: got %+v", value, got)
			}
			if x >= 0 {
				text += fmt.Sprintf(",%s=%g", name, x)
			}
		}
		if again, err := r.Parse(text); err != nil || again != got {
			t.Errorf("%q: got %+v; said again as %q: %+v, %v", value, got, text, again, err)
		}
	})
}
