package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/explain"
	"github.com/evenkeel/evenkeel/core/proxy"
)

const loopback = "127.0.0.0/8"

// Who asks, and may, is told; nobody else is, and no endpoint hears of it.
func TestExplainHeader(t *testing.T) {
	for _, tt := range []struct {
		name    string
		trusted []string
		explain []string
		asks    []string
		told    bool
	}{
		{"a peer that may", nil, []string{loopback}, []string{"1"}, true},
		{"one of several ranges", nil, []string{"10.0.0.0/8", loopback}, []string{"1"}, true},
		{"by default nobody may", nil, nil, []string{"1"}, false},
		{"a peer that may not", nil, []string{"10.0.0.0/8"}, []string{"1"}, false},
		{"trusted for other things only", []string{loopback}, nil, []string{"1"}, false},
		{"one that may and does not ask", nil, []string{loopback}, nil, false},
		{"one that asks for no", nil, []string{loopback}, []string{"0"}, false},
		{"one that asks for something else", nil, []string{loopback}, []string{"true"}, false},
		{"one that asks twice", nil, []string{loopback}, []string{"1", "1"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			heard := make(chan http.Header, 1)
			b := newBackend(t, func(w http.ResponseWriter, r *http.Request) { heard <- r.Header })
			g := newRig(t, plan{endpoints: urls(b), trusted: tt.trusted, explain: tt.explain})
			r := g.request(t, "GET", "/", nil)
			r.Header[explain.AskHeader] = tt.asks
			r.Header.Set("X-Forwarded-For", "127.0.0.1") // says who may, and is not who asks
			got := g.do(t, r)
			var want []string
			if tt.told {
				want = []string{`("` + b.host() + `";verdict=ready;pending=0);attempt=1;pool="web";mode=adaptive;reason=none;why=only-one;considered=1`}
			}
			if told := got.header[explain.TellHeader]; !slices.Equal(told, want) {
				t.Errorf("told: got %q, want %q", told, want)
			}
			if header := <-heard; header[explain.AskHeader] != nil {
				t.Errorf("the endpoint heard %q", header[explain.AskHeader])
			}
		})
	}
}

// Every attempt has a line of its own, and every end of a request has them: an answer,
// an error, nobody to try, an upgrade, hints before the answer.
func TestExplainEveryEnd(t *testing.T) {
	upgrade := func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		c.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tea\r\n\r\n"))
	}
	hints := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(200)
	}
	liar := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(explain.TellHeader, "a lie") }
	for _, tt := range []struct {
		name     string
		backends int
		handler  http.HandlerFunc
		upgrade  bool
		status   int
		lines    []string // what each holds
	}{
		{"a retry", 3, inTurn(say(503, ""), say(200, "")), false, 200, []string{"attempt=1;", "attempt=2;"}},
		{"a retry that fails, too", 3, reset, false, 502, []string{"attempt=1;", "attempt=2;"}},
		{"nobody for a retry", 1, say(503, ""), false, 503, []string{"why=only-one", "attempt=2;pool=\"web\";mode=adaptive;reason=none;why=none;considered=2;won=?0"}}, // looked at twice
		{"an upgrade", 2, upgrade, true, 101, []string{"attempt=1;"}},
		{"hints first", 2, hints, false, 200, []string{"attempt=1;"}},
		{"an endpoint that lies", 2, liar, false, 200, []string{"attempt=1;"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig(t, plan{endpoints: urls(newBackends(t, tt.backends, tt.handler)...), explain: []string{loopback}})
			r := g.request(t, "GET", "/", nil)
			r.Header.Set(explain.AskHeader, "1")
			if tt.upgrade {
				r.Header.Set("Connection", "Upgrade")
				r.Header.Set("Upgrade", "tea")
			}
			r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
					if code == http.StatusEarlyHints && header[explain.TellHeader] != nil {
						t.Errorf("with the hints: got %q", header[explain.TellHeader])
					}
					return nil
				},
			}))
			got := g.do(t, r)
			wantStatus(t, got, tt.status)
			lines := got.header[explain.TellHeader]
			if len(lines) != len(tt.lines) {
				t.Fatalf("got %d lines, want %d: %q", len(lines), len(tt.lines), lines)
			}
			for i, want := range tt.lines {
				if !strings.Contains(lines[i], want) {
					t.Errorf("line %d: got %s, want one with %s", i, lines[i], want)
				}
			}
		})
	}
}

