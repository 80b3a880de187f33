package proxy_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/witness"
)

// oneAtATime is a pool that takes one request, and lets one more wait.
func oneAtATime(wait time.Duration) func(*config.Policies) {
	return func(p *config.Policies) {
		p.Concurrency = &config.Concurrency{Name: "fixed", Limit: 1, Queue: 1, MaxWait: wait}
	}
}

// line is a backend whose requests arrive one by one, and are answered when told.
func line(t *testing.T) (b *backend, arrived <-chan struct{}, let chan<- struct{}) {
	at, on := make(chan struct{}, 10), make(chan struct{}, 10)
	b = newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		at <- struct{}{}
		select {
		case <-on:
		case <-r.Context().Done():
		}
	})
	return b, at, on
}

func (g *rig) waiting() int {
	_, n := g.router.Admission().InFlight()
	return n
}

func TestTheSecondWaitsAndTheThirdIsRefused(t *testing.T) {
	b, arrived, let := line(t)
	g := newRig(t, plan{endpoints: urls(b), policies: oneAtATime(witness.Bound)})
	first := g.ask(t, g.request(t, "GET", "/", nil))
	witness.Await(t, "first request", arrived)
	second := g.ask(t, g.request(t, "GET", "/", nil))
	witness.Eventually(t, "second in the queue", func() bool { return g.waiting() == 1 })

	third := g.get(t, "/")
	wantRejected(t, third, 503, "queue-full", "1")
	wantCount(t, "requests at the backend meanwhile", b.requests.Load(), 1)

	let <- struct{}{}
	wantStatus(t, witness.Await(t, "first answer", first), 200)
	witness.Await(t, "second request", arrived)
	let <- struct{}{}
	wantStatus(t, witness.Await(t, "second answer", second), 200)
	wantCount(t, "refused", g.count(t, "evenkeel_rejections_total", `reason="queue-full"`), 1)
	wantCount(t, "rejections in all", g.count(t, "evenkeel_rejections_total"), 1)
}

func TestWaitingTooLong(t *testing.T) {
	b, arrived, let := line(t)
	g := newRig(t, plan{endpoints: urls(b), policies: oneAtATime(10 * time.Millisecond)})
	first := g.ask(t, g.request(t, "GET", "/", nil))
	witness.Await(t, "first request", arrived)
	wantRejected(t, g.get(t, "/"), 503, "queue-timeout", "1")
	let <- struct{}{}
	wantStatus(t, witness.Await(t, "first answer", first), 200)
	wantCount(t, "refused", g.count(t, "evenkeel_rejections_total", `reason="queue-timeout"`), 1)
	// The place is free again.
	let <- struct{}{}
	wantStatus(t, g.get(t, "/"), 200)
}

// A client that leaves while it is in the queue gives its place to the next.
func TestAbortWhileQueued(t *testing.T) {
	b, arrived, let := line(t)
	g := newRig(t, plan{endpoints: urls(b), policies: oneAtATime(witness.Bound)})
	first := g.ask(t, g.request(t, "GET", "/", nil))
	witness.Await(t, "first request", arrived)

	ctx, leave := context.WithCancel(t.Context())
	second := g.ask(t, g.request(t, "GET", "/", nil).WithContext(ctx))
	witness.Eventually(t, "second in the queue", func() bool { return g.waiting() == 1 })
	leave()
	if got, ok := <-second; ok {
		t.Errorf("answer of the second, which has left: got %d, want none", got.status)
	}
	witness.Eventually(t, "empty queue", func() bool { return g.waiting() == 0 })

	third := g.ask(t, g.request(t, "GET", "/", nil))
	witness.Eventually(t, "third in the queue", func() bool { return g.waiting() == 1 })
	let <- struct{}{}
	let <- struct{}{}
	wantStatus(t, witness.Await(t, "first answer", first), 200)
	wantStatus(t, witness.Await(t, "third answer", third), 200)
	wantCount(t, "requests at the backend", b.requests.Load(), 2)
	wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total"), 0)
	wantCount(t, "499s", g.count(t, "evenkeel_requests_total", `code="499"`), 1)
}
