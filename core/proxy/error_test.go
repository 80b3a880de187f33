package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/witness"
)

// wantRejected checks an answer that the proxy gives itself: its reason, how long to
// stay away ("" for no Retry-After), and that it says nothing of what is behind.
func wantRejected(t *testing.T, got answer, status int, reason, retryAfter string) {
	t.Helper()
	wantStatus(t, got, status)
	if want := fmt.Sprintf("evenkeel: %d %s: %s\n", status, http.StatusText(status), reason); got.body != want {
		t.Errorf("body: got %q, want %q", got.body, want)
	}
	if after := got.header.Get("Retry-After"); after != retryAfter {
		t.Errorf("Retry-After: got %q, want %q", after, retryAfter)
	}
	var head bytes.Buffer
	got.header.Write(&head)
	if strings.Contains(head.String()+got.body, "127.0.0.1") {
		t.Errorf("answer: got an address in\n%s%s", head.String(), got.body)
	}
}

// silent is the address of a listener that takes connections and never says anything.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestErrorsOfTheProxy(t *testing.T) {
	hung := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	short := func(p *config.Policies) { p.Timeouts.ResponseHeader = 20 * time.Millisecond }
	for _, tt := range []struct {
		name       string
		plan       func(t *testing.T) plan
		status     int
		reason     string
		retryAfter string
		outcome    core.Outcome
		attempts   float64
	}{
		{
			name:   "nobody listens",
			plan:   func(t *testing.T) plan { return plan{endpoints: []string{nobody(t)}} },
			status: 502, reason: "connect-failure", outcome: core.ConnectFailure, attempts: 1,
		},
		{
			name:   "nobody listens anywhere",
			plan:   func(t *testing.T) plan { return plan{endpoints: []string{nobody(t), nobody(t), nobody(t)}} },
			status: 502, reason: "connect-failure", outcome: core.ConnectFailure, attempts: 2,
		},
		{
			name:   "the connection breaks",
			plan:   func(t *testing.T) plan { return plan{endpoints: urls(newBackend(t, reset))} },
			status: 502, reason: "reset", outcome: core.Reset, attempts: 1,
		},
		{
			name:   "it breaks everywhere",
			plan:   func(t *testing.T) plan { return plan{endpoints: urls(newBackends(t, 3, reset)...)} },
			status: 502, reason: "reset", outcome: core.Reset, attempts: 2,
		},
		{
			name: "what answers is no HTTP",
			plan: func(t *testing.T) plan {
				return plan{endpoints: urls(newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
					conn, _, err := http.NewResponseController(w).Hijack()
					if err == nil {
						fmt.Fprint(conn, "220 127.0.0.1 ESMTP\r\n")
						conn.Close()
					}
				}))}
			},
			status: 502, reason: "reset", outcome: core.Reset, attempts: 1,
		},
		{
			name:   "a hung backend",
			plan:   func(t *testing.T) plan { return plan{endpoints: urls(newBackends(t, 2, hung)...), policies: short} },
			status: 504, reason: "timeout", outcome: core.Timeout, attempts: 1,
		},
		{
			name: "a whole request that takes too long",
			plan: func(t *testing.T) plan {
				return plan{endpoints: urls(newBackend(t, hung)), policies: func(p *config.Policies) {
					p.Timeouts.ResponseHeader = 0
					p.Timeouts.Total = 20 * time.Millisecond
				}}
			},
			status: 504, reason: "timeout", outcome: core.Timeout, attempts: 1,
		},
		{
			name: "a connection that does not open",
			plan: func(t *testing.T) plan {
				transport := newTransport(t, config.Timeouts{})
				transport.Dial = (&net.Dialer{Deadline: time.Unix(1, 0)}).DialContext // its time is over before it begins
				return plan{endpoints: []string{nobody(t)}, transport: transport}
			},
			status: 504, reason: "timeout", outcome: core.ConnectFailure, attempts: 1,
		},
		{
			name: "a TLS handshake that does not come",
			plan: func(t *testing.T) plan {
				return plan{endpoints: []string{"https://" + silent(t)}, policies: func(p *config.Policies) {
					p.Timeouts.Connect = 20 * time.Millisecond
				}}
			},
			status: 504, reason: "timeout", outcome: core.ConnectFailure, attempts: 1,
		},
		{
			name: "an endpoint with a certificate that nobody knows",
			plan: func(t *testing.T) plan {
				return plan{endpoints: []string{newSecure(t, say(200, ""))}}
			},
			status: 502, reason: "connect-failure", outcome: core.ConnectFailure, attempts: 1,
		},
		{
			name: "an open breaker, and no panic",
			plan: func(t *testing.T) plan {
				return plan{endpoints: []string{nobody(t)}, policies: func(p *config.Policies) {
					p.Breaker.ConsecutiveFailures = 1
					p.PanicThreshold = 0
				}}
			},
			status: 503, reason: "no-endpoint", retryAfter: "1", outcome: core.ConnectFailure, attempts: 1,
		},
		{
			name:   "no endpoint at all",
			plan:   func(*testing.T) plan { return plan{} },
			status: 503, reason: "no-endpoint", retryAfter: "1", attempts: 0,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig(t, tt.plan(t))
			if tt.reason == "no-endpoint" && tt.attempts > 0 {
				wantStatus(t, g.get(t, "/"), 502) // opens the breaker
			}
			wantRejected(t, g.get(t, "/"), tt.status, tt.reason, tt.retryAfter)
			wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total", `route="web"`, `reason="`+tt.reason+`"`), 1)
			wantCount(t, "5xx", g.count(t, "evenkeel_requests_total", `route="web"`, `code="5xx"`), g.count(t, "evenkeel_rejections_total"))
			wantCount(t, "attempts", g.count(t, "evenkeel_attempts_total"), tt.attempts)
			wantCount(t, "attempts: "+tt.outcome.String(), g.count(t, "evenkeel_attempts_total", `outcome="`+tt.outcome.String()+`"`), tt.attempts)
		})
	}
}

