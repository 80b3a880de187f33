//go:build conformance

package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What /metrics says is what Prometheus's own checker has no fault to find with: by a proxy
// with everything on that has series of its own, after requests of several fates.
func TestMetricsAreAsPrometheusLikesThem(t *testing.T) {
	program, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("this needs promtool: apt-get install prometheus (%v)", err)
	}
	file := filepath.Join(t.TempDir(), "evenkeel.yaml")
	text := fmt.Sprintf(`version: 1
listeners: [{address: "127.0.0.1:0"}]
admin: {address: "127.0.0.1:0"}
rate_limit: {rate: 1000, burst: 100}
pools:
  - name: web
    endpoints: [%q, %q]
    concurrency: {name: correlated}
    endpoint_concurrency: {name: vegas}
    shed: {name: accept-ratio}
    hedge: {}
    health: {interval: 10ms}
  - {name: other, strategy: prequal, endpoints: ["http://127.0.0.1:1"]}
routes: [{path_prefix: /, pool: web}, {path_prefix: /other, pool: other}]
`, named(t, "a"), named(t, "b"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, "run", "-c", file).ready(t)
	for range 50 {
		for path, want := range map[string]int{"/": 200, "/other": 502, "/a/../b": 400} {
			r, err := http.NewRequest(http.MethodGet, "http://"+p.proxy, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.URL.Opaque = path
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if got := answer.StatusCode; got != want && !(want == 502 && got == 503) { // its breaker is open
				t.Fatalf("%s: got %d, want %d", path, got, want)
			}
		}
	}
	_, metrics := get("http://" + p.admin + "/metrics")
	for _, series := range []string{"evenkeel_endpoint_concurrency_limit", "evenkeel_pool_shed_ratio", "evenkeel_hedges_total", "evenkeel_endpoint_latency_seconds"} {
		if !strings.Contains(metrics, "\n"+series+"{") {
			t.Errorf("there is no series of %s to check", series)
		}
	}
	check := exec.Command(program, "check", "metrics")
	check.Stdin = strings.NewReader(metrics)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: got %v, want nothing\n%s", err, out)
	}
	t.Logf("%d series, %d bytes", strings.Count(metrics, "\n")-strings.Count(metrics, "\n#"), len(metrics))
}
