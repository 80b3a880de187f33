package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/witness"
)

// touchy is a pool that a single failure would leave a mark on.
func touchy(p *config.Policies) {
	p.Strategy = config.NewStrategy("p2c-ewma")
	p.Breaker.ConsecutiveFailures = 1
}

// warm has the only member answer once, and returns its estimated latency in seconds a
// decay time later: what comes then weighs two thirds, and a failure counts as 5 s.
func warm(t *testing.T, g *rig) float64 {
	t.Helper()
	wantStatus(t, g.get(t, "/warm"), 200)
	g.settled(t)
	g.skip(config.NewStrategy("p2c-ewma").Decay)
	before, known := g.router.View().Members[0].Latency(g.now())
	if !known {
		t.Fatal("the first answer has taught no latency")
	}
	return before
}

// wantUnharmed checks that the only member is not thought worse of than before; with
// exactly, that nothing at all was learned.
func wantUnharmed(t *testing.T, g *rig, before float64, exactly bool) {
	t.Helper()
	g.settled(t)
	m := g.router.View().Members[0]
	if got := m.Breaker(g.now()); got != core.Closed {
		t.Errorf("breaker: got %v, want closed", got)
	}
	got, _ := m.Latency(g.now())
	if got > 1 || exactly && math.Abs(got-before) > 1e-9 {
		t.Errorf("latency: got %v s, want the %v s before", got, before)
	}
}

// A client that leaves is no fault of the endpoint's, wherever it leaves, and takes
// nothing with it.
func TestClientAbortsTeachNothing(t *testing.T) {
	for _, tt := range []struct {
		name string
		// raw is what the client sends; it leaves once the backend has the request
		// and the client has read as many bytes as it reads.
		raw     string
		headers bool // it has read the head of the answer
	}{
		{"before the answer to a GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false},
		{"a POST before the answer", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", false},
		{"during its own body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhi", false},
		{"during its own chunked body", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", false},
		{"during the answer", "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			arrived := make(chan struct{}, 1)
			left := make(chan struct{}, 1)
			backend := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/warm" {
					return
				}
				if r.URL.Path == "/stream" {
					io.WriteString(w, "some")
					http.NewResponseController(w).Flush()
				}
				arrived <- struct{}{}
				io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
				left <- struct{}{}
			})
			g := newRig(t, plan{endpoints: urls(backend), policies: touchy})
			before := warm(t, g)
			m := g.member(t, backend)
			c := g.dial(t)
			fmt.Fprint(c, tt.raw)
			witness.Await(t, "request at the backend", arrived)
			if got := m.Pending(); got != 1 {
				t.Errorf("pending: got %d, want 1", got)
			}
			if tt.headers {
				if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
					t.Fatal(err)
				}
			}
			g.skip(time.Second)
			c.Close()
			witness.Await(t, "end of the attempt at the backend", left)
			waited := strings.HasPrefix(tt.raw, "GET / ")
			wantUnharmed(t, g, before, !tt.headers && !waited) // a good head is a good answer
			if got, _ := m.Latency(g.now()); waited && got <= before {
				t.Errorf("latency: got %v s, want more than the %v s before, as it has waited for longer", got, before)
			}
			wantCount(t, "abandoned attempts", g.count(t, "evenkeel_attempts_total", `outcome="abandoned"`), 1)
			wantCount(t, "other attempts than the first", g.count(t, "evenkeel_attempts_total"), 2)
			if !tt.headers {
				wantCount(t, "499s", g.count(t, "evenkeel_requests_total", `code="499"`), 1)
			}
		})
	}
}

// Where only the writing tells that the client has gone, it is the same.
func TestAnswerThatCannotBeDeliveredTeachesNothing(t *testing.T) {
	g := newRig(t, plan{endpoints: urls(newBackend(t, say(200, strings.Repeat("x", 100<<10)))), policies: touchy})
	before := warm(t, g)
	g.handler.ServeHTTP(deaf{httptest.NewRecorder()}, httptest.NewRequest("GET", "/", nil))
	wantUnharmed(t, g, before, false)
	wantCount(t, "abandoned attempts", g.count(t, "evenkeel_attempts_total", `outcome="abandoned"`), 1)
}

// deaf is a client to which nothing can be written.
type deaf struct{ *httptest.ResponseRecorder }

func (deaf) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// Nor is a body that is not what it claims to be.
func TestBrokenRequestBodyIsTheClientsFault(t *testing.T) {
	backend := newBackend(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	g := newRig(t, plan{endpoints: urls(backend), policies: touchy})
	before := warm(t, g)
	c := g.dial(t)
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nthis is no chunk\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != 400 {
		t.Errorf("status: got %d, want 400", answer.StatusCode)
	}
	c.Close()
	wantUnharmed(t, g, before, true)
	wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total", `reason="bad-body"`), 1)
}

// Of many clients that leave at any point, nothing is left over.
func TestManyAbortsLeaveNothingBehind(t *testing.T) {
	backends := newBackends(t, 3, func(w http.ResponseWriter, r *http.Request) {
		for range 20 {
			if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
				return
			}
			http.NewResponseController(w).Flush()
		}
	})
	g := newRig(t, plan{endpoints: urls(backends...), policies: func(p *config.Policies) {
		touchy(p)
		p.Concurrency = &config.Concurrency{Name: "fixed", Limit: 3, Queue: 100, MaxWait: witness.Bound}
	}})
	const clients = 60
	ended := make(chan struct{}, clients)
	for i := range clients {
		go func() {
			defer func() { ended <- struct{}{} }()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, "GET", g.URL, nil)
			if err != nil {
				return
			}
			if i%3 == 0 {
				go cancel()
			}
			answer, err := g.Client.Do(r)
			if err != nil {
				return
			}
			defer answer.Body.Close()
			if i%3 == 1 {
				io.CopyN(io.Discard, answer.Body, 1500)
				cancel()
				return
			}
			io.Copy(io.Discard, answer.Body)
		}()
	}
	for range clients {
		witness.Await(t, "end of a client", ended)
	}
	g.settled(t)
	for _, m := range g.router.View().Members {
		if got := m.Breaker(g.now()); got != core.Closed {
			t.Errorf("breaker of %s: got %v, want closed", m.Key, got)
		}
	}
	if got := g.count(t, "evenkeel_attempts_total", `outcome="success"`); got < clients/3 {
		t.Errorf("successes: got %v, want at least the %d of the patient clients", got, clients/3)
	}
}
