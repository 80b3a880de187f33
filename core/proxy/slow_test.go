package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/proxy"
	"github.com/evenkeel/evenkeel/core/witness"
)

// hurried holds clients to 200 ms of stall and 1 MB/s.
var hurried = proxy.Clients{Stall: 200 * time.Millisecond, BytesPerSecond: 1_000_000}

// A client that sends a byte now and then is told off, however long the endpoint would
// wait, and no endpoint is thought worse of.
func TestTrickledUploadIsCut(t *testing.T) {
	g := newRig(t, plan{clients: hurried, endpoints: urls(newBackend(t, sink)), policies: func(p *config.Policies) {
		touchy(p)
		p.Timeouts.ResponseHeader, p.Timeouts.Total = time.Hour, 0
	}})
	before := warm(t, g)
	c := g.dial(t)
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
	ctx, end := context.WithCancel(t.Context())
	defer end()
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			fmt.Fprint(c, "x")
		}
	}()
	wantAnswer(t, c, 408)
	end()
	wantUnharmed(t, g, before, true)
	wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total", `reason="slow-body"`), 1)
	wantCut(t, g, "slow-body")
}

// wantCut waits until one request is counted as cut, for that reason.
func wantCut(t *testing.T, g *rig, reason string) {
	t.Helper()
	const metric = "evenkeel_cut_requests_total"
	witness.Eventually(t, "a request that is counted as cut", func() bool { return g.read(t, metric) > 0 })
	wantCount(t, reason, g.count(t, metric, `reason="`+reason+`"`), 1)
	wantCount(t, "cut requests", g.count(t, metric), 1)
}

// The patience that clients get is not the time that an endpoint gets for its answer.
func TestSlowClientsTimeIsItsOwn(t *testing.T) {
	g := newRig(t, plan{
		clients:   proxy.Clients{Stall: 10 * time.Second, BytesPerSecond: 1},
		endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })),
		policies:  func(p *config.Policies) { p.Timeouts.ResponseHeader = 300 * time.Millisecond },
	})
	c := g.dial(t)
	fmt.Fprint(c, halfRequest)
	pause := time.NewTimer(700 * time.Millisecond)
	<-pause.C
	fmt.Fprint(c, " and 1")
	answer := wantAnswer(t, c, 200)
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "half and 1" {
		t.Errorf("body: got %q, %v, want all of it", body, err)
	}
}

// filler is an answer that no buffer of a connection has room for.
func filler(w http.ResponseWriter, _ *http.Request) {
	block := []byte(strings.Repeat("x", 64<<10))
	for range 1 << 10 {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// h2c is a client of HTTP/2 without TLS.
func h2c(t *testing.T) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: witness.Bound}
}

// A client that does not take its answer is not waited for; the lease ends, and teaches
// nothing.
func TestSlowReaderIsCut(t *testing.T) {
	for name, ask := range map[string]func(*testing.T, *rig){
		"HTTP/1.1": func(t *testing.T, g *rig) {
			fmt.Fprint(g.dial(t), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		},
		"HTTP/2": func(t *testing.T, g *rig) {
			answer, err := h2c(t).Get(g.URL)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { answer.Body.Close() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			left := make(chan struct{})
			slow := inTurn(say(200, "warm"), func(w http.ResponseWriter, r *http.Request) {
				filler(w, r)
				<-r.Context().Done()
				close(left)
			})
			g := newRig(t, plan{clients: hurried, endpoints: urls(newBackend(t, slow)), policies: func(p *config.Policies) {
				touchy(p)
				p.Timeouts.Total = 0
			}})
			before := warm(t, g)
			ask(t, g)
			witness.Await(t, "the endpoint is rid of the request", left)
			wantUnharmed(t, g, before, false)
			wantCount(t, "abandoned attempts", g.count(t, "evenkeel_attempts_total", `outcome="abandoned"`), 1)
			wantCut(t, g, "slow-answer")
		})
	}
}

// Who is silent because the endpoint is loses nothing: a stream may be quiet for as long
// as it likes, and so may a tunnel.
func TestQuietIsNotSlow(t *testing.T) {
	quiet := 2 * hurried.Stall
	for name, client := range map[string]func(t *testing.T) *http.Client{
		"HTTP/1.1": func(*testing.T) *http.Client { return http.DefaultClient },
		"HTTP/2":   h2c,
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, plan{clients: hurried, endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "text/event-stream")
				for range 2 {
					io.WriteString(w, "data: x\n\n")
					http.NewResponseController(w).Flush()
					pause := time.NewTimer(quiet)
					<-pause.C
				}
				io.WriteString(w, "end")
			}))})
			answer, err := client(t).Post(g.URL, "text/plain", strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "data: x\n\ndata: x\n\nend" {
				t.Errorf("body: got %q, %v, want all of it", body, err)
			}
			wantCount(t, "cut requests", g.count(t, "evenkeel_cut_requests_total"), 0)
		})
	}
}

