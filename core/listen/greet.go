package listen

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/evenkeel/evenkeel/core/proxyproto"
)

// greet makes the connection ready: it reads the PROXY header, where there has to be one,
// counts the connection as its client's, and makes the TLS handshake. When it is not ok,
// that has been told.
func (c *Conn) greet() (ok bool) {
	o := &c.listener.options
	if o.Timeout > 0 {
		c.Conn.SetDeadline(time.Now().Add(o.Timeout))
	}
	if contains(o.ProxyFrom, c.remote.Addr()) {
		if err := c.readHeader(); err != nil {
			c.refused(ProxyHeader, err)
			return false
		}
	}
	if !c.admitted() {
		return false
	}
	requireHTTP2 := false
	if config := c.listener.tls.Load(); config != nil {
		if err := c.secure(config); err != nil {
			c.refused(TLSHandshake, err)
			return false
		}
		requireHTTP2 = c.tls.NegotiatedProtocol == "h2"
	}
	c.watch.Start(o.Budget, requireHTTP2)
	c.Conn.SetDeadline(time.Time{})
	return true
}

// readHeader reads the PROXY header. What was read beyond it is kept.
func (c *Conn) readHeader() error {
	buffer := make([]byte, 0, 256) // nearly all are shorter
	for {
		n, err := c.Conn.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		header, length, fault := proxyproto.Parse(buffer)
		switch {
		case fault == nil:
			c.rest = buffer[length:]
			if header.Source.IsValid() {
				c.remote = header.Source
			}
			return nil
		case !errors.Is(fault, proxyproto.ErrShort):
			return fault
		case err != nil:
			return err
		case len(buffer) == cap(buffer):
			buffer = append(make([]byte, 0, proxyproto.MaxLength), buffer...)
		}
	}
}

// secure makes the TLS handshake.
func (c *Conn) secure(config *tls.Config) error {
	under := c.Conn
	if len(c.rest) > 0 {
		under, c.rest = &resumed{c.Conn, c.rest}, nil
	}
	secured := tls.Server(under, config)
	if err := secured.Handshake(); err != nil {
		var record tls.RecordHeaderError
		if errors.As(err, &record) && record.Conn != nil && looksLikeHTTP(record.RecordHeader) {
			io.WriteString(record.Conn, "HTTP/1.0 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nevenkeel: 400 Bad Request: this listener speaks TLS\n")
		}
		return err
	}
	state := secured.ConnectionState()
	c.Conn, c.tls = secured, &state
	return nil
}

// looksLikeHTTP reports whether what came instead of TLS is the beginning of a request.
func looksLikeHTTP(b [5]byte) bool {
	switch string(b[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "PATCH", "DELET", "OPTIO", "PRI *":
		return true
	}
	return false
}

// resumed is a connection of which something was read too early.
type resumed struct {
	net.Conn
	rest []byte
}

func (r *resumed) Read(b []byte) (int, error) {
	if len(r.rest) > 0 {
		n := copy(b, r.rest)
		r.rest = r.rest[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}
