package serve

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"

	"github.com/evenkeel/evenkeel/core/admin"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/explain"
	"github.com/evenkeel/evenkeel/core/limit"
	"github.com/evenkeel/evenkeel/core/orca"
	"github.com/evenkeel/evenkeel/core/proxy"
)

// limiterKeys is how many clients a limiter by client tells apart: 64 Ki buckets of
// 16 bytes each.
const limiterKeys = 64 << 10

// route joins routes and pools into the plane's proxy.
func (s *Server) route(next, old *plane) error {
	f := next.file
	options := proxy.Options{
		Unrouted: s.metrics.Route("none"),
		Trusted:  f.TrustedProxies,
		Explain:  explainTo(f),
		Defect:   s.defect,
		Closing:  &s.closing,
		Now:      s.now,
		Log:      s.log,
	}
	if f.Log.Access {
		options.Access = s.log.With(slog.String("log", "access"))
	}
	limits := limitsOf(old)
	var err error
	if options.Limit, err = limits.get("", "global", f.RateLimit); err != nil {
		return fmt.Errorf("rate_limit: %w", err)
	}
	for i := range f.Routes {
		r := &f.Routes[i]
		quota, err := limits.get(r.Name, r.Name, r.RateLimit)
		if err != nil {
			return fmt.Errorf("route %s: %w", r.Name, err)
		}
		p := next.pool(r.Pool)
		next.places[r.Name] = old.placesOf(r.Name)
		options.Routes = append(options.Routes, proxy.Route{
			Name:         r.Name,
			Match:        matchOf(r),
			Pool:         p.Pool,
			Policy:       policyOf(p, r),
			MaxBodyBytes: r.MaxBodyBytes,
			Limit:        quota,
			Cost:         r.Cost,
			InFlight:     next.places[r.Name],
			MaxInFlight:  r.MaxInFlight,
			Metrics:      s.metrics.Route(r.Name),
		})
	}
	next.limits = limits.made
	next.proxy = proxy.New(options)
	return nil
}

// matchOf says which requests go to a route.
func matchOf(r *config.Route) proxy.Match {
	m := proxy.Match{Hosts: r.Hosts, Methods: r.Methods}
	m.Path, m.PathPrefix = r.Matched()
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, proxy.Condition{Name: http.CanonicalHeaderKey(h.Name), Value: h.Value, Absent: h.Absent})
	}
	return m
}

// limitKey is what a limiter is for: one with the same key stays, and its buckets are as
// full as they were.
type limitKey struct {
	route string // empty for the limit of all routes
	rate  config.RateLimit
}

// limits makes the limiters of a plane, or takes them over from the one before.
type limits struct{ before, made map[limitKey]*limit.Limiter }

func limitsOf(old *plane) limits {
	l := limits{made: map[limitKey]*limit.Limiter{}}
	if old != nil {
		l.before = old.limits
	}
	return l
}

func (l limits) get(route, name string, r *config.RateLimit) (*proxy.Limit, error) {
	if r == nil {
		return nil, nil
	}
	key := limitKey{route, *r}
	key.rate.Headers = false // what clients are told does not count
	limiter := l.before[key]
	if limiter == nil {
		rate, err := limit.NewRate(r.Rate, r.Burst)
		if err != nil {
			return nil, err
		}
		limiter = limit.New(rate, r.MaxDelay)
		if r.Key == config.KeyClient {
			limiter = limit.NewKeyed(rate, r.MaxDelay, limiterKeys)
		}
	}
	l.made[key] = limiter
	return &proxy.Limit{
		Limiter: limiter, Name: name, Headers: r.Headers, IPv4Prefix: r.IPv4Prefix, IPv6Prefix: r.IPv6Prefix,
	}, nil
}

// reportsOf is how a pool reads what its endpoints report of their load, nil where its
// strategy does not go by that, and whether its clients are to see it.
func reportsOf(c *config.Pool) (reader *orca.Reader, keep bool, err error) {
	var r config.Reports
	r.Defaults()
	if c.Reports != nil {
		r = *c.Reports
	}
	if c.Strategy.Reports() || c.Strategy.Probes() {
		reader, err = orca.NewReader(orca.Names{InFlight: r.InFlight, Latency: r.Latency, Utilization: r.Utilization})
	}
	return reader, r.Keep, err
}

// adminPools are the pools as the API shows them.
func (s *Server) adminPools() []admin.Pool {
	var all []admin.Pool
	present := s.plane.Load()
	for _, p := range present.pools {
		shown := admin.Pool{Name: p.Name, Strategy: p.config.Strategy.Name, Router: p.Router}
		if c := p.config.Concurrency; c != nil {
			shown.Limiter = c.Name
		}
		for _, r := range present.file.Routes {
			if r.Pool == p.Name && r.MaxInFlight > 0 {
				shown.Routes = append(shown.Routes, admin.Route{Name: r.Name, InFlight: present.places[r.Name].Taken(), Limit: r.MaxInFlight})
			}
		}
		all = append(all, shown)
	}
	return all
}

// decisions are the logs of the pools' decisions.
func (s *Server) decisions() []*explain.Log {
	var all []*explain.Log
	for _, p := range s.plane.Load().pools {
		all = append(all, p.Decisions)
	}
	return all
}

// explainTo are the peers that are told why, when they ask.
func explainTo(f *config.File) []netip.Prefix {
	switch f.Admin.Decisions.Header {
	case config.HeaderTrusted:
		return f.TrustedProxies
	case config.HeaderLoopback:
		return append(slices.Clone(f.TrustedProxies), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	}
	return nil
}

// ready says why the proxy should get no new requests; nil when it may.
func (s *Server) ready() error {
	if s.closing.Load() {
		return errDraining
	}
	return admin.Usable(s.adminPools(), s.now())
}

// clientsOf are the settings of a listener that its requests are held to.
func clientsOf(l config.Listener) proxy.Clients {
	return proxy.Clients{Stall: l.Transfer.Stall, BytesPerSecond: l.Transfer.MinBytesPerSecond, MaxBodyBytes: l.MaxBodyBytes, MaxHeaders: l.MaxHeaders}
}
