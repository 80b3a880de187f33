package core

import (
	"sync"
	"sync/atomic"
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
	place      place
	until      Instant // of a queued one
	overload   bool    // a queued one that waits in vain is shed
	inFlight   int     // of an admitted one: when it was admitted, itself included
}

// place is the list that a ticket stands in.
type place uint8

const (
	nowhere place = iota
	inQueue
	inLine // admitted, and to be woken after another
)

// tickets is a ring of tickets with its length; t.next is the first.
type tickets struct {
	ends Ticket
	n    int
}

func (l *tickets) init() { l.ends.prev, l.ends.next = &l.ends, &l.ends }

func (l *tickets) push(t *Ticket, p place) {
	t.prev, t.next, t.place = l.ends.prev, &l.ends, p
	t.prev.next, t.next.prev = t, t
	l.n++
}

func (l *tickets) remove(t *Ticket) {
	t.prev.next, t.next.prev = t.next, t.prev
	t.prev, t.next, t.place = nil, nil, nowhere
	l.n--
}

// AdmissionSettings say whom an Admission lets in.
type AdmissionSettings struct {
	// Limiter says how many may be in flight; required.
	Limiter Limiter
	// Room is how many more may wait; 0 for no queue.
	Room int
	// MaxWait is how long a request may stand in the queue.
	MaxWait time.Duration
	// Patience shortens MaxWait and orders the queue; nil for MaxWait, first in
	// first out.
	Patience Patience
	// DryRun lets everybody in, and counts whom it would not have.
	DryRun bool
}

// Admission bounds the requests in flight to a pool by a limit that may move, with a
// bounded queue in front. It only keeps the books: who waits for how long is the
// driver's to do (see Request). Safe for concurrent use; its lock is held for a few
// pointer moves, and never while a driver is called.
//
// The limit is read anew when somebody leaves. If it has grown by several, as many
// tickets are admitted at once; they stand in line, and each that is woken names the
// next one to wake, so that a driver never has more than one to see to.
type Admission struct {
	settings atomic.Pointer[AdmissionSettings] // replaced by adopt

	mu       sync.Mutex
	limit    int
	inFlight int
	queue    tickets
	line     tickets
	emptied  Instant // when the queue was empty last, see look
	beyond   uint64
}

// NewAdmission returns an admission.
func NewAdmission(s AdmissionSettings) *Admission {
	a := &Admission{limit: max(1, s.Limiter.Limit())}
	a.settings.Store(&s)
	a.queue.init()
	a.line.init()
	return a
}

// adopt goes on with the settings of another. Who is in flight, and who waits until when,
// stays; a limit that has grown by it is seen to when somebody leaves.
func (a *Admission) adopt(other *Admission) {
	s := other.settings.Load()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settings.Store(s)
	a.limit = max(1, s.Limiter.Limit())
}

// Enter asks for admission. t must stay where it is while it is queued; when it is,
// until is how long it may stand there.
func (a *Admission) Enter(now Instant, t *Ticket) (entry Entry, until Instant) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.settings.Load()
	a.look(now)
	full := a.inFlight >= a.limit
	if full && s.DryRun {
		a.beyond++
	}
	switch {
	case !full || s.DryRun:
		a.inFlight++
		t.inFlight = a.inFlight
		return Admitted, 0
	case a.queue.n >= s.Room:
		return Refused, 0
	}
	wait := s.MaxWait
	t.overload = false
	if p := s.Patience; p != nil {
		if most, overload := p.Wait(now, a.emptied); most < wait {
			wait, t.overload = most, overload
		}
	}
	a.queue.push(t, inQueue)
	t.until = now.Add(wait)
	return Queued, t.until
}

// Learn tells the limiter what an admitted request of a class came to, see Limiter.
func (a *Admission) Learn(now Instant, s Sample, t *Ticket, class uint8) {
	l := a.settings.Load().Limiter
	if c, ok := l.(ClassedLimiter); ok {
		c.LearnOf(class, now, s, t.inFlight)
		return
	}
	l.Learn(now, s, t.inFlight)
}

// Leave ends an admitted request, and admits whoever fits in its place. It returns a
// ticket that is now to be woken, or nil.
func (a *Admission) Leave(now Instant) *Ticket {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.settings.Load()
	a.limit = max(1, s.Limiter.Limit())
	a.inFlight--
	for a.queue.n > 0 && a.inFlight < a.limit {
		t := a.queue.ends.next
		if p := s.Patience; p != nil && p.Standing(now, a.emptied) {
			t = a.queue.ends.prev
		}
		a.queue.remove(t)
		a.inFlight++
		t.inFlight = a.inFlight
		a.line.push(t, inLine)
	}
	a.look(now)
	return a.first()
}

// Next is for a request that was woken: it returns the next ticket to be woken, or nil.
func (a *Admission) Next() *Ticket {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.first()
}

// look notes when the queue is empty. One that has been standing is not rid of its
// backlog by being empty for a moment, because those in it have given up: there has to
// be a free place, too.
func (a *Admission) look(now Instant) {
	p := a.settings.Load().Patience
	if p == nil || a.queue.n > 0 || a.inFlight >= a.limit && p.Standing(now, a.emptied) {
		return
	}
	a.emptied = now
}

// first takes the first ticket out of the line.
func (a *Admission) first() *Ticket {
	if a.line.n == 0 {
		return nil
	}
	t := a.line.ends.next
	a.line.remove(t)
	return t
}

// Cancel takes a ticket out of the queue. It returns false when the ticket does not
// stand there any more: it has been admitted meanwhile, is not woken again by
// anybody who does not hold it already, and must Leave.
func (a *Admission) Cancel(now Instant, t *Ticket) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch t.place {
	case inQueue:
		a.queue.remove(t)
		a.look(now)
		return true
	case inLine:
		a.line.remove(t)
	}
	return false
}

// InFlight is how many requests are admitted, Waiting how many stand in the queue.
func (a *Admission) InFlight() (inFlight, waiting int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inFlight, a.queue.n
}

// Beyond is how many requests were let in by a dry run alone.
func (a *Admission) Beyond() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.beyond
}

// Limiter is what the limit comes from.
func (a *Admission) Limiter() Limiter { return a.settings.Load().Limiter }
