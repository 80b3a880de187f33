// Package listen has connections as they come in: the socket, how many there may be, who
// they are from, and TLS. What it accepts is ready for net/http to serve.
//
//	raw, err := listen.Open("127.0.0.1:8443", 0)
//	l := listen.New(raw, options)
//	l.Attach(server)
//	err = server.Serve(l)
//
// A connection is greeted before it is served: its PROXY header is read where its peer is
// trusted to send one, and its TLS handshake made. Each is greeted in a goroutine of its
// own, so that a peer that says nothing keeps nobody else waiting.
//
// net/http is given its connections after the handshake, so that HTTP/2 runs over a
// connection that can be watched (see package flood): net/http knows it by its preface,
// as it does without TLS.
package listen

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/flood"
)

// Options are what a Listener goes by. Now, Log and Meter are required; the zero value of
// everything else means none.
type Options struct {
	// Name is what logs call the listener.
	Name string
	// TLS makes the listener one of TLS.
	TLS *tls.Config
	// ProxyFrom are the peers whose connections begin with a PROXY header: from them it is
	// required, and from anybody else it is no header.
	ProxyFrom []netip.Prefix
	// Timeout is how long the PROXY header and the TLS handshake may take together.
	Timeout time.Duration
	// Slots bound how many connections there may be. Beyond them none is accepted: they
	// wait in the system's queue, and are refused by it when that is full. Several
	// listeners may share them.
	Slots Slots
	// MostPerClient is how many connections a client may have (see Conn.RemoteAddr). What
	// is beyond is closed at once.
	MostPerClient int
	// Budget is what an HTTP/2 connection may ask for besides requests.
	Budget *flood.Budget

	Meter Meter
	Now   func() core.Instant
	Log   *slog.Logger
	// Panicked counts a defect that has cost a connection; nil for nobody who counts.
	Panicked func()
}

// Slots are places for connections; nil for as many as there come.
type Slots chan struct{}

// NewSlots returns so many places, at least 1.
func NewSlots(n int) Slots { return make(Slots, n) }

// Meter hears of connections. Safe for concurrent use.
type Meter interface {
	// Turned says that a connection has gone from one state to another; a new one comes
	// from Gone, and one that is closed goes there.
	Turned(from, to State)
	// Refused says that a connection was closed, and why.
	Refused(why Refusal)
}

// State is what a connection is doing.
type State uint8

const (
	Gone     State = iota // it is not there, or not any more
	Opening               // it is new: nothing has been asked of it yet
	Active                // a request is in progress
	Idle                  // it waits for its next request
	Upgraded              // it is no connection of HTTP any more
	States                // how many there are
)

// String returns the state in a word.
func (s State) String() string {
	return [...]string{"gone", "opening", "active", "idle", "upgraded"}[s]
}

// Refusal is why a connection was closed.
type Refusal uint8

const (
	ClientLimit  Refusal = iota // its client has as many as it may
	ProxyHeader                 // the PROXY header is malformed, or did not come
	TLSHandshake                // the TLS handshake failed
	HTTP2Preface                // HTTP/2 was agreed on and is not spoken
	HTTP2Resets                 // too many streams were reset
	HTTP2Control                // too many control frames
	Refusals                    // how many there are
)

// String returns the reason in a word.
func (r Refusal) String() string {
	return [...]string{"client-limit", "proxy-header", "tls-handshake", "http2-preface", "http2-resets", "http2-control"}[r]
}

// Listener accepts connections and makes them ready. Make it with New. It is a
// net.Listener; safe for concurrent use.
type Listener struct {
	socket  net.Listener
	options Options
	tls     atomic.Pointer[tls.Config]
	clients clients
	fresh   atomic.Int64 // see Fresh
	full    atomic.Int64 // when it was last told that there is no place; 0 for never

	greeting sync.Once
	ready    chan accepted
	leaving  chan struct{} // closed when it is retired
	retiring sync.Once
	done     chan struct{}
	closing  sync.Once

	mu       sync.Mutex
	opening  map[*Conn]struct{} // those that are being greeted; nil when closed
	greeters int                // who may still have a connection ready, greetAll included
}

type accepted struct {
	conn *Conn
	err  error
}

// New returns a listener on a socket, which belongs to it from now on.
func New(socket net.Listener, o Options) *Listener {
	l := &Listener{
		socket: socket, options: o, ready: make(chan accepted), leaving: make(chan struct{}), done: make(chan struct{}),
		opening: map[*Conn]struct{}{}, clients: clients{most: o.MostPerClient},
	}
	l.tls.Store(o.TLS)
	return l
}

