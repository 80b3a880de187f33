package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/evenkeel/evenkeel/adaptive"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/explain"
	"github.com/evenkeel/evenkeel/core/proxy"
	"github.com/evenkeel/evenkeel/core/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long a test waits for what has to happen. It is reached by failures
// only, however busy the machine is.
const bound = 2 * time.Minute

// clock is the wall clock, which can be put forward.
type clock struct {
	epoch time.Time
	ahead atomic.Int64
}

func (c *clock) now() core.Instant {
	return core.Instant(time.Since(c.epoch)) + core.Instant(c.ahead.Load())
}

func (c *clock) skip(d time.Duration) { c.ahead.Add(int64(d)) }

// backend is a server that counts what arrives.
type backend struct {
	*httptest.Server
	requests, connections atomic.Int64
}

func (b *backend) host() string { return strings.TrimPrefix(b.URL, "http://") }

func newBackend(t testing.TB, h http.HandlerFunc) *backend {
	t.Helper()
	b := &backend{}
	b.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.requests.Add(1)
		h(w, r)
	}))
	b.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			b.connections.Add(1)
		}
	}
	b.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	b.Start()
	t.Cleanup(b.Close)
	return b
}

// newBackends starts n backends with the same handler.
func newBackends(t *testing.T, n int, h http.HandlerFunc) []*backend {
	t.Helper()
	var all []*backend
	for range n {
		all = append(all, newBackend(t, h))
	}
	return all
}

func urls(backends ...*backend) []string {
	var all []string
	for _, b := range backends {
		all = append(all, b.URL)
	}
	return all
}

// nobody is the URL of an address at which nothing listens: that of the client's end
// of a connection, which keeps the port from being somebody else's meanwhile.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return "http://" + c.LocalAddr().String()
}

// inTurn answers its first call with the first handler, the second with the second,
// and all further ones with the last: whichever backend is asked.
func inTurn(handlers ...http.HandlerFunc) http.HandlerFunc {
	var calls atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		handlers[min(int(calls.Add(1)), len(handlers))-1](w, r)
	}
}

