package proxy_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/proxy"
	"github.com/evenkeel/evenkeel/core/witness"
)

// crumbs is a body that comes byte by byte: each is a chunk of HTTP/1.1, or a DATA frame of
// HTTP/2.
type crumbs struct {
	left  int
	pause time.Duration // before each
}

func (c *crumbs) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	if c.pause > 0 {
		timer := time.NewTimer(c.pause)
		<-timer.C
	}
	c.left--
	p[0] = 'x'
	return 1, nil
}

// What counts is the body, not what is around it: a byte in a chunk or a frame of its own is
// a byte. So who sends single bytes slowly is cut, and who sends them well is served.
func TestBodiesInCrumbs(t *testing.T) {
	for version, client := range map[string]func(*testing.T) *http.Client{
		"HTTP/1.1": func(t *testing.T) *http.Client {
			transport := &http.Transport{}
			t.Cleanup(transport.CloseIdleConnections)
			return &http.Client{Transport: transport, Timeout: witness.Bound}
		},
		"HTTP/2": h2c,
	} {
		for name, tt := range map[string]struct {
			clients proxy.Clients
			body    crumbs
			status  int
		}{
			"slowly": {hurried, crumbs{100_000, 5 * time.Millisecond}, 408},
			"well":   {proxy.Clients{Stall: witness.Bound, BytesPerSecond: 500}, crumbs{4000, 0}, 200},
		} {
			t.Run(version+", "+name, func(t *testing.T) {
				g := newRig(t, plan{
					clients: tt.clients,
					endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) {
						if body, err := io.ReadAll(r.Body); err == nil {
							w.Write(body)
						}
					})),
					policies: func(p *config.Policies) { p.Breaker.ConsecutiveFailures = 1 },
				})
				sent := tt.body.left
				answer, err := client(t).Post(g.URL, "text/plain", &tt.body)
				if err != nil {
					t.Fatal(err)
				}
				defer answer.Body.Close()
				body, err := io.ReadAll(answer.Body)
				if err != nil || answer.StatusCode != tt.status {
					t.Errorf("got %d, %v, want %d", answer.StatusCode, err, tt.status)
				}
				if tt.status == http.StatusOK && !bytes.Equal(body, bytes.Repeat([]byte("x"), sent)) {
					t.Errorf("body: got %d bytes, want %d", len(body), sent)
				}
				wantUnharmed(t, g, 0, false)
				if tt.status != http.StatusOK {
					wantCut(t, g, "slow-body")
				}
			})
		}
	}
}

// What a byte costs the proxy and its endpoint together that is sent as dear as can be, and
// beside that what a request costs.
func BenchmarkCrumbs(b *testing.B) {
	taken := make(chan struct{}, 1)
	g := newRig(b, plan{endpoints: urls(newBackend(b, func(_ http.ResponseWriter, r *http.Request) {
		if n, _ := io.Copy(io.Discard, r.Body); n > 0 {
			taken <- struct{}{}
		}
	}))})
	b.Run("frame", func(b *testing.B) {
		c := g.dial(b)
		go io.Copy(io.Discard, c)
		io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+string(frame(4, 0, 0, nil)))
		const most = 60_000 // of a stream, within its first window
		for sent, stream := 0, uint32(1); sent < b.N; stream += 2 {
			n := min(most, b.N-sent)
			text := frame(1, 4, stream, []byte("\x83\x86\x84\x41\x01a")) // POST http://a/
			text = append(text, bytes.Repeat(frame(0, 0, stream, []byte("x")), n-1)...)
			if _, err := c.Write(append(text, frame(0, 1, stream, []byte("x"))...)); err != nil {
				b.Fatal(err)
			}
			<-taken
			sent += n
		}
	})
	b.Run("chunk", func(b *testing.B) {
		c := g.dial(b)
		text := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", b.N) + "0\r\n\r\n"
		if _, err := io.WriteString(c, text); err != nil {
			b.Fatal(err)
		}
		<-taken
	})
	b.Run("request", func(b *testing.B) {
		c := g.dial(b)
		go io.WriteString(c, strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", b.N))
		in := bufio.NewReader(c)
		for range b.N {
			answer, err := http.ReadResponse(in, nil)
			if err != nil {
				b.Fatal(err)
			}
			answer.Body.Close()
		}
	})
}
