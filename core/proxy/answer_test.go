package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
)

// rawEndpoint is an endpoint that writes what it is told to, byte by byte. It answers a
// request for /second well, on whichever connection that comes.
func rawEndpoint(t *testing.T, answer func(c net.Conn, r *http.Request)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			serving.Go(func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					io.Copy(io.Discard, r.Body)
					if r.URL.Path == "/second" {
						io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond")
						continue
					}
					answer(c, r)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return "http://" + l.Addr().String()
}

// evil is an answer that belongs to nobody.
const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

// rawAnswers are what an endpoint may say to a request, and what its client is to hear.
var rawAnswers = []struct {
	name, method, raw string
	close             bool // the endpoint closes the connection behind it
	status            int  // 0: the answer breaks off
	body, outcome     string
}{
	{"well", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 200, "ok", "success"},
	{"without a reason", "GET", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", false, 200, "ok", "success"},
	{"until it closes", "GET", "HTTP/1.1 200 OK\r\n\r\nok", true, 200, "ok", "success"},
	{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\n\r\nok", true, 200, "ok", "success"},
	{"interim", "GET", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 200, "ok", "success"},
	{"unknown status", "GET", "HTTP/1.1 799 Odd\r\nContent-Length: 2\r\n\r\nok", false, 799, "ok", "server-error"},

	{"another answer behind it", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + evil, false, 200, "ok", "success"},
	{"a part of one behind it", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + evil[:20], false, 200, "ok", "success"},
	{"longer than it says", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay", false, 200, "ok", "success"},
	{"another behind the last chunk", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + evil, false, 200, "ok", "success"},
	{"another behind no body", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + evil, false, 200, "", "success"},
	{"HEAD with a body", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", false, 200, "", "success"},
	{"HEAD with another behind it", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + evil, false, 200, "", "success"},
	{"204 with a body", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil", false, 204, "", "success"},
	{"204 with another behind it", "GET", "HTTP/1.1 204 No Content\r\n\r\n" + evil, false, 204, "", "success"},
	{"304 with a body", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil", false, 304, "", "success"},
	{"304 with another behind it", "GET", "HTTP/1.1 304 Not Modified\r\n\r\n" + evil, false, 304, "", "success"},

	{"two lengths", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\nevil", false, 502, "", "reset"},
	{"the same length twice", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", false, 200, "ok", "success"},
	{"a list of lengths", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", false, 502, "", "reset"},
	{"a signed length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", false, 502, "", "reset"},
	{"a negative length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok", false, 502, "", "reset"},
	{"a length beyond counting", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok", false, 502, "", "reset"},
	{"chunked with a length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false, 200, "ok", "success"},
	{"chunked twice", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false, 502, "", "reset"},
	{"an unknown coding", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false, 502, "", "reset"},
	{"a coding before chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false, 502, "", "reset"},
	{"a chunk without a size", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nok\r\n0\r\n\r\n", false, 0, "", "reset"},
	{"a chunk with a sign", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nok\r\n0\r\n\r\n", false, 0, "", "reset"},
	{"a chunk beyond counting", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nok\r\n", false, 0, "", "reset"},
	{"a chunk longer than it says", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n", false, 0, "", "reset"},

	{"bare line feeds", "GET", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", false, 200, "ok", "success"},
	{"a folded line", "GET", "HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\nok", false, 200, "ok", "success"},
	{"a zero byte in a value", "GET", "HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 2\r\n\r\nok", false, 502, "", "reset"},
	{"a carriage return in a value", "GET", "HTTP/1.1 200 OK\r\nX-A: a\rb\r\nContent-Length: 2\r\n\r\nok", false, 502, "", "reset"},
	{"an escape in a value", "GET", "HTTP/1.1 200 OK\r\nX-A: \x1b[2J\r\nContent-Length: 2\r\n\r\nok", false, 502, "", "reset"},
	{"a zero byte in an interim value", "GET", "HTTP/1.1 103 Early Hints\r\nLink: a\x00b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 502, "", "reset"},
	{"a space before the colon", "GET", "HTTP/1.1 200 OK\r\nX-A : a\r\nContent-Length: 2\r\n\r\nok", false, 502, "", "reset"},
	{"a field without a colon", "GET", "HTTP/1.1 200 OK\r\nX-A\r\nContent-Length: 2\r\n\r\nok", false, 502, "", "reset"},
	{"a field without a name", "GET", "HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 2\r\n\r\nok", false, 502, "", "reset"},
	{"an odd name", "GET", "HTTP/1.1 200 OK\r\nX(a): a\r\nContent-Length: 2\r\n\r\nok", false, 502, "", "reset"},

	{"no HTTP", "GET", "220 ready\r\n\r\n", false, 502, "", "reset"},
	{"another protocol", "GET", "HTTX/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 502, "", "reset"},
	{"a word for a status", "GET", "HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok", false, 502, "", "reset"},
	{"two digits", "GET", "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok", false, 502, "", "reset"},
	{"four digits", "GET", "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok", false, 502, "", "reset"},
	{"status 000", "GET", "HTTP/1.1 000 OK\r\nContent-Length: 2\r\n\r\nok", false, 502, "", "reset"},
	{"status 099", "GET", "HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok", false, 502, "", "reset"},
	{"a switch that nobody asked for", "GET", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false, 502, "", "success"},
	{"frames of HTTP/2", "GET", "\x00\x00\x00\x04\x00\x00\x00\x00\x00", true, 502, "", "reset"},
	{"a head without end", "GET", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 1100), false, 502, "", "reset"},
	{"interim answers without end", "GET", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", 100), false, 502, "", "reset"},

	{"nothing", "GET", "", true, 502, "", "reset"},
	{"half a head", "GET", "HTTP/1.1 200 OK\r\nX-A: a", true, 502, "", "reset"},
	{"less than it says", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", true, 0, "", "reset"},
	{"no last chunk", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", true, 0, "", "reset"},
}

// fetch returns an answer and what came of its body.
func (g *rig) fetch(t *testing.T, r *http.Request) (*http.Response, []byte, error) {
	t.Helper()
	got, err := g.Client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	return got, body, err
}

// muted turns off what net/http says of connections that say something while they are idle.
func muted(t *testing.T) {
	t.Helper()
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
}

// Whatever an endpoint says, its client gets an answer that is right, or 502, or sees it
// break off; the outcome is counted once, the lease settled (newRig looks); and whoever
// comes next gets its own answer.
func TestRawAnswers(t *testing.T) {
	muted(t)
	for _, tt := range rawAnswers {
		t.Run(tt.name, func(t *testing.T) {
			at := rawEndpoint(t, func(c net.Conn, _ *http.Request) {
				io.WriteString(c, tt.raw)
				if tt.close {
					c.Close()
				}
			})
			g := newRig(t, plan{endpoints: []string{at}, policies: func(p *config.Policies) { p.Breaker.Enabled = false }})
			got, body, err := g.fetch(t, g.request(t, tt.method, "/", nil))
			switch {
			case tt.status == 0:
				if err == nil {
					t.Errorf("body: got %q to its end, want it to break off", body)
				}
			case err != nil:
				t.Errorf("got %v", err)
			case got.StatusCode != tt.status:
				t.Errorf("status: got %d, want %d; %q", got.StatusCode, tt.status, body)
			case tt.status != 502 && string(body) != tt.body:
				t.Errorf("body: got %q, want %q", body, tt.body)
			}
			if got != nil && len(got.Header["Content-Length"])+len(got.TransferEncoding) > 1 {
				t.Errorf("framing: got lengths %q and codings %q", got.Header["Content-Length"], got.TransferEncoding)
			}
			wantCount(t, "attempts", g.count(t, "evenkeel_attempts_total"), 1.0)
			wantCount(t, tt.outcome, g.count(t, "evenkeel_attempts_total", `outcome="`+tt.outcome+`"`), 1.0)
			second := g.get(t, "/second")
			if wantStatus(t, second, 200); second.body != "second" {
				t.Errorf("who came next: got %q", second.body)
			}
		})
	}
}

// Nobody gets what an endpoint has sent beyond the end of somebody else's answer, however
// many wait for its connection.
func TestNobodyGetsTheAnswerOfAnother(t *testing.T) {
	muted(t)
	for name, more := range map[string]string{"an answer": evil, "its beginning": evil[:10]} {
		t.Run(name, func(t *testing.T) {
			at := rawEndpoint(t, func(c net.Conn, r *http.Request) {
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s%s", len(r.URL.Path), r.URL.Path, more)
			})
			g := newRig(t, plan{endpoints: []string{at}, policies: func(p *config.Policies) { p.Breaker.Enabled = false }})
			// net/http alone fails this in one run of ten on two processors, and in nearly each on eight.
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
			var clients sync.WaitGroup
			for i := range 30 {
				clients.Go(func() {
					for j := range 15 {
						path := fmt.Sprintf("/%d/%d", i, j)
						got, body, err := g.fetch(t, g.request(t, http.MethodGet, path, nil))
						if err != nil || got.StatusCode != 200 || string(body) != path {
							t.Errorf("%s: got %q, %v", path, body, err)
						}
					}
				})
			}
			clients.Wait()
		})
	}
}

// An endpoint that hangs in the middle of its head is not waited for for long.
func TestHungHead(t *testing.T) {
	at := rawEndpoint(t, func(c net.Conn, _ *http.Request) { io.WriteString(c, "HTTP/1.1 200 OK\r\nX-A: a") })
	g := newRig(t, plan{endpoints: []string{at}, policies: func(p *config.Policies) { p.Timeouts.ResponseHeader = 50 * time.Millisecond }})
	wantStatus(t, g.get(t, "/"), 504)
	wantCount(t, "timeouts", g.count(t, "evenkeel_attempts_total", `outcome="timeout"`), 1.0)
}
