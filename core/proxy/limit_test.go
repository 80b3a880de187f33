package proxy_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/limit"
	"github.com/evenkeel/evenkeel/core/proxy"
	"github.com/evenkeel/evenkeel/core/witness"
)

// limited puts a limiter in front of the route. The rig's clock has to be put forward
// for tokens to come: the rates are slow.
func limited(t *testing.T, perSecond float64, burst int, keyed bool) func([]proxy.Route) []proxy.Route {
	t.Helper()
	rate, err := limit.NewRate(perSecond, burst)
	if err != nil {
		t.Fatal(err)
	}
	return func(routes []proxy.Route) []proxy.Route {
		routes[0].Limit = &proxy.Limit{Limiter: limit.New(rate, 0)}
		if keyed {
			routes[0].Limit = &proxy.Limit{Limiter: limit.NewKeyed(rate, 0, 1000), IPv4Prefix: 32, IPv6Prefix: 64}
		}
		return routes
	}
}

func TestRateLimitOfARoute(t *testing.T) {
	b := newBackend(t, say(200, ""))
	g := newRig(t, plan{endpoints: urls(b), routes: limited(t, 1.0/60, 2, false)})
	for i, step := range []struct {
		after      time.Duration
		status     int
		retryAfter string
	}{
		{0, 200, ""}, {0, 200, ""}, // the burst
		{0, 429, "60"},                // rounded up
		{30 * time.Second, 429, "30"}, // it costs nothing to ask
		{30 * time.Second, 200, ""},
		{0, 429, "60"},
		{59*time.Second + 500*time.Millisecond, 429, "1"}, // never 0
		{time.Second, 200, ""},
	} {
		g.skip(step.after)
		got := g.get(t, "/")
		if step.status == 429 {
			wantRejected(t, got, 429, "rate-limit", step.retryAfter)
		} else if got.status != step.status {
			t.Fatalf("step %d: got %d, want %d", i, got.status, step.status)
		}
	}
	wantCount(t, "requests at the backend", b.requests.Load(), 4)
	wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total", `route="web"`, `reason="rate-limit"`), 4)
	wantCount(t, "4xx", g.count(t, "evenkeel_requests_total", `code="4xx"`), 4)
}

// A limiter by client tells clients apart by address, whatever their ports.
func TestRateLimitByClient(t *testing.T) {
	for _, tt := range []struct {
		name     string
		trusted  []string
		requests []string // X-Forwarded-For of each; "" for none
		want     []int
	}{
		{"every port of an address is one client", nil, []string{"", ""}, []int{200, 429}},
		{"what a client says of itself is nothing", nil, []string{"1.1.1.1", "2.2.2.2"}, []int{200, 429}},
		{"a trusted peer's clients are told apart", []string{"127.0.0.0/8"},
			[]string{"1.1.1.1", "2.2.2.2", "1.1.1.1", ""}, []int{200, 200, 429, 200}},
		{"what a client told the trusted peer is nothing", []string{"127.0.0.0/8"},
			[]string{"9.9.9.9, 1.1.1.1", "8.8.8.8, 1.1.1.1"}, []int{200, 429}},
		{"trusted peers in a row", []string{"127.0.0.0/8", "10.0.0.0/8"},
			[]string{"1.1.1.1, 10.0.0.1", "1.1.1.1,10.0.0.2", "2.2.2.2, 10.0.0.1"}, []int{200, 429, 200}},
		{"an address in two ways of writing", []string{"127.0.0.0/8"},
			[]string{"2001:db8::1", "2001:DB8:0:0::1", "::ffff:1.1.1.1", "1.1.1.1"}, []int{200, 429, 200, 429}},
		{"an address with a port", []string{"127.0.0.0/8"},
			[]string{"1.1.1.1:1000", "1.1.1.1:2000", "2.2.2.2:1000", "[2001:db8::1]:5", "[2001:db8::1]:6"}, []int{200, 429, 200, 200, 429}},
		{"a client has a network of IPv6", []string{"127.0.0.0/8"},
			[]string{"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1", "::ffff:1.1.1.1", "::ffff:1.1.1.2"}, []int{200, 429, 200, 200, 200}},
		{"a link has one for all", []string{"127.0.0.0/8"}, []string{"fe80::1", "fe80::2", "fe80::1"}, []int{200, 200, 429}},
		{"what is no address is the peer's", []string{"127.0.0.0/8"},
			[]string{"unknown", "garbage", "2.2.2.2"}, []int{200, 429, 200}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig(t, plan{endpoints: urls(newBackend(t, say(200, ""))), trusted: tt.trusted, routes: limited(t, 0.001, 1, true)})
			g.Client.Transport.(*http.Transport).DisableKeepAlives = true // each from a port of its own
			for i, forwarded := range tt.requests {
				r := g.request(t, "GET", "/", nil)
				if forwarded != "" {
					r.Header.Set("X-Forwarded-For", forwarded)
				}
				if got := g.do(t, r); got.status != tt.want[i] {
					t.Errorf("request %d for %q: got %d, want %d", i, forwarded, got.status, tt.want[i])
				}
			}
		})
	}
}

