package proxy_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/orca"
	"github.com/evenkeel/evenkeel/core/proxy"
	"github.com/evenkeel/evenkeel/core/witness"
)

// loaded reports so many in flight.
func loaded(inFlight string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Endpoint-Load-Metrics", "TEXT named_metrics.in_flight="+inFlight)
	}
}

// The client does not see what the endpoint says of its load.
func TestReportsAreTakenOut(t *testing.T) {
	g := newRig(t, plan{endpoints: urls(newBackend(t, loaded("3")))})
	a := g.get(t, "/")
	wantStatus(t, a, 200)
	if got := a.header.Get("Endpoint-Load-Metrics"); got != "" {
		t.Errorf("the client got %q", got)
	}
}

// Probes of the strategy reach the endpoints, and what their answers say decides: of two,
// the one that has less in flight is taken.
func TestLoadProbes(t *testing.T) {
	p := config.DefaultPolicies()
	p.Strategy = config.NewStrategy("prequal")
	due := make(chan struct{}, 1)
	router, err := adaptive.Build(p, core.Driver{Source: proxy.Source{}, ProbeDue: func() {
		select {
		case due <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	var endpoints []core.Endpoint
	for _, inFlight := range []string{"1000", "1"} {
		u, err := url.Parse(newBackend(t, loaded(inFlight)).URL)
		if err != nil {
			t.Fatal(err)
		}
		endpoints = append(endpoints, core.Endpoint{Key: inFlight, Weight: 1, Target: proxy.Upstream{URL: u}})
	}
	if err := router.Update(0, endpoints); err != nil {
		t.Fatal(err)
	}
	transport := newTransport(t, p.Timeouts)
	defer transport.CloseIdleConnections()
	reader, err := orca.NewReader(orca.Names{InFlight: "in_flight"})
	if err != nil {
		t.Fatal(err)
	}
	pool := &proxy.Pool{Router: router, Transport: transport, Reports: reader, ProbeDue: due}
	clock := &clock{epoch: time.Now()}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		proxy.ProbeLoad(ctx, pool, p.Strategy, clock.now)
		close(over)
	}()
	defer func() { stop(); <-over }()
	for deadline := time.Now().Add(witness.Bound); ; {
		var l core.Lease
		if !router.Begin(clock.now(), &core.Ask{}, &l) {
			t.Fatal("begin: got no lease")
		}
		l.Settle(clock.now(), core.Sample{Outcome: core.Abandoned})
		if l.Choice().Mode == core.Adaptive {
			if got := l.Member().Key; got != "1" {
				t.Errorf("got the one with %s in flight", got)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no answers to probes")
		}
	}
}
