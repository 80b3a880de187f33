package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/evenkeel/evenkeel/core/telemetry"
)

// Guard watches over the connections on which HTTP/1 comes in, where the bytes are still
// what the client sent. It spoils what is not framed beyond doubt, so that net/http
// answers it with 400 and the end of the connection, in its turn. And it counts what
// net/http refuses by itself, before any handler hears of it. HTTP/2 passes it untouched.
// Safe for concurrent use.
type Guard struct {
	// Unrouted counts what is refused.
	Unrouted *telemetry.Route
	// Access returns the log that gets a line for each; nil for none.
	Access func() *slog.Logger
}

// Listen returns a listener whose connections are guarded. They have to be what the
// client speaks: where there is TLS, what has been decrypted.
func (g *Guard) Listen(l net.Listener) net.Listener { return guardedListener{l, g} }

type guardedListener struct {
	net.Listener
	guard *Guard
}

// Accept implements net.Listener.
func (l guardedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guarded{Conn: c, guard: l.guard}, nil
}

// guarded is a connection that is watched over.
type guarded struct {
	net.Conn
	guard   *Guard
	framing framing     // of what is read: by one goroutine at a time
	spoiled atomic.Bool // something was wrong
	rest    string      // of what is read instead of the rest
	off     atomic.Bool // it has become something else
}

// spoil is what net/http reads after the last byte in order: no head, no line before a
// chunk and no trailer goes on like that. An error would not do: net/http would take it
// for the client's leaving, and end the requests before.
const spoil = "\r\r\n\x00\r\n\r\n"

// errFraming is what net/http reads after that.
var errFraming = errors.New("proxy: the request is not framed beyond doubt")

// Read implements net.Conn.
func (c *guarded) Read(p []byte) (int, error) {
	if c.spoiled.Load() {
		return c.spoil(p)
	}
	passed, ok, err := c.read(p)
	if c.off.Load() || len(passed) == 0 && ok {
		return len(passed), err
	}
	if c.framing.odd && c.framing.state != inHeader { // net/http answers that by itself, too
		c.framing.odd = false
		c.guard.refused(c, http.StatusExpectationFailed, telemetry.RejectExpect)
	}
	if ok {
		return len(passed), err
	}
	c.spoiled.Store(true)
	c.rest = spoil
	if s := c.framing.state; s == inStart || s == inHeader || s == inAnother {
		c.guard.refused(c, http.StatusBadRequest, telemetry.RejectMalformed)
	} // what is wrong in a body ends its request, and is told there
	if len(passed) == 0 {
		return c.spoil(p)
	}
	return len(passed), nil
}

// read reads until there is something to be passed on, or something is wrong.
func (c *guarded) read(p []byte) (passed []byte, ok bool, err error) {
	for {
		n, err := c.Conn.Read(p)
		if c.off.Load() || n == 0 {
			return p[:n], true, err
		}
		if passed, ok = c.framing.feed(p[:n]); len(passed) > 0 || !ok || err != nil {
			return passed, ok, err
		}
	}
}

func (c *guarded) spoil(p []byte) (int, error) {
	if c.rest == "" {
		return 0, errFraming
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// ownAnswer is what net/http's own refusals have behind their first line, and nothing
// that passes through a handler has: that has a Date.
var ownAnswer = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// Write implements net.Conn.
func (c *guarded) Write(p []byte) (int, error) {
	const first = "HTTP/1.1 400"
	if len(p) > len(first) && len(p) < 512 && string(p[:9]) == first[:9] && bytes.Contains(p, ownAnswer) && !c.spoiled.Load() {
		reason := telemetry.RejectMalformed
		status := int(p[9]-'0')*100 + int(p[10]-'0')*10 + int(p[11]-'0')
		if status == http.StatusRequestHeaderFieldsTooLarge {
			reason = telemetry.RejectManyHeaders
			if c.framing.state == inStart {
				return c.refuseLine(len(p))
			}
		}
		c.guard.refused(c, status, reason)
	}
	return c.Conn.Write(p)
}

// refuseLine answers a first line that is longer than a head may be, where net/http would
// speak of header fields: by what in it is too long (RFC 9112, section 3). It reports n as
// written.
func (c *guarded) refuseLine(n int) (int, error) {
	status, reason := http.StatusRequestURITooLong, telemetry.RejectManyHeaders
	if !bytes.Contains(c.framing.kept[:], []byte(" ")) { // no method is that long
		status, reason = http.StatusBadRequest, telemetry.RejectMalformed
	}
	c.guard.refused(c, status, reason)
	told := fmt.Sprintf("%d %s", status, http.StatusText(status))
	if _, err := fmt.Fprintf(c.Conn, "HTTP/1.1 %s%s%s", told, ownAnswer, told); err != nil {
		return 0, err
	}
	return n, nil
}

// NetConn is the connection that is watched over.
func (c *guarded) NetConn() net.Conn { return c.Conn }

// CloseWrite closes the half of the connection that is written to, where that can be done:
// net/http does so before it closes the whole, so that its last words arrive.
func (c *guarded) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// unguarded is a connection that has become something else than HTTP.
func unguarded(c net.Conn) net.Conn {
	if g, ok := c.(*guarded); ok {
		g.off.Store(true)
		return g.Conn
	}
	return c
}

// refused counts a request that no handler hears of.
func (g *Guard) refused(c net.Conn, status int, reason string) {
	g.Unrouted.Rejected(reason)
	if g.Access == nil {
		return
	}
	if log := g.Access(); log != nil {
		client, _, err := net.SplitHostPort(c.RemoteAddr().String())
		if err != nil {
			client = c.RemoteAddr().String()
		}
		log.LogAttrs(context.Background(), slog.LevelInfo, "request refused",
			slog.String("client", client), slog.Int("status", status), slog.String("reason", reason))
	}
}