// An endpoint whose connections do not open in time is a failure to connect: another
// one may do.
func TestSlowConnectIsRetriedElsewhere(t *testing.T) {
	b := newBackend(t, say(200, "well"))
	transport := newTransport(t, config.DefaultPolicies().Timeouts)
	t.Cleanup(transport.CloseIdleConnections)
	dial := transport.Dial
	transport.Dial = dialUnless(b.host(), dial)
	g := newRig(t, plan{endpoints: []string{nobody(t), b.URL}, transport: transport})
	for range 2 {
		wantStatus(t, g.get(t, "/"), 200)
	}
	if got := g.count(t, "evenkeel_attempts_total", `outcome="connect-failure"`); got < 1 {
		t.Errorf("connect failures: got %v, want at least one of two requests in turn", got)
	}
}

func TestConnectIsRefused(t *testing.T) {
	b := newBackend(t, say(200, ""))
	g := newRig(t, plan{endpoints: urls(b)})
	c := g.dial(t)
	fmt.Fprint(c, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "CONNECT"})
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != 405 || answer.Header.Get("Allow") == "" {
		t.Errorf("answer: got %d with Allow %q, want 405 with some", answer.StatusCode, answer.Header.Get("Allow"))
	}
	c.Close()
	wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total"), 1)
	wantCount(t, "4xx", g.count(t, "evenkeel_requests_total", `code="4xx"`), 1)
	wantCount(t, "requests at the backend", b.requests.Load(), 0)
}

func TestPanicCostsOneRequest(t *testing.T) {
	calls := 0
	b := newBackend(t, say(200, "well"))
	inner := newTransport(t, config.Timeouts{})
	t.Cleanup(inner.CloseIdleConnections)
	g := newRig(t, plan{endpoints: urls(b), policies: touchy, transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		if calls++; calls == 1 {
			panic("a defect at 127.0.0.1")
		}
		return inner.RoundTrip(r)
	})})
	wantRejected(t, g.get(t, "/"), 500, "internal", "")
	wantCount(t, "5xx", g.count(t, "evenkeel_requests_total", `code="5xx"`), 1)
	wantCount(t, "abandoned attempts", g.count(t, "evenkeel_attempts_total", `outcome="abandoned"`), 1)
	if log := g.log.String(); !strings.Contains(log, "a defect at") || !strings.Contains(log, "error_test.go") {
		t.Errorf("log: got %q, want the panic with its stack", log)
	}
	wantStatus(t, g.get(t, "/"), 200) // settled counts the lease
	if got := g.member(t, b).Breaker(g.now()); got != core.Closed {
		t.Errorf("breaker: got %v, want closed", got)
	}
}

// A panic amid an answer cannot be told any more: the answer must not look complete.
func TestPanicAmidAnAnswerAbortsIt(t *testing.T) {
	b := newBackend(t, say(200, "well"))
	inner := newTransport(t, config.Timeouts{})
	t.Cleanup(inner.CloseIdleConnections)
	g := newRig(t, plan{endpoints: urls(b), transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		answer, err := inner.RoundTrip(r)
		if err == nil {
			answer.Header.Del("Content-Length")
			answer.ContentLength = -1
			answer.Body = faulty{answer.Body}
		}
		return answer, err
	})})
	answer, err := g.Client.Do(g.request(t, "GET", "/", nil))
	if err == nil {
		defer answer.Body.Close()
		if _, err = io.ReadAll(answer.Body); err == nil {
			t.Error("body: got all of it, want an error")
		}
	}
	g.settled(t)
}

// faulty is a body that panics after its first byte.
type faulty struct{ io.ReadCloser }

func (f faulty) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p[:1])
	if p[0] != 'w' {
		panic("a defect")
	}
	return n, err
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAccessLogTellsWhatHappened(t *testing.T) {
	log := &witness.Log{}
	g := newRig(t, plan{
		endpoints: urls(newBackends(t, 2, inTurn(say(503, "no"), say(201, "made")))...),
		access:    slog.New(slog.NewJSONHandler(log, nil)),
	})
	wantStatus(t, g.get(t, "/pa%22th?secret=1"), 201)
	g.settled(t)
	got := log.String()
	for _, want := range []string{
		`"client":"127.0.0.1"`, `"method":"GET"`, `"path":"/pa\"th"`, `"status":201`, `"bytes":4`, `"pool":"web"`, `"attempts":2`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("access log: got %s, want %s in it", got, want)
		}
	}
	if strings.Contains(got, "secret") || strings.Count(got, "\n") != 1 {
		t.Errorf("access log: got %q, want one line without the query", got)
	}
}
