package proxy_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/limit"
	"github.com/evenkeel/evenkeel/core/proxy"
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
		routes[0].Limiter = limit.New(rate)
		if keyed {
			routes[0].Limiter = limit.NewKeyed(rate, 1000)
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
