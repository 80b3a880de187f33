package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core/proxy"
	"github.com/evenkeel/evenkeel/core/witness"
)

// guard opens a guarded listener in front of a rig's proxy and returns its address.
func (g *rig) guard(t *testing.T, access *slog.Logger) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	guard := &proxy.Guard{Unrouted: g.unrouted, Access: func() *slog.Logger { return access }}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			g.running.add(1)
			defer g.running.add(-1)
			g.handler.ServeHTTP(w, r)
		}),
		Protocols:                    new(http.Protocols),
		DisableGeneralOptionsHandler: true,
		MaxHeaderBytes:               2 << 10,
		ErrorLog:                     slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go server.Serve(guard.Listen(l))
	t.Cleanup(func() { shut(t, server) })
	return l.Addr().String()
}

// shut ends a server when the last connection has gone: net/http keeps one that it
// refused open for a while, so that its last words arrive.
func shut(t *testing.T, s *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), witness.Bound)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("shutting the server down: %v", err)
	}
}

// Whatever is refused is counted once, by its reason, and has one line in the access log,
// whether a handler heard of it or not.
func TestRefusalsAreCounted(t *testing.T) {
	for _, tt := range []struct {
		name, send string
		status     int
		reason     string
	}{
		{"unclear framing", post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "malformed"},
		{"no HTTP", "\x16\x03\x01 of another kind\r\n\r\n", 400, "malformed"},
		{"a version that is not served", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "malformed"},
		{"a coding that is not known", post + "Transfer-Encoding: br, chunked\r\n\r\n", 501, "malformed"},
		{"a coding behind which nobody knows the end", post + "Transfer-Encoding: br\r\n\r\n", 400, "malformed"},
		{"no version, and nothing more", "GET /\r\n\r\n", 400, "malformed"},
		{"a target that is too long", "GET /" + strings.Repeat("1", 10<<10) + " HTTP/1.1\r\n\r\n", 414, "too-many-headers"},
		{"a method that is too long", strings.Repeat("A", 10<<10) + " / HTTP/1.1\r\n\r\n", 400, "malformed"},
		{"a head that is too long", get + "X: " + strings.Repeat("1", 10<<10) + "\r\n\r\n", 431, "too-many-headers"},
		{"too many lines", get + "Connection: close\r\n" + strings.Repeat("X: 1\r\n", 30) + "\r\n", 431, "too-many-headers"},
		{"no such expectation", get + "Expect: a-pony\r\n\r\n", 417, "expectation"},
		{"half an expectation", get + "Connection: close\r\nExpect: 100-continue, a-pony\r\n\r\n", 417, "expectation"},
		{"no host", "GET / HTTP/1.1\r\nHost: a,b\r\nConnection: close\r\n\r\n", 400, "bad-host"},
		{"a target that steps up", "GET /a/.. HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400, "bad-target"},
		{"a method that is not served", "TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405, "method"},
		{"a bad chunk", post + "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400, "bad-body"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := &witness.Log{}
			access := slog.New(slog.NewJSONHandler(log, nil))
			g := newRig(t, plan{endpoints: urls(newBackend(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })),
				access: access, clients: proxy.Clients{MaxHeaders: 30}})
			c := witness.Dial(t, "tcp", g.guard(t, access))
			io.WriteString(c, tt.send)
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != tt.status {
				t.Errorf("status: got %d, want %d", answer.StatusCode, tt.status)
			}
			wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total"), 1.0)
			wantCount(t, "rejections for "+tt.reason, g.count(t, "evenkeel_rejections_total", fmt.Sprintf("reason=%q", tt.reason)), 1.0)
			if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, fmt.Sprintf(`"status":%d`, tt.status)) || !strings.Contains(got, `"client":"127.0.0.1"`) {
				t.Errorf("access log: got %q, want one line with the client and the status", got)
			}
		})
	}
}

// What passes is not touched: another protocol after an upgrade, HTTP/2, and an answer
// that looks like one of net/http's own.
func TestGuardLetsPass(t *testing.T) {
	const odd = "\n\n PRI \r\n x\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
	t.Run("an upgraded connection", func(t *testing.T) {
		g := newRig(t, plan{endpoints: urls(newBackend(t, echoing))})
		c := witness.Dial(t, "tcp", g.guard(t, nil))
		io.WriteString(c, get+"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		in := bufio.NewReader(c)
		answer, err := http.ReadResponse(in, nil)
		if err != nil || answer.StatusCode != 101 {
			t.Fatalf("got %v, %v, want 101", answer, err)
		}
		io.WriteString(c, odd)
		got := make([]byte, len(odd))
		if _, err := io.ReadFull(in, got); err != nil || string(got) != odd {
			t.Errorf("echo: got %q, %v, want %q", got, err, odd)
		}
	})
	t.Run("HTTP/2", func(t *testing.T) {
		g := newRig(t, plan{endpoints: urls(newBackend(t, say(200, "well")))})
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
		defer transport.CloseIdleConnections()
		answer, err := (&http.Client{Transport: transport, Timeout: witness.Bound}).Post("http://"+g.guard(t, nil), "text/plain", strings.NewReader(odd))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != 200 || answer.ProtoMajor != 2 {
			t.Errorf("got %d over %s, want 200 over HTTP/2", answer.StatusCode, answer.Proto)
		}
	})
	t.Run("an endpoint's own 400", func(t *testing.T) {
		g := newRig(t, plan{endpoints: urls(newBackend(t, say(400, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")))})
		c := witness.Dial(t, "tcp", g.guard(t, nil))
		io.WriteString(c, get+"Connection: close\r\n\r\n")
		io.Copy(io.Discard, c)
		wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total"), 0.0)
	})
}

// echoing switches protocols and says what it hears.
func echoing(w http.ResponseWriter, _ *http.Request) {
	c, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	defer c.Close()
	io.Copy(c, buffer)
}
