package concurrency

import "github.com/evenkeel/evenkeel/core"

// Inherit implements core.Heir: a limiter of the same name goes on from the limit that was
// found, within its own floor and ceiling, and with the latencies that it went by; one of
// another name begins anew, since what a rule has found is an answer to its own question.
// A window begins anew. from may be at work; it learns nothing of this.
func (l *Limiter) Inherit(_ core.Instant, from any) {
	old, ok := from.(*Limiter)
	if !ok {
		return
	}
	old.mu.Lock()
	defer old.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rule.inherit(old.rule) {
		l.reduced, l.window.highest = old.reduced, old.window.highest
		l.set(old.value)
	}
}

// Inherit implements core.Heir: the limiter inherits of the other's limiter, and what is in
// flight at the member by either gate counts for both from now on, so that a limit holds
// although the attempts of before are still under way. from may be at work.
func (g *Gate) Inherit(now core.Instant, from any) {
	old, ok := from.(*Gate)
	if !ok {
		return
	}
	g.inFlight = old.inFlight
	if h, ok := g.limiter.(core.Heir); ok {
		h.Inherit(now, old.limiter)
	}
}

func (aimd) inherit(from rule) bool {
	_, ok := from.(aimd)
	return ok
}

func (v *vegas) inherit(from rule) bool {
	old, ok := from.(*vegas)
	if ok {
		v.baseline, v.windows, v.jitter = old.baseline, old.windows, old.jitter
	}
	return ok
}

func (g *gradient2) inherit(from rule) bool {
	old, ok := from.(*gradient2)
	if ok {
		g.long = old.long
	}
	return ok
}

// inherit takes over the limit alone if the latencies are another quantile's.
func (c *correlated) inherit(from rule) bool {
	old, ok := from.(*correlated)
	if ok && c.quantile == old.quantile {
		*c = *old
	}
	return ok
}
