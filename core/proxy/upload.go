package proxy

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// What a client may do wrong with the body of its request. No endpoint is to blame.
var (
	errUpload     = errors.New("proxy: the body of the request is broken")
	errSlowUpload = errors.New("proxy: the body of the request does not come")
	// errLargeUpload is for a body that is longer than it may be.
	errLargeUpload = errors.New("proxy: the body of the request is too large")
)

// upload is a request's body on its way to an endpoint. It tells apart what the two
// ends of it do: whether the client broke it off, whether the client is what an
// attempt waits for, and when the endpoint's time begins anew because the client has
// moved on. The transport may still read it when the request has ended.
type upload struct {
	io.ReadCloser
	out            *response
	permission     *permission // nil for a client that does not ask
	end            time.Time   // of the whole request; zero for none
	room           int64       // for what is still to come, in bytes; below 0 for no bound
	broken, closed atomic.Bool
	slow, large    atomic.Bool // what is wrong when it is broken
	waiting        atomic.Bool // for the client
	complete       atomic.Bool // all of it has been read
	kept           kept

	mu    sync.Mutex
	pace  pace
	lapse lapse     // of HTTP/2
	come  sync.Cond // of mu: a reading has ended
	moved func()    // what to do when the client has moved on; nil for nothing
	ended bool      // the request has
}

func newUpload(body io.ReadCloser, out *response, most int64) *upload {
	u := &upload{ReadCloser: body, out: out, permission: newPermission(out.request), room: most, pace: pace{stall: out.pace.stall, perByte: out.pace.perByte}}
	if most == 0 {
		u.room = -1
	}
	u.come.L = &u.mu
	return u
}

func (u *upload) Read(p []byte) (int, error) {
	if u.complete.Load() {
		// http.Transport reads once more to be sure, and breaks its connection off
		// when that fails. It would: net/http closes the body when it answers.
		return 0, io.EOF
	}
	if u.permission != nil && !u.permission.wait() {
		return 0, errUpload
	}
	began := time.Now()
	if !u.await(began) {
		return 0, errUpload
	}
	n, err := u.ReadCloser.Read(p)
	if u.room >= 0 {
		if int64(n) > u.room { // the endpoint gets nothing that looks complete
			u.large.Store(true)
			n, err = int(u.room), errLargeUpload
		}
		u.room -= int64(n)
	}
	u.read(n, err, time.Since(began))
	u.coming()
	return n, err
}

// await begins the wait for the client, unless nobody waits for it any more.
func (u *upload) await(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return false
	}
	switch {
	case !u.paced():
	case u.out.request.ProtoMajor == 1:
		u.pace.begin(now, 1, u.by)
	default:
		u.lapse.begin(u.pace.patience(1), u.out.cutReading)
	}
	u.waiting.Store(true)
	return true
}

// read takes in what the wait has come to.
func (u *upload) read(n int, err error, took time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lapse.stop()
	u.waiting.Store(false)
	u.come.Broadcast()
	u.pace.moved(n, took)
	switch {
	case err == io.EOF:
		u.complete.Store(true)
		if !u.ended && u.out.request.ProtoMajor == 1 {
			_ = u.out.setReadDeadline(time.Time{}) // what is read from here on is not the body
		}
	case err != nil && !u.ended && !u.closed.Load(): // closed by the transport: it has had enough
		u.slow.Store(errors.Is(err, os.ErrDeadlineExceeded))
		u.broken.Store(true)
	}
}

// answered says that the endpoint has answered.
func (u *upload) answered() {
	if u != nil && u.permission != nil {
		u.permission.refuse()
	}
}

// coming says that the client has moved on, or is still given time to.
func (u *upload) coming() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.moved != nil {
		u.moved()
	}
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

// by gives the client's connection a deadline for reading, which is no later than that of
// the whole request.
func (u *upload) by(t time.Time) error {
	if !u.end.IsZero() && t.After(u.end) {
		t = u.end
	}
	return u.out.setReadDeadline(t)
}

// paced reports whether the client is held to a pace.
func (u *upload) paced() bool { return u.pace.stall > 0 }

// finish is for when the request has ended: whatever comes now is nothing to it. In
// HTTP/1.1 net/http reads some of what is still to come, lest the answer be lost with the
// connection, and that must have an end. But when it finds somebody else reading it takes
// the deadline away, so nobody may be. To call a reader off spoils a chunked body for
// good: there it is waited for, and the client has its answer meanwhile.
func (u *upload) finish() {
	if u == nil {
		return
	}
	if p := u.permission; p != nil {
		close(p.over)
	}
	http1 := u.out.request.ProtoMajor == 1
	if http1 && u.waiting.Load() && u.out.status >= 200 {
		_ = u.out.FlushError() // whoever does not take it is not waited for
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lapse.end()
	u.moved, u.ended = nil, true
	if !http1 || u.complete.Load() {
		return
	}
	if u.waiting.Load() {
		left := linger
		if u.out.request.ContentLength >= 0 {
			left = 0
		}
		if u.out.setReadDeadline(time.Now().Add(left)) != nil {
			return // there is no connection to wait for
		}
		for u.waiting.Load() {
			u.come.Wait()
		}
	}
	u.out.readBy(linger)
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

// maxBody is how large the body of a request may be, in bytes; 0 for no bound.
func maxBody(route *Route, clients *Clients) int64 {
	return cmp.Or(route.MaxBodyBytes, clients.MaxBodyBytes)
}

// fits reports whether a body may be as large as the client says that it is.
func fits(route *Route, clients *Clients, r *http.Request) bool {
	most := maxBody(route, clients)
	return most == 0 || r.ContentLength <= most
}
