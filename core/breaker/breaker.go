// Package breaker is the circuit breaker of one member: closed, open, half-open.
//
// It opens after a run of consecutive failures, or when the share of failures over
// a window of exact one-second buckets reaches a ratio. Open, it bars its member for
// a time that doubles each time it opens again without a success in between.
// Then it is half-open: a quota of probes passes and decides, at the first byte of
// the answer: all succeed, and it closes; one fails, or is not answered in time, and
// it opens again.
//
// What a breaker learns is fenced by generations: each change of state starts a new
// one, and what comes back with the permit of an older one is ignored. A forced
// attempt (panic) passes an open breaker; its success counts as a probe's, its
// failure teaches nothing new.
//
// Everything that decides is in one atomic word. There is no lock, no timer and no
// allocation: time passes by being asked.
package breaker

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// MaxQuota is the most probes that a half-open breaker can let in.
const MaxQuota = 63

// Settings say when a breaker opens and how it tests the water.
type Settings struct {
	// ConsecutiveFailures opens the breaker; 0 for never.
	ConsecutiveFailures int
	// FailureRatio of the outcomes within Window opens it, once there are
	// MinRequests of them; 0 for never.
	FailureRatio float64
	Window       time.Duration
	MinRequests  int
	// OpenFor is how long it stays open the first time, at least a millisecond;
	// each further time in a row twice as long, to at most MaxOpenFor.
	OpenFor, MaxOpenFor time.Duration
	// Quota is how many probes a half-open breaker lets in, and how many have to
	// succeed: 1 to MaxQuota.
	Quota int
	// ProbeTimeout is how long the probes may take to be answered, at least a
	// millisecond, before the breaker opens again.
	ProbeTimeout time.Duration
}

// Validate reports what is wrong with the settings.
func (s Settings) Validate() error {
	switch {
	case s.OpenFor < time.Millisecond || s.MaxOpenFor < s.OpenFor:
		return fmt.Errorf("breaker: open for %v to %v: expected at least 1ms, and the longest no shorter than the first", s.OpenFor, s.MaxOpenFor)
	case s.ProbeTimeout < time.Millisecond:
		return fmt.Errorf("breaker: probe timeout %v: expected at least 1ms", s.ProbeTimeout)
	case s.Quota < 1 || s.Quota > MaxQuota:
		return fmt.Errorf("breaker: quota of %d probes: expected 1 to %d", s.Quota, MaxQuota)
	case s.FailureRatio < 0 || s.FailureRatio > 1:
		return fmt.Errorf("breaker: failure ratio %v: expected 0 to 1", s.FailureRatio)
	case s.FailureRatio > 0 && s.Window < time.Second:
		return fmt.Errorf("breaker: window %v: expected at least 1s", s.Window)
	}
	return nil
}

// Breaker is a core.Gate and core.Stateful. Safe for concurrent use.
type Breaker struct {
	settings    Settings
	turned      func(now core.Instant, from, to core.State)
	word        atomic.Uint64
	consecutive atomic.Int32
	window      *core.Window // outcomes, failures
}

// New returns a closed breaker. turned hears of each change of state, under no
// lock; nil for nobody. Settings that do not validate are an error.
func New(s Settings, turned func(now core.Instant, from, to core.State)) (*Breaker, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if turned == nil {
		turned = func(core.Instant, core.State, core.State) {}
	}
	return &Breaker{settings: s, turned: turned, window: core.NewWindow(s.Window)}, nil
}

// Peek implements core.Gate.
func (b *Breaker) Peek(now core.Instant) core.Verdict {
	w := word(b.word.Load())
	switch b.at(w, now) {
	case core.Closed:
		return core.Ready
	case core.HalfOpen:
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

// at is the state that an attempt would find: time may have passed since the last
// change.
func (b *Breaker) at(w word, now core.Instant) core.State {
	switch {
	case w.state() == core.Open && now >= w.until():
		return core.HalfOpen
	case w.hung(now):
		// The probes were not answered in time: open since then.
		if now >= w.until().Add(b.openFor(w.streak())) {
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
		state := b.at(w, now)
		if state == core.Closed {
			return permit(w, false), true
		}
		if state == core.HalfOpen {
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
	b.learn(p, now, s.Outcome)
}

// Settle implements core.Gate.
func (b *Breaker) Settle(p core.Permit, now core.Instant, s core.Sample) {
	if !s.Told {
		b.learn(p, now, s.Outcome)
	}
}

func (b *Breaker) learn(p core.Permit, now core.Instant, o core.Outcome) {
	w := word(b.word.Load())
	switch {
	case w.generation() != generationOf(p):
		// Of another time.
	case o == core.Abandoned:
		b.returnProbe(p)
	case w.state() == core.Closed:
		b.count(w, now, o)
	case o.Failed() && isProbe(p):
		b.trip(generationOf(p), now)
	case !o.Failed():
		b.succeed(p, now)
	}
}

// count counts an outcome of a closed breaker, and opens it when it is time.
func (b *Breaker) count(w word, now core.Instant, o core.Outcome) {
	if !o.Failed() {
		b.window.Add(now, 1, 0)
		if b.consecutive.Load() != 0 {
			b.consecutive.Store(0)
		}
		return
	}
	b.window.Add(now, 1, 1)
	run := b.consecutive.Load()
	if o != core.Throttled { // asking for less is not being broken
		run = b.consecutive.Add(1)
	}
	if limit := b.settings.ConsecutiveFailures; limit > 0 && int(run) >= limit || b.tooMany(now) {
		b.trip(w.generation(), now)
	}
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

func (b *Breaker) tooMany(now core.Instant) bool {
	if b.settings.FailureRatio <= 0 {
		return false
	}
	total, failed := b.window.Sum(now)
	return int(total) >= b.settings.MinRequests && float64(failed) >= b.settings.FailureRatio*float64(total)
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
			next = closed(next)
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
		b.consecutive.Store(0)
	}
	if old.state() != next.state() {
		b.turned(now, old.state(), next.state())
	}
	return true
}

// open is the word of a breaker that opens now.
func (b *Breaker) open(w word, now core.Instant) word {
	streak := w.streak()
	next := newWord(core.Open, w.generation()+1, now.Add(b.openFor(streak)))
	return next.withStreak(min(streak+1, maxStreak))
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

// openFor is how long to stay open after so many times in a row.
func (b *Breaker) openFor(streak int) time.Duration {
	d := b.settings.OpenFor
	for range streak {
		if d >= b.settings.MaxOpenFor/2 {
			return b.settings.MaxOpenFor
		}
		d *= 2
	}
	return d
}
