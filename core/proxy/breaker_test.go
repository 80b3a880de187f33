package proxy_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
)

// moody answers with whatever status it is set to.
func moody(status *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }
}

// strict is a pool whose breakers open at the second failure, for as long as they are
// told, without panic.
func strict(p *config.Policies) {
	p.Breaker.ConsecutiveFailures = 2
	p.Breaker.Jitter = 0
	p.PanicThreshold = 0
}

// The whole life of a breaker: closed, open, half-open and open again, half-open and
// closed.
func TestBreakerGatesItsEndpoint(t *testing.T) {
	var status atomic.Int64
	b := newBackend(t, moody(&status))
	g := newRig(t, plan{endpoints: urls(b), policies: strict})
	open := config.DefaultPolicies().Breaker.OpenFor
	for i, step := range []struct {
		after    time.Duration
		backend  int // what it would answer
		want     int // what the client gets
		breaker  core.State
		requests int64 // at the backend so far
	}{
		{0, 200, 200, core.Closed, 1},
		{0, 500, 500, core.Closed, 2},
		{0, 200, 200, core.Closed, 3}, // a success starts the count again
		{0, 500, 500, core.Closed, 4},
		{0, 500, 500, core.Open, 5},
		{0, 200, 503, core.Open, 5},
		{open - time.Second, 200, 503, core.Open, 5},
		{time.Second, 500, 500, core.Open, 6}, // the probe fails
		{open, 200, 503, core.Open, 6},        // twice as long now
		{open, 200, 200, core.Closed, 7},
		{0, 200, 200, core.Closed, 8},
	} {
		g.skip(step.after)
		status.Store(int64(step.backend))
		got := g.get(t, "/")
		if step.want == 503 {
			wantRejected(t, got, 503, "no-endpoint", "1")
		} else if got.status != step.want {
			t.Fatalf("step %d: got %d, want %d", i, got.status, step.want)
		}
		g.settled(t)
		if state := g.member(t, b).Breaker(g.now()); state != step.breaker {
			t.Fatalf("step %d: breaker: got %v, want %v", i, state, step.breaker)
		}
		if n := b.requests.Load(); n != step.requests {
			t.Fatalf("step %d: requests at the backend: got %d, want %d", i, n, step.requests)
		}
	}
	wantCount(t, "openings", g.count(t, "evenkeel_breaker_transitions_total", `from="closed"`, `to="open"`), 1)
}

// What opens a breaker, and what does not.
func TestOutcomesAndTheBreaker(t *testing.T) {
	for _, tt := range []struct {
		name string
		h    http.HandlerFunc
		want core.State
	}{
		{"200", say(200, ""), core.Closed}, {"204", say(204, ""), core.Closed}, {"304", say(304, ""), core.Closed},
		{"302", say(302, ""), core.Closed}, {"400", say(400, ""), core.Closed}, {"401", say(401, ""), core.Closed},
		{"404", say(404, ""), core.Closed}, {"499", say(499, ""), core.Closed},
		{"500", say(500, ""), core.Open}, {"502", say(502, ""), core.Open}, {"503", say(503, ""), core.Open}, {"501", say(501, ""), core.Open},
		{"reset", reset, core.Open},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBackend(t, tt.h)
			g := newRig(t, plan{endpoints: urls(b), policies: strict})
			for range 2 {
				g.get(t, "/")
			}
			g.settled(t)
			if got := g.member(t, b).Breaker(g.now()); got != tt.want {
				t.Errorf("breaker: got %v, want %v", got, tt.want)
			}
		})
	}
}
