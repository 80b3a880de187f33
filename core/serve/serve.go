// Package serve is the running whole: pools, routes, listeners and the admin server,
// started from a configuration and drained at the end.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/admin"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/explain"
	"github.com/evenkeel/evenkeel/core/proxy"
	"github.com/evenkeel/evenkeel/core/telemetry"
)

// Assemble builds a pool's router; adaptive.Build is one.
type Assemble func(config.Policies, core.Driver) (*core.Router, error)

// Options are what a Server is made of besides its configuration.
type Options struct {
	Assemble Assemble
	Version  string
	Log      *slog.Logger
}

// Server is a proxy with its listeners open.
type Server struct {
	file    *config.File
	log     *slog.Logger
	epoch   time.Time
	pools   []*pool
	fronts  []front
	admin   *front
	closing atomic.Bool
	// life is the context of all requests; end ends it. It is the only hold on an
	// upgraded connection, which http.Server has let go.
	life context.Context
	end  context.CancelFunc
}

// pool is a pool with its settings.
type pool struct {
	*proxy.Pool
	config *config.Pool
}

// front is a listener with what serves it.
type front struct {
	listener net.Listener
	server   *http.Server
}

// New builds everything and opens the listeners; what cannot be is one clear error,
// and nothing stays open. Nothing is served before Run.
func New(f *config.File, o Options) (*Server, error) {
	s := &Server{file: f, log: o.Log, epoch: time.Now()}
	s.life, s.end = context.WithCancel(context.Background())
	metrics := telemetry.New(o.Version)
	for i := range f.Pools {
		p, err := s.newPool(&f.Pools[i], metrics, o.Assemble)
		if err != nil {
			return nil, fmt.Errorf("pool %s: %w", f.Pools[i].Name, err)
		}
		s.pools = append(s.pools, p)
	}
	handler, err := s.handler(metrics)
	if err != nil {
		return nil, err
	}
	if err := s.listen(handler, metrics); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// now is the clock that everything in this process runs on.
func (s *Server) now() core.Instant { return core.Instant(time.Since(s.epoch)) }

func (s *Server) newPool(c *config.Pool, metrics *telemetry.Metrics, assemble Assemble) (*pool, error) {
	m := metrics.Pool(c.Name, s.now)
	driver := core.Driver{Source: proxy.Source{}, Observe: m.Observe}
	var due chan struct{}
	if c.Strategy.Probes() {
		due = make(chan struct{}, 1)
		driver.ProbeDue = func() {
			select {
			case due <- struct{}{}:
			default: // said already
			}
		}
	}
	router, err := assemble(c.Policies, driver)
	if err != nil {
		return nil, err
	}
	var endpoints []core.Endpoint
	for _, e := range c.Endpoints {
		u, err := url.Parse(e.URL)
		if err != nil {
			return nil, err
		}
		endpoints = append(endpoints, core.Endpoint{Key: e.Key(), Weight: float64(e.Weight), Target: proxy.Upstream{URL: u}})
	}
	if err := router.Update(s.now(), endpoints); err != nil {
		return nil, err
	}
	m.Watch(router)
	p := &proxy.Pool{Name: c.Name, Router: router, Transport: proxy.NewTransport(c.Timeouts), Metrics: m, Affinity: proxy.AffinityOf(c.Strategy), ProbeDue: due}
	if p.Reports, p.KeepReports, err = reportsOf(c); err != nil {
		return nil, err
	}
	if d := s.file.Admin.Decisions; s.file.Admin.Enabled {
		p.Decisions = explain.NewLog(c.Name, d.Sample, d.Keep)
	}
	if c.Shed != nil {
		p.PriorityHeader = c.Shed.PriorityHeader
	}
	return &pool{p, c}, nil
}

// listen opens the listeners and makes the servers for them.
func (s *Server) listen(handler http.Handler, metrics *telemetry.Metrics) error {
	for _, l := range s.file.Listeners {
		listener, err := open(l.Address)
		if err != nil {
			return err
		}
		s.fronts = append(s.fronts, front{listener, s.dataServer(l, handler)})
	}
	if !s.file.Admin.Enabled {
		return nil
	}
	listener, err := open(s.file.Admin.Address)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	options := admin.Options{
		Metrics: metrics.Handler(), Pools: s.adminPools, Ready: s.ready, Pprof: s.file.Admin.Pprof, Now: s.now,
	}
	if s.file.Admin.Decisions.Sample > 0 {
		options.Decisions = admin.Decisions(s.decisions, s.epoch)
	}
	s.admin = &front{listener, &http.Server{
		Handler:           admin.Handler(options),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}}
	return nil
}

// open listens, and says what is wrong in one line.
func open(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	var op *net.OpError
	if errors.As(err, &op) {
		err = fmt.Errorf("cannot listen on %s: %w", address, op.Err)
	}
	return listener, err
}

// dataServer is the server of a listener: HTTP/1.1, and HTTP/2 without TLS (h2c).
func (s *Server) dataServer(l config.Listener, handler http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		BaseContext:       func(net.Listener) context.Context { return s.life },
		ReadHeaderTimeout: l.ReadHeaderTimeout,
		IdleTimeout:       l.IdleTimeout,
		MaxHeaderBytes:    l.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// Addresses are the addresses that clients may connect to.
func (s *Server) Addresses() []string {
	var all []string
	for _, f := range s.fronts {
		all = append(all, f.listener.Addr().String())
	}
	return all
}

// AdminAddress is the address of the admin listener; empty when it is off.
func (s *Server) AdminAddress() string {
	if s.admin == nil {
		return ""
	}
	return s.admin.listener.Addr().String()
}

// Run serves until stop is done, then drains: it is not ready any more, takes no new
// connections, and lets the requests in progress finish until the drain timeout or
// until kill is done, which cuts them off. The error is nil when it was stopped and
// drained; a listener that fails on its own is an error.
func (s *Server) Run(stop, kill context.Context) error {
	background, end := context.WithCancel(context.Background())
	var probes sync.WaitGroup
	for _, p := range s.pools {
		if h := p.config.Health; h != nil {
			probes.Go(func() { proxy.Probe(background, p.Pool, *h, s.now) })
		}
		if p.config.Strategy.Probes() {
			probes.Go(func() { proxy.ProbeLoad(background, p.Pool, p.config.Strategy, s.now) })
		}
	}
	defer func() {
		end()
		probes.Wait()
		s.close()
	}()

	failed := make(chan error, len(s.fronts)+1)
	serve := func(f front) {
		if err := f.server.Serve(f.listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("%s: %w", f.listener.Addr(), err)
		}
	}
	for _, f := range s.fronts {
		go serve(f)
	}
	if s.admin != nil {
		go serve(*s.admin)
	}
	s.log.Info("ready", "listeners", s.Addresses(), "admin", s.AdminAddress())
	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	return s.drain(kill)
}

// ErrCut is returned when requests in progress were cut off by a second signal.
var ErrCut = errors.New("requests in progress were cut off")

// drain lets the requests in progress finish.
func (s *Server) drain(kill context.Context) error {
	s.closing.Store(true)
	s.log.Info("draining", "timeout", s.file.Drain.Timeout.String())
	ctx, cancel := context.WithTimeout(kill, s.file.Drain.Timeout)
	defer cancel()
	var wait sync.WaitGroup
	var cut atomic.Bool
	for _, f := range s.fronts {
		wait.Go(func() {
			if f.server.Shutdown(ctx) != nil {
				cut.Store(true)
			}
		})
	}
	wait.Wait()
	switch {
	case cut.Load() && kill.Err() != nil:
		return ErrCut
	case cut.Load():
		s.log.Warn("the drain timeout has passed: requests in progress are cut off")
	}
	s.log.Info("drained")
	return nil
}

// close closes whatever is open.
func (s *Server) close() {
	s.end()
	fronts := s.fronts
	if s.admin != nil {
		fronts = append(fronts[:len(fronts):len(fronts)], *s.admin)
	}
	for _, f := range fronts {
		f.server.Close()
		f.listener.Close()
	}
	for _, p := range s.pools {
		if t, ok := p.Transport.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
}
