package proxy

import (
	"sync"
	"time"
)

// lapse calls off what takes too long in HTTP/2. There, a deadline of a stream is a timer
// of net/http's that resets the stream when it is over, whether or not anybody waits for
// the client then; so it may be set only when it has passed. The zero value has nothing to
// call off.
type lapse struct {
	mu    sync.Mutex
	timer *time.Timer
	ended bool
}

// begin calls something off after so long.
func (l *lapse) begin(after time.Duration, off func()) {
	if l.timer != nil {
		l.timer.Reset(after)
		return
	}
	l.timer = time.AfterFunc(after, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.ended {
			off()
		}
	})
}

// stop is for what has come to its end in time.
func (l *lapse) stop() {
	if l.timer != nil {
		l.timer.Stop()
	}
}

// end is for when the stream is net/http's own again: nothing is called off any more.
func (l *lapse) end() {
	l.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
}