func TestTheClientIsTheSameInSeveralHeaderLines(t *testing.T) {
	g := newRig(t, plan{endpoints: urls(newBackend(t, say(200, ""))), trusted: []string{"127.0.0.0/8"}, routes: limited(t, 0.001, 1, true)})
	for i, want := range []int{200, 429} {
		r := g.request(t, "GET", "/", nil)
		r.Header["X-Forwarded-For"] = []string{fmt.Sprint(i, ".0.0.1"), "1.1.1.1"}
		if got := g.do(t, r); got.status != want {
			t.Errorf("request %d: got %d, want %d", i, got.status, want)
		}
	}
}

// The limit stands in front: what it rejects no endpoint hears of, and no queue.
func TestRateLimitIsPerRoute(t *testing.T) {
	g := newRig(t, plan{endpoints: urls(newBackend(t, say(200, ""))), routes: func(routes []proxy.Route) []proxy.Route {
		free := routes[0]
		free.Name, free.Match.PathPrefix = "free", "/free"
		return append(limited(t, 0.001, 1, false)(routes), free)
	}})
	for _, step := range []struct {
		path string
		want int
	}{{"/", 200}, {"/", 429}, {"/free", 200}, {"/free/x", 200}, {"/other", 429}} {
		if got := g.get(t, step.path); got.status != step.want {
			t.Errorf("%s: got %d, want %d", step.path, got.status, step.want)
		}
	}
}

// quota is a limit of its own, told to clients.
func quota(t *testing.T, name string, perSecond float64, burst int, most time.Duration) *proxy.Limit {
	t.Helper()
	rate, err := limit.NewRate(perSecond, burst)
	if err != nil {
		t.Fatal(err)
	}
	return &proxy.Limit{Limiter: limit.New(rate, most), Name: name, Headers: true}
}

// The route's limit and that of all routes, and what a client is told of both: also on
// an answer of the proxy's own, and beside what the endpoint says.
func TestQuotaHeaders(t *testing.T) {
	b := newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("RateLimit", `"app";r=9;t=9`)
	})
	all := quota(t, "global", 10.0/60, 10, 0)
	g := newRig(t, plan{endpoints: urls(b), limit: all, routes: func(routes []proxy.Route) []proxy.Route {
		routes[0].Limit = quota(t, "web", 4.0/60, 4, 0) // a token every 15 s, of the other every 6 s
		routes[0].Cost = 2
		free := routes[0]
		free.Name, free.Match.PathPrefix, free.Limit, free.Cost = "free", "/free", nil, 0
		return append(routes, free)
	}})
	const policies = `"web";q=4;w=60, "global";q=10;w=60`
	for i, step := range []struct {
		path       string
		after      time.Duration
		status     int
		retryAfter string
		policy     string
		left       string
	}{
		{"/", 0, 200, "", policies, `"web";r=2;t=30, "global";r=8;t=12`},
		{"/", 0, 200, "", policies, `"web";r=0;t=60, "global";r=6;t=24`},
		{"/", 0, 429, "30", policies, `"web";r=0;t=60, "global";r=6;t=24`}, // two tokens; nothing taken of the other
		{"/free", 0, 200, "", `"global";q=10;w=60`, `"global";r=5;t=30`},
		{"/", 30 * time.Second, 200, "", policies, `"web";r=0;t=60, "global";r=8;t=12`},
	} {
		g.skip(step.after)
		got := g.get(t, step.path)
		wantStatus(t, got, step.status)
		left := []string{step.left}
		if step.status == 200 {
			left = append(left, `"app";r=9;t=9`)
		}
		if h := got.header; h.Get("Retry-After") != step.retryAfter || h.Get("RateLimit-Policy") != step.policy || !slices.Equal(h.Values("RateLimit"), left) {
			t.Errorf("step %d: got %q, want Retry-After %q, policy %q, left %q", i, h, step.retryAfter, step.policy, left)
		}
	}
}

