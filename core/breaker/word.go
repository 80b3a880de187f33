package breaker

import (
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// word is all that decides, in one atomic word, from the low bits up:
//
//	state       2  closed, open, half-open
//	streak      4  how often it opened in a row
//	probes      6  of a half-open breaker: let in and not given back
//	successes   6  of a half-open breaker
//	generation 10  counts the changes of state
//	until      36  milliseconds since the epoch: the end of open, or the probes' deadline
//
// 36 bits of milliseconds are two years. A permit is mistaken for a current one if
// it comes back exactly a multiple of 1,024 changes of state later.
type word uint64

const (
	streakAt     = 2
	probesAt     = streakAt + 4
	successesAt  = probesAt + 6
	generationAt = successesAt + 6
	untilAt      = generationAt + 10

	maxStreak      = 1<<4 - 1
	sixBits        = 1<<6 - 1
	generationMask = 1<<10 - 1
)

func newWord(s core.State, generation uint64, until core.Instant) word {
	return word(uint64(s) | generation&generationMask<<generationAt | uint64(until/core.Instant(time.Millisecond))<<untilAt)
}

func (w word) state() core.State  { return core.State(w & 3) }
func (w word) streak() int        { return int(w >> streakAt & maxStreak) }
func (w word) probes() int        { return int(w >> probesAt & sixBits) }
func (w word) successes() int     { return int(w >> successesAt & sixBits) }
func (w word) generation() uint64 { return uint64(w >> generationAt & generationMask) }
func (w word) until() core.Instant {
	return core.Instant(w>>untilAt) * core.Instant(time.Millisecond)
}

// hung reports whether probes have not been answered in time. What was given back,
// or never let in, owes no answer.
func (w word) hung(now core.Instant) bool {
	return w.state() == core.HalfOpen && now >= w.until() && w.probes() > w.successes()
}

func (w word) withUntil(t core.Instant) word {
	return w&(1<<untilAt-1) | word(t/core.Instant(time.Millisecond))<<untilAt
}
func (w word) withStreak(n int) word    { return w&^(maxStreak<<streakAt) | word(n)<<streakAt }
func (w word) withProbes(n int) word    { return w&^(sixBits<<probesAt) | word(n)<<probesAt }
func (w word) withSuccesses(n int) word { return w&^(sixBits<<successesAt) | word(n)<<successesAt }

// A permit is the generation that it was given in, and whether it is a probe's.
const probeBit = core.Permit(1) << 63

func permit(w word, probe bool) core.Permit {
	p := core.Permit(w.generation())
	if probe {
		p |= probeBit
	}
	return p
}

func isProbe(p core.Permit) bool        { return p&probeBit != 0 }
func generationOf(p core.Permit) uint64 { return uint64(p &^ probeBit) }
