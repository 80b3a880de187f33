package core

import "sync/atomic"

// Lease is permission for one attempt at one member. It is answered at most once
// and settled exactly once; it holds the member, never a slot, so that views may
// change under it. The zero value is a lease that was never given; the caller owns
// the memory and may use it again once it is settled and nobody else can call it any
// more.
//
// Settle may be called from several goroutines: one of them settles. Answered is
// for one goroutine.
type Lease struct {
	member  *Member
	permits [MaxGates]Permit
	choice  Choice
	began   Instant
	first   Instant // of the answer
	said    Outcome // at the answer
	class   uint8   // of the ask
	state   uint32  // atomic, but for the plain store that gives the lease
}

// The states of a lease.
const (
	leaseIdle uint32 = iota // never given, or settled
	leaseWaiting
	leaseAnswered
)

// Member is the member that the lease is for.
func (l *Lease) Member() *Member { return l.member }

// Choice is how the member was chosen. Its slot is of the view of that moment.
func (l *Lease) Choice() Choice { return l.choice }

// Began is when the lease was given.
func (l *Lease) Began() Instant { return l.began }

// Live reports whether the lease is given and not yet settled.
func (l *Lease) Live() bool { return atomic.LoadUint32(&l.state) != leaseIdle }

// start makes l a lease for m; the permits are in place.
func (l *Lease) start(m *Member, now Instant, class uint8, c Choice) {
	l.member, l.choice, l.began, l.class = m, c, now, class
	m.leases.Add(1)
	if m.pool.tallies {
		m.pool.tally.Add(1)
	}
	if e := m.estimator; e != nil {
		e.Begin(now)
	}
	l.state = leaseWaiting // nobody else knows of the lease yet, and an atomic store costs 5 ns
	m.observer.Picked(m, now, c)
}

// Answered tells of the first byte of the answer: s carries the outcome so far and
// what the answer's head said. Only the first call counts.
func (l *Lease) Answered(now Instant, s Sample) {
	if atomic.LoadUint32(&l.state) != leaseWaiting {
		return
	}
	l.first, l.said = now, s.Outcome
	if !atomic.CompareAndSwapUint32(&l.state, leaseWaiting, leaseAnswered) {
		return // settled by another goroutine meanwhile
	}
	s.FirstAnswer, s.Total = now.Sub(l.began), now.Sub(l.began)
	m := l.member
	for i, g := range &m.gates {
		if g == nil {
			break
		}
		g.Answered(l.permits[i], now, s)
	}
	if m.classes {
		m.classed.AnsweredOf(l.class, now, s)
	} else if e := m.estimator; e != nil {
		e.Answered(now, s)
	}
}

// Waited tells that the client had sent its whole request, and leaves without having had an
// answer. It does nothing once there was one; the attempt is still to be settled.
func (l *Lease) Waited(now Instant) {
	if atomic.LoadUint32(&l.state) != leaseWaiting {
		return
	}
	if e, ok := l.member.estimator.(Waiting); ok {
		e.Waited(now, l.class, now.Sub(l.began))
	}
}

// Settle ends the attempt with what it taught and reports whether this call did
// so; a second one does nothing.
func (l *Lease) Settle(now Instant, s Sample) bool {
	state := atomic.SwapUint32(&l.state, leaseIdle)
	if state == leaseIdle {
		return false
	}
	m := l.member
	s.FirstAnswer, s.Total = -1, now.Sub(l.began)
	if state == leaseAnswered {
		s.FirstAnswer = l.first.Sub(l.began)
		s.Told = s.Outcome == l.said
	}
	for i, g := range &m.gates {
		if g == nil {
			break
		}
		g.Settle(l.permits[i], now, s)
	}
	m.ended.Add(1)
	if m.pool.tallies {
		m.pool.tally.Add(-1)
	}
	if m.classes {
		m.classed.EndOf(l.class, now, s)
	} else if e := m.estimator; e != nil {
		e.End(now, s)
	}
	m.observer.Finished(m, now, s)
	return true
}
