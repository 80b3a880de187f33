package proxy_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// backend is a server that counts what arrives.
type backend struct {
	*httptest.Server
	requests, connections atomic.Int64
}

func (b *backend) host() string { return strings.TrimPrefix(b.URL, "http://") }

func newBackend(t testing.TB, h http.HandlerFunc) *backend {
	t.Helper()
	b := &backend{}
	b.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.requests.Add(1)
		h(w, r)
	}))
	b.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			b.connections.Add(1)
		}
	}
	b.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	b.Start()
	t.Cleanup(b.Close)
	return b
}

// newBackends starts n backends with the same handler.
func newBackends(t *testing.T, n int, h http.HandlerFunc) []*backend {
	t.Helper()
	var all []*backend
	for range n {
		all = append(all, newBackend(t, h))
	}
	return all
}

func urls(backends ...*backend) []string {
	var all []string
	for _, b := range backends {
		all = append(all, b.URL)
	}
	return all
}

// nobody is the URL of an address at which nothing listens: that of the client's end
// of a connection, which keeps the port from being somebody else's meanwhile.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	// Bound on its own: ports that connections are given may be those of others, to elsewhere.
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}
	c, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return "http://" + c.LocalAddr().String()
}

// inTurn answers its first call with the first handler, the second with the second,
// and all further ones with the last: whichever backend is asked.
func inTurn(handlers ...http.HandlerFunc) http.HandlerFunc {
	var calls atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		handlers[min(int(calls.Add(1)), len(handlers))-1](w, r)
	}
}

// say answers with a status and a body.
func say(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// reset breaks the connection off without an answer.
func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// newSecure starts a TLS backend with a certificate that nobody has signed.
func newSecure(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}
