package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/serve"
	"github.com/evenkeel/evenkeel/core/witness"
)

func TestSlowHeaderIsCutOff(t *testing.T) {
	var requests atomic.Int64
	s := start(t, parse(t, backend(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) }), ", read_header_timeout: 50ms", "", ""))
	for _, sent := range []string{"", "GET / HTTP/1.1\r\nHost: a\r\nX-Never-Ending: ", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"} {
		c := witness.Dial(t, "tcp", s.Addresses()[0])
		fmt.Fprint(c, sent)
		// Whatever is said, it has to end; the deadline would be an error.
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("after %q: got %v, want the connection closed", sent, err)
		}
	}
	if got := requests.Load(); got != 0 {
		t.Errorf("requests at the backend: got %d, want 0", got)
	}
	s.get(s.public()).want(t, "a request in time", 200, "")
}

func TestIdleConnectionIsClosed(t *testing.T) {
	s := start(t, parse(t, backend(t, func(http.ResponseWriter, *http.Request) {}), ", idle_timeout: 50ms", "", ""))
	c := witness.Dial(t, "tcp", s.Addresses()[0])
	in := bufio.NewReader(c)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, err := http.ReadResponse(in, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := in.ReadByte(); err != io.EOF {
		t.Errorf("idle connection: got %v, want the end", err)
	}
}

func TestHeaderTooLarge(t *testing.T) {
	var requests atomic.Int64
	s := start(t, parse(t, backend(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) }), ", max_header_bytes: 2048", "", ""))
	for _, tt := range []struct{ size, want int }{{1000, 200}, {20_000, 431}} {
		c := witness.Dial(t, "tcp", s.Addresses()[0])
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: a\r\nX-Large: %s\r\nConnection: close\r\n\r\n", strings.Repeat("x", tt.size))
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != tt.want {
			t.Errorf("header of %d bytes: got %d, want %d", tt.size, answer.StatusCode, tt.want)
		}
	}
	if got := requests.Load(); got != 1 {
		t.Errorf("requests at the backend: got %d, want 1", got)
	}
}

// A client may speak HTTP/2 without TLS, with many requests on one connection.
func TestH2C(t *testing.T) {
	s := start(t, parse(t, backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprintf(w, "%s %s %s", r.Proto, r.Header.Get("X-Forwarded-For"), body)
		w.Header().Set("X-Sum", "42")
	}), "", "", ""))
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: witness.Bound}
	for range 3 {
		answer, err := client.Post(s.public(), "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.Proto != "HTTP/2.0" || string(body) != "HTTP/1.1 127.0.0.1 hello" {
			t.Errorf("answer: got %q over %s, %v, want the backend's over HTTP/2.0", body, answer.Proto, err)
		}
		if got := answer.Trailer.Get("X-Sum"); got != "42" {
			t.Errorf("trailer: got %q, want 42", got)
		}
	}
}

// A body that does not come ends its request, not the connection with all the others.
func TestStalledUploadOverH2C(t *testing.T) {
	s := start(t, parse(t, backend(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }),
		", transfer: {stall: 1s}", "", "    timeouts: {response_header: 1m, total: 2m}"))
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: witness.Bound}
	for range 2 {
		body, half := io.Pipe()
		go io.WriteString(half, "half")
		answer, err := client.Post(s.public(), "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		half.Close()
		if answer.StatusCode != 408 {
			t.Errorf("status: got %d, want 408", answer.StatusCode)
		}
		if answer, err = client.Post(s.public(), "text/plain", strings.NewReader("whole")); err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != 200 {
			t.Errorf("status of a whole request: got %d, want 200", answer.StatusCode)
		}
	}
}

