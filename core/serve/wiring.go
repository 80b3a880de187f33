package serve

import (
	"errors"
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
	"github.com/evenkeel/evenkeel/core/telemetry"
)

// limiterKeys is how many clients a limiter by client tells apart: 64 Ki buckets of
// 16 bytes each.
const limiterKeys = 64 << 10

// handler joins routes and pools into the proxy.
func (s *Server) handler(metrics *telemetry.Metrics) (http.Handler, error) {
	byName := map[string]*proxy.Pool{}
	for _, p := range s.pools {
		byName[p.Name] = p.Pool
	}
	options := proxy.Options{
		Unrouted: metrics.Route("none"),
		Trusted:  s.file.TrustedProxies,
		Explain:  explainTo(s.file),
		Now:      s.now,
		Log:      s.log,
	}
	if s.file.Log.Access {
		options.Access = s.log.With(slog.String("log", "access"))
	}
	var err error
	if options.Limit, err = newLimit("global", s.file.RateLimit); err != nil {
		return nil, fmt.Errorf("rate_limit: %w", err)
	}
	for _, r := range s.file.Routes {
		quota, err := newLimit(r.Name, r.RateLimit)
		if err != nil {
			return nil, fmt.Errorf("route %s: %w", r.Name, err)
		}
		options.Routes = append(options.Routes, proxy.Route{
			Name:    r.Name,
			Match:   proxy.Match{PathPrefix: r.PathPrefix, Hosts: r.Hosts, Methods: r.Methods},
			Pool:    byName[r.Pool],
			Limit:   quota,
			Cost:    r.Cost,
			Metrics: metrics.Route(r.Name),
		})
	}
	return proxy.New(options), nil
}

func newLimit(name string, r *config.RateLimit) (*proxy.Limit, error) {
	if r == nil {
		return nil, nil
	}
	rate, err := limit.NewRate(r.Rate, r.Burst)
	if err != nil {
		return nil, err
	}
	limiter := limit.New(rate, r.MaxDelay)
	if r.Key == "client" {
		limiter = limit.NewKeyed(rate, r.MaxDelay, limiterKeys)
	}
	return &proxy.Limit{Limiter: limiter, Name: name, Headers: r.Headers}, nil
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
	for _, p := range s.pools {
		all = append(all, admin.Pool{Name: p.Name, Strategy: p.config.Strategy.Name, Router: p.Router})
	}
	return all
}

// decisions are the logs of the pools' decisions.
func (s *Server) decisions() []*explain.Log {
	var all []*explain.Log
	for _, p := range s.pools {
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

// errDraining is why a draining proxy is not ready.
var errDraining = errors.New("draining")

// ready says why the proxy should get no new requests; nil when it may.
func (s *Server) ready() error {
	if s.closing.Load() {
		return errDraining
	}
	return admin.Usable(s.adminPools(), s.now())
}
