package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// gate is a breaker that does as it is told.
type gate struct {
	verdict core.Verdict
	state   core.State
}

func (g *gate) Peek(core.Instant) core.Verdict { return g.verdict }
func (g *gate) State(core.Instant) core.State  { return g.state }
func (g *gate) Acquire(_ core.Instant, forced bool) (core.Permit, bool) {
	return 0, g.verdict.Open() || forced
}
func (g *gate) Release(core.Permit, core.Instant)               {}
func (g *gate) Answered(core.Permit, core.Instant, core.Sample) {}
func (g *gate) Settle(core.Permit, core.Instant, core.Sample)   {}

// estimator knows what it is told.
type estimator struct {
	cost, latency float64
	fresh         bool
}

func (e *estimator) Cost(core.Instant) float64            { return e.cost }
func (e *estimator) Latency(core.Instant) (float64, bool) { return e.latency, e.fresh }
func (e *estimator) Begin(core.Instant)                   {}
func (e *estimator) Answered(core.Instant, core.Sample)   {}
func (e *estimator) End(core.Instant, core.Sample)        {}

// moody is a picker that is in a mode.
type moody struct{ pick.RoundRobin }

func (*moody) Mode() (core.Mode, core.Reason) { return core.Fallback, core.SignalThin }

// router is a router whose members have the given gates and estimators, by key.
func router(t *testing.T, p core.Picker, gates map[string]*gate, estimators map[string]*estimator, endpoints ...core.Endpoint) *core.Router {
	t.Helper()
	r := core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)},
		Picker: p,
		Equip: func(m *core.Member) core.Parts {
			var parts core.Parts
			if g := gates[m.Key]; g != nil {
				parts.Gates = append(parts.Gates, g)
			}
			if e := estimators[m.Key]; e != nil {
				parts.Estimator = e
			}
			return parts
		},
	})
	if err := r.Update(0, endpoints); err != nil {
		t.Fatal(err)
	}
	return r
}

func begin(t *testing.T, r *core.Router) *core.Lease {
	t.Helper()
	var ask core.Ask
	var lease core.Lease
	if !r.Begin(0, &ask, &lease) {
		t.Fatal("no lease")
	}
	return &lease
}

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

type stringer string

func (s stringer) String() string { return string(s) }

func clock() core.Instant { return 0 }

// ask sends one request straight to the handler.
func ask(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPaths(t *testing.T) {
	metrics := text(http.StatusOK, "some_metric 1\n")
	bare := Handler(Options{})
	full := Handler(Options{Metrics: metrics, Decisions: text(http.StatusOK, "[]\n"), Pprof: true})
	unready := Handler(Options{Ready: func() error { return errors.New("draining:\n  two\tlines") }})
	cases := []struct {
		handler      http.Handler
		method, path string
		status       int
		body         string // contained
		allow        string
	}{
		{bare, "GET", "/", 200, "/healthz", ""},
		{bare, "GET", "/healthz", 200, "ok\n", ""},
		{bare, "GET", "/readyz", 200, "ok\n", ""},
		{bare, "GET", "/api/v1/pools", 200, `{"pools":[]}` + "\n", ""},
		{bare, "GET", "/metrics", 404, "/healthz", ""},
		{bare, "GET", "/api/v1/decisions", 404, "/api/v1/pools", ""},
		{bare, "GET", "/debug/pprof/", 404, "/readyz", ""},
		{bare, "GET", "/debug/pprof/heap", 404, "/readyz", ""},
		{bare, "GET", "/nowhere", 404, "nothing here", ""},
		{bare, "GET", "/healthz/", 404, "nothing here", ""},
		{bare, "POST", "/nowhere", 404, "nothing here", ""},
		{bare, "POST", "/healthz", 405, "allowed: GET, HEAD", "GET, HEAD"},
		{bare, "DELETE", "/api/v1/pools", 405, "", "GET, HEAD"},
		{bare, "OPTIONS", "/readyz", 405, "", "GET, HEAD"},
		{bare, "PUT", "/", 405, "", "GET, HEAD"},
		{bare, "HEAD", "/healthz", 200, "", ""},
		{full, "GET", "/metrics", 200, "some_metric 1\n", ""},
		{full, "POST", "/metrics", 405, "", "GET, HEAD"},
		{full, "GET", "/api/v1/decisions", 200, "[]\n", ""},
		{full, "GET", "/", 200, "/debug/pprof/", ""},
		{full, "GET", "/debug/pprof/", 200, "goroutine", ""},
		{full, "GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile", ""},
		{full, "GET", "/debug/pprof/cmdline", 200, "", ""},
		{full, "POST", "/debug/pprof/symbol", 200, "num_symbols", ""},
		{full, "POST", "/debug/pprof/profile", 405, "", "GET, HEAD"},
		{unready, "GET", "/readyz", 503, "draining: two lines\n", ""},
		{unready, "HEAD", "/readyz", 503, "", ""},
		{unready, "GET", "/healthz", 200, "ok\n", ""},
	}
	for _, c := range cases {
		w := ask(c.handler, c.method, c.path)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s %s: %d %q, want %d with %q", c.method, c.path, w.Code, w.Body, c.status, c.body)
		}
		if got := w.Header().Get("Allow"); got != c.allow {
			t.Errorf("%s %s: Allow %q, want %q", c.method, c.path, got, c.allow)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s %s: Cache-Control %q", c.method, c.path, got)
		}
	}
}

