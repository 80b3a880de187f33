package limit

import "sync/atomic"

// Places counts who is somewhere at once, against a bound that each one who comes brings
// along: so the bound may change, and those who are there already count in the new one.
// The zero value is empty. Safe for concurrent use; no locks, no allocation.
type Places struct{ taken atomic.Int64 }

// Enter takes a place, and reports whether there was one: fewer than most were taken. With
// a most of 0 there always is. Whoever has entered must Leave once.
func (p *Places) Enter(most int) bool {
	for {
		n := p.taken.Load()
		if most > 0 && n >= int64(most) {
			return false
		}
		if p.taken.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Leave gives a place back.
func (p *Places) Leave() { p.taken.Add(-1) }

// Taken is how many places are taken now.
func (p *Places) Taken() int { return int(p.taken.Load()) }
