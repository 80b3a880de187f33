package core

import (
	"sync"
	"time"
)

// Entry is what Admission says to a request.
type Entry uint8

const (
	// Admitted: it may go on, and must Leave.
	Admitted Entry = iota
	// Queued: its ticket stands in the queue; it may go on once woken.
	Queued
	// Refused: the queue is full.
	Refused
)

// Ticket is a request's place in the admission queue. It is embedded in the
// request; Waiter is the driver's own, so that it knows whom to wake.
type Ticket struct {
	Waiter     any
	prev, next *Ticket
	queued     bool
}

// Admission bounds the requests in flight to a pool, with a bounded first-in
// first-out queue in front. It only keeps the books: who waits for how long is the
// driver's to do (see Request). Safe for concurrent use; its lock is held for a few
// pointer moves, never while somebody is called.
type Admission struct {
	limit, room int
	// MaxWait is how long a request may stand in the queue.
	MaxWait time.Duration

	mu       sync.Mutex
	inFlight int
	waiting  int
	queue    Ticket // ring; queue.next is the first
}

// NewAdmission returns an admission for limit requests in flight (at least 1) and
// room in the queue for so many more (0 for no queue), each for at most maxWait.
func NewAdmission(limit, room int, maxWait time.Duration) *Admission {
	a := &Admission{limit: limit, room: room, MaxWait: maxWait}
	a.queue.prev, a.queue.next = &a.queue, &a.queue
	return a
}

// Enter asks for admission. t must stay where it is while it is queued.
func (a *Admission) Enter(t *Ticket) Entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inFlight < a.limit {
		a.inFlight++
		return Admitted
	}
	if a.waiting >= a.room {
		return Refused
	}
	a.waiting++
	t.queued = true
	t.prev, t.next = a.queue.prev, &a.queue
	t.prev.next, t.next.prev = t, t
	return Queued
}

// Leave ends an admitted request. It returns the ticket that is admitted in its
// place and is now to be woken, or nil.
func (a *Admission) Leave() *Ticket {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := a.queue.next
	if first == &a.queue {
		a.inFlight--
		return nil
	}
	a.unlink(first)
	return first
}

// Cancel takes a ticket out of the queue. It returns false when the ticket does not
// stand there any more: it has been admitted meanwhile, and must Leave.
func (a *Admission) Cancel(t *Ticket) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !t.queued {
		return false
	}
	a.unlink(t)
	return true
}

func (a *Admission) unlink(t *Ticket) {
	t.prev.next, t.next.prev = t.next, t.prev
	t.prev, t.next, t.queued = nil, nil, false
	a.waiting--
}

// InFlight is how many requests are admitted, Waiting how many stand in the queue.
func (a *Admission) InFlight() (inFlight, waiting int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inFlight, a.waiting
}