func TestAdminIsOnItsOwnPort(t *testing.T) {
	s := start(t, parse(t, backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "backend "+r.URL.Path) }), "", "", ""))
	for _, path := range []string{"/metrics", "/readyz", "/healthz", "/api/v1/pools"} {
		s.get(s.public()+path).want(t, "public "+path, 200, "backend "+path)
	}
	metrics := s.get(s.admin() + "/metrics")
	metrics.want(t, "metrics", 200, `evenkeel_build_info{`)
	for _, series := range []string{
		`evenkeel_requests_total{code="2xx",route="web"} 4`, `evenkeel_decisions_total{mode="adaptive",pool="web",reason="none"} 4`,
		`evenkeel_rejections_total{reason="no-endpoint",route="web"} 0`,
	} {
		metrics.want(t, "metrics", 200, series)
	}
	var pools struct {
		Pools []struct {
			Name, Strategy string
			Endpoints      []struct {
				Verdict, Breaker string
				Requests         int
				Share            float64
			}
		}
	}
	if err := json.Unmarshal([]byte(s.get(s.admin()+"/api/v1/pools").body), &pools); err != nil {
		t.Fatal(err)
	}
	if len(pools.Pools) != 1 || pools.Pools[0].Name != "web" || pools.Pools[0].Strategy != "round-robin" || len(pools.Pools[0].Endpoints) != 1 {
		t.Fatalf("pools: got %+v, want web with one endpoint", pools)
	}
	if e := pools.Pools[0].Endpoints[0]; e.Requests != 4 || e.Share != 1 || e.Verdict != "ready" || e.Breaker != "closed" {
		t.Errorf("endpoint: got %+v, want 4 requests, all of them, ready and closed", e)
	}
}

func TestAdminMayBeOff(t *testing.T) {
	file := parse(t, backend(t, func(http.ResponseWriter, *http.Request) {}), "", "", "")
	file.Admin.Enabled = false
	s := start(t, file)
	if got := s.AdminAddress(); got != "" {
		t.Errorf("admin address: got %q, want none", got)
	}
	s.get(s.public()).want(t, "a request", 200, "")
}

// Everything that the configuration says of routes is at work.
func TestRoutesOfTheConfiguration(t *testing.T) {
	a := backend(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a") })
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "b") })
	file, err := config.Parse("test", []byte(fmt.Sprintf(`
version: 1
listeners: [{address: "127.0.0.1:0"}, {address: "127.0.0.1:0"}]
admin: {address: "127.0.0.1:0"}
pools:
  - {name: a, endpoints: [{url: "%s"}]}
  - {name: b, endpoints: [{url: "%s"}]}
routes:
  - {path_prefix: /a, pool: a}
  - {path_prefix: /a/b, pool: b, methods: [GET]}
  - {path_prefix: /limited, pool: a, rate_limit: {rate: 0.001, burst: 1}}
  - {path_prefix: /each, pool: a, rate_limit: {rate: 0.001, burst: 1, key: client, ipv4_prefix: 24, ipv6_prefix: 56}}
trusted_proxies: [127.0.0.1]
`, a, b)))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, file)
	if len(s.Addresses()) != 2 {
		t.Fatalf("addresses: got %v, want two", s.Addresses())
	}
	for _, address := range s.Addresses() {
		s.get("http://"+address+"/a").want(t, "/a", 200, "a")
		s.get("http://"+address+"/a/b").want(t, "/a/b", 200, "b")
		s.get("http://"+address+"/ab").want(t, "/ab", 404, "no-route")
	}
	s.get(s.public()+"/limited").want(t, "first", 200, "a")
	rejected := s.get(s.public() + "/limited")
	rejected.want(t, "second", 429, "rate-limit")
	if got := rejected.header.Get("Retry-After"); got != "1000" {
		t.Errorf("Retry-After: got %q, want 1000", got)
	}
	for _, step := range []struct {
		client string
		want   int
	}{{"1.1.1.1", 200}, {"1.1.1.1", 429}, {"1.1.1.2", 429}, {"1.1.2.1", 200}, {"2001:db8:0:1::", 200}, {"2001:db8:0:ff::", 429}, {"2001:db8:0:100::", 200}} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.public()+"/each", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", step.client)
		got, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		if got.StatusCode != step.want {
			t.Errorf("request for %s: got %d, want %d", step.client, got.StatusCode, step.want)
		}
	}
}