// say answers with a status and a body.
func say(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// reset breaks the connection off without an answer.
func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// gate is something that a test opens once, at its end at the latest: before anything is
// cleaned up, since a server that is closed waits for its handlers, and they for the gate.
type gate struct {
	open chan struct{}
	once sync.Once
}

func newGate(t testing.TB) *gate {
	g := &gate{open: make(chan struct{})}
	context.AfterFunc(t.Context(), g.Open)
	return g
}

func (g *gate) Open() { g.once.Do(func() { close(g.open) }) }

// plan is what a rig is made of. What is left out has a default.
type plan struct {
	endpoints []string
	policies  func(*config.Policies)            // changes the default policies with round robin
	routes    func([]proxy.Route) []proxy.Route // changes the one route, web, from /
	limit     *proxy.Limit                      // of all routes
	trusted   []string
	explain   []string // peers that are told why
	decisions *explain.Log
	upstream  config.Upstream // how the endpoints are reached
	transport http.RoundTripper
	access    *slog.Logger
	clients   proxy.Clients // what clients are held to
}

// rig is a proxy at work, over real connections.
type rig struct {
	*clock
	URL      string
	Client   *http.Client
	handler  http.Handler // the proxy itself
	router   *core.Router
	metrics  http.Handler
	unrouted *telemetry.Route
	log      *logBuffer
	running  running
	defects  atomic.Int64
}

func newRig(t testing.TB, p plan) *rig {
	t.Helper()
	g := &rig{clock: &clock{epoch: time.Now()}, log: &logBuffer{}}
	policies := config.DefaultPolicies()
	policies.Strategy = config.NewStrategy("round-robin")
	policies.Timeouts = config.Timeouts{Connect: bound, ResponseHeader: bound, Total: bound, Idle: bound}
	if p.policies != nil {
		p.policies(&policies)
	}
	metrics := telemetry.New("test")
	g.metrics = metrics.Handler()
	g.unrouted = metrics.Route("none")
	pm := metrics.Pool("web", g.now)
	var err error
	if g.router, err = adaptive.Build(policies, core.Driver{Source: proxy.Source{}, Observe: pm.Observe}); err != nil {
		t.Fatal(err)
	}
	var endpoints []core.Endpoint
	for _, text := range p.endpoints {
		e := config.Endpoint{URL: text}
		where, err := proxy.UpstreamOf(e)
		if err != nil {
			t.Fatal(err)
		}
		endpoints = append(endpoints, core.Endpoint{Key: e.Key(), Weight: 1, Target: where})
	}
	if err := g.router.Update(g.now(), endpoints); err != nil {
		t.Fatal(err)
	}
	pm.Watch(g.router)
	if p.transport == nil {
		transport, err := proxy.NewTransport(p.upstream, policies.Timeouts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(transport.CloseIdleConnections)
		p.transport = transport
	}
	pool := &proxy.Pool{Name: "web", Router: g.router, Transport: p.transport, Metrics: pm, Idle: policies.Timeouts.Idle, Affinity: proxy.AffinityOf(policies.Strategy), Decisions: p.decisions}
	if policies.Shed != nil {
		pool.PriorityHeader = policies.Shed.PriorityHeader
	}
	routes := []proxy.Route{{Name: "web", Match: proxy.Match{PathPrefix: "/"}, Pool: pool}}
	if p.routes != nil {
		routes = p.routes(routes)
	}
	for i := range routes {
		routes[i].Metrics = metrics.Route(routes[i].Name)
	}
	options := proxy.Options{
		Routes: routes, Unrouted: g.unrouted, Now: g.now, Access: p.access, Limit: p.limit,
		Log: slog.New(slog.NewTextHandler(g.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, text := range p.explain {
		options.Explain = append(options.Explain, netip.MustParsePrefix(text))
	}
	for _, text := range p.trusted {
		options.Trusted = append(options.Trusted, netip.MustParsePrefix(text))
	}
	options.Defect = func(what string, fault any) {
		g.defects.Add(1)
		options.Log.Error(what, "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
	}
	served := proxy.New(options)
	g.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { served.Serve(w, r, &p.clients) })
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.running.add(1)
		defer g.running.add(-1)
		g.handler.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	g.URL = server.URL
	g.Client = &http.Client{
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100},
		Timeout:       bound,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		g.Client.CloseIdleConnections()
		server.CloseClientConnections()
		server.Close()
		g.settled(t)
	})
	return g
}

// running counts the requests that the proxy is serving.
type running struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n is 0
}

func (r *running) add(d int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == 0 {
		r.none = make(chan struct{})
	}
	if r.n += d; r.n == 0 {
		close(r.none)
	}
}

// settled waits until the proxy has ended every request that it has begun, and checks
// that no lease is left.
func (g *rig) settled(t testing.TB) {
	t.Helper()
	g.running.mu.Lock()
	none := g.running.none
	g.running.mu.Unlock()
	if none != nil {
		await(t, "end of all requests", none)
	}
	for _, m := range g.router.View().Members {
		if got := m.Pending(); got != 0 {
			t.Errorf("pending at %s: got %d, want 0", m.Key, got)
		}
	}
	if a := g.router.Admission(); a != nil {
		if inFlight, waiting := a.InFlight(); inFlight != 0 || waiting != 0 {
			t.Errorf("admission: got %d in flight and %d waiting, want none", inFlight, waiting)
		}
	}
}

// count is the sum of the series of a metric whose labels include all the given ones,
// each written as name="value". It is read when every request has ended.
func (g *rig) count(t *testing.T, metric string, labels ...string) float64 {
	t.Helper()
	g.settled(t)
	return g.read(t, metric, labels...)
}

func (g *rig) read(t *testing.T, metric string, labels ...string) float64 {
	t.Helper()
	sum := 0.0
series:
	for line := range strings.Lines(g.scrape()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		base, rest, _ := strings.Cut(name, "{")
		if base != metric {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(rest, l) {
				continue series
			}
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		sum += v
	}
	return sum
}

func (g *rig) scrape() string {
	w := httptest.NewRecorder()
	g.metrics.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// member is the pool's member at a backend.
func (g *rig) member(t *testing.T, b *backend) *core.Member {
	t.Helper()
	for _, m := range g.router.View().Members {
		if m.Key == b.host() {
			return m
		}
	}
	t.Fatalf("no member at %s", b.host())
	return nil
}

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
}

// get asks the proxy for a path.
func (g *rig) get(t *testing.T, path string) answer {
	t.Helper()
	return g.do(t, g.request(t, http.MethodGet, path, nil))
}

func (g *rig) request(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, g.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (g *rig) do(t *testing.T, r *http.Request) answer {
	t.Helper()
	got, err := g.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{got.StatusCode, got.Header, string(body)}
}

// ask sends a request from another goroutine and returns where its answer will be.
func (g *rig) ask(t *testing.T, r *http.Request) <-chan answer {
	t.Helper()
	answers := make(chan answer, 1)
	go func() {
		defer close(answers)
		got, err := g.Client.Do(r)
		if err != nil {
			return
		}
		defer got.Body.Close()
		body, _ := io.ReadAll(got.Body)
		answers <- answer{got.StatusCode, got.Header, string(body)}
	}()
	return answers
}

// dial opens a connection to the proxy, for what http.Client would not send.
func (g *rig) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(g.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(bound)); err != nil {
		t.Fatal(err)
	}
	return c
}

// await waits for a channel to be closed or to have something.
func await[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(bound):
		t.Fatalf("%s: got nothing within %v", what, bound)
		panic("unreachable")
	}
}

// eventually waits for a condition that announces itself nowhere.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: it did not come to that within %v", what, bound)
		}
	}
}

func wantStatus(t *testing.T, got answer, want int) {
	t.Helper()
	if got.status != want {
		t.Fatalf("status: got %d, want %d; body %q", got.status, want, got.body)
	}
}

func wantCount[N int | int64 | float64](t *testing.T, what string, got, want N) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// logBuffer keeps what is logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newSecure starts a TLS backend with a certificate that nobody has signed.
func newSecure(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// newTransport returns a transport by the default settings.
func newTransport(t testing.TB, timeouts config.Timeouts) *proxy.Transport {
	t.Helper()
	transport, err := proxy.NewTransport(config.Upstream{}, timeouts)
	if err != nil {
		t.Fatal(err)
	}
	return transport
}

// dialUnless dials, but to one address only: all others take too long.
func dialUnless(known string, dial dialer) dialer {
	late := (&net.Dialer{Deadline: time.Unix(1, 0)}).DialContext
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == known {
			return dial(ctx, network, address)
		}
		return late(ctx, network, address)
	}
}
