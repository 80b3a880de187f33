package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// What a client may do wrong with the body of its request. No endpoint is to blame.
var (
	errUpload     = errors.New("proxy: the body of the request is broken")
	errSlowUpload = errors.New("proxy: the body of the request does not come")
)

// upload is a request's body on its way to an endpoint. It tells apart what the two
// ends of it do: whether the client broke it off, whether the client is what an
// attempt waits for, and when the endpoint's time begins anew because the client has
// moved on. The transport may still read it when the request has ended.
type upload struct {
	io.ReadCloser
	broken, closed atomic.Bool
	waiting        atomic.Bool // for the client
	complete       atomic.Bool // all of it has been read

	mu    sync.Mutex
	moved func() // what to do when the client has moved on; nil for nothing
	ended bool   // the request has
}

func (u *upload) Read(p []byte) (int, error) {
	if u.complete.Load() {
		// http.Transport reads once more to be sure, and breaks its connection off
		// when that fails. It would: net/http closes the body when it answers.
		return 0, io.EOF
	}
	u.waiting.Store(true)
	n, err := u.ReadCloser.Read(p)
	u.waiting.Store(false)
	switch {
	case err == io.EOF:
		u.complete.Store(true)
	case err != nil && !u.closed.Load(): // closed by the transport: it has had enough
		u.broken.Store(true)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.moved != nil {
		u.moved()
	}
	return n, err
}

func (u *upload) Close() error {
	u.closed.Store(true)
	return u.ReadCloser.Close()
}

// awaited reports whether the client is what there is to wait for.
func (u *upload) awaited() bool { return u != nil && u.waiting.Load() }

// onMove says what to do when the client has moved on; nil for nothing any more.
func (u *upload) onMove(do func()) {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.moved = do
}

// end is for when the request has ended: whatever comes now is nothing to it.
func (u *upload) end() {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.moved, u.ended = nil, true
}

// unlessEnded does something to the client's connection, which may serve another
// request when this one has ended.
func (u *upload) unlessEnded(do func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ended {
		do()
	}
}

// readBy bounds the reading of what the client has still to send of its body.
// Without one, a client that stops sending keeps its request for ever: net/http reads
// the rest of the body before it answers.
func (w *response) readBy(d time.Duration) {
	// Where this is not supported there is no connection to wait for.
	_ = http.NewResponseController(w.ResponseWriter).SetReadDeadline(time.Now().Add(d))
}

// linger is how long a client that is refused may take to send the rest of its body,
// so that its connection can be used again.
const linger = 500 * time.Millisecond
