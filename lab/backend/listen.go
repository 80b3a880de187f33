package backend

import (
	"math"
	"net"
	"net/http"
	"time"
)

// listenAgain is how long a backend waits before it tries again to get its port back, when
// somebody else has taken it in the meantime.
const listenAgain = 10 * time.Millisecond

// open listens on the backend's address and serves what comes.
func (b *Backend) open() error {
	listener, err := net.Listen("tcp", b.address)
	if err != nil {
		return err
	}
	b.address = listener.Addr().String()
	b.listener = listener
	b.server = &http.Server{Handler: b.handler(), ReadHeaderTimeout: 10 * time.Second}
	go b.server.Serve(listener)
	return nil
}

// shut stops listening and cuts all connections.
func (b *Backend) shut() error {
	if b.server == nil {
		return nil
	}
	err := b.server.Close()
	b.listener.Close() // Serve may not have come to know it yet
	b.listener, b.server = nil, nil
	return err
}

// follow shuts when the backend is to be down, and opens when it is not. It returns when to
// try that again. Only the loop may call it.
func (b *Backend) follow(down bool) time.Duration {
	switch {
	case down:
		b.shut() // what it reports is of connections that are cut anyway
	case b.server == nil:
		if b.failed = b.open(); b.failed != nil {
			return listenAgain
		}
	}
	return math.MaxInt64
}

// cut breaks the request's connection, as a server does that crashes: with a reset.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // it is broken already
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
