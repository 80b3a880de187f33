package listen

import (
	"context"
	"net"
	"net/http"
)

// Attach makes the server one for this listener: it serves HTTP/1.1, and HTTP/2 to whoever
// begins with its preface; requests know of TLS; and states are told to the meter. The
// handler must be set before, and the server's ConnState and ConnContext are its own.
func (l *Listener) Attach(s *http.Server) {
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true) // TLS has been taken off already
	s.ConnState = turned
	if l.options.TLS == nil {
		return
	}
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}
	next := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		under, _ := r.Context().Value(connKey{}).(net.Conn)
		if c := connOf(under); c != nil {
			r.TLS = c.tls
		}
		next.ServeHTTP(w, r)
	})
}

// connKey finds the connection in a request's context.
type connKey struct{}

// connOf is the connection that net/http has been given, whatever has been put around it;
// nil for one of somebody else.
func connOf(c net.Conn) *Conn {
	for {
		if conn, ok := c.(*Conn); ok {
			return conn
		}
		around, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		c = around.NetConn()
	}
}

// turned follows what net/http does with a connection.
func turned(c net.Conn, s http.ConnState) {
	conn := connOf(c)
	if conn == nil {
		return
	}
	switch s {
	case http.StateActive:
		conn.turn(Active)
	case http.StateIdle:
		conn.turn(Idle)
	case http.StateHijacked:
		conn.turn(Upgraded)
	}
}