// The texts of probes, to the byte.
func TestProbeBodies(t *testing.T) {
	h := Handler(Options{Ready: func() error { return ErrNoEndpoint }})
	if got := ask(h, "GET", "/healthz").Body.String(); got != "ok\n" {
		t.Errorf("healthz says %q", got)
	}
	if got := ask(h, "GET", "/readyz").Body.String(); got != "no usable endpoint in any pool\n" {
		t.Errorf("readyz says %q", got)
	}
}

// Over a real connection: at a loopback address, with an ordinary client.
func TestServed(t *testing.T) {
	server := httptest.NewServer(Handler(Options{}))
	defer server.Close()
	get := func(method, host string) (int, string) {
		r, err := http.NewRequest(method, server.URL+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	if status, body := get("GET", ""); status != 200 || body != "ok\n" {
		t.Errorf("GET: %d %q", status, body)
	}
	if status, body := get("HEAD", ""); status != 200 || body != "" {
		t.Errorf("HEAD: %d %q", status, body)
	}
	if status, _ := get("GET", "evil.example"); status != 403 {
		t.Errorf("by another name: %d", status)
	}
}

func TestGuard(t *testing.T) {
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9901}
	public := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9901}
	cases := []struct {
		name   string
		at     net.Addr
		host   string
		header []string
		status int
	}{
		{"plain", loopback, "127.0.0.1:9901", nil, 200},
		{"localhost", loopback, "LocalHost:9901", nil, 200},
		{"localhost, rooted", loopback, "localhost.", nil, 200},
		{"below localhost", loopback, "evenkeel.localhost:9901", nil, 200},
		{"IPv6", loopback, "[::1]:9901", nil, 200},
		{"IPv6 without port", loopback, "[::1]", nil, 200},
		{"no host", loopback, "", nil, 200},
		{"listed", loopback, "Admin.internal:9901", nil, 200},
		{"rebound", loopback, "evil.example:9901", nil, 403},
		{"not quite localhost", loopback, "localhost.evil.example", nil, 403},
		{"not quite localhost either", loopback, "evillocalhost", nil, 403},
		{"a name at a public address", public, "evenkeel.svc:9901", nil, 200},
		{"a name at a socket", &net.UnixAddr{Name: "admin.sock"}, "evenkeel", nil, 200},
		{"own origin", loopback, "localhost:9901", []string{"Origin", "http://localhost:9901"}, 200},
		{"own origin over TLS", public, "a.example", []string{"Origin", "https://a.example"}, 200},
		{"other origin", loopback, "localhost:9901", []string{"Origin", "http://evil.example"}, 403},
		{"other origin, public", public, "a.example", []string{"Origin", "http://evil.example"}, 403},
		{"other port", loopback, "localhost:9901", []string{"Origin", "http://localhost:3000"}, 403},
		{"null origin", loopback, "localhost:9901", []string{"Origin", "null"}, 403},
		{"bad origin", loopback, "localhost:9901", []string{"Origin", "http://%zz"}, 403},
		{"two origins", loopback, "localhost:9901", []string{"Origin", "http://localhost:9901", "Origin", "http://evil.example"}, 403},
		{"image in a foreign page", loopback, "localhost:9901", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"image in a neighbour's page", loopback, "localhost:9901", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"link in a foreign page", loopback, "localhost:9901", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200},
		{"typed", loopback, "localhost:9901", []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, 200},
		{"own page", loopback, "localhost:9901", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors"}, 200},
	}
	h := Handler(Options{Hosts: []string{"admin.internal"}})
	for _, c := range cases {
		r := httptest.NewRequest("GET", "/healthz", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, c.at))
		r.Host = c.host
		for i := 0; i < len(c.header); i += 2 {
			r.Header.Add(c.header[i], c.header[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.status)
		}
	}
}

func TestPoolsToTheByte(t *testing.T) {
	r := router(t, &moody{}, nil,
		map[string]*estimator{"10.0.0.1:80": {cost: 0.5, latency: 0.25, fresh: true}},
		core.Endpoint{Key: "10.0.0.1:80", Weight: 2, Target: parse(t, "http://10.0.0.1:80/?a=1&b=2")})
	begin(t, r)
	h := Handler(Options{Now: clock, Pools: func() []Pool { return []Pool{{Name: "web", Strategy: "p2c-ewma", Router: r}} }})
	w := ask(h, "GET", "/api/v1/pools")
	want := `{"pools":[{"name":"web","strategy":"p2c-ewma","mode":"fallback","reason":"signal-thin","endpoints":[` +
		`{"url":"http://10.0.0.1:80/?a=1&b=2","weight":2,"verdict":"ready","breaker":"closed","pending":1,` +
		`"cost_seconds":0.5,"latency_seconds":0.25,"requests":1,"share":1}]}]}` + "\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
}

func TestPoolsTellTheState(t *testing.T) {
	gates := map[string]*gate{"a": {}, "b": {}, "c": {}}
	estimators := map[string]*estimator{
		"a": {cost: 0.5, latency: 0.25},          // not fresh, known all the same
		"b": {cost: 1e6},                         // never answered
		"d": {cost: math.Inf(1), latency: 0.125}, // a broken estimator breaks no answer
	}
	r := router(t, &pick.RoundRobin{}, gates, estimators,
		core.Endpoint{Key: "a", Weight: 1, Target: parse(t, "http://user:secret@a")},
		core.Endpoint{Key: "b", Weight: 0.5, Target: stringer("http://user:secret@b")},
		core.Endpoint{Key: "c", Weight: 1, Target: 7},
		core.Endpoint{Key: "d", Weight: 0},
	)
	begin(t, r)
	begin(t, r)
	begin(t, r).Settle(0, core.Sample{})
	begin(t, r).Settle(0, core.Sample{}) // a again: d is drained
	*gates["b"] = gate{core.Barred, core.Open}
	*gates["c"] = gate{core.Probing, core.HalfOpen}
	idle := router(t, &pick.RoundRobin{}, nil, nil, core.Endpoint{Key: "e", Weight: 1, Target: stringer("e, plainly")})
	empty := router(t, &pick.RoundRobin{}, nil, nil)
	busy := []Route{{"b", 3, 5}}
	h := Handler(Options{Now: clock, Pools: func() []Pool {
		return []Pool{{Name: "one", Strategy: "ewma", Router: r}, {Name: "two", Strategy: "round-robin", Router: idle, Routes: busy}, {Name: "three", Strategy: "random", Router: empty}}
	}})
	var got poolsAnswer
	if err := json.Unmarshal(ask(h, "GET", "/api/v1/pools").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	number := func(v float64) *float64 { return &v }
	want := poolsAnswer{[]poolState{
		{"one", "ewma", "adaptive", "none", []endpointState{
			{"http://user:xxxxx@a", 1, "ready", "closed", 1, number(0.5), number(0.25), 2, 0.5, 0},
			{"http://user:xxxxx@b", 0.5, "barred", "open", 1, nil, nil, 1, 0.25, 0},
			{"c", 1, "probing", "half-open", 0, nil, nil, 1, 0.25, 0},
			{"d", 0, "drained", "closed", 0, nil, number(0.125), 0, 0, 0},
		}, nil, nil},
		{"two", "round-robin", "adaptive", "none", []endpointState{
			{"e, plainly", 1, "ready", "closed", 0, nil, nil, 0, 0, 0},
		}, nil, busy},
		{"three", "random", "adaptive", "none", []endpointState{}, nil, nil},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUsable(t *testing.T) {
	pool := func(verdicts ...core.Verdict) Pool {
		gates := map[string]*gate{}
		var endpoints []core.Endpoint
		for i, v := range verdicts {
			key := string(rune('a' + i))
			gates[key] = &gate{verdict: v}
			endpoints = append(endpoints, core.Endpoint{Key: key, Weight: 1})
		}
		return Pool{Router: router(t, &pick.RoundRobin{}, gates, nil, endpoints...)}
	}
	cases := []struct {
		name  string
		pools []Pool
		want  error
	}{
		{"no pools", nil, nil},
		{"a pool without endpoints", []Pool{pool()}, ErrNoEndpoint},
		{"ready", []Pool{pool(core.Ready)}, nil},
		{"probing", []Pool{pool(core.Probing)}, nil},
		{"full: busy is not broken", []Pool{pool(core.Full)}, nil},
		{"barred", []Pool{pool(core.Barred, core.Barred)}, ErrNoEndpoint},
		{"drained", []Pool{pool(core.Drained)}, ErrNoEndpoint},
		{"one of two", []Pool{pool(core.Barred, core.Ready)}, nil},
		{"one pool of two", []Pool{pool(core.Barred), pool(core.Ready)}, nil},
		{"no pool of two", []Pool{pool(core.Barred), pool(core.Drained)}, ErrNoEndpoint},
	}
	for _, c := range cases {
		if got := Usable(c.pools, 0); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
