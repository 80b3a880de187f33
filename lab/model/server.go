// Package model is a simulated server: a deterministic state machine over a timeline
// of faults that is known before the run. It has no clock; the simulator drives it by
// events, and lab/backend drives the same thing by timers behind real HTTP.
//
// A server either works on as many requests at once as it has slots, and keeps so many
// more in a first-in first-out queue; or it works on all that it has taken in at once,
// and they share its cores evenly, each getting one core at most (processor sharing).
// What does not fit is refused with 503. How much work a request is comes with it (its
// demand, a time at nominal speed); faults change the speed, make work take longer, or
// befall single requests.
package model

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Codes of a server's answers besides those of its faults. Below zero there was no
// answer.
const (
	OK       = 200
	Overfull = 503 // there is no room
	Refused  = -1  // no connection: the server is down
	Broken   = -2  // the connection broke before the answer
)

// Settings say what kind of server it is.
type Settings struct {
	// Slots are how many requests it works on at once, or with Sharing its cores; at
	// least 1.
	Slots int
	// Room is for how many more requests it has room; at least 0.
	Room int
	// Sharing: all requests that it has taken in are worked on at once.
	Sharing bool
}

// Job is a request as it arrives.
type Job struct {
	ID     uint64
	Demand time.Duration // of work, at nominal speed
	// Luck is where it is drawn whether a trouble that meets only some meets this one.
	Luck core.Key
}

// Done is a request that has come to its end.
type Done struct {
	ID   uint64 // as it was given to Arrive
	Code int
	At   core.Instant
}

// station is where a server's work gets done. The instants given to it never go back,
// but for finish, which is told the instant that next has said.
type station interface {
	// accept takes a job in, or reports that there is no room.
	accept(now core.Instant, j job) bool
	// next is when the next job is done; Never when there is none.
	next() core.Instant
	// finish takes out the job that next speaks of.
	finish() job
	// cancel takes a job out, and reports whether it was there.
	cancel(now core.Instant, id uint64) bool
	// fall takes all jobs out, in the order of their arrivals.
	fall(now core.Instant, each func(job))
	// preview is when a job would be done if it came now and nothing after it, and
	// whether there is room for it.
	preview(now core.Instant, j job) (core.Instant, bool)
	// load is how many jobs are being worked on, and how many wait.
	load() (busy, waiting int)
	// audit is the work done up to now: in all, and as what became of each job says.
	audit(now core.Instant) (worked, accounted float64)
}

// job is a request that a station has taken in.
type job struct {
	id      uint64
	work    float64 // left to be done when its turn comes, in nanoseconds at nominal speed
	arrived core.Instant
	others  int32 // that were there when it came
}

// Server is one simulated server. Not safe for concurrent use.
type Server struct {
	station station
	course  course
	queue   fifo         // the station, unless it shares
	answers Heap[answer] // of requests that take no work
	hanging []uint64     // requests that will not be answered
	seq     uint64
	falls   core.Instant // the next time it goes down
	slots   int
	reports *reports // nil unless it measures
	// least is what a nanosecond, to which all ends are rounded, may hold of work.
	least float64

	arrived, ended, cancelled uint64
}

// answer is an answer without work, under way.
type answer struct {
	Done
	seq uint64 // of two at the same instant the one that began first comes first
}

// Before orders answers by instant.
func (a answer) Before(b answer) bool { return a.At < b.At || a.At == b.At && a.seq < b.seq }

// New returns an idle server.
func New(v Settings, t Timeline) *Server {
	s := &Server{course: newCourse(t), slots: v.Slots, least: max(1, t.top())}
	s.falls = t.falls(math.MinInt64)
	if v.Sharing {
		s.station = &sharing{course: &s.course, counted: math.MinInt64, cores: v.Slots, most: v.Slots + v.Room}
	} else {
		s.queue = fifo{course: &s.course, counted: math.MinInt64, slots: v.Slots, room: v.Room}
		s.station = &s.queue
	}
	return s
}