// SetTLS replaces what connections that come from now on are secured with; those that
// are there stay as they are. A listener with TLS cannot become one without, nor the
// other way round. Tickets of earlier sessions are not honoured any more.
func (l *Listener) SetTLS(c *tls.Config) { l.tls.Store(c) }

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.socket.Addr() }

// Accept implements net.Listener: it returns the next connection that is ready, a *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	if l.options.TLS != nil || len(l.options.ProxyFrom) > 0 {
		l.greeting.Do(func() {
			l.enter()
			go l.greetAll()
		})
		select {
		case a := <-l.ready:
			if a.err != nil {
				return nil, a.err
			}
			return a.conn, nil
		case <-l.done:
			return nil, net.ErrClosed
		}
	}
	l.enter()
	defer l.exit()
	for {
		c, err := l.next()
		if err != nil {
			return nil, err
		}
		if c.admitted() {
			c.watch.Start(l.options.Budget, false)
			return c, nil
		}
	}
}

// greetAll accepts until the listener is retired or closed, and has each connection greeted.
func (l *Listener) greetAll() {
	defer l.exit()
	for {
		c, err := l.next()
		if err == nil {
			l.enter()
			go l.greet(c)
			continue
		}
		if l.retired() {
			return
		}
		select {
		case l.ready <- accepted{err: err}:
		case <-l.done:
			return
		}
	}
}

// greet makes a connection ready, or closes it.
func (l *Listener) greet(c *Conn) {
	defer l.exit()
	if !l.track(c) {
		c.Close()
		return
	}
	ok := l.survive(c)
	l.mu.Lock()
	delete(l.opening, c)
	l.mu.Unlock()
	if !ok {
		c.Close()
		return
	}
	select {
	case l.ready <- accepted{conn: c}:
	case <-l.done:
		c.Close()
	}
}

// survive greets a connection, and sees to a defect there: it is to cost that connection
// only.
func (l *Listener) survive(c *Conn) (ok bool) {
	defer func() {
		if fault := recover(); fault != nil {
			l.options.Log.Error("panic while greeting a connection", "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
			if l.options.Panicked != nil {
				l.options.Panicked()
			}
			c.abort()
		}
	}()
	return c.greet()
}

// track notes a connection that is being greeted, unless the listener is closed.
func (l *Listener) track(c *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.opening == nil {
		return false
	}
	l.opening[c] = struct{}{}
	return true
}

// next accepts a connection as soon as there may be one more.
func (l *Listener) next() (*Conn, error) {
	if !l.place() {
		return nil, net.ErrClosed
	}
	raw, err := l.socket.Accept()
	if err != nil {
		if l.options.Slots != nil {
			<-l.options.Slots
		}
		return nil, err
	}
	c := &Conn{Conn: raw, socket: raw, listener: l, remote: peerOf(raw)}
	c.fresh.Store(true)
	l.fresh.Add(1)
	c.turn(Opening)
	return c, nil
}

// place waits until there is a place for one more connection. It returns false when the
// listener was closed first.
func (l *Listener) place() bool {
	if l.options.Slots == nil {
		return true
	}
	select {
	case l.options.Slots <- struct{}{}:
		return true
	default:
	}
	now, last := l.options.Now(), l.full.Load()
	if (last == 0 || now.Sub(core.Instant(last)) > time.Minute) && l.full.CompareAndSwap(last, int64(now)) {
		l.options.Log.Warn("as many connections as there may be: new ones wait", "listener", l.options.Name, "most", cap(l.options.Slots))
	}
	select {
	case l.options.Slots <- struct{}{}:
		return true
	case <-l.leaving:
		return false
	case <-l.done:
		return false
	}
}

// Close implements net.Listener. Connections that are not ready yet are closed; those
// that were accepted are not.
func (l *Listener) Close() error {
	err := net.ErrClosed
	l.closing.Do(func() {
		close(l.done)
		err = l.socket.Close()
		l.mu.Lock()
		opening := l.opening
		l.opening = nil
		l.mu.Unlock()
		for c := range opening {
			c.abort()
		}
	})
	return err
}

// contains reports whether an address lies in one of the ranges.
func contains(ranges []netip.Prefix, a netip.Addr) bool {
	a = a.WithZone("")
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(a) })
}
