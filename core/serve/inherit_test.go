package serve_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/serve"
	"github.com/evenkeel/evenkeel/core/witness"
)

// A pool whose policies have changed has another router, which knows what the one before
// knew: the estimate of an endpoint and that the breaker of the other is open. Its
// connections stay.
func TestReloadInheritsWhatWasLearned(t *testing.T) {
	good := named(t, "good")
	bad := backend(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	f := &source{}
	write := func(settings string) {
		f.write(oneListener+"pools: [{name: web, endpoints: [%q, %q], %s}]", good, bad, settings)
	}
	const breaker = "breaker: {consecutive_failures: 1, open_for: 1h, max_open_for: 1h}"
	write(breaker)
	s := serveFile(t, f, io.Discard)
	connections := serve.Transport(s.Server, "web")
	members := func() (known, open *core.Member) {
		all := serve.Router(s.Server, "web").View().Members
		return all[0], all[1]
	}
	for range 20 {
		s.get(s.public())
	}
	known, open := members()
	if latency, _ := known.Latency(0); latency == 0 || open.Breaker(0) != core.Open {
		t.Fatalf("before: latency %v s, breaker %v; want some, and open", latency, open.Breaker(0))
	}
	var learned float64
	for _, settings := range []string{
		"strategy: {name: p2c-ewma, decay: 1h}, " + breaker, // from here on the estimate stays where it is
		"strategy: {name: p2c-ewma, decay: 1h, near: 0.3}, " + breaker,
		"strategy: {name: ewma, decay: 1h}, retries: {budget_ratio: 0.3}, " + breaker,
		"strategy: {name: ewma, decay: 1h}, breaker: {consecutive_failures: 7, open_for: 1s, half_open_requests: 3}",
	} {
		before := serve.Router(s.Server, "web")
		write(settings)
		reload(t, s)
		if serve.Router(s.Server, "web") == before {
			t.Fatalf("%s: the router is the same", settings)
		}
		known, open := members()
		latency, _ := known.Latency(0)
		if learned == 0 {
			learned = latency
		}
		if latency == 0 || latency < 0.9*learned || latency > 1.1*learned {
			t.Errorf("%s: latency: got %v s, want %v s", settings, latency, learned)
		}
		if got := open.Breaker(0); got != core.Open {
			t.Errorf("%s: breaker: got %v, want open", settings, got)
		}
		if got := known.Pending() + open.Pending(); got != 0 {
			t.Errorf("%s: pending: got %d, want 0", settings, got)
		}
		s.get(s.public()).want(t, settings, 200, "good")
	}
	if serve.Transport(s.Server, "web") != connections {
		t.Error("the connections are others")
	}
}

// A limit in flight holds across a reload that makes another router: who is in progress by the
// one before has its place still, and gives it back.
func TestReloadKeepsPlaces(t *testing.T) {
	arrived, let := make(chan struct{}, 1), make(chan struct{})
	slow := backend(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			arrived <- struct{}{}
			<-let
		}
	})
	f := &source{}
	write := func(limit, budget string) {
		f.write(oneListener+"pools: [{name: web, endpoints: [%q], %s, retries: {budget_ratio: %s}}]", slow, limit, budget)
	}
	for _, limit := range []string{"concurrency: {name: fixed, limit: 1}", "endpoint_concurrency: {name: fixed, limit: 1}"} {
		write(limit, "0.1")
		s := serveFile(t, f, io.Discard)
		first := s.ask(s.public() + "/slow")
		witness.Await(t, "request at the endpoint", arrived)
		before := serve.Router(s.Server, "web")
		write(limit, "0.2")
		reload(t, s)
		if serve.Router(s.Server, "web") == before {
			t.Fatal("the router is the same")
		}
		s.get(s.public()).want(t, limit+", with one in progress since before", 503, "")
		let <- struct{}{}
		witness.Await(t, "the slow answer", first).want(t, "the one in progress", 200, "")
		witness.Eventually(t, "the place is free", func() bool { return s.get(s.public()).status == 200 })
	}
}

