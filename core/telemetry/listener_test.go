package telemetry

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestListener(t *testing.T) {
	m := New("")
	states, reasons := []string{"gone", "opening", "idle"}, []string{"limit", "flood"}
	l := m.Listener(":80", states, reasons)
	other := m.Listener(":81", states, reasons)
	check := func(when string, want map[string]float64) {
		t.Helper()
		if diff := cmp.Diff(want, read(t, m, "connection")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	zero := func() map[string]float64 {
		all := map[string]float64{}
		for _, name := range []string{":80", ":81"} {
			all["connections{listener="+name+",state=opening}"], all["connections{listener="+name+",state=idle}"] = 0, 0
			all["connection_rejections_total{listener="+name+",reason=limit}"], all["connection_rejections_total{listener="+name+",reason=flood}"] = 0, 0
		}
		return all
	}
	check("new", zero())

	l.Turned(0, 1)
	l.Turned(0, 1)
	l.Turned(1, 2)
	m.Listener(":80", states, reasons).Turned(0, 1) // the same series
	l.Refused(1)
	other.Turned(0, 2)
	want := zero()
	want["connections{listener=:80,state=opening}"], want["connections{listener=:80,state=idle}"] = 2, 1
	want["connections{listener=:81,state=idle}"] = 1
	want["connection_rejections_total{listener=:80,reason=flood}"] = 1
	check("in use", want)

	l.Turned(2, 0)
	want["connections{listener=:80,state=idle}"] = 0
	check("one less", want)

	other.Close()
	for name := range zero() {
		if strings.Contains(name, ":81") {
			delete(want, name)
		}
	}
	check("closed", want)
}
