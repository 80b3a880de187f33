package scenario_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Another proxy has the scenario's policies, and what is laid over those.
func TestPeerSubject(t *testing.T) {
	s := scenario.Default()
	s.Proxy.Retries.Attempts = 1
	checked := s.Proxy
	checked.Health = new(config.Health)
	checked.Health.Defaults()
	checked.Health.Interval = time.Second
	for text, want := range map[string]config.Policies{
		"haproxy-leastconn":                     s.Proxy,
		" nginx-random-two ":                    s.Proxy,
		"haproxy-leastconn+health{interval=1s}": checked,
		"nginx-round-robin+retries{attempts=1}": s.Proxy,
	} {
		got, err := s.Subject(text)
		if err != nil || got.Peer == nil || got.Name != strings.TrimSpace(text) || !strings.HasPrefix(got.Name, got.Peer.Name) {
			t.Errorf("%s: got %+v, %v", text, got, err)
			continue
		}
		if diff := cmp.Diff(want, got.Policies); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for text, want := range map[string]string{
		"haproxy":                       `unknown strategy "haproxy"`,
		"haproxy-leastconn{a=1}":        `unknown strategy "haproxy-leastconn"`,
		"haproxy-leastconn+gradient2":   "haproxy-leastconn has no concurrency here: expected timeouts, retries, breaker, health",
		"nginx-least-conn+health":       "nginx-least-conn has no health here: expected timeouts, retries, breaker",
		"nginx-least-conn+retries{a=1}": `unknown field "a"`,
	} {
		if _, err := s.Subject(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	if got, err := s.Subject("p2c-ewma"); err != nil || got.Peer != nil {
		t.Errorf("ours: got %+v, %v", got, err)
	}
}

// A file may name other proxies in its live block, and nowhere else.
func TestPeerInFile(t *testing.T) {
	text := with("{load: 0.5}") + "live: {subjects: [round-robin, haproxy-leastconn]}\n"
	if got := parse(t, text, scenario.Live).Subjects; !cmp.Equal(got, []string{"round-robin", "haproxy-leastconn"}) {
		t.Errorf("live: got %v", got)
	}
	parse(t, text, scenario.Sim)
	const want = "subjects[1]: haproxy-leastconn is another proxy, which is played over real HTTP only (set live.subjects)"
	text = with("{load: 0.5}") + "subjects: [random, haproxy-leastconn]\n"
	if _, err := scenario.Parse("x.yaml", []byte(text), scenario.Sim); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("simulated: got %v, want %s", err, want)
	}
}

// Requests are read with the scenario, and what is wrong with them is said with its place.
func TestRequests(t *testing.T) {
	dir := folder(t, map[string]string{
		"good.yaml":   with("{load: 0.5}") + "requests: {file: below/t.txt}\n",
		"below/t.txt": "POST http://x/a\n@body\n\nGET /b\n",
		"below/body":  "hello",
		"bad.yaml":    with("{load: 0.5}") + "requests: {file: bad.txt}\n",
		"bad.txt":     "GET http://x/a\n\nhello\n",
		"none.yaml":   with("{load: 0.5}") + "requests: {file: none.txt}\n",
	})
	s := mustLoad(t, dir, "good")
	if got := s.Requests.Targets; len(got) != 2 || string(got[0].Body) != "hello" || got[1].URL.Path != "/b" {
		t.Errorf("got %+v", got)
	}
	for name, want := range map[string]string{
		"bad":  dir + "/bad.txt:3:1: expected METHOD URL, found \"hello\"",
		"none": dir + "/none.yaml: requests.file: open " + dir + "/none.txt: no such file or directory",
	} {
		if _, err := scenario.Load(dir, name, scenario.Live); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}
