package telemetry

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRouteCountsByClass(t *testing.T) {
	cases := []struct {
		status int
		code   string
	}{
		{100, "1xx"}, {101, "1xx"}, {200, "2xx"}, {299, "2xx"}, {304, "3xx"}, {400, "4xx"},
		{429, "4xx"}, {498, "4xx"}, {499, "499"}, {500, "5xx"}, {599, "5xx"},
		{600, "5xx"}, {999, "5xx"}, {99, "5xx"}, {0, "5xx"}, {-1, "5xx"},
	}
	for _, c := range cases {
		m := New("")
		m.Route("all").Finished(c.status, time.Second)
		want := map[string]float64{
			"requests_total{code=" + c.code + ",route=all}": 1,
			"request_duration_seconds{route=all}":           1,
		}
		if diff := cmp.Diff(want, above(read(t, m, "request"))); diff != "" {
			t.Errorf("status %d (-want +got):\n%s", c.status, diff)
		}
	}
}

func TestRouteRejects(t *testing.T) {
	m := New("")
	r := m.Route("all")
	for _, reason := range Rejections() {
		r.Rejected(reason)
	}
	r.Rejected("somebody's error text: 10.0.0.1")
	want := map[string]float64{}
	for _, reason := range []string{
		"rate-limit", "in-flight", "no-route", "method", "bad-body", "slow-body", "large-body", "bad-answer", "no-endpoint", "queue-full", "queue-timeout", "shed", "timeout",
		"connect-failure", "reset", "malformed", "too-many-headers", "bad-host", "bad-target", "ambiguous-path", "expectation",
	} {
		want["rejections_total{reason="+reason+",route=all}"] = 1
	}
	want["rejections_total{reason=other,route=all}"] = 2
	if diff := cmp.Diff(want, read(t, m, "rejections")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A request that was cut counts under its reason; one that was not, and what is no reason,
// does not.
func TestRouteCuts(t *testing.T) {
	m := New("")
	r := m.Route("all")
	for _, reason := range append(Cuts(), CutSlowBody, "", "somebody's error text: 10.0.0.1") {
		r.Cut(reason)
	}
	want := map[string]float64{"cut_requests_total{reason=slow-body,route=all}": 2, "cut_requests_total{reason=slow-answer,route=all}": 1}
	if diff := cmp.Diff(want, read(t, m, "cut")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.Close()
	if got := read(t, m, "cut"); len(got) != 0 {
		t.Errorf("closed: got %v, want none", got)
	}
}

// The series of the same name are the same, also after a reload; closed, they go.
func TestRouteAgainAndClosed(t *testing.T) {
	m := New("")
	m.Route("a").Finished(200, time.Second)
	again := m.Route("a")
	again.Finished(200, time.Second)
	m.Route("b")
	if got := read(t, m, "requests_total")["requests_total{code=2xx,route=a}"]; got != 2 {
		t.Errorf("two requests of routes of the same name count as %v", got)
	}
	again.Close()
	for name := range read(t, m, "re") {
		if strings.Contains(name, "route=a") {
			t.Errorf("%s is still there", name)
		}
	}
	if n := len(read(t, m, "re")); n != 6+1+22 {
		t.Errorf("route b has %d series", n)
	}
}
