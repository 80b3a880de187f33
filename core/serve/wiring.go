package serve

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/evenkeel/evenkeel/core/admin"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/limit"
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
		Now:      s.now,
		Log:      s.log,
	}
	if s.file.Log.Access {
		options.Access = s.log.With(slog.String("log", "access"))
	}
	for _, r := range s.file.Routes {
		limiter, err := newLimiter(r.RateLimit)
		if err != nil {
			return nil, fmt.Errorf("route %s: %w", r.Name, err)
		}
		options.Routes = append(options.Routes, proxy.Route{
			Name:    r.Name,
			Match:   proxy.Match{PathPrefix: r.PathPrefix, Hosts: r.Hosts, Methods: r.Methods},
			Pool:    byName[r.Pool],
			Limiter: limiter,
			Metrics: metrics.Route(r.Name),
		})
	}
	return proxy.New(options), nil
}

func newLimiter(r *config.RateLimit) (*limit.Limiter, error) {
	if r == nil {
		return nil, nil
	}
	rate, err := limit.NewRate(r.Rate, r.Burst)
	if err != nil {
		return nil, err
	}
	if r.Key == "client" {
		return limit.NewKeyed(rate, limiterKeys), nil
	}
	return limit.New(rate), nil
}

// adminPools are the pools as the API shows them.
func (s *Server) adminPools() []admin.Pool {
	var all []admin.Pool
	for _, p := range s.pools {
		all = append(all, admin.Pool{Name: p.Name, Strategy: p.config.Strategy.Name, Router: p.Router})
	}
	return all
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
