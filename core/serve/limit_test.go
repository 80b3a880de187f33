package serve_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core/witness"
)

// The limits of the configuration reach the requests: that of all routes, a route's cost,
// what clients are told, and the header that says how important a request is.
func TestLimitsOfTheConfiguration(t *testing.T) {
	b := backend(t, func(http.ResponseWriter, *http.Request) {})
	file := parse(t, b, "", `
rate_limit: {rate: 0.01, burst: 5}
trusted_proxies: [127.0.0.0/8]
routes:
  - {path_prefix: /, pool: web, rate_limit: {rate: 0.01, burst: 3, headers: false}}
  - {path_prefix: /dear, pool: web, cost: 3}
`, `    shed: {name: accept-ratio, priority_header: X-Priority, max_ratio: 0.5}
    endpoint_concurrency: vegas
    concurrency: {name: gradient2, dry_run: true}`)
	s := start(t, file)
	for i, step := range []struct {
		path   string
		status int
		left   string
	}{
		{"/", 200, `"global";r=4;t=100`},
		{"/dear", 200, `"global";r=1;t=400`},
		{"/dear", 429, `"global";r=1;t=400`},
		{"/", 200, `"global";r=0;t=500`},
		{"/", 429, `"global";r=0;t=500`},
	} {
		got := s.get(s.public() + step.path)
		if got.err != nil || got.status != step.status || got.header.Get("RateLimit") != step.left {
			t.Errorf("step %d, %s: got %d and %q, %v; want %d and %q", i, step.path, got.status, got.header.Get("RateLimit"), got.err, step.status, step.left)
		}
	}
	pools := s.get(s.admin() + "/api/v1/pools")
	pools.want(t, "pools", 200, `"concurrency":{"name":"gradient2","limit":20,"in_flight":`)
	pools.want(t, "pools", 200, `"limit":20}]`)
	metrics := s.get(s.admin() + "/metrics")
	for _, line := range []string{
		`evenkeel_pool_concurrency_limit{pool="web"} 20`,
		`evenkeel_pool_shed_window_requests{pool="web"} 3`,
		`evenkeel_pool_beyond_limit_total{pool="web"} 0`,
		`evenkeel_endpoint_concurrency_limit{endpoint="` + b[len("http://"):] + `",pool="web"} 20`,
	} {
		metrics.want(t, "metrics", 200, line+"\n")
	}
}

// The header that says how important a request is comes from the configuration, too. Of
// a backend that fails all, half is shed: all that is of the last class, a part of the
// many between, and nothing of the first.
func TestPriorityHeaderOfTheConfiguration(t *testing.T) {
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	s := start(t, parse(t, b, "", "trusted_proxies: [127.0.0.0/8]", `    shed: {name: accept-ratio, priority_header: X-Priority, max_ratio: 0.5}
    breaker: {enabled: false}`))
	ask := func(priority string) int {
		r, err := http.NewRequest(http.MethodGet, s.public(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Priority", priority)
		got, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		return got.StatusCode
	}
	for priority, n := range map[string]int{"0": 40, "1": 100, "3": 20} {
		for range n {
			ask(priority)
		}
	}
	witness.Eventually(t, "the last class is shed", func() bool { return ask("3") == 503 })
	for i := range 30 {
		if last, first := ask("3"), ask("0"); last != 503 || first != 500 {
			t.Errorf("round %d: got %d for the last class and %d for the first, want 503 and 500", i, last, first)
		}
	}
}

// A route's requests in progress go on counting across reloads, be the bound new, other or
// gone, and each gives its place back when it ends. The API tells of them.
func TestReloadKeepsWhatIsInFlight(t *testing.T) {
	arrived, let := make(chan struct{}, 3), make(chan struct{})
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			arrived <- struct{}{}
			<-let
		}
	})
	f := &source{}
	bound := func(route string) {
		f.write(oneListener+"pools: [{name: web, endpoints: [%q]}]\nroutes: [{name: all, pool: web%s}]", b, route)
	}
	bound("")
	s := serveFile(t, f, io.Discard)
	var waiting []<-chan answer
	begin := func() {
		waiting = append(waiting, s.ask(s.public()+"/wait"))
		witness.Await(t, "request at the backend", arrived)
	}
	told := func(routes string) {
		t.Helper()
		s.get(s.admin()+"/api/v1/pools").want(t, "pools", 200, routes)
	}
	begin()
	for _, step := range []struct {
		bound  string
		status int // of one more
		routes string
	}{
		{", max_in_flight: 1", 503, `"routes":[{"name":"all","in_flight":1,"limit":1}]`},
		{", max_in_flight: 2", 200, `"routes":[{"name":"all","in_flight":1,"limit":2}]`},
		{"", 200, `"endpoints":`},
		{", max_in_flight: 1, cost: 2", 503, `"routes":[{"name":"all","in_flight":1,"limit":1}]`},
	} {
		bound(step.bound)
		reload(t, s)
		if got := s.get(s.public()); got.err != nil || got.status != step.status {
			t.Errorf("with%q: got %d, %v, want %d", step.bound, got.status, got.err, step.status)
		}
		witness.Eventually(t, "only the one that waits is in flight", func() bool {
			body := s.get(s.admin() + "/api/v1/pools").body
			return strings.Contains(body, step.routes) && strings.Contains(body, `"routes"`) == (step.bound != "")
		})
	}
	bound(", max_in_flight: 2")
	reload(t, s)
	begin()
	told(`"in_flight":2,"limit":2}`)
	close(let)
	for _, a := range waiting {
		if got := witness.Await(t, "answer", a); got.status != 200 {
			t.Errorf("one that waited: got %d, %v, want 200", got.status, got.err)
		}
	}
	witness.Eventually(t, "nothing is in flight", func() bool {
		return strings.Contains(s.get(s.admin()+"/api/v1/pools").body, `"in_flight":0,"limit":2}`)
	})
}
