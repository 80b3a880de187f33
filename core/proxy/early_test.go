package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/proxy"
	"github.com/evenkeel/evenkeel/core/witness"
)

// An answer that comes before the body is complete reaches the client at once, and with
// it the end of the connection: what is left of the body is no request.
func TestEarlyAnswer(t *testing.T) {
	for name, head := range map[string]string{
		"known length": "Content-Length: 100000\r\n\r\nhalf",
		"chunked":      "Transfer-Encoding: chunked\r\n\r\n5\r\nhalf1\r\n5\r\nha",
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, plan{endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "5")
				http.NewResponseController(w).EnableFullDuplex()
				w.WriteHeader(403)
				io.WriteString(w, "early")
				http.NewResponseController(w).Flush()
				if r.URL.Path == "/second" {
					t.Error("the rest of a body has become a request")
				}
			})), policies: func(p *config.Policies) { p.Timeouts.Total, p.Timeouts.ResponseHeader = time.Hour, time.Hour }})
			c := g.dial(t)
			fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\n"+head)
			in := bufio.NewReader(c)
			answer, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			body := make([]byte, 5)
			if _, err := io.ReadFull(answer.Body, body); err != nil || string(body) != "early" || answer.StatusCode != 403 || !answer.Close {
				t.Errorf("answer: got %d %q, %v, close %v; want 403 early and the end of the connection", answer.StatusCode, body, err, answer.Close)
			}
			fmt.Fprint(c, "GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
			if rest, err := io.ReadAll(in); len(rest) > 0 {
				t.Errorf("after the answer: got %q, %v, want nothing more", rest, err)
			}
			wantCount(t, "requests", g.count(t, "evenkeel_requests_total"), 1)
		})
	}
}

// Both directions may be open at once in HTTP/1.1, too: what the endpoint says depends on
// what it has heard, piece by piece.
func TestConversationOverHTTP1(t *testing.T) {
	g := newRig(t, plan{endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		c.EnableFullDuplex()
		c.Flush()
		in := bufio.NewReader(r.Body)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(w, strings.ToUpper(line))
			c.Flush()
		}
	}))})
	c := g.dial(t)
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	answer := wantAnswer(t, c, 200)
	in := bufio.NewReader(answer.Body)
	for _, line := range []string{"one\n", "two\n", "six\n"} {
		fmt.Fprintf(c, "4\r\n%s\r\n", line)
		if got, err := in.ReadString('\n'); err != nil || got != strings.ToUpper(line) {
			t.Fatalf("got %q, %v, want %q", got, err, strings.ToUpper(line))
		}
	}
	fmt.Fprint(c, "0\r\n\r\n")
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("the end: got %q, %v, want just that", rest, err)
	}
}

// rawBackend is an endpoint that a test speaks for itself.
func rawBackend(t *testing.T, speak func(net.Conn, *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(witness.Bound))
			speak(c, bufio.NewReader(c))
			c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// head reads a request's head and returns it.
func head(in *bufio.Reader) string {
	var b strings.Builder
	for {
		line, err := in.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			return b.String()
		}
	}
}

// A client that asks whether it may send its body hears what the endpoint says to that,
// before it has sent any; and one that may not has sent none.
func TestContinuePassesThrough(t *testing.T) {
	const ask = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
	for name, c := range map[string]struct {
		says   string
		status int
		body   string
	}{
		"yes":         {"HTTP/1.1 100 Continue\r\n\r\n", 200, "body"},
		"no":          {"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 1000000), 417, ""},
		"not allowed": {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked, said := make(chan string, 1), newGate(t)
			got := make(chan string, 1)
			g := newRig(t, plan{endpoints: []string{rawBackend(t, func(conn net.Conn, in *bufio.Reader) {
				asked <- head(in)
				<-said.open
				io.WriteString(conn, c.says)
				body := make([]byte, 4)
				n, _ := io.ReadFull(in, body)
				got <- string(body[:n])
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			})}})
			client := g.dial(t)
			fmt.Fprint(client, ask)
			if head := witness.Await(t, "the head at the endpoint", asked); !strings.Contains(head, "Expect: 100-continue\r\n") {
				t.Errorf("head at the endpoint: got %q, want Expect", head)
			}
			said.Open()
			in := bufio.NewReader(client)
			answer, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.body != "" {
				if answer.StatusCode != 100 {
					t.Fatalf("first: got %d, want 100", answer.StatusCode)
				}
				fmt.Fprint(client, c.body)
				if answer, err = http.ReadResponse(in, nil); err != nil {
					t.Fatal(err)
				}
			}
			if answer.StatusCode != c.status {
				t.Errorf("status: got %d, want %d", answer.StatusCode, c.status)
			}
			if n, err := io.Copy(io.Discard, answer.Body); err != nil || n != answer.ContentLength {
				t.Errorf("body: got %d bytes, %v, want %d", n, err, answer.ContentLength)
			}
			if body := witness.Await(t, "what the endpoint got of the body", got); body != c.body {
				t.Errorf("body at the endpoint: got %q, want %q", body, c.body)
			}
			client.Close()
		})
	}
}

