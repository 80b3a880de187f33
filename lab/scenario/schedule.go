package scenario

import (
	"iter"
	"math"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Stream draws the planned instants of a trial's requests one by one. Let L(t) be the
// integral of the rate from 0 to t: request n arrives at the t with L(t) = E1 + ... + En+1,
// sums of exponential numbers of mean 1, each drawn at its place; or, where the law is
// constant, at the first t with L(t) = n and somebody arriving (Cinlar, "Introduction to
// Stochastic Processes", 1975, chapter 4.7: the time change that makes any Poisson process
// of the one with rate 1). A copy goes on by itself.
type Stream struct {
	key   core.Key
	even  bool
	next  uint64
	at    float64 // of the last request, nanoseconds
	until float64 // the end of the piece of constant rate

	gap    float64 // mean time between two in the piece, nanoseconds
	from   float64 // its beginning
	before float64 // L(from)
	pieces []piece // after it

	drawn [ahead]float64 // logarithms of numbers drawn, of those after next and a few before

	trace []time.Duration // instead of all that
	speed float64
	end   float64
}

// ahead is how many numbers are drawn at a time, a power of two: none of them waits for
// another, so a processor has the logarithms of several under way at once.
const ahead = 8

// Stream returns the stream of the trial's planned instants, at its beginning. Where
// clients wait for their answers (law closed) there is none: the stream is empty. Where the
// instants stand in a file that has not been read, Stream panics; see [Load].
func (s *Scenario) Stream(c Chance) Stream {
	if s.Arrivals.Law == Trace {
		if s.Arrivals.Instants == nil {
			panic(unread(s.Arrivals.File))
		}
		return Stream{trace: s.Arrivals.Instants, speed: s.Arrivals.speed(), end: float64(s.Duration)}
	}
	// The first piece is one without length.
	return Stream{key: c.key.At(streamArrivals), even: s.Arrivals.Law == Constant, gap: 1, pieces: s.pieces(c)}
}

// Next returns the next planned instant; they ascend. It returns false at the end, and
// from then on.
func (s *Stream) Next() (core.Instant, bool) {
	if s.even {
		s.at = s.from + s.gap*(float64(s.next)-s.before)
	} else if s.trace != nil {
		return s.fromTrace()
	} else {
		if s.next%ahead == 0 {
			s.draw()
		}
		s.at -= s.gap * s.drawn[s.next%ahead]
	}
	s.next++
	if s.at < s.until {
		return core.Instant(s.at), true
	}
	return s.cross()
}

// draw draws for the next few requests.
func (s *Stream) draw() {
	for i := range s.drawn {
		k := s.key.At(s.next + uint64(i))
		s.drawn[i] = math.Log(k.Float64())
	}
}

// cross takes the arrival that lies beyond the piece into the one where it belongs.
func (s *Stream) cross() (core.Instant, bool) {
	for s.at >= s.until {
		if len(s.pieces) == 0 {
			return 0, false
		}
		p := s.pieces[0]
		s.pieces = s.pieces[1:]
		left := (s.at - s.until) / s.gap // of L, beyond the piece
		s.before += (s.until - s.from) / s.gap
		s.from, s.until = p.from, p.until
		s.gap = min(1e9/p.rate, math.MaxFloat64) // finite: no gap at all is 0
		if s.even {
			left = max(0, float64(s.next-1)-s.before)
		}
		s.at = s.from + s.gap*left
	}
	return core.Instant(s.at), true
}

// fromTrace is Next of a trace.
func (s *Stream) fromTrace() (core.Instant, bool) {
	if s.next == uint64(len(s.trace)) {
		return 0, false
	}
	at := float64(s.trace[s.next]) / s.speed
	if at >= s.end {
		return 0, false
	}
	s.next++
	return core.Instant(at), true
}

// speed is how many times as fast a trace is played.
func (a *Arrivals) speed() float64 {
	if a.Speed == 0 {
		return 1
	}
	return a.Speed
}

// Schedule yields the planned instants of a trial's requests, ascending, the first
// draw at the first request.
func (s *Scenario) Schedule(c Chance) iter.Seq[core.Instant] {
	return func(yield func(core.Instant) bool) {
		stream := s.Stream(c)
		for {
			if at, ok := stream.Next(); !ok || !yield(at) {
				return
			}
		}
	}
}
