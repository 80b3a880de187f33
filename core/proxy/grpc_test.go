package proxy_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/proxy"
	"github.com/evenkeel/evenkeel/core/witness"
)

// newH2C starts a backend that speaks HTTP/2 without TLS, and nothing else.
func newH2C(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// newCalls is a rig for calls of gRPC: h2c at both ends.
func newCalls(t *testing.T, h http.HandlerFunc, policies func(*config.Policies)) *rig {
	t.Helper()
	g := newRig(t, plan{
		endpoints: []string{newH2C(t, h).URL}, policies: policies,
		upstream: config.Upstream{Protocol: config.ProtocolH2},
	})
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	g.Client.Transport = transport
	return g
}

// framed is a message of gRPC in its frame.
func framed(text string) string {
	return string([]byte{0, 0, 0, 0, byte(len(text))}) + text
}

// calls makes a call of gRPC.
func (g *rig) calls(t *testing.T, header http.Header, body io.Reader) *http.Request {
	t.Helper()
	r := g.request(t, http.MethodPost, "/shop.Orders/List", body)
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Te", "trailers")
	for name, values := range header {
		r.Header[name] = values
	}
	return r
}

// called is what a call came to.
type called struct {
	status            int // of HTTP
	code, text, body  string
	alone             bool // the code stands in the head
	pushback, timeout string
}

func (g *rig) call(t *testing.T, header http.Header, body io.Reader) called {
	t.Helper()
	got, err := g.Client.Do(g.calls(t, header, body))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	c := called{status: got.StatusCode, body: string(text), pushback: got.Header.Get("Grpc-Retry-Pushback-Ms"), timeout: got.Header.Get("Saw-Timeout")}
	h := got.Trailer
	if got.Header["Grpc-Status"] != nil {
		h, c.alone = got.Header, true
	}
	c.code, c.text = h.Get("Grpc-Status"), h.Get("Grpc-Message")
	return c
}

// says answers a call with a message and a code in the trailer.
func says(code, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Saw-Timeout", r.Header.Get("Grpc-Timeout")+r.Header.Get("Te"))
		io.WriteString(w, framed(body))
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", code)
		w.Header().Set(http.TrailerPrefix+"Grpc-Message", "so it is")
	}
}

func TestCall(t *testing.T) {
	g := newCalls(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		says("0", string(body[5:]))(w, r)
	}, nil)
	got := g.call(t, http.Header{"Grpc-Timeout": {"7S"}}, strings.NewReader(framed("orders")))
	want := called{status: 200, code: "0", text: "so it is", body: framed("orders"), timeout: "7Strailers"}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(called{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What a call came to is told by its code, wherever it stands.
func TestOutcomeOfCalls(t *testing.T) {
	codes := map[string]string{
		"0": "success", "1": "client-error", "2": "server-error", "3": "client-error", "4": "timeout", "5": "client-error",
		"6": "client-error", "7": "client-error", "8": "throttled", "9": "client-error", "10": "client-error", "11": "client-error",
		"12": "client-error", "13": "server-error", "14": "server-error", "15": "server-error", "16": "client-error",
		"17": "server-error", "x": "server-error", "": "server-error",
	}
	for code, want := range codes {
		for place, h := range map[string]http.HandlerFunc{
			"trailer": says(code, ""),
			"head": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/grpc")
				w.Header().Set("Grpc-Status", code)
			},
		} {
			t.Run(fmt.Sprintf("%q in the %s", code, place), func(t *testing.T) {
				g := newCalls(t, h, nil)
				if got := g.call(t, nil, strings.NewReader(framed(""))); got.code != code || got.alone != (place == "head") {
					t.Errorf("got %+v, want code %q", got, code)
				}
				wantCount(t, want, g.count(t, "evenkeel_attempts_total", `outcome="`+want+`"`), 1.0)
			})
		}
	}
}

func TestOutcomeOfOddCalls(t *testing.T) {
	for name, tt := range map[string]struct {
		h    http.HandlerFunc
		want string
	}{
		"no code": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/grpc+proto")
		}, "server-error"},
		"unavailable, come back later": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/grpc; x=y")
			w.Header().Set("Grpc-Status", "14")
			w.Header().Set("Grpc-Retry-Pushback-Ms", "100")
		}, "throttled"},
		"another status": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.WriteHeader(404)
		}, "client-error"},
		"gRPC-Web": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/grpc-web+proto")
		}, "success"},
		"no gRPC": {say(200, "hello"), "success"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newCalls(t, tt.h, nil)
			g.call(t, nil, strings.NewReader(framed("")))
			wantCount(t, tt.want, g.count(t, "evenkeel_attempts_total", `outcome="`+tt.want+`"`), 1.0)
		})
	}
}

