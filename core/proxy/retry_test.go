package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
)

// A first attempt fails in some way, a second one would do: who gets it?
func TestOneRetryAtAnotherEndpoint(t *testing.T) {
	unavailable := func(status int) http.HandlerFunc { return say(status, "first") }
	for _, tt := range []struct {
		name, method, body string
		first              http.HandlerFunc
		status             int // that the client gets
		says               string
		attempts           float64
	}{
		{"GET after 502", "GET", "", unavailable(502), 200, "second", 2},
		{"GET after 503", "GET", "", unavailable(503), 200, "second", 2},
		{"GET after 504", "GET", "", unavailable(504), 200, "second", 2},
		{"GET after a reset", "GET", "", reset, 200, "second", 2},
		{"HEAD after 503", "HEAD", "", unavailable(503), 200, "", 2},
		{"OPTIONS after a reset", "OPTIONS", "", reset, 200, "second", 2},
		{"GET after 500", "GET", "", unavailable(500), 500, "first", 1},
		{"GET after 404", "GET", "", unavailable(404), 404, "first", 1},
		{"GET after 429", "GET", "", unavailable(429), 429, "first", 1},
		{"POST after 503", "POST", "x", unavailable(503), 503, "first", 1},
		{"POST without a body after 503", "POST", "", unavailable(503), 503, "first", 1},
		{"POST after a reset", "POST", "x", reset, 502, "evenkeel: 502 Bad Gateway: reset\n", 1},
		{"PUT after 503", "PUT", "x", unavailable(503), 503, "first", 1},
		{"DELETE after 503", "DELETE", "", unavailable(503), 503, "first", 1},
		{"GET with a body after 503", "GET", "x", unavailable(503), 503, "first", 1},
		{"GET with a body after a reset", "GET", "x", reset, 502, "evenkeel: 502 Bad Gateway: reset\n", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			backends := newBackends(t, 2, inTurn(tt.first, say(200, "second")))
			g := newRig(t, plan{endpoints: urls(backends...)})
			var body io.Reader
			if tt.body != "" {
				body = strings.NewReader(tt.body)
			}
			got := g.do(t, g.request(t, tt.method, "/", body))
			wantStatus(t, got, tt.status)
			if got.body != tt.says {
				t.Errorf("body: got %q, want %q", got.body, tt.says)
			}
			wantCount(t, "attempts", g.count(t, "evenkeel_attempts_total"), tt.attempts)
			wantCount(t, "retries sent", g.count(t, "evenkeel_retries_total", `result="sent"`), tt.attempts-1)
			if a, b := backends[0].requests.Load(), backends[1].requests.Load(); a > 1 || b > 1 {
				t.Errorf("requests at the backends: got %d and %d, want none asked twice", a, b)
			}
		})
	}
}

func TestConnectFailureIsRetriedElsewhere(t *testing.T) {
	well := newBackend(t, say(200, "well"))
	g := newRig(t, plan{endpoints: []string{nobody(t), well.URL}})
	for range 4 {
		wantStatus(t, g.get(t, "/"), 200)
	}
	if got := g.count(t, "evenkeel_attempts_total", `outcome="connect-failure"`); got < 1 {
		t.Errorf("connect failures: got %v, want at least one among four requests in turn", got)
	}
	// A POST, too: nothing was sent, and what it has to send is still there.
	before := g.count(t, "evenkeel_retries_total", `result="sent"`)
	for range 2 {
		wantStatus(t, g.do(t, g.request(t, "POST", "/", strings.NewReader("x"))), 200)
	}
	if got := g.count(t, "evenkeel_retries_total", `result="sent"`); got <= before {
		t.Errorf("retries sent after two POSTs in turn: got %v as before, want more", got)
	}
	wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total"), 0.0)
}

func TestAtMostOneRetry(t *testing.T) {
	backends := newBackends(t, 4, inTurn(say(503, "first"), say(503, "second"), say(200, "third")))
	g := newRig(t, plan{endpoints: urls(backends...)})
	got := g.get(t, "/")
	wantStatus(t, got, 503)
	if got.body != "second" {
		t.Errorf("body: got %q, want the second answer's", got.body)
	}
	wantCount(t, "attempts", g.count(t, "evenkeel_attempts_total"), 2)
}

