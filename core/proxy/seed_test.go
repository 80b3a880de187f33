// The demonstration project that this one grew from had these faults, all of them read
// in its source. Each test here shows over real HTTP that this proxy is free of one;
// it is named after what should be, and its comment says what was.
package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/serve"
	"github.com/evenkeel/evenkeel/core/witness"
)

// It moved the index between choosing a backend and looking its breaker up, and so
// consulted another backend's.
func TestSeedTheBreakerConsultedIsThePickedEndpointsOwn(t *testing.T) {
	for _, strategy := range config.Strategies {
		for sick := range 3 {
			t.Run(fmt.Sprint(strategy, " ", sick), func(t *testing.T) {
				var backends []*backend
				for i := range 3 {
					status := 200
					if i == sick {
						status = 500
					}
					backends = append(backends, newBackend(t, say(status, "")))
				}
				g := newRig(t, plan{endpoints: urls(backends...), trusted: []string{"127.0.0.0/8"}, policies: func(p *config.Policies) {
					strict(p)
					p.Strategy = config.NewStrategy(strategy)
				}})
				// from asks as one client of many: some strategies go by that.
				from := func(client int) answer {
					r := g.request(t, "GET", "/", nil)
					r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.0.0.%d", client%250))
					return g.do(t, r)
				}
				m := g.member(t, backends[sick])
				// How soon depends on the strategy; it comes to that within a few draws.
				for n := 0; m.Breaker(g.now()) != core.Open; n++ {
					if n == 1000 {
						t.Fatalf("breaker after %d requests: got %v, want open", n, m.Breaker(g.now()))
					}
					from(n)
					g.settled(t)
					g.skip(100 * time.Millisecond) // what is idle gets another chance
				}
				before := backends[sick].requests.Load()
				for n := range 50 {
					wantStatus(t, from(n), 200)
				}
				wantCount(t, "requests at the endpoint whose breaker is open", backends[sick].requests.Load()-before, 0)
				for i, b := range backends {
					if got := g.member(t, b).Breaker(g.now()); (got == core.Open) != (i == sick) {
						t.Errorf("breaker of %d: got %v, want open only at %d", i, got, sick)
					}
				}
			})
		}
	}
}

// It made an http.Transport for every request: no connection was ever used again, and
// each leaked.
func TestSeedOneTransportForAllRequests(t *testing.T) {
	backends := newBackends(t, 2, say(200, "hello"))
	g := newRig(t, plan{endpoints: urls(backends...)})
	for range 100 {
		wantStatus(t, g.get(t, "/"), 200)
	}
	for _, b := range backends {
		wantCount(t, "connections of 50 requests", b.connections.Load(), 1)
	}
}

// Its half-open state let everything through.
func TestSeedHalfOpenLetsOneProbeThrough(t *testing.T) {
	const clients = 20
	fail := true
	arrived, let := make(chan struct{}, clients), newGate(t)
	b := newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		if fail {
			w.WriteHeader(500)
			return
		}
		arrived <- struct{}{}
		<-let.open
	})
	g := newRig(t, plan{endpoints: urls(b), policies: strict})
	for range 2 {
		wantStatus(t, g.get(t, "/"), 500)
	}
	g.settled(t)
	fail = false
	g.skip(config.DefaultPolicies().Breaker.OpenFor)

	var answers []<-chan answer
	for range clients {
		answers = append(answers, g.ask(t, g.request(t, "GET", "/", nil)))
	}
	witness.Await(t, "probe", arrived)
	merged := make(chan answer, clients)
	for _, a := range answers {
		go func() { merged <- <-a }()
	}
	for range clients - 1 {
		wantRejected(t, witness.Await(t, "answer while the probe is under way", merged), 503, "no-endpoint", "1")
	}
	wantCount(t, "requests at the backend", b.requests.Load(), 3)
	let.Open()
	wantStatus(t, witness.Await(t, "answer of the probe", merged), 200)
	for range 5 {
		wantStatus(t, g.get(t, "/"), 200)
	}
}

// It counted every status but 2xx as a failure, 304 and 404 among them.
func TestSeedNotModifiedAndNotFoundAreNoFailures(t *testing.T) {
	b := newBackend(t, inTurn(say(304, ""), say(404, ""), say(304, ""), say(404, "")))
	g := newRig(t, plan{endpoints: urls(b), policies: strict})
	for i := range 20 {
		if got := g.get(t, "/").status; got != 304 && got != 404 {
			t.Fatalf("request %d: got %d, want the backend's answer", i, got)
		}
	}
	g.settled(t)
	if got := g.member(t, b).Breaker(g.now()); got != core.Closed {
		t.Errorf("breaker: got %v, want closed", got)
	}
	wantCount(t, "server errors", g.count(t, "evenkeel_attempts_total", `outcome="server-error"`), 0)
}

// It answered 503 when the backend that it had picked was open or down, though another
// was well.
func TestSeedAnotherEndpointIsTried(t *testing.T) {
	well := newBackend(t, say(200, "well"))
	g := newRig(t, plan{endpoints: []string{nobody(t), well.URL, nobody(t)}, policies: func(p *config.Policies) {
		strict(p)
		p.Retries.Attempts = 3
	}})
	for range 50 {
		wantStatus(t, g.get(t, "/"), 200)
	}
	open := 0
	for _, m := range g.router.View().Members {
		if m.Breaker(g.now()) == core.Open {
			open++
		}
	}
	wantCount(t, "open breakers", open, 2)
}

