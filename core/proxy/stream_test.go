package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/witness"
)

// The first part of an answer arrives while its backend still works on the rest.
func TestAnswersAreStreamed(t *testing.T) {
	for _, contentType := range []string{"text/event-stream", "text/event-stream; charset=utf-8", "application/octet-stream"} {
		t.Run(contentType, func(t *testing.T) {
			read := newGate(t)
			g := newRig(t, plan{endpoints: urls(newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", contentType)
				io.WriteString(w, "data: one\n\n")
				http.NewResponseController(w).Flush()
				<-read.open
				io.WriteString(w, "data: two\n\n")
			}))})
			answer, err := g.Client.Do(g.request(t, "GET", "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			first := make([]byte, len("data: one\n\n"))
			if _, err := io.ReadFull(answer.Body, first); err != nil || string(first) != "data: one\n\n" {
				t.Fatalf("first part: got %q, %v", first, err)
			}
			read.Open()
			if rest, err := io.ReadAll(answer.Body); err != nil || string(rest) != "data: two\n\n" {
				t.Errorf("the rest: got %q, %v", rest, err)
			}
			wantCount(t, "successes", g.count(t, "evenkeel_attempts_total", `outcome="success"`), 1)
		})
	}
}

// An answer without end is not cut by the time that a whole request may take; any
// other is.
func TestTotalTimeoutIsNotForEndlessAnswers(t *testing.T) {
	const total = 50 * time.Millisecond
	for _, tt := range []struct {
		contentType string
		cut         bool
	}{
		{"text/event-stream", false},
		{"Text/Event-Stream;charset=utf-8", false},
		{"text/plain", true},
	} {
		t.Run(tt.contentType, func(t *testing.T) {
			left := make(chan struct{})
			g := newRig(t, plan{
				endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", tt.contentType)
					http.NewResponseController(w).Flush()
					if tt.cut {
						<-r.Context().Done() // the proxy goes away
						close(left)
						return
					}
					select {
					case <-r.Context().Done():
						close(left)
					case <-time.After(4 * total): // a while beyond the time
						io.WriteString(w, "still here")
					}
				})),
				policies: func(p *config.Policies) {
					p.Timeouts.Total, p.Timeouts.ResponseHeader = total, total
					p.Breaker.ConsecutiveFailures = 1
				},
			})
			answer, err := g.Client.Do(g.request(t, "GET", "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if !tt.cut {
				if err != nil || string(body) != "still here" {
					t.Errorf("body: got %q, %v, want all of it", body, err)
				}
				return
			}
			if err == nil {
				t.Errorf("body: got %q as if it were complete, want an error", body)
			}
			witness.Await(t, "end of the attempt at the backend", left)
			wantCount(t, "timeouts", g.count(t, "evenkeel_attempts_total", `outcome="timeout"`), 1)
			if got := g.router.View().Members[0].Breaker(g.now()); got != core.Open {
				t.Errorf("breaker: got %v, want open after one failure", got)
			}
		})
	}
}

func TestUpgradePassesBothWays(t *testing.T) {
	for _, ends := range []string{"client", "backend"} {
		t.Run("ended by the "+ends, func(t *testing.T) {
			g := newRig(t, plan{
				policies: func(p *config.Policies) { p.Timeouts.Total, p.Timeouts.ResponseHeader = 5*time.Second, 5*time.Second },
				endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) {
					if got := r.Header.Get("Upgrade"); got != "echo" {
						http.Error(w, "upgrade to "+got, 400)
						return
					}
					conn, buffer, err := http.NewResponseController(w).Hijack()
					if err != nil {
						panic(err)
					}
					defer conn.Close()
					fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Of: backend\r\n\r\nwelcome\n")
					for {
						line, err := buffer.ReadString('\n')
						if err != nil {
							return
						}
						fmt.Fprintf(conn, "echo %s", line)
						if line == "last\n" {
							return
						}
					}
				})),
			})
			c := g.dial(t)
			fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n")
			in := bufio.NewReader(c)
			answer, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != 101 || answer.Header.Get("Upgrade") != "echo" || answer.Header.Get("X-Of") != "backend" {
				t.Fatalf("answer: got %d with %v, want 101 and the backend's headers", answer.StatusCode, answer.Header)
			}
			expect := func(want string) {
				t.Helper()
				if got, err := in.ReadString('\n'); err != nil || got != want {
					t.Fatalf("from the backend: got %q, %v, want %q", got, err, want)
				}
			}
			expect("welcome\n")
			for _, line := range []string{"one\n", "two\n"} {
				fmt.Fprint(c, line)
				expect("echo " + line)
			}
			if got := g.router.View().Members[0].Pending(); got != 1 {
				t.Errorf("pending while it is open: got %d, want 1", got)
			}
			if ends == "client" {
				c.Close()
			} else {
				fmt.Fprint(c, "last\n")
				expect("echo last\n")
				if rest, err := io.ReadAll(in); err != nil || len(rest) != 0 {
					t.Errorf("after the backend's end: got %q, %v, want the end", rest, err)
				}
				c.Close()
			}
			wantCount(t, "101s", g.count(t, "evenkeel_requests_total", `code="1xx"`), 1)
			wantCount(t, "successes", g.count(t, "evenkeel_attempts_total", `outcome="success"`), 1)
		})
	}
}

