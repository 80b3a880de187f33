package breaker

import "github.com/evenkeel/evenkeel/core"

// Inherit implements core.Heir. An open breaker stays open until the time that it was opened
// for, by the settings of that day, and after as many times in a row; one that is half-open,
// whose probes come back to the other, begins its probation anew. What a closed one has
// counted is forgotten. Nobody is told, since nothing has turned. Not to be called together
// with anything else; from may be at work.
func (b *Breaker) Inherit(now core.Instant, from any) {
	old, ok := from.(*Breaker)
	if !ok {
		return
	}
	w := word(old.word.Load())
	if w.state() == core.Closed {
		return
	}
	until, streak := w.until(), w.streak()
	if w.hung(now) { // the probes were not answered in time: open since then
		until, streak = until.Add(old.openFor(w)), min(streak+1, maxStreak)
	}
	next := newWord(core.Open, w.generation(), until).withStreak(streak)
	if w.state() == core.HalfOpen && (!w.hung(now) || now >= until) {
		next = newWord(core.HalfOpen, w.generation(), now.Add(b.settings.ProbeTimeout)).withStreak(streak)
	}
	b.word.Store(uint64(next))
}