// What a limiter has found stays when other policies of its pool change, and within its bounds
// when those do. Here it is a tenth less for each answer that says there is too much.
func TestReloadKeepsLimits(t *testing.T) {
	busy := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(503)
	})
	f := &source{}
	write := func(settings string) {
		f.write(oneListener+"pools: [{name: web, endpoints: [%q], breaker: {enabled: false}, %s}]", busy, settings)
	}
	write("retries: {attempts: 1}, concurrency: {name: aimd, initial: 100}, endpoint_concurrency: {name: aimd, initial: 200}")
	s := serveFile(t, f, io.Discard)
	s.get(s.public())
	for _, c := range []struct {
		settings       string
		pool, endpoint int
	}{
		{"panic_threshold: 0.4, concurrency: {name: aimd, initial: 100}, endpoint_concurrency: {name: aimd, initial: 200}", 90, 180},
		{"concurrency: {name: aimd, initial: 10, max: 80}, endpoint_concurrency: {name: aimd, min: 190, initial: 200}", 80, 190},
		{"concurrency: {name: vegas, initial: 30}", 30, 0},
		{"concurrency: {name: vegas, initial: 40}, endpoint_concurrency: {name: fixed, limit: 5}", 30, 5},
	} {
		write(c.settings)
		reload(t, s)
		r := serve.Router(s.Server, "web")
		if got := r.Admission().Limiter().Limit(); got != c.pool {
			t.Errorf("%s: limit of the pool: got %d, want %d", c.settings, got, c.pool)
		}
		endpoint := 0
		if l := r.View().Members[0].Limiter(); l != nil {
			endpoint = l.Limit()
		}
		if endpoint != c.endpoint {
			t.Errorf("%s: limit of the endpoint: got %d, want %d", c.settings, endpoint, c.endpoint)
		}
	}
}

// The files that a pool names are read again when they have changed, although its settings
// have not: the proxy shows its new certificate, and believes the new authority. Otherwise
// the connections stay. A request in progress finishes on the connection that it is on.
func TestReloadReadsUpstreamFiles(t *testing.T) {
	a := newAuthority(t)
	files := a.issue(t, "proxy", "proxy")
	a.issue(t, "endpoint", "localhost")
	arrived, let := make(chan struct{}, 1), make(chan struct{})
	endpoint := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			arrived <- struct{}{}
			<-let
		}
		fmt.Fprint(w, r.TLS.PeerCertificates[0].SerialNumber)
	}))
	endpoint.TLS = &tls.Config{
		Certificates: []tls.Certificate{a.client(t, "endpoint")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool,
	}
	endpoint.StartTLS()
	t.Cleanup(endpoint.Close)
	f := &source{}
	f.write(oneListener+"pools: [{name: web, strategy: round-robin, timeouts: {total: 1h}, tls: {ca_file: %q, server_name: localhost, %s}, endpoints: [%q]}]",
		filepath.Join(a.folder, "authority.crt"), files, endpoint.URL)
	s := serveFile(t, f, io.Discard)
	router, connections := serve.Router(s.Server, "web"), serve.Transport(s.Server, "web")
	first := s.get(s.public())
	first.want(t, "before", 200, "2")
	for range 3 {
		reload(t, s)
		s.get(s.public()).want(t, "with the same files", 200, first.body)
	}
	if serve.Transport(s.Server, "web") != connections {
		t.Error("the connections are others while the files are the same")
	}
	slow := s.ask(s.public() + "/slow")
	witness.Await(t, "request at the endpoint", arrived)

	a.issue(t, "proxy", "proxy")
	s.get(s.public()).want(t, "before it is told", 200, first.body)
	reload(t, s)
	second := s.get(s.public())
	second.want(t, "with the new certificate", 200, "4")
	if first.body == second.body || serve.Router(s.Server, "web") != router {
		t.Errorf("certificates: got %s and %s, want different ones, and the same router", first.body, second.body)
	}
	close(let)
	witness.Await(t, "the slow answer", slow).want(t, "request in progress", 200, first.body)

	if err := os.WriteFile(filepath.Join(a.folder, "authority.crt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil {
		t.Error("an authority that is none: got no error")
	}
	s.get(s.public()).want(t, "after a reload that failed", 200, second.body)
	other := newAuthority(t)
	text, err := os.ReadFile(filepath.Join(other.folder, "authority.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.folder, "authority.crt"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	reload(t, s)
	s.get(s.public()).want(t, "with another authority", 502, "")
}
