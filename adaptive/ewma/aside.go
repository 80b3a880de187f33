package ewma

import (
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

const (
	// asideFor is how many times what the fastest quarter takes a member that answered with a failure
	// stands aside at first. Of a server that was full a place has become free long before, so
	// five proxies before six servers with a queue of two had 2.9, 5.2 and 6.0 % errors with 3,
	// 10 and 30; but of mass-failure 2.4 % failed with 3, and 0.3 % with 10.
	asideFor = 10
	// asideAgain is how many times as long it stands aside when it fails again.
	asideAgain = 2
	// spanBits and roomBits are what is kept of a time to stand aside, in ticks (18 minutes), and of
	// how many were pending.
	spanBits, roomBits = 20, 12
	mostSpan, mostRoom = 1<<spanBits - 1, 1<<roomBits - 1
)

// stands is when a member failed, for how long it stands aside from then on, both in ticks, and how
// much room it had, so that all are one word: 32, 20 and 12 bits. With less pending than there is
// room for it does not stand aside. 0 when it has answered well since it failed. After 52 days
// ticks begin anew. Safe for concurrent use; of two failures at once one may not be heeded.
type stands struct{ word atomic.Uint64 }

// parts are those of a word.
func (s *stands) parts() (failed, span uint32, room int) {
	word := s.word.Load()
	return uint32(word >> (spanBits + roomBits)), uint32(word>>roomBits) & mostSpan, int(word & mostRoom)
}

// ticksOf is a duration in ticks, rounded up.
func ticksOf(d time.Duration) uint32 {
	return uint32(min((d+1<<tickBits-1)>>tickBits, mostSpan))
}

// since is how many ticks an instant is later than when the member failed.
func since(now core.Instant, failed uint32) int32 { return int32(uint32(now>>tickBits) - failed) }

// left is for how many ticks yet the member stands aside, whatever is pending.
func (s *stands) left(now core.Instant) uint32 {
	failed, span, _ := s.parts()
	left := int32(span) - since(now, failed)
	if left < 0 || left > mostSpan {
		return 0
	}
	return uint32(left)
}

// aside is how long the member still has to stand aside with so many pending, in seconds: as if one
// had to wait for so long there. So of members that all stand aside the one that has done so for
// longest is tried.
func (s *stands) aside(now core.Instant, pending int) float64 {
	word := s.word.Load()
	if word == 0 || pending < int(word&mostRoom) {
		return 0
	}
	return float64(s.left(now)) * tick
}

// again is for how long the member stands aside that fails in an attempt begun at an instant:
// for longer than before if half of that was over then; what was sent earlier is no news.
func (s *stands) again(begun core.Instant) time.Duration {
	failed, span, _ := s.parts()
	if since(begun, failed) >= int32(span/2) {
		span *= asideAgain
	}
	return time.Duration(span) << tickBits
}

// room is for how many there is room at the member that fails beside so many others, in an attempt
// begun at an instant. Who is full has room as soon as one of those is done. Who then refuses
// beside fewer is not full: it has no room at all.
func (s *stands) room(begun core.Instant, others int) int {
	failed, _, before := s.parts()
	switch {
	case s.word.Load() == 0:
		return min(others, mostRoom)
	case since(begun, failed) > 0 && others < before:
		return 0
	}
	return before
}

// set has the member stand aside for a while, and no shorter than it was to.
func (s *stands) set(now core.Instant, span, least time.Duration, room int) {
	ticks := max(ticksOf(max(span, least)), s.left(now))
	s.word.Store(uint64(uint32(now>>tickBits))<<(spanBits+roomBits) | uint64(ticks)<<roomBits | uint64(room))
}

// well ends it with a good answer to an attempt begun at an instant, unless the member has failed
// since: that those are answered which it had taken in before says nothing of the next one.
func (s *stands) well(begun core.Instant) {
	if failed, _, _ := s.parts(); since(begun, failed) >= 0 {
		s.word.Store(0)
	}
}

// heed has the member stand aside for a while after a failure, and no longer when it has answered
// well what was sent since. One that answered with a failure may have been full, which passes: it stands
// aside for some of its peers' latencies, and for longer if it fails again. One that gave no
// answer is likely to be down, and stands aside for the penalty at once.
func (e *Estimator) heed(now core.Instant, s core.Sample) {
	switch {
	case s.Outcome == core.Overtaken:
	case !s.Outcome.Failed():
		if e.stands.word.Load() != 0 {
			e.stands.well(now.Add(-s.Total))
		}
	case e.settings.Aside && e.settings.Penalty > 0:
		room := e.stands.room(now.Add(-s.Total), e.others(s))
		e.stands.set(now, e.span(now, s), min(s.RetryAfter, MaxPenalty), room)
	}
}

// span is for how long the member stands aside after a failure.
func (e *Estimator) span(now core.Instant, s core.Sample) time.Duration {
	penalty := e.penalty()
	first := time.Duration(asideFor * e.member.Pool().FastLatency() * float64(time.Second))
	if first == 0 || s.Outcome != core.ServerError && s.Outcome != core.Throttled {
		return penalty
	}
	return min(max(first, e.stands.again(now.Add(-s.Total))), penalty)
}

// others is how many attempts are pending beside the one that a sample is of: less by one than they
// are for one that broke off after its answer had begun.
func (e *Estimator) others(s core.Sample) int {
	pending := e.member.Pending()
	if s.FirstAnswer >= 0 {
		pending--
	}
	return max(pending, 0)
}