func TestHealthChecksRun(t *testing.T) {
	var sick atomic.Bool
	log, o := &witness.Log{}, options()
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	s := startWith(t, parse(t, backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" && sick.Load() {
			w.WriteHeader(500)
		}
	}), "", "", "    health: {path: /health, interval: 2ms, rise: 2, fall: 2}\n    panic_threshold: 0"), o)
	for _, down := range []bool{true, false} {
		sick.Store(down)
		want, ready := 200, 200
		if down {
			want, ready = 503, 503
		}
		witness.Eventually(t, fmt.Sprint("readyz of a pool that is down: ", down), func() bool { return s.get(s.admin()+"/readyz").status == ready })
		s.get(s.public()).want(t, fmt.Sprint("a request when down: ", down), want, "")
		says := map[bool]string{true: "fallen out of use", false: "back in use"}[down]
		witness.Eventually(t, "a line in the log: "+says, func() bool { return strings.Contains(log.String(), says) })
	}
}

// What cannot be is one line, and leaves no port open.
func TestWhatCannotBeStarted(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	at, first := taken.Addr().String(), free.Addr().String()
	for _, tt := range []struct {
		name   string
		change func(*config.File)
		want   string
	}{
		{"a port in use", func(f *config.File) { f.Listeners[0].Address = at }, "cannot listen on " + at + ": "},
		{"a second port in use", func(f *config.File) {
			f.Listeners[0].Address = first
			f.Listeners = append(f.Listeners, config.Listener{Address: at})
		}, "cannot listen on " + at + ": "},
		{"an admin port in use", func(f *config.File) {
			f.Listeners[0].Address = first
			f.Admin.Address = at
		}, "admin: cannot listen on " + at + ": "},
		{"a strategy that does not exist", func(f *config.File) { f.Pools[0].Strategy.Name = "magic" }, `pool web: adaptive: unknown strategy "magic"`},
		{"two endpoints that are one", func(f *config.File) {
			f.Pools[0].Endpoints = append(f.Pools[0].Endpoints, f.Pools[0].Endpoints[0])
		}, "pool web: "},
		{"a rate of all that cannot be", func(f *config.File) { f.RateLimit = &config.RateLimit{Rate: -1, Burst: 1} }, "rate_limit: "},
		{"a rate that cannot be", func(f *config.File) { f.Routes[0].RateLimit = &config.RateLimit{Rate: -1, Burst: 1} }, "route web: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := parse(t, "http://127.0.0.1:9", "", "", "")
			tt.change(file)
			s, err := serve.New(file, options())
			if err == nil {
				t.Fatalf("New: got a server on %v, want an error", s.Addresses())
			}
			if !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error: got %q, want one line that begins with %q", err, tt.want)
			}
			if !refused(first) {
				t.Errorf("%s after the error: got a connection, want it closed", first)
			}
		})
	}
}

// A listener that breaks ends the server, with an error.
func TestAListenerThatFailsEndsTheServer(t *testing.T) {
	file := parse(t, "http://127.0.0.1:9", "", "", "")
	s, err := serve.New(file, options())
	if err != nil {
		t.Fatal(err)
	}
	serve.Break(s)
	done := make(chan error, 1)
	go func() { done <- s.Run(context.Background(), context.Background()) }()
	if err := witness.Await(t, "end of the server", done); err == nil {
		t.Error("end of the server: got nil, want an error")
	}
}

func TestAccessLogOfTheConfiguration(t *testing.T) {
	lines := make(chan string, 100)
	file := parse(t, backend(t, func(http.ResponseWriter, *http.Request) {}), "", "log: {access: true}", "")
	o := options()
	o.Log = slog.New(slog.NewJSONHandler(toLines(lines), nil))
	built, err := serve.New(file, o)
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- built.Run(stop, context.Background()) }()
	answer, err := http.Get("http://" + built.Addresses()[0] + "/path")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	var got map[string]any
	for got["msg"] != "request" {
		got = nil
		if err := json.Unmarshal([]byte(witness.Await(t, "line of the log", lines)), &got); err != nil {
			t.Fatal(err)
		}
	}
	delete(got, "time")
	delete(got, "seconds")
	want := map[string]any{
		"level": "INFO", "msg": "request", "log": "access", "client": "127.0.0.1", "method": "GET", "path": "/path",
		"host": built.Addresses()[0], "status": 200.0, "bytes": 0.0, "pool": "web", "attempts": 1.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("access log (-want +got):\n%s", diff)
	}
	stopped()
	if err := witness.Await(t, "end of the server", done); err != nil {
		t.Errorf("end of the server: got %v, want nil", err)
	}
}

// toLines sends what is written to it line by line.
type toLines chan<- string

func (l toLines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}
