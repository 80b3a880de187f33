package serve

import (
	"context"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/explain"
	"github.com/evenkeel/evenkeel/core/limit"
	"github.com/evenkeel/evenkeel/core/proxy"
)

// pool is a pool of one plane with its settings. One that stays has the same proxy.Pool
// and the same checks in the next plane; of another, what is the same is taken over: the
// router, the connections, and what the members have learned (core.Router.Inherit).
type pool struct {
	*proxy.Pool
	*checks
	config    *config.Pool
	endpoints []core.Endpoint
	files     fingerprint // of what its transport was made with
}

// checks are the probes of a pool.
type checks struct {
	once sync.Once
	life context.Context
	stop context.CancelFunc
}

// newPool makes the pool that the settings describe, and takes over of the one before
// what is the same.
func (s *Server) newPool(f *config.File, c *config.Pool, old *plane) (*pool, error) {
	endpoints, err := endpointsOf(c)
	if err != nil {
		return nil, err
	}
	files := fingerprintOf(c.Upstream.TLS) // before they are read, so that a later change is not missed
	was := old.pool(c.Name)
	routed := was != nil && sameRouter(was, c)
	connected := was != nil && sameTransport(was.config, c) && was.files == files
	if routed && connected && was.Idle == c.Timeouts.Idle && sameDecisions(old.file, f) {
		return &pool{was.Pool, was.checks, c, endpoints, files}, nil
	}
	p := &proxy.Pool{
		Name: c.Name, Metrics: s.metrics.Pool(c.Name, s.now), Affinity: proxy.AffinityOf(c.Strategy), Idle: c.Timeouts.Idle,
		ProbeDue: make(chan struct{}, 1), Defect: s.defect,
	}
	if routed {
		p.Router, p.ProbeDue = was.Router, was.ProbeDue
	} else if p.Router, err = s.newRouter(p, c, endpoints); err != nil {
		return nil, err
	}
	if connected {
		p.Transport = was.Transport
	} else if p.Transport, err = proxy.NewTransport(c.Upstream, c.Timeouts); err != nil {
		return nil, err
	}
	if p.Reports, p.KeepReports, err = reportsOf(c); err != nil {
		return nil, err
	}
	if d := f.Admin.Decisions; f.Admin.Enabled {
		p.Decisions = explain.NewLog(c.Name, d.Sample, d.Keep)
	}
	if c.Shed != nil {
		p.PriorityHeader = c.Shed.PriorityHeader
	}
	probes := &checks{}
	probes.life, probes.stop = context.WithCancel(s.life)
	return &pool{p, probes, c, endpoints, files}, nil
}

// newRouter makes the router of a pool, with its endpoints.
func (s *Server) newRouter(p *proxy.Pool, c *config.Pool, endpoints []core.Endpoint) (*core.Router, error) {
	driver := core.Driver{Source: proxy.Source{}, Observe: p.Metrics.Observe}
	if c.Strategy.Probes() {
		driver.ProbeDue = func() {
			select {
			case p.ProbeDue <- struct{}{}:
			default: // said already
			}
		}
	}
	router, err := s.options.Assemble(c.Policies, driver)
	if err != nil {
		return nil, err
	}
	return router, router.Update(s.now(), endpoints)
}

func endpointsOf(c *config.Pool) ([]core.Endpoint, error) {
	var endpoints []core.Endpoint
	for _, e := range c.Endpoints {
		to, err := proxy.UpstreamOf(e)
		if err != nil {
			return nil, err
		}
		endpoints = append(endpoints, core.Endpoint{Key: e.Key(), Weight: float64(e.Weight), Target: to})
	}
	return endpoints, nil
}

// sameRouter reports whether a pool's router can stay: whether its policies are what they
// were, but for those that a request carries with it (see policyOf), and its endpoints
// are where they were, since a member keeps the URL that it was made with.
func sameRouter(was *pool, c *config.Pool) bool {
	a, b := was.config.Policies, c.Policies
	a.Timeouts, a.Retries.Attempts = b.Timeouts, b.Retries.Attempts
	return reflect.DeepEqual(a, b) && !slices.ContainsFunc(c.Endpoints, func(e config.Endpoint) bool {
		return slices.ContainsFunc(was.config.Endpoints, func(o config.Endpoint) bool { return o.Key() == e.Key() && o.URL != e.URL })
	})
}

// sameTransport reports whether a pool's connections can stay, as far as its settings say:
// the files that these name may have changed (see fingerprint).
func sameTransport(was, c *config.Pool) bool {
	return reflect.DeepEqual(was.Upstream, c.Upstream) && was.Timeouts.Connect == c.Timeouts.Connect
}

// sameDecisions reports whether decisions are kept as they were.
func sameDecisions(a, b *config.File) bool {
	return a.Admin.Enabled == b.Admin.Enabled &&
		a.Admin.Decisions.Sample == b.Admin.Decisions.Sample && a.Admin.Decisions.Keep == b.Admin.Decisions.Keep
}

// policyOf is what the requests of a route may do; nil for what the pool's router says. It
// may differ from that by the route's own settings, and by those of the pool that have
// changed since the router was made.
func policyOf(p *pool, r *config.Route) *core.Policy {
	theirs := p.Router.Policy()
	own := *theirs
	own.Attempts, own.AnswerWithin, own.Total = p.config.Retries.Attempts, p.config.Timeouts.ResponseHeader, p.config.Timeouts.Total
	if t := r.Timeouts; t != nil {
		if t.ResponseHeader != nil {
			own.AnswerWithin = *t.ResponseHeader
		}
		if t.Total != nil {
			own.Total = *t.Total
		}
	}
	if r.Retries != nil {
		own.Attempts = r.Retries.Attempts
	}
	if own == *theirs {
		return nil
	}
	return &own
}

// newPlane makes what the requests of a configuration are served by. Nothing changes for
// the one before.
func (s *Server) newPlane(f *config.File, old *plane) (*plane, error) {
	next := &plane{file: f, places: map[string]*limit.Places{}}
	for i := range f.Pools {
		p, err := s.newPool(f, &f.Pools[i], old)
		if err != nil {
			return nil, fmt.Errorf("pool %s: %w", f.Pools[i].Name, err)
		}
		next.pools = append(next.pools, p)
	}
	return next, s.route(next, old)
}

// probe begins the pool's checks, unless they have begun.
func (s *Server) probe(p *pool) {
	p.once.Do(func() {
		if h := p.config.Health; h != nil {
			s.side.Go(func() { proxy.Probe(p.life, p.Pool, *h, s.now) })
		}
		if p.config.Strategy.Probes() {
			s.side.Go(func() { proxy.ProbeLoad(p.life, p.Pool, p.config.Strategy, s.now) })
		}
	})
}

// forget takes the endpoints out of the metrics that are not in the pool any more.
func (p *pool) forget(old *plane) {
	was := old.pool(p.Name)
	if was == nil {
		return
	}
	for _, e := range was.endpoints {
		p.Metrics.Forget(e.Key)
	}
}

// closeIdle closes the connections that no request uses.
func (p *pool) closeIdle() {
	if t, ok := p.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// defect counts and logs a panic, from whose deferred call it is called.
func (s *Server) defect(what string, fault any) {
	s.metrics.Process.Panicked()
	s.log.Error(what, "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
}
