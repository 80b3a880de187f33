package serve

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrCut is returned when requests in progress were cut off by a second signal.
var ErrCut = errors.New("requests in progress were cut off")

// drain ends the service: the proxy says that it is not ready, gives those who send it
// requests the time to notice, listens no more, and lets the requests in progress
// finish. Upgraded connections are requests in progress, too.
func (s *Server) drain(kill context.Context) error {
	s.mu.Lock()
	s.closing.Store(true) // nothing is loaded any more
	settings := s.plane.Load().file.Drain
	fronts := append(s.fronts[:len(s.fronts):len(s.fronts)], s.leaving...)
	s.mu.Unlock()
	s.log.Info("draining", "delay", settings.Delay.String(), "timeout", settings.Timeout.String())
	if settings.Delay > 0 {
		select {
		case <-time.After(settings.Delay):
		case <-kill.Done():
		}
	}
	ctx, cancel := context.WithTimeout(kill, settings.Timeout)
	defer cancel()
	var servers sync.WaitGroup
	for _, f := range fronts {
		servers.Go(func() {
			// Of connections without a request none is missed.
			_ = shut(ctx, f.server, f.listener, &f.ending)
		})
	}
	servers.Wait()
	s.retire(s.plane.Load())
	select {
	case <-s.quiet:
	case <-ctx.Done():
	}
	switch {
	case s.alive.Load() == 0:
	case kill.Err() != nil:
		return ErrCut
	default:
		s.log.Warn("the drain timeout has passed: requests in progress are cut off")
	}
	s.log.Info("drained")
	return nil
}

// lastWords is how long the requests that are cut off have to say so in the log.
const lastWords = time.Second

// close closes whatever is open.
func (s *Server) close() {
	s.mu.Lock()
	s.closing.Store(true)
	present := s.plane.Load()
	s.end()
	for _, f := range append(s.fronts, s.leaving...) {
		f.ending.Store(true)
		f.server.Close()
		f.listener.Close()
	}
	if s.office != nil {
		s.office.ending.Store(true)
		s.office.server.Close()
		s.office.listener.Close()
	}
	for _, p := range present.pools {
		p.stop()
	}
	s.mu.Unlock()
	s.retire(present)
	select {
	case <-s.quiet:
	case <-time.After(lastWords):
	}
	s.side.Wait()
	for _, p := range present.pools {
		p.closeIdle()
	}
}
