package proxy

import (
	"errors"
	"net"
	"sync"
)

// readBuffer is the size of the buffer that net/http reads an HTTP/1 connection through.
const readBuffer = 4 << 10

// link is a connection to an endpoint that speaks HTTP/1. It sees to it that an answer is
// never older than its request: what an endpoint sends beyond the end of an answer, or
// before it was asked, must not be taken for the answer to whoever comes next. net/http
// closes a connection that says something while it is idle, but puts it back first and looks
// afterwards, so that a request that is quick, or has waited for that connection, gets in
// between.
//
// The end of an answer cannot be seen from here; but net/http reads with its whole buffer
// only when there is nothing left in it. So a request may be sent when such a reading waits
// for it, and when nothing has been read since it got the connection. Bytes that arrive in
// the very moment in which the request is sent cannot be told from a quick answer, here or
// anywhere.
type link struct {
	net.Conn

	mu      sync.Mutex
	moved   sync.Cond
	turn    int  // how many requests it has been given to
	unasked bool // the next thing to write is the beginning of a request
	read    bool // something was read, ever
	waits   bool // a reading with the whole buffer has begun and has got nothing yet
	spoiled bool // something came that nobody had asked for
	closed  bool
}

// errUnasked is about an endpoint that speaks without having been asked.
var errUnasked = errors.New("proxy: the endpoint has sent something that nobody had asked for")

func newLink(c net.Conn) *link {
	l := &link{Conn: c, unasked: true}
	l.moved.L = &l.mu
	return l
}

// next says that the connection is another request's now, and returns which one's.
func (l *link) next() (turn int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn++
	l.unasked = true
	return l.turn
}

// asked reports whether that request's beginning was written, and nothing had come before.
// By the time that somebody wants to know, the connection may be the next one's: net/http
// puts it back before it hands over an answer that has no body, but not before it has
// written the request.
func (l *link) asked(turn int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.turn > turn || !l.unasked
}

// Read implements net.Conn.
func (l *link) Read(p []byte) (int, error) {
	l.mu.Lock()
	l.waits = len(p) >= readBuffer
	if !l.waits && l.unasked {
		l.spoiled = true // the rest of something
	}
	l.moved.Broadcast()
	l.mu.Unlock()
	n, err := l.Conn.Read(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waits = false
	if n > 0 {
		l.read = true
		l.spoiled = l.spoiled || l.unasked
	}
	l.moved.Broadcast()
	return n, err
}

// Write implements net.Conn.
func (l *link) Write(p []byte) (int, error) {
	if err := l.ask(); err != nil {
		return 0, err
	}
	return l.Conn.Write(p)
}

// ask waits until it is clear that nothing has come that nobody had asked for. Whoever reads
// is on the way to its next reading, or has something to read that it will bring there.
func (l *link) ask() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.unasked {
		return nil
	}
	for l.read && !l.waits && !l.spoiled && !l.closed {
		l.moved.Wait()
	}
	if l.spoiled || l.closed {
		return errUnasked
	}
	l.unasked = false
	return nil
}

// Close implements net.Conn.
func (l *link) Close() error {
	l.mu.Lock()
	l.closed = true
	l.moved.Broadcast()
	l.mu.Unlock()
	return l.Conn.Close()
}

// CloseWrite says that nothing more will be written: to an upgraded connection.
func (l *link) CloseWrite() error {
	if c, ok := l.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}
