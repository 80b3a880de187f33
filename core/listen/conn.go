package listen

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/evenkeel/evenkeel/core/flood"
)

// Conn is a connection of a client. It is a net.Conn; under TLS, what is read and written
// is the plain text.
type Conn struct {
	net.Conn
	socket   net.Conn // beneath TLS
	listener *Listener
	remote   netip.AddrPort
	rest     []byte               // read, and not yet used
	tls      *tls.ConnectionState // nil for none
	watch    flood.Watch
	state    atomic.Uint32
	fresh    atomic.Bool // nothing was written to it yet
	counted  bool        // among its client's
	spoiled  atomic.Bool // it was cut
}

// loopback is the address of a peer at the other end of a Unix socket, which has none: it
// is on this machine, and whatever holds for those holds for it.
var loopback = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)

// peerOf is the address of the other end.
func peerOf(c net.Conn) netip.AddrPort {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		p := a.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return loopback
}

// RemoteAddr returns the client's address: the one in the PROXY header, where there is
// one, and else the peer's. A peer at a Unix socket has the address 127.0.0.1:0.
func (c *Conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// TLS returns the state of TLS; nil for a connection without. It must not be changed.
func (c *Conn) TLS() *tls.ConnectionState { return c.tls }

// Read implements net.Conn. Where the client does more than it may, the connection is
// closed.
func (c *Conn) Read(b []byte) (n int, err error) {
	if len(c.rest) > 0 {
		n = copy(b, c.rest)
		if c.rest = c.rest[n:]; len(c.rest) == 0 {
			c.rest = nil
		}
	} else {
		n, err = c.Conn.Read(b)
	}
	if c.listener.options.Budget == nil {
		return n, err
	}
	if fault := c.watch.In(c.listener.options.Now, b[:n]); fault != nil {
		c.cut(fault)
		return 0, fault
	}
	return n, err
}

// Write implements net.Conn. As with Read, a client may be too much.
func (c *Conn) Write(b []byte) (int, error) {
	if c.fresh.Load() {
		c.aged()
	}
	if fault := c.watch.Out(c.listener.options.Now, b); fault != nil {
		c.cut(fault)
		return 0, fault
	}
	return c.Conn.Write(b)
}

// CloseWrite ends what is sent; what arrives can still be read.
func (c *Conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return c.Close()
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	if c.turn(Gone) {
		c.aged()
		if c.counted {
			c.listener.clients.leave(c.remote.Addr())
		}
		if c.listener.options.Slots != nil {
			<-c.listener.options.Slots
		}
	}
	return c.Conn.Close()
}

// aged is for a connection that is not fresh any more, see Listener.Fresh.
func (c *Conn) aged() {
	if c.fresh.Swap(false) {
		c.listener.fresh.Add(-1)
	}
}

// turn goes to another state, unless the connection is gone. It reports whether that is
// one.
func (c *Conn) turn(to State) bool {
	for {
		from := State(c.state.Load())
		if from == to || from == Gone && to != Opening {
			return false
		}
		if c.state.CompareAndSwap(uint32(from), uint32(to)) {
			c.listener.options.Meter.Turned(from, to)
			return true
		}
	}
}

// admitted counts the connection among its client's. One too many is closed.
func (c *Conn) admitted() bool {
	if c.counted = c.listener.clients.enter(c.remote.Addr()); !c.counted {
		c.refused(ClientLimit, nil)
		c.Close()
	}
	return c.counted
}

// refused tells that the connection is closed, and why.
func (c *Conn) refused(why Refusal, err error) {
	c.listener.options.Meter.Refused(why)
	c.listener.options.Log.Debug("connection refused", "listener", c.listener.options.Name,
		"client", c.remote.Addr().String(), "reason", why.String(), "error", err)
}

// cut closes a connection whose client does more than it may. That took the client some
// effort, so it is worth a line of its own.
func (c *Conn) cut(fault error) {
	if c.spoiled.Swap(true) {
		return
	}
	why := HTTP2Control
	switch {
	case errors.Is(fault, flood.ErrPreface):
		why = HTTP2Preface
	case errors.Is(fault, flood.ErrResets):
		why = HTTP2Resets
	}
	if why == HTTP2Preface {
		c.refused(why, fault)
	} else {
		c.listener.options.Meter.Refused(why)
		c.listener.options.Log.Warn("connection cut", "listener", c.listener.options.Name,
			"client", c.remote.Addr().String(), "reason", why.String())
	}
	c.abort()
}

// abort closes the connection without the farewells of TLS, which may wait.
func (c *Conn) abort() { c.socket.Close() }
