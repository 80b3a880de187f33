package telemetry

import (
	"fmt"
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Scrapes, updates and traffic at once; the race detector judges.
func TestConcurrent(t *testing.T) {
	b := newBench(t)
	route := b.metrics.Route("all")
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			route.Finished(200, time.Millisecond)
			route.Rejected("reset")
			b.pool.Retried(core.RetrySent)
			b.pool.Hedged(core.HedgeWon)
			route.Cut(CutSlowBody)
			m := b.router.View().Members[0]
			m.Turned(0, core.Closed, core.Open)
			var ask core.Ask
			var lease core.Lease
			if b.router.Begin(0, &ask, &lease) {
				lease.Settle(core.Instant(i), core.Sample{})
			}
		}
	}()
	for i := range 50 {
		if _, err := b.metrics.registry.Gather(); err != nil {
			t.Error(err)
		}
		key := fmt.Sprintf("c%d:80", i)
		b.update(t, "b:80", key)
		b.update(t, "b:80")
		b.pool.Forget(key)
		b.metrics.Pool("other", at).Close()
	}
	close(stop)
	<-done
}

func TestHotPathAllocatesNothing(t *testing.T) {
	b := newBench(t)
	route := b.metrics.Route("all")
	m := b.router.View().Members[0]
	o := b.pool.Observe(m)
	for name, f := range map[string]func(){
		"Route.Finished":     func() { route.Finished(200, 3*time.Millisecond) },
		"Route.Rejected":     func() { route.Rejected("queue-full") },
		"Route.Rejected odd": func() { route.Rejected("whatever") },
		"Route.Cut":          func() { route.Cut(CutSlowAnswer) },
		"Pool.Retried":       func() { b.pool.Retried(core.RetrySent) },
		"Pool.Hedged":        func() { b.pool.Hedged(core.HedgeSent) },
		"Picked":             func() { o.Picked(m, 0, core.Choice{Mode: core.Panic, Reason: core.FewReady}) },
		"Finished":           func() { o.Finished(m, 0, core.Sample{Total: 3 * time.Millisecond}) },
		"Turned":             func() { o.Turned(m, 0, core.Closed, core.Open) },
	} {
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// BenchmarkHotPath is what the metrics of one request with one attempt cost.
func BenchmarkHotPath(b *testing.B) {
	bench := newBench(b)
	route := bench.metrics.Route("all")
	m := bench.router.View().Members[0]
	o := bench.pool.Observe(m)
	b.ReportAllocs()
	for b.Loop() {
		o.Picked(m, 0, core.Choice{})
		o.Finished(m, 0, core.Sample{Total: 3 * time.Millisecond})
		bench.pool.Retried(core.RetryNone)
		bench.pool.Hedged(core.HedgeNone)
		route.Cut("")
		route.Finished(200, 3*time.Millisecond)
	}
}

// BenchmarkScrape is a scrape of one pool of a hundred endpoints.
func BenchmarkScrape(b *testing.B) {
	bench := newBench(b)
	var keys []string
	for i := range 100 {
		keys = append(keys, fmt.Sprintf("10.0.0.%d:80", i))
	}
	bench.update(b, keys...)
	h := bench.metrics.Handler()
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		_, _ = io.Copy(io.Discard, w.Body)
	}
}
