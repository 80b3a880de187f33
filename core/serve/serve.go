// Package serve is the running whole: pools, routes, listeners and the admin server,
// started from a configuration, changed by another one while they run, and drained at
// the end.
package serve

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/listen"
	"github.com/evenkeel/evenkeel/core/telemetry"
)

// Assemble builds a pool's router; adaptive.Build is one.
type Assemble func(config.Policies, core.Driver) (*core.Router, error)

// Options are what a Server is made of besides its configuration.
type Options struct {
	Assemble Assemble
	Version  string
	Log      *slog.Logger
	// Level is the level of Log, which follows the configuration; nil for one that
	// stays.
	Level *slog.LevelVar
	// Load reads the configuration anew, for Server.Reload; nil where there is
	// nothing to read.
	Load func() (*config.File, error)
}

// Server is a proxy with its listeners open.
type Server struct {
	options Options
	log     *slog.Logger
	epoch   time.Time
	metrics *telemetry.Metrics
	plane   atomic.Pointer[plane] // what requests that come now are served by
	alive   atomic.Int64          // planes that somebody uses, the present one included
	quiet   chan struct{}         // closed when alive is 0: the end
	slots   listen.Slots          // for connections, shared by the listeners without a limit of their own
	closing atomic.Bool
	// life is the context of all requests; end ends it. It is the only hold on an
	// upgraded connection, which http.Server has let go.
	life context.Context
	end  context.CancelFunc

	mu      sync.Mutex // of what follows; held while a configuration is loaded
	fronts  []*front
	leaving []*front // not listening any more, with requests in progress
	office  *office  // nil when it is off
	running bool
	failed  chan error     // a listener has ended on its own
	side    sync.WaitGroup // of goroutines
}

// New builds everything and opens the listeners; what cannot be is one clear error,
// and nothing stays open. Nothing is served before Run.
func New(f *config.File, o Options) (*Server, error) {
	s := &Server{
		options: o, log: o.Log, epoch: time.Now(), metrics: telemetry.New(o.Version),
		quiet: make(chan struct{}), failed: make(chan error, 1), slots: sharedSlots(),
	}
	s.life, s.end = context.WithCancel(context.Background())
	if err := s.load(f); err != nil {
		s.end()
		return nil, err
	}
	s.metrics.Process.Started(time.Now())
	return s, nil
}

// now is the clock that everything in this process runs on.
func (s *Server) now() core.Instant { return core.Instant(time.Since(s.epoch)) }

// Addresses are the addresses that clients may connect to.
func (s *Server) Addresses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, f := range s.fronts {
		all = append(all, f.listener.Addr().String())
	}
	return all
}

// AdminAddress is the address of the admin listener; empty when it is off.
func (s *Server) AdminAddress() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.office == nil {
		return ""
	}
	return s.office.listener.Addr().String()
}

// Run serves until stop is done, then drains: it is not ready any more, takes no new
// connections, and lets the requests in progress finish until the drain timeout or
// until kill is done, which cuts them off. The error is nil when it was stopped and
// drained; a listener that fails on its own is an error.
func (s *Server) Run(stop, kill context.Context) error {
	s.mu.Lock()
	s.running = true
	for _, f := range s.fronts {
		s.serve(f.server, s.guard(f.listener), &f.ending)
	}
	if s.office != nil {
		s.serve(s.office.server, s.office.listener, &s.office.ending)
	}
	for _, p := range s.plane.Load().pools {
		s.probe(p)
	}
	w := &watch{log: s.log}
	s.side.Go(func() { w.keep(s.life, s.now, func() []*pool { return s.plane.Load().pools }) })
	s.mu.Unlock()
	defer s.close()
	s.log.Info("ready", "listeners", s.Addresses(), "admin", s.AdminAddress())
	select {
	case err := <-s.failed:
		return err
	case <-stop.Done():
	}
	return s.drain(kill)
}

// errDraining is why a draining proxy is not ready.
var errDraining = errors.New("draining")