// tunnels answers with a tunnel that f has the backend's end of.
func tunnels(f func(net.Conn, *bufio.ReadWriter)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		f(conn, buffer)
	}
}

const upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

// A tunnel may be quiet; its client has to take what it is sent.
func TestTunnelAndSlowClients(t *testing.T) {
	cut := make(chan error, 1)
	g := newRig(t, plan{clients: hurried, endpoints: urls(newBackend(t, tunnels(func(c net.Conn, in *bufio.ReadWriter) {
		line, _ := in.ReadString('\n')
		io.WriteString(c, line)
		if line == "quiet\n" {
			in.ReadByte()
			return
		}
		block := make([]byte, 64<<10)
		for {
			if _, err := c.Write(block); err != nil {
				cut <- err
				return
			}
		}
	})))})
	quiet := g.dial(t)
	in := bufio.NewReader(quiet)
	fmt.Fprint(quiet, upgrade)
	if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != 101 {
		t.Fatalf("answer: got %v, %v, want 101", answer, err)
	}
	slow := g.dial(t)
	fmt.Fprint(slow, upgrade)
	wantAnswer(t, slow, 101)
	fmt.Fprint(slow, "flood\n")
	witness.Await(t, "end of the flood that nobody takes", cut) // longer than stall after quiet has begun to be quiet
	witness.Eventually(t, "the flood is counted as cut", func() bool {
		return g.read(t, "evenkeel_cut_requests_total", `reason="slow-answer"`) == 1
	})
	fmt.Fprint(quiet, "quiet\n")
	if line, err := in.ReadString('\n'); err != nil || line != "quiet\n" {
		t.Errorf("the quiet tunnel: got %q, %v, want what was sent", line, err)
	}
	quiet.Close()
	slow.Close()
}

// An endpoint that falls silent amid its answer is given up, and to blame; a stream of
// events may be silent.
func TestSilentEndpoint(t *testing.T) {
	const idle = 300 * time.Millisecond
	for contentType, cut := range map[string]bool{"text/plain": true, "text/event-stream": false} {
		t.Run(contentType, func(t *testing.T) {
			g := newRig(t, plan{
				policies: func(p *config.Policies) { p.Timeouts.Idle, p.Timeouts.Total = idle, 0 },
				endpoints: urls(newBackend(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", contentType)
					for range 6 { // with pauses that are short enough, and long enough together
						io.WriteString(w, "x")
						http.NewResponseController(w).Flush()
						pause := time.NewTimer(idle / 5)
						<-pause.C
					}
					silence := time.NewTimer(2 * idle)
					defer silence.Stop()
					if cut {
						silence.Stop()
					}
					select {
					case <-r.Context().Done():
					case <-silence.C:
						io.WriteString(w, " end")
					}
				})),
			})
			answer, err := g.Client.Do(g.request(t, "GET", "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			switch {
			case cut && (err == nil || string(body) != "xxxxxx"):
				t.Errorf("body: got %q, %v, want xxxxxx and an error", body, err)
			case !cut && (err != nil || string(body) != "xxxxxx end"):
				t.Errorf("body: got %q, %v, want all of it", body, err)
			}
			if cut {
				wantCount(t, "timeouts", g.count(t, "evenkeel_attempts_total", `outcome="timeout"`), 1)
			}
		})
	}
}

// The time that a client takes is not an endpoint's silence.
func TestSlowReaderIsNotASilentEndpoint(t *testing.T) {
	g := newRig(t, plan{
		policies:  func(p *config.Policies) { p.Timeouts.Idle, p.Timeouts.Total = 500*time.Millisecond, 0 },
		endpoints: urls(newBackend(t, filler)),
	})
	c := g.dial(t)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	in := bufio.NewReader(c)
	in.ReadByte()
	pause := time.NewTimer(time.Second)
	<-pause.C
	if n, err := io.Copy(io.Discard, in); err != nil || n < 64<<20 {
		t.Errorf("got %d bytes, %v, want all 64 MiB", n, err)
	}
}
