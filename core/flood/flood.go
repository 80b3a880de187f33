// Package flood counts what a client makes of an HTTP/2 connection besides requests, and
// says when it is too much.
//
// HTTP/2 (RFC 9113) has frames that cost their sender nothing and the server something: a
// request that is reset as soon as it is sent (CVE-2023-44487), PING and SETTINGS that ask
// for an answer, PRIORITY, empty DATA and CONTINUATION (CVE-2019-9512 to 9518,
// CVE-2024-27316), and what makes the server itself reset a stream (CVE-2025-8671).
// net/http bounds what of this can fill its memory: streams and handlers at a time, answers
// that wait to be written, the head of a request. It does not bound how often. A [Watch]
// does, from the outside: it reads along and knows the frames by their heads.
//
// There are two budgets, token buckets with ten seconds' worth of depth:
//
//	resets    RST_STREAM, and streams that the server resets because the client broke
//	          the protocol there
//	control   any other frame that brings neither a request nor data; each frame of an
//	          answer allows for [PerAnswer] more, up to [MostEarned], since windows have
//	          to be opened for it
//
// A request itself is not counted here: what requests cost is for rate limits.
package flood

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/limit"
)

// Sentinels of Watch.In and Watch.Out.
var (
	ErrResets  = errors.New("flood: more resets of streams than the connection may have")
	ErrControl = errors.New("flood: more control frames than the connection may have")
	ErrPreface = errors.New("flood: HTTP/2 was agreed on, and something else was sent")
)

// PerAnswer is how many control frames each frame of an answer allows for: two windows,
// the stream's and the connection's, and twice that to be sure. (Envoy allows for ten
// WINDOW_UPDATE for each DATA.)
const PerAnswer = 4

// MostEarned is how many control frames answers allow for at most, when none was sent for
// long: enough for a window of 40 MB in frames of 16 KiB.
const MostEarned = 10_000

// depth is how many seconds' worth of frames may come at once.
const depth = 10

// Budget is what each connection may do. Make it with NewBudget; safe for concurrent use
// by any number of connections.
type Budget struct{ resets, control limit.Rate }

// NewBudget returns a budget of so many resets and control frames a second, at least 1
// each and at most 1e6. Ten seconds' worth may come at once.
func NewBudget(resets, control int) (*Budget, error) {
	b := new(Budget)
	for _, r := range []struct {
		rate *limit.Rate
		n    int
	}{{&b.resets, resets}, {&b.control, control}} {
		if r.n < 1 || r.n > 1e6 {
			return nil, fmt.Errorf("flood: %d frames a second: expected 1 to 1000000", r.n)
		}
		var err error
		if *r.rate, err = limit.NewRate(float64(r.n), r.n*depth); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Watch is the watch over one connection. In is for one goroutine at a time, and so is
// Out; the two may be at work at once. As long as no HTTP/2 is spoken it costs a
// comparison.
type Watch struct {
	budget  *Budget
	require bool // nothing but HTTP/2 is expected
	matched int8 // bytes of the preface that have been seen; other: it is not HTTP/2
	frames  atomic.Pointer[frames]
}

// other is Watch.matched of a connection that does not begin as HTTP/2 does.
const other = -1

// preface is what a client sends first (RFC 9113 §3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// frames are what is known of a connection that speaks HTTP/2.
type frames struct {
	in, out         reader
	resets, control limit.Bucket
	earned          atomic.Int64 // control frames that answers have allowed for
}

// Start begins the watch with a budget. With require anything but HTTP/2 is an error.
func (w *Watch) Start(b *Budget, require bool) { w.budget, w.require = b, require }

// In takes in what has arrived from the client, before it is used. An error is one of the
// sentinels, and the connection is to be closed.
func (w *Watch) In(now func() core.Instant, b []byte) error {
	if w.matched == other {
		return nil
	}
	f := w.frames.Load()
	if f == nil {
		if b = w.begin(b); w.matched == other && w.require {
			return ErrPreface
		}
		if f = w.frames.Load(); f == nil {
			return nil
		}
	}
	at := now()
	var err error
	for {
		var h head
		var ok bool
		if h, b, ok = f.in.next(b); !ok {
			break
		}
		switch h.asks() {
		case reset:
			if _, ok := f.resets.Take(w.budget.resets, at, 1); !ok {
				err = ErrResets
			}
		case control:
			if f.earned.Load() > 0 {
				f.earned.Add(-1) // nobody else takes any
			} else if _, ok := f.control.Take(w.budget.control, at, 1); !ok {
				err = ErrControl
			}
		}
	}
	return err
}

// begin compares the beginning of a connection with the preface, and returns what comes
// after it.
func (w *Watch) begin(b []byte) []byte {
	for len(b) > 0 {
		if b[0] != preface[w.matched] {
			w.matched = other
			return nil
		}
		b = b[1:]
		if w.matched++; int(w.matched) == len(preface) {
			w.frames.Store(new(frames))
			return b
		}
	}
	return nil
}

// Out takes in what is to be sent to the client. An error is ErrResets, and the connection
// is to be closed: the server has had to reset too many streams.
func (w *Watch) Out(now func() core.Instant, b []byte) (err error) {
	f := w.frames.Load()
	if f == nil {
		return nil
	}
	for {
		var h head
		var ok bool
		if h, b, ok = f.out.next(b); !ok {
			return err
		}
		switch h.tells() {
		case answer:
			if f.earned.Load() < MostEarned {
				f.earned.Add(PerAnswer) // nobody else adds any
			}
		case reset:
			if _, ok := f.resets.Take(w.budget.resets, now(), 1); !ok {
				err = ErrResets
			}
		}
	}
}