// Its round robin looked for a backend that was well for ever when there was none.
func TestSeedAllDownIsAnAnswer(t *testing.T) {
	for _, strategy := range config.Strategies {
		for _, panic := range []float64{0, 0.5} {
			t.Run(fmt.Sprint(strategy, " panic below ", panic), func(t *testing.T) {
				g := newRig(t, plan{endpoints: []string{nobody(t), nobody(t), nobody(t)}, policies: func(p *config.Policies) {
					strict(p)
					p.Strategy = config.NewStrategy(strategy)
					p.PanicThreshold = panic
				}})
				var last answer
				for range 20 {
					last = g.get(t, "/")
				}
				if panic == 0 {
					wantRejected(t, last, 503, "no-endpoint", "1")
				} else {
					wantRejected(t, last, 502, "connect-failure", "")
				}
			})
		}
	}
}

// It rejected without saying when to come back.
func TestSeedRejectionsCarryRetryAfter(t *testing.T) {
	g := newRig(t, plan{endpoints: urls(newBackend(t, say(200, ""))), routes: limited(t, 0.5, 1, false)})
	wantStatus(t, g.get(t, "/"), 200)
	wantRejected(t, g.get(t, "/"), 429, "rate-limit", "2")
	none := newRig(t, plan{})
	wantRejected(t, none.get(t, "/"), 503, "no-endpoint", "1")
}

// It labelled its metrics with the raw path: a series for every path that anybody
// could think of.
func TestSeedMetricsHaveNoPathInThem(t *testing.T) {
	g := newRig(t, plan{endpoints: urls(newBackend(t, say(200, "")))})
	wantStatus(t, g.get(t, "/"), 200)
	g.settled(t)
	before := strings.Count(g.scrape(), "\nevenkeel_")
	for i := range 50 {
		wantStatus(t, g.get(t, fmt.Sprintf("/find-me/%d?find-me=%d", i, i)), 200)
	}
	g.settled(t)
	after := g.scrape()
	if strings.Contains(after, "find-me") {
		t.Error("metrics: got a path in them")
	}
	wantCount(t, "series after 50 paths more", strings.Count(after, "\nevenkeel_"), before)
	wantCount(t, "requests", g.count(t, "evenkeel_requests_total", `route="web"`), 51)
}

// It served its metrics on the public port, in the way of the backends' own path.
func TestSeedMetricsOfThePublicPortAreTheEndpoints(t *testing.T) {
	s := newServed(t, newBackend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "the backend's "+r.URL.Path) }))
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/api/v1/pools", "/debug/pprof/"} {
		if got, want := s.get(t, "http://"+s.Addresses()[0]+path), "the backend's "+path; got != want {
			t.Errorf("%s on the public port: got %.60q, want %q", path, got, want)
		}
	}
	if got := s.get(t, "http://"+s.AdminAddress()+"/metrics"); !strings.Contains(got, "evenkeel_requests_total") {
		t.Errorf("/metrics on the admin port: got %.60q, want the metrics", got)
	}
}

// It had no server timeouts, and no shutdown: a client that sends nothing kept its
// connection for ever, and a deployment cut requests off.
func TestSeedServerTimeoutsAndShutdown(t *testing.T) {
	arrived, let := make(chan struct{}, 1), newGate(t)
	s := newServed(t, newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-let.open
		io.WriteString(w, "complete")
	}))
	slow, err := net.Dial("tcp", s.Addresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	slow.SetDeadline(time.Now().Add(witness.Bound))
	fmt.Fprint(slow, "GET / HTTP/1.1\r\nHost: a\r\nX-Never-Ending: ")
	if rest, err := io.ReadAll(bufio.NewReader(slow)); err != nil {
		t.Errorf("connection of a client that never finishes its request: got %q, %v, want it closed", rest, err)
	}

	bodies := make(chan string, 1)
	go func() { bodies <- s.get(t, "http://"+s.Addresses()[0]+"/") }()
	witness.Await(t, "request at the backend", arrived)
	s.stop()
	let.Open()
	if got := witness.Await(t, "answer of the request in progress", bodies); got != "complete" {
		t.Errorf("request in progress at the stop: got %q, want it complete", got)
	}
	if err := witness.Await(t, "end of the server", s.done); err != nil {
		t.Errorf("end of the server: got %v, want nil", err)
	}
}

// served is the whole server in front of a backend.
type served struct {
	*serve.Server
	stop   func()
	done   chan error
	client *http.Client
}

func newServed(t *testing.T, b *backend) *served {
	t.Helper()
	file, err := config.Parse("test", []byte(`
version: 1
listeners: [{address: "127.0.0.1:0", read_header_timeout: 50ms}]
admin: {address: "127.0.0.1:0"}
pools: [{name: web, endpoints: [{url: "`+b.URL+`"}]}]
`))
	if err != nil {
		t.Fatal(err)
	}
	server, err := serve.New(file, serve.Options{Assemble: adaptive.Build, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	stop, cancel := context.WithCancel(context.Background())
	s := &served{server, cancel, make(chan error, 1), &http.Client{Transport: &http.Transport{}, Timeout: witness.Bound}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.done <- server.Run(stop, context.Background())
	}()
	t.Cleanup(func() {
		cancel()
		s.client.CloseIdleConnections()
		witness.Await(t, "end of the server", ended)
	})
	return s
}

// get is the body at a URL; an error is its text.
func (s *served) get(t *testing.T, url string) string {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}