// Arrive takes a request in. The instants given to a server's methods never go back, and
// are before core.Never. What has ended before now is to be taken out first (Finish): until
// then it holds its place.
func (s *Server) Arrive(now core.Instant, j Job) {
	s.fallBy(now)
	s.arrived++
	phase := s.course.phase(now)
	factor := 1.0
	if len(phase.Troubles) > 0 {
		var t *Trouble
		if t, factor = fate(phase.Troubles, j.Luck); t != nil {
			s.strike(now, j.ID, t)
			return
		}
	}
	taken := job{id: j.ID, work: factor * float64(j.Demand), arrived: now}
	if s.reports != nil { // who else asks
		busy, waiting := s.station.load()
		taken.others = int32(busy + waiting)
	}
	if !s.station.accept(now, taken) {
		s.answer(now, j.ID, Overfull)
	}
}

// strike deals with a request that a trouble meets.
func (s *Server) strike(now core.Instant, id uint64, t *Trouble) {
	switch t.Fate {
	case Fail:
		s.answer(now.Add(t.Latency), id, t.Code)
	case Break:
		s.answer(now.Add(t.Latency), id, Broken)
	case Refuse:
		s.answer(now, id, Refused)
	case Hang:
		s.hanging = append(s.hanging, id)
	}
}

func (s *Server) answer(at core.Instant, id uint64, code int) {
	s.answers.Push(answer{Done{id, code, at}, s.seq})
	s.seq++
}

// inside is how many requests the server has, of whatever fate.
func (s *Server) inside() int {
	busy, waiting := s.station.load()
	return busy + waiting + len(s.answers) + len(s.hanging)
}

// Next is when the next request comes to its end; core.Never when none ever will.
func (s *Server) Next() core.Instant {
	next := s.station.next()
	if len(s.answers) > 0 {
		next = min(next, s.answers[0].At)
	}
	if s.falls < next && s.inside() > 0 {
		return s.falls // and takes with it what is under way
	}
	return next
}

// Finish returns the next request that has come to its end by now. A request that
// waited takes the slot at the very instant at which it became free, however late
// Finish is called; but no sooner than it arrived. With core.Never for now it returns
// whatever ends at all.
func (s *Server) Finish(now core.Instant) (Done, bool) {
	now = min(now, core.Never-1) // what ends at Never does not end
	for {
		next, by := s.station.next(), min(now, s.falls)
		if len(s.answers) > 0 && s.answers[0].At <= min(next, by) {
			s.ended++
			return s.answers.Pop().Done, true
		}
		if next <= by {
			s.ended++
			return s.serve(), true
		}
		if s.falls > now {
			return Done{}, false
		}
		s.fall()
	}
}

// serve takes the next job out of the station.
func (s *Server) serve() Done {
	at := s.station.next()
	j := s.station.finish()
	if s.reports != nil {
		s.reports.finished(at, j)
	}
	return Done{j.id, OK, at}
}

// fallBy lets everything happen by which the server goes down until now.
func (s *Server) fallBy(now core.Instant) {
	for s.falls <= now && s.falls != core.Never {
		s.fall()
	}
}

// fall takes the server down: the connections of all that is under way break. What ends at
// that very instant is still answered.
func (s *Server) fall() {
	at := s.falls
	s.falls = s.course.falls(at)
	for s.station.next() <= at {
		d := s.serve()
		s.answer(d.At, d.ID, d.Code)
	}
	var ended []answer
	var cut []uint64
	for len(s.answers) > 0 {
		if a := s.answers.Pop(); a.At <= at {
			ended = append(ended, a)
		} else {
			cut = append(cut, a.ID)
		}
	}
	s.answers = append(s.answers, ended...) // which ascend, as a heap may
	cut = append(cut, s.hanging...)
	s.hanging = nil
	s.station.fall(at, func(j job) { cut = append(cut, j.id) })
	for _, id := range cut {
		s.answer(at, id, Broken)
	}
}

