package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/listen"
)

// turnover is what becomes of the listeners when a configuration takes the place of
// another.
type turnover struct {
	fronts []*front // all that there are to be
	opened []*front // of these, the new ones
	left   []*front // of those before, the ones that are not there any more
	// secured are the certificates as they are now of those that stay.
	secured map[*front]*tls.Config
}

// reconcile opens what there is not yet. A listener whose settings are what they were
// stays as it is. One whose settings have changed gets a server of its own on the same
// socket: so no connection that waits to be accepted is lost.
func (s *Server) reconcile(listeners []config.Listener) (*turnover, error) {
	t := &turnover{left: slices.Clone(s.fronts), secured: map[*front]*tls.Config{}}
	taken := map[*front]bool{}
	for _, l := range listeners {
		same := func(f *front) bool { return reflect.DeepEqual(f.config, l) }
		if at := slices.IndexFunc(t.left, same); at >= 0 {
			secure, err := s.secure(l)
			if err != nil {
				t.undo()
				return nil, fmt.Errorf("listener %s: %w", l.Address, err)
			}
			t.secured[t.left[at]] = secure
			t.fronts = append(t.fronts, t.left[at])
			t.left = slices.Delete(t.left, at, at+1)
			continue
		}
		there := func(f *front) bool { return f.config.Address == l.Address && !taken[f] }
		var f *front
		var err error
		if at := slices.IndexFunc(t.left, there); at >= 0 {
			taken[t.left[at]] = true
			f, err = s.renewFront(t.left[at], l)
		} else {
			f, err = s.newFront(l)
		}
		if err != nil {
			t.undo()
			return nil, err
		}
		t.fronts, t.opened = append(t.fronts, f), append(t.opened, f)
	}
	return t, nil
}

// undo closes what was opened for nothing.
func (t *turnover) undo() {
	for _, f := range t.opened {
		f.listener.Close()
	}
}

// renewFront makes a server with other settings for the socket of a front.
func (s *Server) renewFront(f *front, l config.Listener) (*front, error) {
	socket, err := again(f.socket)
	if err != nil {
		return nil, fmt.Errorf("cannot take over %s: %w", l.Address, err)
	}
	return s.frontOn(socket, l)
}

// again opens a socket a second time: what waits to be accepted waits for both, and
// stays when one of them is closed.
func again(socket net.Listener) (net.Listener, error) {
	of, ok := socket.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, errors.ErrUnsupported
	}
	file, err := of.File()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FileListener(file)
}

// handOver makes the file of a Unix socket that was opened a second time the second one's
// to remove, and gives those that stay their certificates.
func (t *turnover) handOver() {
	for _, f := range t.left {
		later := slices.IndexFunc(t.opened, func(o *front) bool { return o.config.Address == f.config.Address })
		if u, ok := f.socket.(*net.UnixListener); ok && later >= 0 {
			u.SetUnlinkOnClose(false)
			t.opened[later].socket.(*net.UnixListener).SetUnlinkOnClose(true)
		}
	}
	for f, c := range t.secured {
		f.listener.SetTLS(c)
	}
}

// entrance is how the clients of a listener come in.
func (s *Server) entrance(l config.Listener) *entrance {
	return &entrance{server: s, clients: clientsOf(l)}
}

// serve serves connections until the listener is to be closed; one that ends before that
// ends the whole.
func (s *Server) serve(server *http.Server, l net.Listener, ending *atomic.Bool) {
	s.side.Go(func() {
		if err := server.Serve(l); !ending.Load() {
			select {
			case s.failed <- fmt.Errorf("%s: %w", l.Addr(), err):
			default: // somebody else has failed already
			}
		}
	})
}

// net/http, told to shut down, drops a request that it finds on a connection which was new
// until then. So it is told when there is none that is new, which is looked for every so often:
// after newest at the latest, which is how long it would wait for them itself. Where they
// cannot be seen, it is told after settle.
const (
	newest = 5 * time.Second
	look   = 5 * time.Millisecond
	settle = 100 * time.Millisecond
)

// shut closes the listener and ends the server: answers are the last on their
// connections, and requests in progress finish, until ctx is done. A request that comes
// on a connection that was accepted in time is served, too, and so is one whose PROXY
// header or TLS handshake is under way.
func shut(ctx context.Context, server *http.Server, l net.Listener, ending *atomic.Bool) error {
	ending.Store(true)
	server.SetKeepAlivesEnabled(false)
	if seen, ok := l.(*listen.Listener); ok {
		letIn(ctx, seen)
		l.Close()
		return server.Shutdown(ctx)
	}
	l.Close()
	select {
	case <-time.After(settle):
	case <-ctx.Done():
	}
	return server.Shutdown(ctx)
}

// letIn stops listening, and waits until those who have come before are served.
func letIn(ctx context.Context, l *listen.Listener) {
	select {
	case <-l.Retire():
	case <-ctx.Done():
		return
	}
	late := time.After(newest)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for l.Fresh() > 0 {
		select {
		case <-tick.C:
		case <-late:
			return
		case <-ctx.Done():
			return
		}
	}
}
