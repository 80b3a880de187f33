package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// echo answers with the path and the body of a request.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Fprint(w, r.URL.Path, " ", string(body))
}

// wantEchoes reads that many answers off one connection, in their order.
func wantEchoes(t *testing.T, in *bufio.Reader, want ...string) {
	t.Helper()
	for _, text := range want {
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("answer %q: %v", text, err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || string(body) != text || answer.StatusCode != 200 {
			t.Fatalf("answer: got %d %q, %v, want %q", answer.StatusCode, body, err, text)
		}
	}
}

// Requests that come before the one in front of them is answered wait for their turn, whatever
// the pieces are that they come in.
func TestPipelinedRequests(t *testing.T) {
	text := "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" +
		"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntwo" +
		"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nthr\r\n2\r\nee\r\n0\r\n\r\n" +
		"POST /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" +
		"GET /5 HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, size := range map[string]int{"at once": len(text), "byte by byte": 1, "in sevens": 7} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, plan{endpoints: urls(newBackend(t, echo))})
			c := g.dial(t)
			go func() {
				for rest := text; rest != ""; {
					n := min(size, len(rest))
					if _, err := io.WriteString(c, rest[:n]); err != nil {
						return
					}
					rest = rest[n:]
				}
			}()
			wantEchoes(t, bufio.NewReader(c), "/1 ", "/2 two", "/3 three", "/4 ", "/5 ")
			c.Close()
			wantCount(t, "successes", g.count(t, "evenkeel_attempts_total", `outcome="success"`), 5)
		})
	}
}

// What is pipelined behind a body that was answered before it was complete is never looked
// at: nobody can say where the body would have ended. The client is told that the connection
// ends.
func TestPipelinedBehindAnEarlyAnswer(t *testing.T) {
	for name, framing := range map[string]string{
		"known length": "Content-Length: 1000000\r\n\r\nhalf",
		"chunked":      "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
				http.NewResponseController(w).EnableFullDuplex()
				w.WriteHeader(403)
			})
			g := newRig(t, plan{endpoints: urls(b)})
			c := g.dial(t)
			in := bufio.NewReader(c)
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\n"+framing)
			answer, err := http.ReadResponse(in, nil)
			if err != nil || answer.StatusCode != 403 || !answer.Close {
				t.Fatalf("answer: got %+v, %v, want 403 and the end of the connection", answer, err)
			}
			go io.WriteString(c, strings.Repeat("GET /next HTTP/1.1\r\nHost: a\r\n\r\n", 10_000))
			if rest, _ := io.ReadAll(in); len(rest) > 0 {
				t.Errorf("after the answer: got %q, want nothing", rest)
			}
			g.settled(t)
			wantCount(t, "requests at the endpoint", b.requests.Load(), 1)
		})
	}
}

// A connection is kept where an early answer has left nothing of the body unread.
func TestKeptAliveAfterAnAnswerToAWholeBody(t *testing.T) {
	g := newRig(t, plan{endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" {
			w.WriteHeader(403) // net/http reads what there is of the body
			return
		}
		echo(w, r)
	}))})
	c := g.dial(t)
	in := bufio.NewReader(c)
	const times = 20
	for range times {
		io.WriteString(c, "POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nwhole")
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Close { // it was there before the proxy had read the last byte
			c = g.dial(t)
			in.Reset(c)
			continue
		}
		io.WriteString(c, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
		wantEchoes(t, in, "/next ")
	}
	c.Close()
	wantCount(t, "refused", g.count(t, "evenkeel_attempts_total", `outcome="client-error"`), times)
}

// A client that says that it will send nothing more has left, as far as anybody can tell
// (net/http takes it so, and nginx by default); whatever it was amid, nothing is kept for it.
// That it has left is seen only when there is nothing in front of that.
func TestHalfClosedClients(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, tt := range map[string]struct {
		text  string
		hangs bool // the endpoint answers only when it is told that nobody waits
	}{
		"nothing":                   {"", true},
		"half a head":               {"GET / HTTP/1.1\r\nHo", true},
		"a request":                 {get, true},
		"a request, answered":       {get, false},
		"a body":                    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", true},
		"a chunked body":            {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", true},
		"half a body":               {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf", true},
		"half of a chunked body":    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha", true},
		"two requests":              {get + get, false},
		"a request, and half a one": {get + "GET / HT", false},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, plan{policies: touchy, endpoints: urls(newBackend(t, func(_ http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				if tt.hangs {
					<-r.Context().Done()
				}
			}))})
			c := g.dial(t)
			io.WriteString(c, tt.text)
			c.(*net.TCPConn).CloseWrite()
			if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %v, want the end of the connection", err)
			}
			wantUnharmed(t, g, 0, false)
		})
	}
}