// Nobody at all may take it.
func TestExplainNobody(t *testing.T) {
	b := newBackend(t, say(200, ""))
	g := newRig(t, plan{endpoints: urls(b), explain: []string{loopback}})
	if err := g.router.Update(g.now(), []core.Endpoint{{Key: b.host(), Target: g.member(t, b).Target}}); err != nil {
		t.Fatal(err)
	}
	r := g.request(t, "GET", "/", nil)
	r.Header.Set(explain.AskHeader, "1")
	got := g.do(t, r)
	wantStatus(t, got, 503)
	want := `("` + b.host() + `";verdict=drained;pending=0);attempt=1;pool="web";mode=adaptive;reason=none;why=none;considered=1;won=?0`
	if told := got.header.Get(explain.TellHeader); told != want {
		t.Errorf("got %s\nwant %s", told, want)
	}
}

// A hedge is a decision of its own.
func TestExplainHedge(t *testing.T) {
	var duel atomic.Bool
	backends := newBackends(t, 2, func(_ http.ResponseWriter, r *http.Request) {
		if duel.Load() && duel.CompareAndSwap(true, false) {
			<-r.Context().Done() // called off
		}
	})
	g := newRig(t, plan{endpoints: urls(backends...), explain: []string{loopback}, policies: func(p *config.Policies) {
		p.Hedge = &config.Hedge{AfterPercentile: 0.95, MinDelay: 10 * time.Millisecond, MaxRatio: 1}
	}})
	g.learn(t)
	duel.Store(true)
	r := g.request(t, "GET", "/", nil)
	r.Header.Set(explain.AskHeader, "1")
	lines := g.do(t, r).header[explain.TellHeader]
	if len(lines) != 2 || !strings.Contains(lines[1], ";attempt=2;") || strings.Split(lines[0], ";")[0] == strings.Split(lines[1], ";")[0] {
		t.Errorf("got %q, want a second line, of the hedge, for the other endpoint", lines)
	}
}

// Sampled requests are kept with all their attempts; who asks for the header is not kept
// for that.
func TestSampledDecisions(t *testing.T) {
	log := explain.NewLog("web", 1, 10)
	backends := newBackends(t, 2, inTurn(say(503, ""), say(200, "")))
	g := newRig(t, plan{endpoints: urls(backends...), decisions: log, routes: func(all []proxy.Route) []proxy.Route {
		all[0].Name = "front"
		return all
	}})
	got := g.get(t, "/")
	wantStatus(t, got, 200)
	if got.header[explain.TellHeader] != nil {
		t.Errorf("told: got %q, want nothing", got.header[explain.TellHeader])
	}
	kept := log.Latest(10)
	if len(kept) != 2 {
		t.Fatalf("kept: got %d, want 2", len(kept))
	}
	second, first := kept[0], kept[1]
	if first.Route != "front" || first.Attempt != 1 || second.Attempt != 2 || first.At > second.At {
		t.Errorf("got attempts %d and %d of %s", first.Attempt, second.Attempt, first.Route)
	}
	if first.Winner == second.Winner || first.Winner == nil || second.Merit != core.OthersBarred && second.Merit != core.Turn {
		t.Errorf("winners: got %v by %v, then %v by %v", first.Winner, first.Merit, second.Winner, second.Merit)
	}

	none := explain.NewLog("web", 1, 10)
	none.Wants(1<<62, 0) // nothing more for 146 years
	g = newRig(t, plan{endpoints: urls(backends...), decisions: none, explain: []string{loopback}})
	r := g.request(t, "GET", "/", nil)
	r.Header.Set(explain.AskHeader, "1")
	if got := g.do(t, r); got.header[explain.TellHeader] == nil || len(none.Latest(10)) != 0 {
		t.Errorf("told %q, kept %d, want something and none", got.header[explain.TellHeader], len(none.Latest(10)))
	}
}

// quick answers every attempt at once.
type quick struct{}

func (quick) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 204, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// BenchmarkExplain is a request through the proxy with nothing behind it: as plain as it
// can be, sampled as by default, and told to the client.
func BenchmarkExplain(b *testing.B) {
	for name, c := range map[string]struct {
		plan plan
		asks bool
	}{
		"plain":   {plan{}, false},
		"sampled": {plan{decisions: explain.NewLog("web", 1000, 64), explain: []string{loopback}}, false},
		"told":    {plan{explain: []string{"192.0.2.0/24"}}, true}, // httptest's client
	} {
		b.Run(name, func(b *testing.B) {
			c.plan.endpoints, c.plan.transport = []string{"http://127.0.0.1:1", "http://127.0.0.1:2"}, quick{}
			g := newRig(b, c.plan)
			r := httptest.NewRequest("GET", "/", nil)
			if c.asks {
				r.Header.Set(explain.AskHeader, "1")
			}
			b.ReportAllocs()
			for range b.N {
				g.handler.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
