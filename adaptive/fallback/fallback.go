// Package fallback decides whether a strategy may decide. Its picker stands around
// another one and works in one of three modes:
//
//   - adaptive: the strategy chooses.
//   - fallback: weighted round robin over the members that are ready, because the latency
//     signal is thin (fewer than two of the ready members, or fewer than half of
//     them, have ever answered, or none of them lately) or flat (their costs and latencies
//     lie within Flat of each other and none has more pending than another, so there is
//     nothing to choose by; where the strategy looks at everybody, once it has been so for
//     Calm. Or their latencies lie within Same and the strategy does not look at everybody:
//     work as regular as that is better dealt out in turn than drawn for). A member that has not
//     answered lately since the strategy does without it is no want of signal: its estimate
//     has drifted to the others' median, and before long it is asked. But it does not bear
//     witness that all are alike.
//   - panic: round robin over every member that is neither full nor drained,
//     breakers overridden, because the share of members better than barred is below
//     a threshold. Sending everything to the few that are left would take them down
//     as well (Envoy's panic threshold, of which 50 % is the default). It is also
//     the only cap on how many members the breakers may eject. Where the strategy goes
//     by latency, the turn of a barred member goes to whom the strategy would take,
//     as long as that one costs little more than members did before the panic: what
//     the few that are left can carry need not fail.
//
// A worse mode is entered at once, and left when a better one has been due for a
// while (Calm), so that modes do not flap. But a thin signal is trusted as soon as it is none
// any more: after a start, a second of taking turns overruns whoever is slow, and nobody who
// has answered is forgotten again.
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
	// equal, where answers are irregular; where they are regular, less (core.Survey.Chance).
	Flat = 0.10
	// Same is how far apart latencies may lie, as a share of the least, to be those of
	// members that are the same, and work that is: chance alone drives averages of
	// exponential times further apart.
	Same = 0.05
	// rough is how far apart costs, which have the pending attempts in them, may lie while
	// the latencies are the same; beyond, one of the members has stopped answering.
	rough = 4
	// Calm is how long a better mode has to be due before it is entered.
	Calm = time.Second
)

// Picker is a core.Picker around another one. Safe for concurrent use.
type Picker struct {
	own       core.Picker
	latency   bool
	threshold float64
	turns     pick.WeightedRoundRobin // of fallback
	begun     atomic.Bool             // they have, anywhere: what proxies that have just started learn of first is not the same for all
	robin     pick.RoundRobin         // of panic
	now       atomic.Uint32           // mode and reason in force

	// Of the surveys, which do not overlap.
	better      bool // a better mode has been due
	betterSince core.Instant
	flat        bool // the signal has been flat
	flatSince   core.Instant

	room room // of those that stand in, in panic
}

// New returns a picker around own. latency says that own goes by latency, so that
// the signal's quality counts; threshold is the share of members better than
// barred, 0 to 1, below which there is panic (0 for never).
func New(own core.Picker, latency bool, threshold float64) *Picker {
	return &Picker{own: own, latency: latency, threshold: threshold}
}

// plan is the view as the pickers inside see it, each with what it has prepared.
type plan struct{ own, turns core.View }

// Plan implements core.Planner for the pickers inside.
func (p *Picker) Plan(v *core.View) any {
	inside := &plan{*v, *v}
	if own, ok := p.own.(core.Planner); ok {
		inside.own.Plan = own.Plan(v)
	}
	if p.latency {
		inside.turns.Plan = p.turns.Plan(v)
	}
	return inside
}

// Mode is the mode in force, and why.
func (p *Picker) Mode() (core.Mode, core.Reason) {
	word := p.now.Load()
	return core.Mode(word >> 8), core.Reason(word & 0xff)
}

// Pick implements core.Picker.
func (p *Picker) Pick(v *core.View, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	inside, _ := v.Plan.(*plan)
	if inside == nil { // a view without members
		return core.Choice{}, false
	}
	mode, reason := p.Mode()
	var c core.Choice
	var ok bool
	switch mode {
	case core.Panic:
		c, ok = p.anyone(v, inside, a, now, src)
	case core.Fallback:
		if !p.begun.Load() && p.begun.CompareAndSwap(false, true) {
			p.turns.Begin(src)
		}
		c, ok = p.turns.Pick(&inside.turns, a, now, src)
	default:
		return p.own.Pick(&inside.own, a, now, src)
	}
	c.Mode, c.Reason = mode, reason
	return c, ok
}

// Survey implements core.Surveyed.
func (p *Picker) Survey(now core.Instant, s core.Survey) {
	if own, ok := p.own.(core.Surveyed); ok {
		own.Survey(now, s)
	}
	if !flat(s) {
		p.flat = false
	} else if !p.flat {
		p.flat, p.flatSince = true, now
	}
	mode, reason := p.judge(now, s)
	current, because := p.Mode()
	if p.latency {
		p.room.learn(now, s, mode == core.Panic || current == core.Panic)
	}
	if mode < current && because != core.SignalThin && !(because == core.SignalFlat && s.HighCost > rough*s.LowCost) {
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

// whole tells whether the strategy looks at everybody: then it finds by itself what turns
// would find.
func (p *Picker) whole() bool {
	own, ok := p.own.(interface{ Whole() bool })
	return ok && own.Whole()
}

// flat tells that there is nothing to choose by: no cost, no latency, nothing pending.
func flat(s core.Survey) bool {
	near := 1 + Flat*s.Chance
	return s.Level && s.HighCost <= s.LowCost*near && s.Spread <= near
}

// same tells that all answer alike, whatever is pending.
func same(s core.Survey) bool {
	return s.Fresh == s.Ready && s.Spread <= 1+Same && s.HighCost <= rough*s.LowCost
}

// rests tells that there is nothing to choose by, and will not be: where everybody is looked
// at, as few as two may well have the same pending by chance, and turns would be taken while
// there is something to see.
func (p *Picker) rests(now core.Instant, s core.Survey) bool {
	return flat(s) && (!p.whole() || now.Sub(p.flatSince) >= Calm)
}

// judge is the mode that a survey calls for.
func (p *Picker) judge(now core.Instant, s core.Survey) (core.Mode, core.Reason) {
	switch {
	case s.Undrained > 0 && float64(s.Open) < p.threshold*float64(s.Undrained):
		return core.Panic, core.FewReady
	case !p.latency:
	case s.Fresh == 0 || s.Known < 2 || 2*s.Known < s.Ready:
		return core.Fallback, core.SignalThin
	case s.Fresh < 2 || 2*s.Fresh < s.Ready: // too few to call the others equal
	case p.rests(now, s), !p.whole() && same(s):
		return core.Fallback, core.SignalFlat
	}
	return core.Adaptive, core.ReasonNone
}
