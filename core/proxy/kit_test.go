package proxy_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime/debug"
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
	"github.com/evenkeel/evenkeel/core/witness"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is the wall clock, which can be put forward.
type clock struct {
	epoch time.Time
	ahead atomic.Int64
}

func (c *clock) now() core.Instant {
	return core.Instant(time.Since(c.epoch)) + core.Instant(c.ahead.Load())
}

func (c *clock) skip(d time.Duration) { c.ahead.Add(int64(d)) }

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
	log      *witness.Log
	running  running
	defects  atomic.Int64
}

func newRig(t testing.TB, p plan) *rig {
	t.Helper()
	g := &rig{clock: &clock{epoch: time.Now()}, log: &witness.Log{}}
	policies := config.DefaultPolicies()
	policies.Strategy = config.NewStrategy("round-robin")
	policies.Retries.HungAfter = 0 // a busy machine is slow, and nothing hangs there
	policies.Timeouts = config.Timeouts{Connect: witness.Bound, ResponseHeader: witness.Bound, Total: witness.Bound, Idle: witness.Bound}
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
		Timeout:       witness.Bound,
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
		witness.Await(t, "end of all requests", none)
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