// What the proxy itself has to say is in the final answer, after an interim one, too.
func TestInterimAnswerTakesNothingAway(t *testing.T) {
	told := func(r []proxy.Route) []proxy.Route {
		r = limited(t, 1, 5, false)(r)
		r[0].Limit.Name, r[0].Limit.Headers = "web", true
		return r
	}
	g := newRig(t, plan{routes: told, endpoints: urls(newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		io.WriteString(w, "final")
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
	wantStatus(t, got, 200)
	if len(hints) != 1 || hints[0] != "103 </style.css>; rel=preload" {
		t.Errorf("hints: got %q, want one", hints)
	}
	if got.header.Get("RateLimit") == "" || got.header.Get("Link") != "" {
		t.Errorf("header of the final answer: got %v, want RateLimit, and no Link", got.header)
	}
}

// A body that is larger than it may be is refused before anything is sent of it, if it
// says so; else when it turns out to be. An endpoint never gets what looks complete.
func TestLargeBody(t *testing.T) {
	for _, c := range []struct {
		name            string
		listener, route int64
		body            string
		chunked         bool
		status          int
		reached         int64
	}{
		{"just fits", 10, 0, "0123456789", false, 200, 1},
		{"one byte too many", 10, 0, "0123456789x", false, 413, 0},
		{"just fits, in chunks", 10, 0, "0123456789", true, 200, 1},
		{"one byte too many, in chunks", 10, 0, "0123456789x", true, 413, 1},
		{"the route allows more", 5, 20, "0123456789x", false, 200, 1},
		{"the route allows less", 50, 10, "0123456789x", true, 413, 1},
		{"no bound", 0, 0, "0123456789x", true, 200, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var complete atomic.Int64
			b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err == nil {
					complete.Add(1)
				}
			})
			g := newRig(t, plan{
				endpoints: urls(b), policies: touchy, clients: proxy.Clients{MaxBodyBytes: c.listener},
				routes: func(r []proxy.Route) []proxy.Route {
					r[0].MaxBodyBytes = c.route
					return r
				},
			})
			var body io.Reader = strings.NewReader(c.body)
			if c.chunked {
				body = io.MultiReader(body)
			}
			wantStatus(t, g.do(t, g.request(t, "POST", "/", body)), c.status)
			g.settled(t)
			if got := b.requests.Load(); got > c.reached { // its head may have been on its way
				t.Errorf("requests at the endpoint: got %d, want at most %d", got, c.reached)
			}
			want := c.reached
			if c.status != 200 {
				want = 0
				wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total", `reason="large-body"`), 1)
				wantUnharmed(t, g, 0, false)
			}
			wantCount(t, "complete bodies at the endpoint", complete.Load(), want)
		})
	}
}

// A quarter of a gigabyte each way takes no memory to speak of.
func TestHugeBodiesAreStreamed(t *testing.T) {
	const size = 256 << 20
	block := make([]byte, 1<<20)
	rand.Read(block)
	sum := func(r io.Reader) (n int64, hash [32]byte) {
		h := sha256.New()
		n, _ = io.Copy(h, r)
		return n, [32]byte(h.Sum(nil))
	}
	source := func() io.Reader {
		blocks := make([]io.Reader, size/len(block))
		for i := range blocks {
			blocks[i] = bytes.NewReader(block)
		}
		return io.MultiReader(blocks...)
	}
	_, want := sum(source())
	up := make(chan [32]byte, 1)
	g := newRig(t, plan{
		policies: func(p *config.Policies) { p.Timeouts.Total = 0 },
		endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) {
			_, hash := sum(r.Body)
			up <- hash
			io.Copy(w, source())
		})),
	})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	answer, err := g.Client.Do(g.request(t, "POST", "/", source()))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got := witness.Await(t, "the body at the endpoint", up); got != want {
		t.Error("the body has changed on its way to the endpoint")
	}
	if n, got := sum(answer.Body); n != size || got != want {
		t.Errorf("the answer has changed on its way: %d bytes", n)
	}
	runtime.ReadMemStats(&after)
	if grown := after.Sys - before.Sys; grown > 64<<20 {
		t.Errorf("memory from the system: %d MiB more, want less than 64", grown>>20)
	}
}
