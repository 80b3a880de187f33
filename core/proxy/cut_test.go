package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"
)

// A client was too slow when a writing has run out of time, or was called off, or has failed
// after as long as it may stall; one that has left was not, nor was anybody where there is no
// bound.
func TestSlowness(t *testing.T) {
	const stall = time.Second
	gone := errors.New("connection reset by peer")
	for name, c := range map[string]struct {
		stall time.Duration
		do    func(*response)
		want  string
	}{
		"nothing":             {stall, func(*response) {}, ""},
		"written":             {stall, func(w *response) { w.untaken(nil, 2*stall) }, ""},
		"out of time":         {stall, func(w *response) { w.untaken(fmt.Errorf("write: %w", os.ErrDeadlineExceeded), 1) }, "slow-answer"},
		"failed, after stall": {stall, func(w *response) { w.untaken(gone, stall) }, "slow-answer"},
		"left":                {stall, func(w *response) { w.untaken(gone, stall-1) }, ""},
		"no bound":            {0, func(w *response) { w.untaken(os.ErrDeadlineExceeded, 2*stall) }, ""},
		"called off":          {stall, func(w *response) { w.cutWriting() }, "slow-answer"},
		"the body is slow": {stall, func(w *response) {
			w.body = &upload{}
			w.body.slow.Store(true)
		}, "slow-body"},
		"the body is not": {stall, func(w *response) { w.body = &upload{} }, ""},
	} {
		w := &response{ResponseWriter: blank{}, pace: pace{stall: c.stall}}
		c.do(w)
		if got := w.slowness(); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// blank is a ResponseWriter of which nothing is wanted.
type blank struct{}

func (blank) Header() http.Header         { return nil }
func (blank) Write(b []byte) (int, error) { return len(b), nil }
func (blank) WriteHeader(int)             {}