// What the limit of all refuses costs nothing in the route's.
func TestTheSecondLimitRefuses(t *testing.T) {
	all := quota(t, "global", 1.0/60, 1, 0)
	g := newRig(t, plan{endpoints: urls(newBackend(t, say(200, ""))), limit: all, routes: func(routes []proxy.Route) []proxy.Route {
		routes[0].Limit = quota(t, "web", 1.0/600, 2, 0)
		return routes
	}})
	for i, want := range []string{`"web";r=1;t=600, "global";r=0;t=60`, `"web";r=1;t=600, "global";r=0;t=60`} {
		got := g.get(t, "/")
		if status := []int{200, 429}[i]; got.status != status || got.header.Get("RateLimit") != want {
			t.Errorf("request %d: got %d and %q, want %d and %q", i, got.status, got.header.Get("RateLimit"), status, want)
		}
	}
	wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total", `reason="rate-limit"`), 1)
}

// A rate of 1000 a second with a burst of 100 is filled in a tenth of a second: the
// window that is told is a whole second, and its quota what comes in that time.
func TestQuotaOfAShortWindow(t *testing.T) {
	g := newRig(t, plan{endpoints: urls(newBackend(t, say(200, ""))), limit: quota(t, "global", 1000, 100, 0)})
	if got, want := g.get(t, "/").header.Get("RateLimit-Policy"), `"global";q=1000;w=1`; got != want {
		t.Errorf("policy: got %q, want %q", got, want)
	}
}

// What comes too early waits for its turn, up to a bound, and is not rejected; no
// endpoint hears of it before. A client that leaves meanwhile is no rejection either.
func TestRateLimitDelays(t *testing.T) {
	b := newBackend(t, say(200, ""))
	g := newRig(t, plan{endpoints: urls(b), limit: quota(t, "global", 1e6, 1000, 0), routes: func(routes []proxy.Route) []proxy.Route {
		routes[0].Limit = quota(t, "web", 50, 1, 30*time.Millisecond)
		return routes
	}})
	began := time.Now()
	for range 3 {
		wantStatus(t, g.get(t, "/"), 200)
	}
	// The second and the third token come 20 and 40 ms after the first: a lower bound,
	// however slow the machine.
	if took := time.Since(began); took < 39*time.Millisecond {
		t.Errorf("three requests at 50 a second: got answers within %v, want no less than 40 ms", took)
	}
	wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total"), 0)

	minute := quota(t, "global", 1.0/60, 1, time.Hour)
	slow := newRig(t, plan{endpoints: urls(b), limit: minute})
	wantStatus(t, slow.get(t, "/"), 200)
	ctx, leave := context.WithCancel(t.Context())
	waits := slow.ask(t, slow.request(t, "GET", "/", nil).WithContext(ctx))
	witness.Eventually(t, "the second has its token", func() bool { // 60 s and more until it is full
		_, full := minute.Left(slow.now(), 0)
		return full > 61*time.Second
	})
	leave()
	if got, ok := <-waits; ok {
		t.Errorf("answer to a client that has left: got %d, want none", got.status)
	}
	wantCount(t, "attempts", slow.count(t, "evenkeel_attempts_total"), 1) // of the first
	wantCount(t, "499s", slow.count(t, "evenkeel_requests_total", `code="499"`), 1)
	wantCount(t, "requests at the backend", b.requests.Load(), 4)
}
