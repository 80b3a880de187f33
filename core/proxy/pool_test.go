package proxy_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/proxy"
	"github.com/evenkeel/evenkeel/core/witness"
)

// Requests one after another share a connection, whatever kind of answer they get.
func TestConnectionsAreUsedAgain(t *testing.T) {
	for _, tt := range []struct {
		name, method string
		h            http.HandlerFunc
	}{
		{"small answers", "GET", say(200, "hello")},
		{"no body", "GET", say(204, "")},
		{"chunked answers", "GET", func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				io.WriteString(w, strings.Repeat("x", 5000))
				http.NewResponseController(w).Flush()
			}
		}},
		{"large answers", "GET", say(200, strings.Repeat("x", 300<<10))},
		{"errors", "GET", say(500, "no")},
		{"posts", "POST", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBackend(t, tt.h)
			g := newRig(t, plan{endpoints: urls(b), policies: func(p *config.Policies) { p.Breaker.Enabled = false }})
			for range 50 {
				var body io.Reader
				if tt.method == "POST" {
					body = strings.NewReader("hello")
				}
				g.do(t, g.request(t, tt.method, "/", body))
			}
			wantCount(t, "connections of 50 requests", b.connections.Load(), 1)
		})
	}
}

// Fifty at once need fifty connections; they are kept over further rounds, since a
// peak closes nothing.
func TestConnectionsAreNotChurnedUnderConcurrency(t *testing.T) {
	const clients, rounds = 50, 6
	var mu sync.Mutex
	inside, all := 0, make(chan struct{})
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock() // answers when all the others of the round are here too
		here := all
		if inside++; inside == clients {
			inside = 0
			close(all)
			all = make(chan struct{})
		}
		mu.Unlock()
		select {
		case <-here:
			io.WriteString(w, "hello")
		case <-r.Context().Done():
		}
	})
	g := newRig(t, plan{endpoints: urls(b)})
	for range rounds {
		var answers []<-chan answer
		for range clients {
			answers = append(answers, g.ask(t, g.request(t, "GET", "/", nil)))
		}
		for _, a := range answers {
			wantStatus(t, witness.Await(t, "answer", a), 200)
		}
		g.settled(t)
	}
	wantCount(t, "requests", b.requests.Load(), clients*rounds)
	// A dial that is begun while another connection comes free may add one or two.
	if got := b.connections.Load(); got > clients+clients/10 {
		t.Errorf("connections of %d rounds of %d: got %d, want about %d", rounds, clients, got, clients)
	}
}

// probed is a rig whose endpoints are probed until the test ends.
func probed(t *testing.T, h config.Health, change func(*config.Policies), endpoints ...string) *rig {
	t.Helper()
	transport := newTransport(t, config.DefaultPolicies().Timeouts)
	t.Cleanup(transport.CloseIdleConnections)
	g := newRig(t, plan{endpoints: endpoints, transport: transport, policies: func(p *config.Policies) {
		p.Health = &h
		if change != nil {
			change(p)
		}
	}})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		proxy.Probe(ctx, &proxy.Pool{Name: "web", Router: g.router, Transport: transport}, h, g.now)
	}()
	t.Cleanup(func() {
		stop()
		witness.Await(t, "end of the probes", done)
	})
	return g
}

func TestProbesBarAndBringBack(t *testing.T) {
	var status, probes atomic.Int64
	status.Store(200)
	target := make(chan string, 1)
	sick := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.RequestURI, "/healthz") {
			io.WriteString(w, "sick")
			return
		}
		probes.Add(1)
		select {
		case target <- r.RequestURI + " " + r.UserAgent():
		default:
		}
		w.WriteHeader(int(status.Load()))
	})
	well := newBackend(t, say(200, "well"))
	h := config.Health{Path: "/healthz?full=1", Interval: time.Millisecond, Timeout: witness.Bound, Rise: 3, Fall: 3}
	g := probed(t, h, nil, sick.URL, well.URL)
	if got := witness.Await(t, "probe", target); got != "/healthz?full=1 evenkeel-health" {
		t.Errorf("probe: got %q, want the configured path and a name", got)
	}
	verdict := func() core.Verdict { return g.member(t, sick).Verdict(g.now()) }
	for _, step := range []struct {
		status int
		want   core.Verdict
	}{{503, core.Barred}, {399, core.Ready}, {404, core.Barred}, {200, core.Ready}} {
		before := probes.Load()
		status.Store(int64(step.status))
		witness.Eventually(t, step.want.String()+" after "+http.StatusText(step.status), func() bool { return verdict() == step.want })
		// One probe may have been under way at the change.
		if got := probes.Load() - before; got < 3 {
			t.Errorf("probes until %v: got %d, want at least 3", step.want, got)
		}
		bodies := map[string]int{}
		for range 10 {
			bodies[g.get(t, "/").body]++
		}
		if barred := step.want == core.Barred; (bodies["sick"] == 0) != barred {
			t.Errorf("answers when %v: got %v", step.want, bodies)
		}
	}
}

// An endpoint that cannot be reached, or hangs, or redirects somewhere else is judged
// by that.
func TestProbesOfEndpointsThatDoNotAnswer(t *testing.T) {
	hung := newBackend(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	elsewhere := nobody(t)
	moved := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere, http.StatusFound)
	})
	h := config.Health{Path: "/healthz", Interval: time.Millisecond, Timeout: 20 * time.Millisecond, Rise: 1, Fall: 1}
	g := probed(t, h, nil, elsewhere, hung.URL, moved.URL)
	witness.Eventually(t, "only the one that answers is left", func() bool {
		open := 0
		for _, m := range g.router.View().Members {
			if m.Verdict(g.now()).Open() {
				open++
			}
		}
		return open == 1 && g.member(t, moved).Verdict(g.now()).Open()
	})
}