// Cancel takes out a request for whose answer nobody waits any more, so that no more
// work is done for it. What the server does not have (any more) is none of its business.
func (s *Server) Cancel(now core.Instant, id uint64) {
	if s.station.cancel(now, id) {
		s.cancelled++
		return
	}
	for i := range s.answers {
		if s.answers[i].ID == id {
			s.answers.Remove(i)
			s.cancelled++
			return
		}
	}
	if i := slices.Index(s.hanging, id); i >= 0 {
		s.hanging = slices.Delete(s.hanging, i, i+1)
		s.cancelled++
	}
}

// Down tells whether the server is down at now, and until when that stays so; core.Never
// when it stays so for good.
func (s *Server) Down(now core.Instant) (down bool, until core.Instant) { return s.course.Down(now) }

// Check is what a health check that reaches the server now finds: its fate, and when it is
// answered. A check takes no slot; being slow does not fail it, and being stopped delays
// it. A trouble that meets only some requests does not show. One that hangs has no instant
// of its own: it is now.
func (s *Server) Check(now core.Instant) (Fate, core.Instant) {
	s.fallBy(now)
	fate, at := Served, core.Never
	troubles := s.course.phase(now).Troubles
	for i := range troubles {
		if t := &troubles[i]; t.certain() && t.Fate != Miss {
			fate, at = t.Fate, now.Add(t.Latency)
			break
		}
	}
	if fate == Served {
		at = s.course.Done(now, 1)
	}
	if at > s.falls {
		return Break, s.falls
	}
	return fate, at
}

// Preview is when a request would come to its end if it came now and nothing after it, and
// whether it would succeed; core.Never when it would not come to an end at all. It is exact
// but for work that waits for its turn in a crowd (Phase.Crowding), where it is an estimate.
func (s *Server) Preview(now core.Instant, j Job) (at core.Instant, ok bool) {
	s.fallBy(now)
	t, factor := fate(s.course.phase(now).Troubles, j.Luck)
	switch {
	case t == nil:
		at, ok = s.station.preview(now, job{id: j.ID, work: factor * float64(j.Demand), arrived: now})
		if !ok {
			return now, false
		}
	case t.Fate == Hang:
		at = core.Never
	case t.Fate == Refuse:
		at = now
	default:
		at = now.Add(t.Latency)
	}
	if at > s.falls {
		return s.falls, false
	}
	return at, ok && at < core.Never
}

// Busy is how many requests are worked on, Queued how many wait for their turn.
func (s *Server) Busy() int {
	busy, _ := s.station.load()
	return busy
}

// Queued is how many requests wait for their turn.
func (s *Server) Queued() int {
	_, waiting := s.station.load()
	return waiting
}

// tolerance of the books: what rounding to whole nanoseconds may come to for each
// request, in nanoseconds at the highest speed, and what adding up may, relative to the
// whole.
const (
	roundOff = 4.0
	addUp    = 1e-9
)

// Audit holds the server's books together: every request that arrived has ended, was
// cancelled or is inside; and the work that was done, by its speed and how much of
// it was in use, is that of the requests that it was done for. An error is a fault of this
// package.
func (s *Server) Audit(now core.Instant) error {
	if inside := uint64(s.inside()); s.arrived != s.ended+s.cancelled+inside {
		return fmt.Errorf("requests are not conserved: %d arrived, %d ended, %d cancelled, %d inside",
			s.arrived, s.ended, s.cancelled, inside)
	}
	worked, accounted := s.station.audit(now)
	if off := math.Abs(worked - accounted); !(off <= roundOff*s.least*float64(s.arrived+1)+addUp*worked) {
		return fmt.Errorf("work is not conserved: %.0f ns were done, %.0f ns are accounted for", worked, accounted)
	}
	return nil
}
