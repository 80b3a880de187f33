package proxy_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/proxy"
	"github.com/evenkeel/evenkeel/core/witness"
)

// A defect costs the request that it comes up in, and no other: it is answered, counted,
// and one line in the log, wherever the attempt runs.
func TestDefectCostsOneRequest(t *testing.T) {
	for name, hedge := range map[string]*config.Hedge{
		"in the request's goroutine": nil,
		"in one of a hedged attempt": {AfterPercentile: 0.9, MinDelay: time.Hour, MaxRatio: 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			broken := false
			g := newRig(t, plan{
				endpoints: []string{nobody(t)},
				policies: func(p *config.Policies) {
					p.Hedge, p.Breaker.Enabled, p.Retries.Attempts = hedge, false, 1
				},
				transport: transportFunc(func(*http.Request) (*http.Response, error) {
					if broken {
						panic("a defect\nof two lines")
					}
					return &http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody}, nil
				}),
			})
			for range 40 { // so that a hedge knows its delay
				wantStatus(t, g.get(t, "/"), 200)
			}
			broken = true
			if got := g.get(t, "/"); got.status != 500 && got.status != 502 {
				t.Errorf("status: got %d, want 500, or 502 where another attempt might do", got.status)
			}
			broken = false
			wantStatus(t, g.get(t, "/"), 200)
			g.settled(t)
			if got := g.defects.Load(); got != 1 {
				t.Errorf("defects: got %d, want 1", got)
			}
			if got := strings.Count(g.log.String(), "\n"); got != 1 || !strings.Contains(g.log.String(), `a defect\nof two lines`) {
				t.Errorf("log: got %d lines, want one with the defect:\n%s", got, g.log)
			}
		})
	}
}

// A probe that comes to a panic is a failed one.
func TestDefectOfAProbe(t *testing.T) {
	g := newRig(t, plan{
		endpoints: urls(newBackend(t, say(200, ""))),
		policies: func(p *config.Policies) {
			p.Health = new(config.Health)
			p.Health.Defaults()
			p.Health.Interval, p.Health.Fall = time.Millisecond, 1
		},
	})
	pool := &proxy.Pool{Router: g.router, Transport: transportFunc(func(*http.Request) (*http.Response, error) { panic("a defect") })}
	var defects atomic.Int64
	pool.Defect = func(string, any) { defects.Add(1) }
	h := config.Health{}
	h.Defaults()
	ctx, end := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		proxy.Probe(ctx, pool, h, g.now)
	}()
	witness.Eventually(t, "the member is barred", func() bool { return g.router.View().Members[0].Verdict(g.now()) == core.Barred })
	end()
	witness.Await(t, "end of the probes", done)
	if defects.Load() == 0 {
		t.Error("no defect was counted")
	}
}
