// Package breaker is the circuit breaker of one member: closed, open, half-open.
//
// It opens after a run of consecutive failures, or when the share of failures, or that
// of slow answers, reaches a ratio over a window of exact one-second buckets. Outcomes
// weigh by their kind (see [Weights]). Open, it bars its member for a time that doubles
// each time it opens again without a success in between, less what chance takes off.
// Then it is half-open: a quota of probes passes and decides, at the first byte of
// the answer: all succeed, and it closes; one fails, is slow, or is not answered in
// time, and it opens again.
//
// A slow answer is a success but for its own ratio: it ends a run of failures. As a
// probe it has failed, or a breaker that slowness opened would close at the first slow
// answer.
//
// What a breaker learns is fenced by generations: each change of state starts a new
// one, and what comes back with the permit of an older one is ignored. A forced
// attempt (panic) passes an open breaker; its success counts as a probe's, its
// failure teaches nothing new. An abandoned attempt teaches nothing, and gives a
// probe's place back.
//
// Everything that decides is in one atomic word. There is no lock, no timer and no
// allocation: time passes by being asked.
package breaker

import (
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Breaker is a core.Gate and core.Turning. Safe for concurrent use.
type Breaker struct {
	// What an attempt that goes well reads stands first, on one line of memory.
	word        atomic.Uint64
	window      core.Window         // outcomes, units of failures
	slow        *core.Window        // slow ones; nil when none is
	consecutive atomic.Int32        // units of failures since the last success
	units       [core.Outcomes]int8 // what an outcome counts as: see Weights.units
	settings    Settings
	chance      core.Key
	turned      func(now core.Instant, from, to core.State)
	turns       bool      // somebody is told
	_           [2]uint64 // to four lines in all
}

// New returns a closed breaker. chance is where the jitter comes from, each draw at the
// place of a generation: give every breaker of every proxy a key of its own. turned
// hears of each change of state, under no lock; nil for nobody. Settings that do not
// validate are an error.
func New(s Settings, chance core.Key, turned func(now core.Instant, from, to core.State)) (*Breaker, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	turns := turned != nil
	if !turns {
		turned = func(core.Instant, core.State, core.State) {}
	}
	b := &Breaker{settings: s, units: s.Weights.units(), chance: chance, turned: turned, turns: turns, window: *core.NewWindow(s.Window)}
	if s.SlowCall > 0 {
		b.slow = core.NewWindow(s.Window)
	}
	return b, nil
}

// Peek implements core.Gate.
func (b *Breaker) Peek(now core.Instant) core.Verdict {
	w := word(b.word.Load())
	if w.state() == core.Closed {
		return core.Ready
	}
	if b.at(w, now) == core.HalfOpen {
		// Only a breaker that is half-open already has probes out.
		if w.state() == core.HalfOpen && w.until() > now && w.probes() >= b.settings.Quota {
			return core.Barred
		}
		return core.Probing
	}
	return core.Barred
}

// State implements core.Stateful. An open breaker whose time is over stays open
// until somebody probes it.
func (b *Breaker) State(now core.Instant) core.State {
	w := word(b.word.Load())
	if w.hung(now) {
		return core.Open
	}
	return w.state()
}

// Turns implements core.Turning.
func (b *Breaker) Turns() bool { return b.turns }

// at is the state that an attempt would find at a breaker that is not closed: time may
// have passed since the last change.
func (b *Breaker) at(w word, now core.Instant) core.State {
	switch {
	case w.state() == core.Open && now >= w.until():
		return core.HalfOpen
	case w.hung(now):
		// The probes were not answered in time: open since then.
		if now >= w.until().Add(b.openFor(w)) {
			return core.HalfOpen
		}
		return core.Open
	}
	return w.state()
}

// Acquire implements core.Gate.
func (b *Breaker) Acquire(now core.Instant, forced bool) (core.Permit, bool) {
	for {
		w := word(b.word.Load())
		if w.state() == core.Closed {
			return permit(w, false), true
		}
		if b.at(w, now) == core.HalfOpen {
			next := w
			switch {
			case w.state() != core.HalfOpen || w.hung(now):
				next = b.halfOpen(w, now)
			case now >= w.until(): // nobody has owed an answer: there is more time
				next = w.withUntil(now.Add(b.settings.ProbeTimeout))
			}
			if next.probes() < b.settings.Quota {
				next = next.withProbes(next.probes() + 1)
				if b.swap(w, next, now) {
					return permit(next, true), true
				}
				continue
			}
		}
		if forced {
			return permit(w, false), true
		}
		return 0, false
	}
}

// Release implements core.Gate.
func (b *Breaker) Release(p core.Permit, _ core.Instant) { b.returnProbe(p) }

// returnProbe frees the place of a probe that decided nothing.
func (b *Breaker) returnProbe(p core.Permit) {
	for isProbe(p) {
		w := word(b.word.Load())
		if w.generation() != generationOf(p) || w.probes() == 0 || b.word.CompareAndSwap(uint64(w), uint64(w.withProbes(w.probes()-1))) {
			return
		}
	}
}

// Answered implements core.Gate: the answer's head decides.
func (b *Breaker) Answered(p core.Permit, now core.Instant, s core.Sample) {
	b.learn(p, now, s.Outcome, b.slow != nil && s.FirstAnswer > b.settings.SlowCall)
}

// Settle implements core.Gate.
func (b *Breaker) Settle(p core.Permit, now core.Instant, s core.Sample) {
	if !s.Told {
		b.learn(p, now, s.Outcome, b.slow != nil && s.FirstAnswer < 0 && s.Total > b.settings.SlowCall)
	}
}

func (b *Breaker) learn(p core.Permit, now core.Instant, o core.Outcome, slow bool) {
	w := word(b.word.Load())
	units := b.units[o]
	switch {
	case w.generation() != generationOf(p):
		// Of another time.
	case units == unheard:
		b.returnProbe(p)
	case w.state() == core.Closed:
		b.count(w, now, units, slow)
	case units == 0 && !slow:
		b.succeed(p, now)
	case isProbe(p):
		b.trip(generationOf(p), now)
	}
}

// count counts an outcome of a closed breaker, and opens it when it is time.
func (b *Breaker) count(w word, now core.Instant, units int8, slow bool) {
	b.window.Add(now, 1, uint64(units))
	if units == 0 && b.consecutive.Load() != 0 {
		b.consecutive.Store(0)
	}
	if units == 0 && !slow {
		return
	}
	if slow {
		b.slow.Add(now, 1, 0)
	}
	if units > 0 && b.inARow(units) || b.tooMany(now) {
		b.trip(w.generation(), now)
	}
}

// inARow adds a failure to the run, and reports whether the run is too long.
func (b *Breaker) inARow(units int8) bool {
	limit := int32(b.settings.ConsecutiveFailures) * unit
	return limit > 0 && b.consecutive.Add(int32(units)) >= limit
}

// tooMany reports whether too many of the window's outcomes were failures, or slow.
func (b *Breaker) tooMany(now core.Instant) bool {
	s := &b.settings
	if s.FailureRatio <= 0 && b.slow == nil {
		return false
	}
	total, failed := b.window.Sum(now)
	if int(total) < s.MinRequests {
		return false
	}
	if s.FailureRatio > 0 && float64(failed) >= s.FailureRatio*unit*float64(total) {
		return true
	}
	if b.slow == nil {
		return false
	}
	slow, _ := b.slow.Sum(now)
	return float64(slow) >= s.SlowRatio*float64(total)
}

// trip opens the breaker, unless its state has changed since that generation.
func (b *Breaker) trip(generation uint64, now core.Instant) {
	for {
		w := word(b.word.Load())
		if w.generation() != generation || b.swap(w, b.open(w, now), now) {
			return
		}
	}
}

// succeed counts a success of a breaker that is not closed: a probe's, or one that
// was forced.
func (b *Breaker) succeed(p core.Permit, now core.Instant) {
	for {
		w := word(b.word.Load())
		if w.generation() != generationOf(p) {
			return
		}
		next := w
		if w.state() == core.Open {
			next = b.halfOpen(w, now)
		}
		next = next.withSuccesses(next.successes() + 1)
		if next.successes() >= b.settings.Quota {
			next = closed(w)
		}
		if b.swap(w, next, now) {
			return
		}
	}
}

// swap puts the next word in the place of the old one. The winner of a change of
// state clears what the old state had counted, and tells.
func (b *Breaker) swap(old, next word, now core.Instant) bool {
	if !b.word.CompareAndSwap(uint64(old), uint64(next)) {
		return false
	}
	if old.generation() == next.generation() {
		return true
	}
	if next.state() != core.HalfOpen {
		// On opening, so that nothing of it is left for whoever finds the breaker
		// closed a moment before its closer gets here; on closing, for what was
		// counted by those that came too late for the opening.
		b.window.Reset()
		if b.slow != nil {
			b.slow.Reset()
		}
		b.consecutive.Store(0)
	}
	if old.state() != next.state() {
		b.turned(now, old.state(), next.state())
	}
	return true
}

// open is the word of a breaker that opens now.
func (b *Breaker) open(w word, now core.Instant) word {
	next := newWord(core.Open, w.generation()+1, now.Add(b.openFor(w)))
	return next.withStreak(min(w.streak()+1, maxStreak))
}

// halfOpen is the word of a breaker that lets probes in from now on.
func (b *Breaker) halfOpen(w word, now core.Instant) word {
	streak := w.streak()
	if w.state() == core.HalfOpen {
		streak = min(streak+1, maxStreak) // the last probes were never answered
	}
	next := newWord(core.HalfOpen, w.generation()+1, now.Add(b.settings.ProbeTimeout))
	return next.withStreak(streak)
}

// closed is the word of a breaker that closes.
func closed(w word) word { return newWord(core.Closed, w.generation()+1, 0) }

// openFor is how long to stay open after w, which is no longer: twice as long for each
// time in a row, less what chance takes off, in whole milliseconds. The draw is keyed by
// the generation, so whoever asks of the same word gets the same answer.
func (b *Breaker) openFor(w word) time.Duration {
	d := b.settings.OpenFor
	for range w.streak() {
		if d >= b.settings.MaxOpenFor/2 {
			d = b.settings.MaxOpenFor
			break
		}
		d *= 2
	}
	if b.settings.Jitter > 0 {
		draw := b.chance.At(w.generation())
		d -= time.Duration(b.settings.Jitter * draw.Float64() * float64(d))
	}
	return max(d.Truncate(time.Millisecond), time.Millisecond)
}