// A backend that changes to something else than was asked for gets no tunnel, keeps
// no connection, and the client hears of it.
func TestUpgradeToSomethingElseIsRefused(t *testing.T) {
	left := make(chan struct{})
	g := newRig(t, plan{endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		conn, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		defer close(left)
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
		buffer.ReadByte() // until the proxy closes
	}))})
	r := g.request(t, "GET", "/", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	wantStatus(t, g.do(t, r), 502)
	witness.Await(t, "end of the backend's connection", left)
	wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total", `route="web"`), 1)
}

func TestTrailersAreForwarded(t *testing.T) {
	seen := make(chan http.Header, 1)
	g := newRig(t, plan{endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		seen <- r.Trailer
		w.Header().Set("Trailer", "X-Checksum")
		io.WriteString(w, "body")
		w.Header().Set("X-Checksum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Late", "43")
	}))})
	r := g.request(t, "POST", "/", io.MultiReader(strings.NewReader("chunked")))
	r.Trailer = http.Header{"X-Sum": {"41"}}
	answer, err := g.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "body" {
		t.Fatalf("body: got %q, %v", body, err)
	}
	if got := witness.Await(t, "request", seen).Get("X-Sum"); got != "41" {
		t.Errorf("trailer of the request: got %q, want 41", got)
	}
	for name, want := range map[string]string{"X-Checksum": "42", "X-Late": "43"} {
		if got := answer.Trailer.Get(name); got != want {
			t.Errorf("trailer %s: got %q, want %s", name, got, want)
		}
	}
}

func TestInformationalAnswersAreForwarded(t *testing.T) {
	g := newRig(t, plan{endpoints: urls(newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.WriteHeader(404)
	}))})
	var hints []string
	r := g.request(t, "GET", "/", nil)
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
			return nil
		},
	}))
	got := g.do(t, r)
	wantStatus(t, got, 404)
	if len(hints) != 1 || hints[0] != "103 </style.css>; rel=preload" {
		t.Errorf("informational answers: got %q, want the backend's 103", hints)
	}
	if got.header.Get("Link") != "" {
		t.Errorf("Link of the answer itself: got %q, want none", got.header.Get("Link"))
	}
	wantCount(t, "4xx", g.count(t, "evenkeel_requests_total", `code="4xx"`), 1)
}

func TestExpectContinue(t *testing.T) {
	for _, tt := range []struct {
		name   string
		accept bool
		status int
	}{{"accepted", true, 200}, {"refused", false, 413}} {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig(t, plan{endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) {
				if !tt.accept {
					w.WriteHeader(413)
					return
				}
				io.Copy(w, r.Body)
			}))})
			c := g.dial(t)
			in := bufio.NewReader(c)
			fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
			answer, err := http.ReadResponse(in, nil)
			for err == nil && answer.StatusCode == 100 {
				fmt.Fprint(c, "hello")
				answer, err = http.ReadResponse(in, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != tt.status {
				t.Errorf("status: got %d, want %d", answer.StatusCode, tt.status)
			}
			c.Close()
			g.settled(t)
		})
	}
}

// HEAD, 204 and 304 have no body; a length that they tell stays what it is.
func TestAnswersWithoutABody(t *testing.T) {
	for _, tt := range []struct {
		method string
		status int
	}{{"HEAD", 200}, {"GET", 204}, {"GET", 304}, {"HEAD", 404}} {
		t.Run(fmt.Sprint(tt.method, " ", tt.status), func(t *testing.T) {
			backend := newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.method == "HEAD" {
					w.Header().Set("Content-Length", "1234")
				}
				w.Header().Set("ETag", `"x"`)
				w.WriteHeader(tt.status)
			})
			g := newRig(t, plan{endpoints: urls(backend), policies: func(p *config.Policies) { p.Breaker.ConsecutiveFailures = 1 }})
			for range 3 {
				got := g.do(t, g.request(t, tt.method, "/", nil))
				wantStatus(t, got, tt.status)
				if got.body != "" || got.header.Get("ETag") != `"x"` {
					t.Errorf("answer: got %q with %v, want no body and the ETag", got.body, got.header)
				}
				if length := got.header.Get("Content-Length"); tt.method == "HEAD" && length != "1234" {
					t.Errorf("Content-Length: got %q, want 1234", length)
				}
			}
			if got := g.member(t, backend).Breaker(g.now()); got != core.Closed {
				t.Errorf("breaker: got %v, want closed", got)
			}
			wantCount(t, "connections", backend.connections.Load(), 1)
		})
	}
}
