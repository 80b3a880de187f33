// Package fallback decides whether a strategy may decide. Its picker stands around
// another one and works in one of three modes:
//
//   - adaptive: the strategy chooses.
//   - fallback: round robin over the members that are ready, because the latency
//     signal is thin (fewer than two of the ready members, or fewer than half of
//     them, have a fresh sample) or flat (their costs lie within Flat of each other
//     and none has more pending than another: there is nothing to choose by).
//   - panic: round robin over every member that is neither full nor drained,
//     breakers overridden, because the share of members better than barred is below
//     a threshold. Sending everything to the few that are left would take them down
//     as well (Envoy's panic threshold, of which 50 % is the default). It is also
//     the only cap on how many members the breakers may eject.
//
// A worse mode is entered at once, and left when a better one has been due for a
// while (Calm), so that modes do not flap.
package fallback

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

const (
	// Flat is how far apart costs may lie, as a share of the least, to count as
	// equal.
	Flat = 0.10
	// Calm is how long a better mode has to be due before it is entered.
	Calm = time.Second
)

// Picker is a core.Picker around another one. Safe for concurrent use.
type Picker struct {
	own       core.Picker
	latency   bool
	threshold float64
	robin     pick.RoundRobin
	now       atomic.Uint32 // mode and reason in force

	// Of the surveys, which do not overlap.
	better      bool // a better mode has been due
	betterSince core.Instant
}

// New returns a picker around own. latency says that own goes by latency, so that
// the signal's quality counts; threshold is the share of members better than
// barred, 0 to 1, below which there is panic (0 for never).
func New(own core.Picker, latency bool, threshold float64) *Picker {
	return &Picker{own: own, latency: latency, threshold: threshold}
}

// Mode is the mode in force, and why.
func (p *Picker) Mode() (core.Mode, core.Reason) {
	word := p.now.Load()
	return core.Mode(word >> 8), core.Reason(word & 0xff)
}

// Pick implements core.Picker.
func (p *Picker) Pick(v *core.View, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	mode, reason := p.Mode()
	var c core.Choice
	var ok bool
	switch mode {
	case core.Panic:
		c.Slot, ok = p.robin.Anyone(v, a, now)
	case core.Fallback:
		c, ok = p.robin.Pick(v, a, now, src)
	default:
		return p.own.Pick(v, a, now, src)
	}
	c.Mode, c.Reason = mode, reason
	return c, ok
}

// Survey implements core.Surveyed.
func (p *Picker) Survey(now core.Instant, s core.Survey) {
	mode, reason := p.judge(s)
	current, _ := p.Mode()
	if mode < current {
		if !p.better {
			p.better, p.betterSince = true, now
		}
		if now.Sub(p.betterSince) < Calm {
			return
		}
	}
	p.better = false
	p.now.Store(uint32(mode)<<8 | uint32(reason))
}

// judge is the mode that a survey calls for.
func (p *Picker) judge(s core.Survey) (core.Mode, core.Reason) {
	switch {
	case s.Undrained > 0 && float64(s.Open) < p.threshold*float64(s.Undrained):
		return core.Panic, core.FewReady
	case !p.latency:
	case s.Fresh < 2 || 2*s.Fresh < s.Ready:
		return core.Fallback, core.SignalThin
	case s.Level && s.HighCost <= s.LowCost*(1+Flat):
		return core.Fallback, core.SignalFlat
	}
	return core.Adaptive, core.ReasonNone
}
