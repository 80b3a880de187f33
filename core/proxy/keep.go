package proxy

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// keepBytes is how much of a request's body is kept until the endpoint has answered, so that
// what it has not begun with can be sent once more: to another endpoint, or on another
// connection. It is as much as Linkerd keeps for its retries.
const keepBytes = 64 << 10

// errNotKept is about a body that cannot be read from its beginning any more.
var errNotKept = errors.New("proxy: the body of the request is too long to be sent again")

// kept is the beginning of a request's body, while all that was read of it fits.
type kept struct {
	mu    sync.Mutex // held while the body is read, perhaps for long
	data  []byte     // all that was read, unless over
	total int64
	err   error // what the reading ended with
	over  atomic.Bool

	close   sync.Mutex
	last    *reading // that of the latest attempt
	settled bool     // no attempt comes after that one
	closed  bool     // that one needs no more of it
}

// open returns the body from its beginning, and how to do so once more.
func (u *upload) open() (io.ReadCloser, func() (io.ReadCloser, error)) {
	again := func() (io.ReadCloser, error) {
		if !u.rewindable() {
			return nil, errNotKept
		}
		return u.begin(), nil
	}
	return u.begin(), again
}

func (u *upload) begin() *reading {
	r := &reading{upload: u}
	u.kept.close.Lock()
	defer u.kept.close.Unlock()
	u.kept.last, u.kept.closed = r, false
	return r
}

// rewindable reports whether the body, or none, can be read from its beginning.
func (u *upload) rewindable() bool { return u == nil || !u.kept.over.Load() }

// settle says that the endpoint has answered: nobody will ask for the body again, and
// whoever closes it now closes it for good.
func (u *upload) settle() {
	if u == nil {
		return
	}
	u.kept.close.Lock()
	defer u.kept.close.Unlock()
	u.kept.settled = true
	if u.kept.closed {
		u.Close()
	}
}

// reading is one reading of a body. Those of attempts that have failed may still be at it.
type reading struct {
	*upload
	at int64
}

// Read implements io.Reader.
func (r *reading) Read(p []byte) (int, error) {
	k := &r.upload.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case r.at < k.total && k.over.Load():
		return 0, errNotKept
	case r.at < k.total:
		n := copy(p, k.data[r.at:])
		r.at += int64(n)
		return n, nil
	case k.err != nil:
		return 0, k.err
	}
	n, err := r.upload.Read(p)
	k.total, k.err = k.total+int64(n), err
	if k.total > keepBytes {
		k.over.Store(true)
		k.data = nil
	} else {
		k.data = append(k.data, p[:n]...)
	}
	r.at = k.total
	return n, err
}

// Close implements io.Closer.
func (r *reading) Close() error {
	k := &r.upload.kept
	k.close.Lock()
	defer k.close.Unlock()
	if r != k.last {
		return nil
	}
	k.closed = true
	if !k.settled {
		return nil
	}
	return r.upload.Close()
}
