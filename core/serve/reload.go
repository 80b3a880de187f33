package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/config/strict"
)

// ErrNothingToReload is returned where there is no file that could have changed.
var ErrNothingToReload = errors.New("nothing to reload: the proxy runs without a file")

// Reload reads the configuration anew and puts it in the place of the present one.
// What is wrong with it is logged, counted and returned, and nothing changes. Requests
// in progress finish on what they began with. Safe for concurrent use.
//
// What stays the same keeps what it has learned: a pool whose policies are the same
// keeps its router, its connections and its checks, and its endpoints stay members by
// their keys. In a pool whose policies have changed, what is known of an endpoint, what limits
// have found and what was spent on retries is kept as far as the new parts can take it over. A rate limit whose settings are the same
// keeps its buckets, and a listener stays open.
func (s *Server) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.reload()
	switch {
	case err == nil:
		s.metrics.Process.Reloaded(true, time.Now())
		s.log.Info("configuration reloaded", "listeners", len(s.fronts), "pools", len(s.plane.Load().pools))
	case errors.Is(err, ErrNothingToReload):
		s.log.Warn(err.Error())
	default:
		s.metrics.Process.Reloaded(false, time.Now())
		var mistakes strict.Errors
		if !errors.As(err, &mistakes) {
			s.log.Error("configuration not reloaded: everything stays as it was", "error", err.Error())
		}
		for line := range strings.Lines(mistakes.Error()) {
			s.log.Error("configuration not reloaded: everything stays as it was", "error", strings.TrimSpace(line))
		}
	}
	return err
}

func (s *Server) reload() error {
	switch {
	case s.options.Load == nil:
		return ErrNothingToReload
	case s.closing.Load():
		return errDraining
	}
	f, err := s.options.Load()
	if err != nil {
		return err
	}
	return s.load(f)
}

// load puts a configuration in the place of the one before, if there is one: first
// everything that may go wrong, then what cannot.
func (s *Server) load(f *config.File) error {
	token, err := f.Admin.Token()
	if err != nil {
		return fmt.Errorf("admin.token_file: %w", err)
	}
	old := s.plane.Load()
	t, err := s.reconcile(f.Listeners)
	if err != nil {
		return err
	}
	office, moved, err := s.moveOffice(f.Admin)
	if err != nil {
		t.undo()
		return err
	}
	next, err := s.newPlane(f, old)
	if err != nil {
		t.undo()
		if moved && office != nil {
			office.listener.Close()
		}
		return err
	}
	if s.options.Level != nil {
		s.options.Level.UnmarshalText([]byte(f.Log.Level)) // validated with the configuration
	}
	s.replace(old, next)
	if office != nil {
		office.show(s, f.Admin, token)
	}
	s.openUp(t, office, moved)
	return nil
}

// moveOffice opens the admin listener that is to be there, unless that is the one that
// there is.
func (s *Server) moveOffice(c config.Admin) (o *office, moved bool, err error) {
	if s.office != nil && c.Enabled && s.office.config.Address == c.Address {
		return s.office, false, nil
	}
	o, err = s.newOffice(c)
	return o, true, err
}

// replace puts a plane in the place of the one before.
func (s *Server) replace(old, next *plane) {
	for _, p := range next.pools {
		// The keys are distinct and the weights in their range, or the
		// configuration would not be valid.
		if err := p.Router.Update(s.now(), p.endpoints); err != nil {
			s.log.Error("a pool's endpoints stay as they were", "pool", p.Name, "error", err.Error())
		}
		if was := old.pool(p.Name); was != nil && was.Router != p.Router {
			p.Router.Inherit(s.now(), was.Router)
		}
	}
	s.alive.Add(1)
	s.plane.Store(next)
	for _, p := range next.pools {
		p.Metrics.Watch(p.Router)
		p.forget(old)
		if s.running {
			s.probe(p)
		}
	}
	if old == nil {
		return
	}
	for _, p := range old.pools {
		if now := next.pool(p.Name); now == nil {
			p.Metrics.Close()
		} else if now.Pool == p.Pool {
			continue
		}
		p.stop()
	}
	for _, r := range old.file.Routes {
		if !slices.ContainsFunc(next.file.Routes, func(n config.Route) bool { return n.Name == r.Name }) {
			s.metrics.Route(r.Name).Close()
		}
	}
	s.retire(old)
}

// retire is for a plane that gets no more requests. When the last has ended, the
// connections that nobody will use again are closed. Does nothing the second time.
func (s *Server) retire(p *plane) {
	p.retired.Do(func() {
		p.users.retire(func() {
			if present := s.plane.Load(); present != p {
				for _, pool := range p.pools {
					if now := present.pool(pool.Name); now == nil || now.Transport != pool.Transport {
						pool.closeIdle()
					}
				}
			}
			if s.alive.Add(-1) == 0 {
				close(s.quiet)
			}
		})
	})
}

// openUp begins to serve what was opened, and stops what is not to be there any more.
func (s *Server) openUp(t *turnover, o *office, moved bool) {
	left := s.office
	s.fronts, s.office = t.fronts, o
	t.handOver()
	if !s.running {
		return
	}
	for _, f := range t.opened {
		s.serve(f.server, s.guard(f.listener), &f.ending)
	}
	for _, f := range t.left {
		s.leave(f)
	}
	if !moved {
		return
	}
	if o != nil {
		s.serve(o.server, o.listener, &o.ending)
	}
	if left != nil {
		// It may be what asks for this: the answer is on its way.
		s.side.Go(func() { finish(s.life, left.server, left.listener, &left.ending, lastWords) })
	}
}

// leave stops listening, and lets the requests in progress finish.
func (s *Server) leave(f *front) {
	s.leaving = append(s.leaving, f)
	most := s.plane.Load().file.Drain.Timeout
	s.side.Go(func() {
		finish(s.life, f.server, f.listener, &f.ending, most)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leaving = slices.DeleteFunc(s.leaving, func(g *front) bool { return g == f })
		if !slices.ContainsFunc(s.fronts, func(g *front) bool { return g.config.Address == f.config.Address }) {
			s.meter(f.config).Close()
		}
	})
}

// finish shuts a server down, within so long.
func finish(ctx context.Context, server *http.Server, l net.Listener, ending *atomic.Bool, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if shut(ctx, server, l, ending) != nil {
		server.Close()
	}
}