// An endpoint that fails fast, with statuses of 200, opens its breaker; and what the proxy
// itself answers is an answer of gRPC, counted as what it would be otherwise. A code that
// comes with the head counts in the run of failures; one that comes behind it, only in the
// share of them, since the head went well.
func TestFailingCallsOpenTheBreaker(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"head": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", "14")
		},
		"trailer": says("14", ""),
	} {
		t.Run(name, func(t *testing.T) {
			g := newCalls(t, h, func(p *config.Policies) {
				p.Breaker.ConsecutiveFailures, p.Breaker.MinRequests, p.PanicThreshold = 3, 6, 0
			})
			for range 3 {
				if got := g.call(t, nil, strings.NewReader(framed(""))); got.code != "14" || got.alone != (name == "head") {
					t.Fatalf("got %+v, want the endpoint's", got)
				}
				g.settled(t)
			}
			got := g.call(t, nil, strings.NewReader(framed("")))
			want := called{status: 200, code: "14", text: "evenkeel: 503 Service Unavailable: no-endpoint", alone: true, pushback: "1000"}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(called{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			wantCount(t, "503s counted", g.count(t, "evenkeel_requests_total", `code="5xx"`), 1.0)
		})
	}
}

func TestRefusalsOfCalls(t *testing.T) {
	none := func(p *config.Policies) { p.Retries.Attempts = 1 }
	for name, tt := range map[string]struct {
		g    func(t *testing.T) *rig
		code string
		text string
	}{
		"no route": {func(t *testing.T) *rig {
			return newRig(t, plan{endpoints: []string{nobody(t)}, routes: func(r []proxy.Route) []proxy.Route {
				r[0].Match.PathPrefix = "/other"
				return r
			}})
		}, "12", "evenkeel: 404 Not Found: no-route"},
		"rate limit": {func(t *testing.T) *rig {
			g := newRig(t, plan{endpoints: []string{nobody(t)}, policies: none, routes: limited(t, 0.001, 1, false)})
			g.get(t, "/")
			return g
		}, "14", "evenkeel: 429 Too Many Requests: rate-limit"},
		"nobody there": {func(t *testing.T) *rig {
			return newRig(t, plan{endpoints: []string{nobody(t)}, policies: none})
		}, "14", "evenkeel: 502 Bad Gateway: connect-failure"},
	} {
		t.Run(name, func(t *testing.T) {
			g := tt.g(t)
			transport := &http.Transport{Protocols: new(http.Protocols)}
			transport.Protocols.SetUnencryptedHTTP2(true)
			g.Client.Transport = transport
			got := g.call(t, nil, strings.NewReader(framed("")))
			if got.status != 200 || !got.alone || got.code != tt.code || got.text != tt.text || got.body != "" {
				t.Errorf("got %+v, want code %s, %q", got, tt.code, tt.text)
			}
		})
	}
}

// A call is given up when its own deadline has passed, or the pool's bound if that is
// sooner: before there is an answer, and amid it.
func TestDeadlineOfCalls(t *testing.T) {
	silence := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	amid := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		io.WriteString(w, framed("begun"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	for name, tt := range map[string]struct {
		h       http.HandlerFunc
		timeout string
		total   time.Duration
		open    bool // the client has not sent all of its call
		body    string
	}{
		"its own":                          {silence, "30m", time.Hour, false, ""},
		"its own, where the pool's is off": {silence, "30000u", 0, false, ""},
		"the pool's":                       {silence, "10H", 30 * time.Millisecond, false, ""},
		"its own, amid the answer":         {amid, "200m", time.Hour, false, framed("begun")},
		"its own, amid both":               {amid, "200m", time.Hour, true, framed("begun")},
		"its own, before both":             {silence, "200m", time.Hour, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := newCalls(t, tt.h, func(p *config.Policies) { p.Timeouts.ResponseHeader, p.Timeouts.Total = 0, tt.total })
			var body io.Reader = strings.NewReader(framed(""))
			if tt.open {
				out, in := io.Pipe()
				defer in.Close()
				body = out
			}
			got := g.call(t, http.Header{"Grpc-Timeout": {tt.timeout}}, body)
			if got.status != 200 || got.code != "4" || got.body != tt.body {
				t.Errorf("got %+v, want DEADLINE_EXCEEDED", got)
			}
			outcome := `outcome="timeout"`
			if tt.open && tt.body == "" {
				outcome = `outcome="abandoned"` // it was still the client's turn
			}
			wantCount(t, outcome, g.count(t, "evenkeel_attempts_total", outcome), 1.0)
		})
	}
}

// A call without a deadline goes on for as long as it likes: the pool's bound is not for it.
// One that breaks off amid the answer ends with a code all the same.
func TestEndlessCalls(t *testing.T) {
	more := newGate(t)
	g := newCalls(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.(http.Flusher).Flush()
		witness.Await(t, "the word to go on", more.open)
		io.WriteString(w, framed("late"))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}, func(p *config.Policies) { p.Timeouts.Total, p.Timeouts.ResponseHeader = 100*time.Millisecond, 0 })
	got, err := g.Client.Do(g.calls(t, nil, strings.NewReader(framed(""))))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	timer := time.NewTimer(300 * time.Millisecond)
	<-timer.C
	more.Open()
	body, err := io.ReadAll(got.Body)
	if err != nil || string(body) != framed("late") {
		t.Errorf("body: got %q, %v", body, err)
	}
	if code := got.Trailer.Get("Grpc-Status"); code != "14" {
		t.Errorf("code: got %q, want 14", code)
	}
	wantCount(t, "resets", g.count(t, "evenkeel_attempts_total", `outcome="reset"`), 1.0)
}

// Both directions of a stream move at once, and neither waits for the other's end. A client
// that is quiet is not slow.
func TestStreamingBothWays(t *testing.T) {
	g := newCalls(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		buffer := make([]byte, 100)
		for {
			n, err := io.ReadAtLeast(r.Body, buffer, 6)
			if err != nil {
				break
			}
			w.Write(buffer[:n])
			w.(http.Flusher).Flush()
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}, func(p *config.Policies) { p.Timeouts.ResponseHeader = 500 * time.Millisecond })
	out, in := io.Pipe()
	ready := make(chan *http.Response, 1)
	go func() {
		got, err := g.Client.Do(g.calls(t, nil, out))
		if err != nil {
			t.Error(err)
		}
		ready <- got
	}()
	timer := time.NewTimer(1200 * time.Millisecond) // quiet for longer than an answer may take
	<-timer.C
	io.WriteString(in, framed("a"))
	got := witness.Await(t, "the head", ready)
	if got == nil {
		return
	}
	defer got.Body.Close()
	buffer := make([]byte, 6)
	for _, text := range []string{"a", "b", "c"} {
		if text != "a" {
			io.WriteString(in, framed(text))
		}
		if _, err := io.ReadFull(got.Body, buffer); err != nil || string(buffer) != framed(text) {
			t.Fatalf("echo: got %q, %v, want %q", buffer, err, text)
		}
	}
	in.Close()
	if _, err := io.ReadAll(got.Body); err != nil || got.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("end: got %v, trailer %v", err, got.Trailer)
	}
	wantCount(t, "successes", g.count(t, "evenkeel_attempts_total", `outcome="success"`), 1.0)
}

// A client that has all of its call sent, and gets no answer, is not kept waiting.
func TestHungCall(t *testing.T) {
	g := newCalls(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}, func(p *config.Policies) { p.Timeouts.ResponseHeader = 50 * time.Millisecond })
	got := g.call(t, nil, strings.NewReader(framed("")))
	if got.code != "4" || got.text != "evenkeel: 504 Gateway Timeout: timeout" {
		t.Errorf("got %+v", got)
	}
}

// A client that leaves is told to the endpoint, and teaches nothing.
func TestCancelledCall(t *testing.T) {
	begun, left := make(chan struct{}), make(chan struct{})
	g := newCalls(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.(http.Flusher).Flush()
		close(begun)
		<-r.Context().Done()
		close(left)
	}, nil)
	out, in := io.Pipe()
	defer in.Close()
	got, err := g.Client.Do(g.calls(t, nil, out))
	if err != nil {
		t.Fatal(err)
	}
	witness.Await(t, "the call", begun)
	got.Body.Close()
	witness.Await(t, "the word to the endpoint", left)
	wantCount(t, "abandoned", g.count(t, "evenkeel_attempts_total", `outcome="abandoned"`), 1.0)
}
