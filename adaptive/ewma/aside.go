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
	// mostLeft is how many ticks are taken for some that are left, beyond any penalty: after 52
	// days they begin anew.
	mostLeft = 1 << 30
)

// stands is until when a member stands aside, and for how long it was to when that was said,
// in ticks, so that both are one word: 32 bits each. 0 when it does not, and has answered well
// since it failed. Safe for concurrent use; of two failures at once one may not be heeded.
type stands struct{ word atomic.Uint64 }

// ticksOf is a duration in ticks, rounded up.
func ticksOf(d time.Duration) uint32 { return uint32((d + 1<<tickBits - 1) >> tickBits) }

// left is for how many ticks yet the member stands aside.
func (s *stands) left(now core.Instant) uint32 {
	word := s.word.Load()
	if word == 0 {
		return 0
	}
	left := int32(uint32(word>>32) - uint32(now>>tickBits))
	if left < 0 || left > mostLeft {
		return 0
	}
	return uint32(left)
}

// aside is how long the member still has to stand aside, in seconds: as if one had to wait
// for so long there. So of members that all stand aside the one that has done so for longest
// is tried.
func (s *stands) aside(now core.Instant) float64 {
	return float64(s.left(now)) * tick
}

// again is for how long the member stands aside that fails in an attempt begun at an instant:
// for longer than before if half of that was over then; what was sent earlier is no news.
func (s *stands) again(begun core.Instant) time.Duration {
	word := s.word.Load()
	span := uint32(word)
	if int32(uint32(begun>>tickBits)-(uint32(word>>32)-span/2)) >= 0 {
		span *= asideAgain
	}
	return time.Duration(span) << tickBits
}

// set has the member stand aside for a while, and no shorter than it was to.
func (s *stands) set(now core.Instant, span, least time.Duration) {
	until := uint32(now>>tickBits) + max(ticksOf(max(span, least)), s.left(now))
	s.word.Store(uint64(until)<<32 | uint64(ticksOf(span)))
}

// heed has the member stand aside for a while after a failure, and no longer when it has
// answered well. One that answered with a failure may have been full, which passes: it stands
// aside for some of its peers' latencies, and for longer if it fails again. One that gave no
// answer is likely to be down, and stands aside for the penalty at once.
func (e *Estimator) heed(now core.Instant, s core.Sample) {
	switch {
	case s.Outcome == core.Overtaken:
	case !s.Outcome.Failed():
		if e.stands.word.Load() != 0 {
			e.stands.word.Store(0)
		}
	case e.settings.Aside && e.settings.Penalty > 0:
		e.stands.set(now, e.span(now, s), min(s.RetryAfter, MaxPenalty))
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
