package backend

import (
	"net/http"
	"strconv"

	"github.com/evenkeel/evenkeel/core"
)

// Entry is what a server says of one request that it was sent.
type Entry struct {
	Seq     int64        // the request's sequence number
	Server  int          // who says so
	Arrived core.Instant // of the trial
	Done    core.Instant // when its end was known: before the answer was written
	// Code is the status that it was answered with; 0 when the client had left before, below
	// zero when its connection was cut.
	Code int
}

// Keep has the backend keep an Entry of every request with a sequence number, from the next
// Begin on; room is how many are expected. It takes memory as long as requests come, so a
// server that runs for ever should not.
func (b *Backend) Keep(room int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keep, b.room = true, room
}

// Log returns the entries since Begin, in the order of their ends.
func (b *Backend) Log() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Entry(nil), b.log...)
}

// note enters a request that has ended, in the log and the phase in which it arrived.
func (b *Backend) note(r *http.Request, arrived core.Instant, code int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if code != left {
		b.phases.at(arrived).note(code, now.Sub(arrived))
	}
	seq, err := strconv.ParseUint(r.Header.Get(SeqHeader), 10, 63)
	if b.keep && err == nil {
		b.log = append(b.log, Entry{int64(seq), b.index, arrived, now, code})
	}
}

// left is the code of a request whose client has left.
const left = 0
