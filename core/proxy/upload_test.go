package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/witness"
)

const halfRequest = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"

// wantAnswer reads an answer off a connection.
func wantAnswer(t *testing.T, c net.Conn, status int) *http.Response {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != status {
		t.Errorf("status: got %d, want %d", answer.StatusCode, status)
	}
	return answer
}

// sink reads a request and answers.
func sink(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }

// A client that stops amid its body is told so after the time that an answer may take,
// and no endpoint is thought worse of.
func TestStalledUploadIsTheClientsFault(t *testing.T) {
	b := newBackend(t, sink)
	g := newRig(t, plan{endpoints: urls(b), policies: func(p *config.Policies) {
		touchy(p)
		p.Timeouts.ResponseHeader = 50 * time.Millisecond
	}})
	before := warm(t, g)
	c := g.dial(t)
	fmt.Fprint(c, halfRequest)
	wantAnswer(t, c, 408)
	wantUnharmed(t, g, before, true) // the request ends though the client stays
	wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total", `reason="slow-body"`), 1)
	wantCut(t, g, "slow-body")
	wantCount(t, "abandoned attempts", g.count(t, "evenkeel_attempts_total", `outcome="abandoned"`), 1)
}

// An endpoint that has the body and does not answer is to blame itself.
func TestHungEndpointIsToBlameForAnUpload(t *testing.T) {
	for name, timeouts := range map[string]config.Timeouts{
		"for the answer": {ResponseHeader: 50 * time.Millisecond},
		"for everything": {Total: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, plan{
				endpoints: urls(newBackend(t, func(_ http.ResponseWriter, r *http.Request) {
					io.Copy(io.Discard, r.Body)
					<-r.Context().Done()
				})),
				policies: func(p *config.Policies) { p.Timeouts = timeouts },
			})
			c := g.dial(t)
			fmt.Fprint(c, halfRequest+" and 1")
			wantAnswer(t, c, 504)
			wantCount(t, "timeouts", g.count(t, "evenkeel_attempts_total", `outcome="timeout"`), 1)
		})
	}
}

// A body may take longer than an answer, as long as it comes.
func TestSlowUploadIsNotCut(t *testing.T) {
	const within, pause, pieces = time.Second, 250 * time.Millisecond, 6
	g := newRig(t, plan{endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })),
		policies: func(p *config.Policies) { p.Timeouts.ResponseHeader = within }})
	c := g.dial(t)
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", pieces)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for range pieces {
		<-tick.C
		fmt.Fprint(c, "x")
	}
	answer := wantAnswer(t, c, 200)
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "xxxxxx" {
		t.Errorf("body: got %q, %v, want all six pieces", body, err)
	}
}

// The time of the whole request bounds a body that does not come, too, also when the
// endpoint has answered already.
func TestStalledUploadKeepsNothing(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"no answer": sink,
		"early answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close") // or net/http would read the body first
			w.WriteHeader(413)
			io.WriteString(w, strings.Repeat("x", 100<<10)) // more than is held back
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, plan{endpoints: urls(newBackend(t, h)), policies: func(p *config.Policies) {
				p.Timeouts.ResponseHeader = 0
				p.Timeouts.Total = 100 * time.Millisecond
			}})
			c := g.dial(t)
			fmt.Fprint(c, halfRequest)
			if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("connection: got %v, want the proxy to close it", err)
			}
			wantCount(t, "requests that have ended", g.count(t, "evenkeel_requests_total"), 1)
		})
	}
}

// A client that is refused gets its answer, whether or not it sends what it promised.
func TestRefusalDoesNotWaitForTheBody(t *testing.T) {
	g := newRig(t, plan{endpoints: urls(newBackend(t, sink)), routes: limited(t, 0.001, 1, false)})
	wantStatus(t, g.get(t, "/"), 200)
	c := g.dial(t)
	fmt.Fprint(c, halfRequest)
	wantAnswer(t, c, 429)
	g.settled(t)
}

// A stream that answers a POST goes on beyond the time of a request.
func TestStreamThatAnswersABodyIsNotCut(t *testing.T) {
	const total = 50 * time.Millisecond
	g := newRig(t, plan{
		endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/event-stream")
			http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(4 * total):
				io.WriteString(w, "still here")
			}
		})),
		policies: func(p *config.Policies) { p.Timeouts.Total, p.Timeouts.ResponseHeader = total, total },
	})
	c := g.dial(t)
	fmt.Fprint(c, halfRequest+" and 1")
	answer := wantAnswer(t, c, 200)
	body := make([]byte, len("still here"))
	if _, err := io.ReadFull(answer.Body, body); err != nil || string(body) != "still here" {
		t.Errorf("body: got %q, %v, want what comes after the time", body, err)
	}
	c.Close()
}

// The connection of a client that is refused can be used again when it has sent all.
func TestRefusalKeepsTheConnection(t *testing.T) {
	g := newRig(t, plan{endpoints: urls(newBackend(t, sink)), routes: limited(t, 1.0/60, 1, false)})
	c := g.dial(t)
	in := bufio.NewReader(c)
	for i, want := range []int{200, 429, 200} {
		if i == 2 {
			g.skip(time.Minute)
		}
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		io.Copy(io.Discard, answer.Body)
		if answer.StatusCode != want {
			t.Errorf("answer %d: got %d, want %d", i, answer.StatusCode, want)
		}
	}
	c.Close()
}

// The transport reads a body once more after its end, maybe when the answer has begun,
// which closes the body: that must not break the answer off.
func TestCompleteUploadStaysComplete(t *testing.T) {
	again := make(chan error, 10)
	g := newRig(t, plan{endpoints: []string{nobody(t)}, transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		begun := strings.NewReader("begun ")
		return &http.Response{
			StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, ContentLength: -1,
			Body: io.NopCloser(io.MultiReader(begun, readerFunc(func([]byte) (int, error) {
				_, err := r.Body.Read(make([]byte, 1))
				again <- err
				return 0, io.EOF
			}))),
		}, nil
	})})
	c := g.dial(t)
	fmt.Fprint(c, halfRequest+" and 1")
	answer := wantAnswer(t, c, 200)
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "begun " {
		t.Errorf("body: got %q, %v, want %q", body, err, "begun ")
	}
	if err := witness.Await(t, "reading the body again", again); err != io.EOF {
		t.Errorf("reading the body again: got %v, want %v", err, io.EOF)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
