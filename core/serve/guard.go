package serve

import (
	"log/slog"
	"net"

	"github.com/evenkeel/evenkeel/core/proxy"
)

// guard has what a listener accepts watched over. That is for the listener's life: the
// metrics are those of every plane, and the access log is on or off by the present one.
func (s *Server) guard(l net.Listener) net.Listener {
	g := &proxy.Guard{Unrouted: s.metrics.Route("none"), Access: func() *slog.Logger {
		if !s.plane.Load().file.Log.Access {
			return nil
		}
		return s.log.With(slog.String("log", "access"))
	}}
	return g.Listen(l)
}
