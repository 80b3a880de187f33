// Package model is a simulated server: a deterministic state machine over a timeline
// of faults that is known before the run. It has no clock; the simulator drives it by
// events, and lab/backend drives the same thing by timers behind real HTTP.
//
// A server works on as many requests at once as it has slots, keeps so many more in a
// first-in first-out queue, and refuses the rest with 503. How much work a request is
// comes with it (its demand, a time at nominal speed); faults change the speed, or
// make the server fail fast. Work that has been taken in is done to the end, whether
// or not anybody still waits for it.
package model

import (
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Status codes of a server's answers besides the codes of its faults.
const (
	OK       = 200
	Overfull = 503 // the queue is full
)

// Done is a request that has come to its end.
type Done struct {
	ID   uint64 // as it was given to Arrive
	Code int
	At   core.Instant
}

// Server is one simulated server. Not safe for concurrent use.
type Server struct {
	slots, room int
	timeline    Timeline

	busy    int
	ends    Heap[ending]
	seq     uint64
	waiting []job // from head on
	head    int
}

type job struct {
	id      uint64
	demand  time.Duration
	arrived core.Instant
}

// New returns an idle server with so many slots (at least 1) and room in its queue
// (at least 0).
func New(slots, room int, t Timeline) *Server {
	return &Server{slots: slots, room: room, timeline: t}
}

// Arrive takes a request in. The instants given to a server's methods never go back.
// What has ended before now is to be taken out first (Finish): until then it holds its
// slot.
func (s *Server) Arrive(now core.Instant, id uint64, demand time.Duration) {
	phase := s.timeline.At(now)
	switch {
	case phase.Code != 0:
		s.end(now.Add(phase.Latency), id, phase.Code, false)
	case s.busy < s.slots:
		s.start(now, job{id, demand, now})
	case s.Queued() < s.room:
		s.waiting = append(s.waiting, job{id, demand, now})
	default:
		s.end(now, id, Overfull, false)
	}
}

// Next is when the next request comes to its end; core.Never when there is none.
func (s *Server) Next() core.Instant {
	if len(s.ends) == 0 {
		return core.Never
	}
	return s.ends[0].At
}

// Finish returns the next request that has come to its end by now. A request that
// waited takes the slot at the very instant at which it became free, however late
// Finish is called; but no sooner than it arrived.
func (s *Server) Finish(now core.Instant) (Done, bool) {
	if len(s.ends) == 0 || s.ends[0].At > now {
		return Done{}, false
	}
	e := s.ends.Pop()
	if e.slot {
		s.busy--
		if s.Queued() > 0 {
			next := s.dequeue()
			s.start(max(e.At, next.arrived), next)
		}
	}
	return e.Done, true
}

// Healthy is what a health check finds: that the server does not fail its requests.
// Being slow does not count.
func (s *Server) Healthy(now core.Instant) bool { return s.timeline.At(now).Code == 0 }

// Busy is how many slots are at work, Queued how many requests wait for one.
func (s *Server) Busy() int   { return s.busy }
func (s *Server) Queued() int { return len(s.waiting) - s.head }

// dequeue takes the first in the queue out. The space of those gone is used again
// once they are half of it, so that a queue which is never empty does not grow.
func (s *Server) dequeue() job {
	first := s.waiting[s.head]
	s.head++
	if 2*s.head >= len(s.waiting) {
		s.waiting = s.waiting[:copy(s.waiting, s.waiting[s.head:])]
		s.head = 0
	}
	return first
}

func (s *Server) start(now core.Instant, j job) {
	s.busy++
	s.end(s.timeline.Done(now, j.demand), j.id, OK, true)
}

func (s *Server) end(at core.Instant, id uint64, code int, slot bool) {
	s.ends.Push(ending{Done{id, code, at}, s.seq, slot})
	s.seq++
}

// ending is a request whose end is known.
type ending struct {
	Done
	seq  uint64 // ends at the same instant come in the order of their beginnings
	slot bool   // it holds one
}

// Before orders endings by instant.
func (e ending) Before(other ending) bool {
	return e.At < other.At || e.At == other.At && e.seq < other.seq
}