// Where there is no other endpoint, the client gets the answer that there is.
func TestWithoutAnotherEndpointTheAnswerIsDelivered(t *testing.T) {
	only := newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.Header().Set("X-Of", "the backend")
		w.WriteHeader(503)
		io.WriteString(w, "come back later")
	})
	g := newRig(t, plan{endpoints: urls(only)})
	got := g.get(t, "/")
	wantStatus(t, got, 503)
	if got.body != "come back later" || got.header.Get("X-Of") != "the backend" || got.header.Get("Retry-After") != "7" {
		t.Errorf("answer: got %q with %v, want the backend's own", got.body, got.header)
	}
	wantCount(t, "requests at the backend", only.requests.Load(), 1)
	wantCount(t, "retries", g.count(t, "evenkeel_retries_total", `result="no-endpoint"`), 1)
	wantCount(t, "rejections: the answer was the backend's", g.count(t, "evenkeel_rejections_total"), 0)
}

func TestRetriesKeepToTheirBudget(t *testing.T) {
	backends := newBackends(t, 2, say(503, "no"))
	g := newRig(t, plan{endpoints: urls(backends...), policies: func(p *config.Policies) {
		p.Breaker.Enabled = false
		p.Retries.BudgetRatio = 0.1
		p.Retries.BudgetMinPerSecond = 0
	}})
	for range 40 {
		wantStatus(t, g.get(t, "/"), 503)
	}
	// Every tenth request allows one more.
	wantCount(t, "retries sent", g.count(t, "evenkeel_retries_total", `result="sent"`), 4)
	wantCount(t, "retries not sent", g.count(t, "evenkeel_retries_total", `result="no-budget"`), 36)
}

// What breaks after the answer has begun is the client's to see: nothing is sent
// twice, and what arrived is not made to look complete.
func TestNoRetryAfterTheAnswerHasBegun(t *testing.T) {
	for _, tt := range []struct {
		name string
		head func(http.Header)
	}{
		{"chunked", func(http.Header) {}},
		{"with a length", func(h http.Header) { h.Set("Content-Length", "100") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			backends := newBackends(t, 2, inTurn(func(w http.ResponseWriter, r *http.Request) {
				tt.head(w.Header())
				io.WriteString(w, "half of ")
				http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}, say(200, "second")))
			g := newRig(t, plan{endpoints: urls(backends...), policies: func(p *config.Policies) { p.Breaker.ConsecutiveFailures = 1 }})
			answer, err := g.Client.Do(g.request(t, "GET", "/", nil))
			if err == nil {
				defer answer.Body.Close()
				var body []byte
				if body, err = io.ReadAll(answer.Body); err == nil {
					t.Errorf("body: got %q as if it were complete, want an error", body)
				}
			}
			wantCount(t, "attempts", g.count(t, "evenkeel_attempts_total"), 1)
			wantCount(t, "resets", g.count(t, "evenkeel_attempts_total", `outcome="reset"`), 1)
			open := 0
			for _, m := range g.router.View().Members {
				if m.Breaker(g.now()) == core.Open {
					open++
				}
			}
			wantCount(t, "open breakers after one failure", open, 1)
		})
	}
}

// The connection of an answer that is not delivered is used again.
func TestRetriesDoNotCostConnections(t *testing.T) {
	backends := newBackends(t, 2, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Turn") == "" {
			say(503, "no")(w, r)
			return
		}
	})
	g := newRig(t, plan{endpoints: urls(backends...), policies: func(p *config.Policies) { p.Breaker.Enabled = false }})
	for range 50 {
		g.get(t, "/")
	}
	for _, b := range backends {
		// Reading the rest of an answer that nobody wants may be cut short by the end
		// of the request: most connections survive, not every one.
		if got := b.connections.Load(); got > 25 {
			t.Errorf("connections of 50 attempts at %s: got %d, want most of the attempts to share some", b.host(), got)
		}
	}
}
