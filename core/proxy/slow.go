package proxy

import (
	"errors"
	"os"
	"time"

	"github.com/evenkeel/evenkeel/core/telemetry"
)

// untaken notes what a writing has come to: whether it has failed because the client did
// not take it in time. In HTTP/2 net/http may close a connection on which nothing moves any
// more before the stream is called off; then how long it took tells.
func (w *response) untaken(err error, took time.Duration) {
	if err != nil && w.pace.stall > 0 && (errors.Is(err, os.ErrDeadlineExceeded) || took >= w.pace.stall) {
		w.slow.Store(true)
	}
}

// slowness is how the client was too slow, so that it was cut; empty when it was not.
func (w *response) slowness() string {
	switch {
	case w.slow.Load():
		return telemetry.CutSlowAnswer
	case w.body != nil && w.body.slow.Load():
		return telemetry.CutSlowBody
	}
	return ""
}
