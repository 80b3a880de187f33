package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// logAccess writes one line about a request. What the client sent is escaped by the
// log's handler; the query is left out, since secrets travel there.
func logAccess(log *slog.Logger, r *http.Request, w *response, took time.Duration, pool *Pool, attempts int) {
	name := ""
	if pool != nil {
		name = pool.Name
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, "request",
		slog.String("client", peer(r)),
		slog.String("method", r.Method),
		slog.String("host", r.Host),
		slog.String("path", r.URL.Path),
		slog.Int("status", w.status),
		slog.Int64("bytes", w.bytes),
		slog.Float64("seconds", took.Seconds()),
		slog.String("pool", name),
		slog.Int("attempts", attempts),
	)
}
