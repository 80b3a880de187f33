package sim

import (
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// flight is a client's request under way: what the client knows, and the shipped state
// machine of the present try. That stands last, because its own end is of use to few.
type flight struct {
	index uint32
	live  bool

	seq     int64
	planned core.Instant
	place   uint64 // of the request's draws
	class   int
	work    time.Duration
	client  int // in a closed loop

	try      int
	began    core.Instant // the try
	proxy    *proxy
	attempts int // of earlier tries

	waiting bool                   // in the proxy's queue
	out     [core.MaxAttempts]bool // attempts that were sent, and have not come back

	request core.Request
}

// flights are the requests under way, in places that are used again.
type flights struct {
	all  []*flight
	free []*flight
	live int
	// lives count the tries that each place has carried: what comes back for an earlier
	// one is recognised by it. They stand apart from the flights, close together, because
	// most that is asked for has ended.
	lives []uint32
}

func (f *flights) take() *flight {
	f.live++
	if n := len(f.free); n > 0 {
		t := f.free[n-1]
		f.free = f.free[:n-1]
		t.live = true
		return t
	}
	t := &flight{index: uint32(len(f.all)), live: true}
	f.all = append(f.all, t)
	f.lives = append(f.lives, 0)
	return t
}

func (f *flights) give(t *flight) {
	f.live--
	f.renew(t)
	t.live = false
	f.free = append(f.free, t)
}

// renew makes the flight fit for another try.
func (f *flights) renew(t *flight) {
	f.lives[t.index]++
	t.request.Reset()
	t.waiting, t.out = false, [core.MaxAttempts]bool{}
}

// A handle names a flight in its present life, and an attempt of it: what is sent to
// a server and comes back from it, perhaps when nobody waits any more. Of waits it may
// name another reason in the attempt's place.
const attemptBits = 3

// What else than an attempt is waited for.
const (
	inQueue = core.MaxAttempts + iota // admission
	hedging                           // the time for a hedge
)

func (f *flights) handle(t *flight, attempt int) uint64 {
	return uint64(f.lives[t.index])<<32 | uint64(t.index)<<attemptBits | uint64(attempt)
}

// find returns the flight of a handle, or nil when it has ended.
func (f *flights) find(handle uint64) (t *flight, attempt int) {
	if !f.under(handle) {
		return nil, 0
	}
	return f.all[uint32(handle)>>attemptBits], int(handle & (1<<attemptBits - 1))
}

// under reports whether the flight of a handle is under way, in the same try.
func (f *flights) under(handle uint64) bool {
	return f.lives[uint32(handle)>>attemptBits] == uint32(handle>>32)
}
