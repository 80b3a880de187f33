package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/flood"
	"github.com/evenkeel/evenkeel/core/listen"
	"github.com/evenkeel/evenkeel/core/telemetry"
)

// front is a listener with what serves it.
type front struct {
	config   config.Listener
	socket   net.Listener     // as it was opened
	listener *listen.Listener // what is served, around the socket
	server   *http.Server
	ending   atomic.Bool // it is to be closed
}

// newFront opens a listener and makes the server for it.
func (s *Server) newFront(l config.Listener) (*front, error) {
	socket, err := listen.Open(l.Address, l.Mode())
	if err != nil {
		return nil, err
	}
	return s.frontOn(socket, l)
}

// frontOn makes the server for an open socket, which it closes on an error.
func (s *Server) frontOn(socket net.Listener, l config.Listener) (*front, error) {
	fail := func(err error) (*front, error) {
		socket.Close()
		return nil, fmt.Errorf("listener %s: %w", l.Address, err)
	}
	secure, err := s.secure(l)
	if err != nil {
		return fail(err)
	}
	budget, err := flood.NewBudget(l.HTTP2.ResetsPerSecond, l.HTTP2.ControlFramesPerSecond)
	if err != nil {
		return fail(err)
	}
	options := listen.Options{
		Name: l.Address, TLS: secure, Timeout: l.ReadHeaderTimeout, MostPerClient: l.MaxConnectionsPerClient,
		Budget: budget, Slots: s.slots, Meter: s.meter(l), Now: s.now, Log: s.log, Panicked: s.metrics.Process.Panicked,
	}
	if l.MaxConnections > 0 {
		options.Slots = listen.NewSlots(l.MaxConnections)
	}
	if l.ProxyProtocol != nil {
		options.ProxyFrom = l.ProxyProtocol.From
	}
	f := &front{config: l, socket: socket, listener: listen.New(socket, options), server: s.dataServer(l, s.entrance(l))}
	f.listener.Attach(f.server)
	return f, nil
}

// open listens for the admin listener, and says what is wrong in one line.
func open(address string) (net.Listener, error) { return listen.Open(address, 0) }

// dataServer is the server of a listener.
func (s *Server) dataServer(l config.Listener, handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler,
		// OPTIONS of the server as a whole are the proxy's to answer, and to count.
		DisableGeneralOptionsHandler: true,
		BaseContext:                  func(net.Listener) context.Context { return s.life },
		ReadHeaderTimeout:            l.ReadHeaderTimeout,
		IdleTimeout:                  l.IdleTimeout,
		MaxHeaderBytes:               l.MaxHeaderBytes,
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          l.HTTP2.MaxConcurrentStreams,
			MaxReadFrameSize:              l.HTTP2.MaxFrameBytes,
			MaxReceiveBufferPerConnection: l.HTTP2.ConnectionWindowBytes,
			MaxReceiveBufferPerStream:     l.HTTP2.StreamWindowBytes,
			// A client that takes nothing at all holds up every stream, and what would reset
			// them.
			WriteByteTimeout: l.Transfer.Stall,
		},
	}
}

// secure reads what a listener is secured with; nil for nothing. A certificate that is
// not valid now is worth a warning: clients refuse it.
func (s *Server) secure(l config.Listener) (*tls.Config, error) {
	if l.TLS == nil {
		return nil, nil
	}
	c, err := l.TLS.Config()
	if err != nil {
		return nil, err
	}
	for _, pair := range c.Certificates {
		if why := invalid(pair.Leaf, time.Now()); why != "" {
			s.log.Warn("certificate "+why, "listener", l.Address, "names", pair.Leaf.DNSNames,
				"from", pair.Leaf.NotBefore, "to", pair.Leaf.NotAfter)
		}
	}
	return c, nil
}

// invalid says why a certificate is not valid at a time; empty if it is.
func invalid(c *x509.Certificate, now time.Time) string {
	switch {
	case now.After(c.NotAfter):
		return "has expired"
	case now.Before(c.NotBefore):
		return "is not valid yet"
	}
	return ""
}

// sharedSlots are the places for connections of all listeners without a limit of their
// own; nil, for no limit, where the system does not say how many files there may be.
func sharedSlots() listen.Slots {
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) != nil {
		return nil
	}
	return listen.NewSlots(places(files.Cur))
}

// places is for how many connections there is room with so many open files: half of them,
// since a request takes one on each side, less some for the process itself (logs, the
// admin listener, checks), and a million at most.
func places(files uint64) int {
	const own, most = 256, 1_000_000
	if files < own+2 {
		return 1
	}
	return int(min((files-own)/2, most))
}

// meter tells the metrics of a listener's connections.
type meter struct{ *telemetry.Listener }

func (s *Server) meter(l config.Listener) meter {
	var states, reasons []string
	for state := range listen.States {
		states = append(states, state.String())
	}
	for why := range listen.Refusals {
		reasons = append(reasons, why.String())
	}
	return meter{s.metrics.Listener(l.Address, states, reasons)}
}

// Turned implements listen.Meter.
func (m meter) Turned(from, to listen.State) { m.Listener.Turned(int(from), int(to)) }

// Refused implements listen.Meter.
func (m meter) Refused(why listen.Refusal) { m.Listener.Refused(int(why)) }
