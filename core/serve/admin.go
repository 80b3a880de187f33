package serve

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core/admin"
	"github.com/evenkeel/evenkeel/core/config"
)

// office is the admin listener at work. What it shows may change without it.
type office struct {
	config   config.Admin
	listener net.Listener
	server   *http.Server
	ending   atomic.Bool // it is to be closed
	handler  atomic.Pointer[http.Handler]
}

// newOffice opens the admin listener; nil when it is off.
func (s *Server) newOffice(c config.Admin) (*office, error) {
	if !c.Enabled {
		return nil, nil
	}
	listener, err := open(c.Address)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	o := &office{config: c, listener: listener}
	o.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*o.handler.Load()).ServeHTTP(w, r) }),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return o, nil
}

// show has the admin listener show what its settings say.
func (o *office) show(s *Server, c config.Admin, token string) {
	o.config = c
	options := admin.Options{
		Metrics: s.metrics.Handler(), Pools: s.adminPools, Ready: s.ready, Pprof: c.Pprof, Now: s.now,
		Hosts: c.Hosts, Token: token, Reload: s.Reload,
	}
	if c.Decisions.Sample > 0 {
		options.Decisions = admin.Decisions(s.decisions, s.epoch)
	}
	handler := admin.Handler(options)
	o.handler.Store(&handler)
}
