// Package p2c chooses by estimated cost: it draws some distinct members and takes the
// one whose next attempt is expected to cost least for its weight.
//
// Two draws are what the power of two choices needs, and all that there is time for where
// decisions come by the hundred thousand. But a further look costs some twenty nanoseconds,
// and what it finds is worth far more: a member that is not slow, or has nothing pending. So
// the picker looks at as many as it can afford for one percent of a core: at all of a pool
// where decisions are not many (of fifty endpoints up to ten thousand times a second), else
// at up to sixteen that it draws (up to thirty thousand), and at two in the end.
//
// Where many members are slow, two draws meet slow ones only too often. With a share s of
// suspects d draws do so with probability s^d; whatever the rate, the picker draws up to as
// many as keep that below 0.2 %, where the tail does not see it.
//
// Where even the most that it draws are too few for that, since two thirds are slow or worse, it
// draws anew if it has met nobody that is well: a few times at most, and mostly once.
//
// It draws one after the other, and no more once the best of two or more is idle and about as
// fast as the fastest: there is nothing left to gain that would pay for a look.
package p2c

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// Settings of the picker.
type Settings struct {
	// Choices are the fewest members drawn, MostChoices the most at a time; from 2 to
	// pick.MaxChoices. Where both are equal it always draws so many, and never anew.
	Choices, MostChoices int
	// ScanUpTo is the size of a pool up to which all members are looked at instead, as
	// long as that can be afforded; 0: never.
	ScanUpTo int
}

// Validate reports what is wrong with the settings.
func (s Settings) Validate() error {
	if s.Choices < 2 || s.MostChoices < s.Choices || s.MostChoices > pick.MaxChoices || s.ScanUpTo < 0 {
		return fmt.Errorf("p2c: choices %d to %d, scan up to %d: expected 2 to %d choices, the most at least the fewest",
			s.Choices, s.MostChoices, s.ScanUpTo, pick.MaxChoices)
	}
	return nil
}

const (
	// missed is how often a draw may meet suspects only.
	missed = 0.002
	// near is within which share of the least cost members take turns where all are looked
	// at and answers are regular: what the estimates of equals differ by even then. With 0.02
	// the p99 of ten endpoints which are shared by twenty proxies, and whose work always takes
	// as long, is 6 % above that of round robin, and not 3 %.
	near = 0.01
	// mostRounds is how many times as many may be drawn where most are slow, as long as nobody
	// that is well is among them: with nine of ten slow, all of 64 are so once in a thousand times.
	mostRounds = 4
	// content is how many times what the fastest quarter takes a member may cost for nobody
	// to look further.
	content = 1.5
	// thrift is how many looks a second can be afforded: one percent of a core at 20 ns
	// each.
	thrift = 0.01 / 20e-9
)

// Picker is a core.Picker. Safe for concurrent use.
type Picker struct {
	settings Settings
	scan     *pick.Sweep
	draws    *pick.Choices
	most     atomic.Int32  // how many are drawn at most
	rounds   atomic.Int32  // how many times so many, while none of them costs little enough
	enough   atomic.Uint64 // float64 bits: seconds, at which no more are drawn
	affords  atomic.Int32  // how many looks a decision can be afforded
	whole    atomic.Bool   // as of the last survey, everybody is looked at
}

// New returns a picker. The settings are expected to be valid.
func New(s Settings) *Picker {
	p := &Picker{settings: s, scan: newSweep(), draws: pick.NewChoices(s.Choices, Cost)}
	p.most.Store(int32(s.Choices))
	p.affords.Store(math.MaxInt32)
	return p
}

func newSweep() *pick.Sweep {
	return pick.NewSweep(Cost, near, func(v *core.View) bool { return v.Pool.Chance() < 1 })
}

// NewScan returns the picker that looks at everybody, always.
func NewScan() core.Picker { return newSweep() }

// Cost is a member's expected cost of one more attempt, in seconds per unit of
// weight: what a member of weight 2 does in two seconds is worth what one of weight
// 1 does in one.
func Cost(m *core.Member, now core.Instant) float64 {
	cost := m.Cost(now)
	if w := m.Weight(); w != 1 { // a division takes as long as all the rest
		cost /= w
	}
	return cost
}

// plan is the view as the scan and the draws see it, each with what it has prepared.
type plan struct{ scan, draws core.View }

// Plan implements core.Planner.
func (p *Picker) Plan(v *core.View) any {
	inside := &plan{*v, *v}
	inside.scan.Plan, inside.draws.Plan = p.scan.Plan(v), p.draws.Plan(v)
	return inside
}

// Pick implements core.Picker.
func (p *Picker) Pick(v *core.View, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	inside, _ := v.Plan.(*plan)
	if inside == nil { // a view without members
		return core.Choice{}, false
	}
	if n := len(v.Members); n <= p.settings.ScanUpTo && n <= int(p.affords.Load()) {
		return p.scan.Pick(&inside.scan, a, now, src)
	}
	most, enough := int(p.most.Load()), math.Float64frombits(p.enough.Load())
	c, ok := p.draws.Draw(&inside.draws, a, now, src, most, enough)
	for left := p.rounds.Load(); left > 1 && ok && enough > 0 && slow(v.Members[c.Slot], now, enough); left-- {
		again, found := p.draws.Draw(&inside.draws, a, now, src, most, enough)
		if found && Cost(v.Members[again.Slot], now) < Cost(v.Members[c.Slot], now) {
			c = again
		}
	}
	return c, ok
}

// slow tells that a member costs more than enough. One on probation is taken for what it shows.
func slow(m *core.Member, now core.Instant, enough float64) bool {
	return m.Cost(now) > enough && m.Verdict(now) == core.Ready
}

// Whole tells whether decisions look at everybody at present.
func (p *Picker) Whole() bool { return p.whole.Load() }

// Survey implements core.Surveyed: it sets how many are looked at.
func (p *Picker) Survey(_ core.Instant, s core.Survey) {
	affords := math.MaxInt32 - 1.0
	if s.Rate > 0 {
		affords = min(affords, thrift/s.Rate)
	}
	p.affords.Store(int32(affords))
	p.whole.Store(s.Members <= p.settings.ScanUpTo && float64(s.Members) <= affords)
	wanted := 0.0 // to meet somebody who is well
	if s.Suspects > 0 {
		share := min(float64(s.Suspects)/float64(s.Fresh), 0.99)
		wanted = math.Ceil(math.Log(missed) / math.Log(share))
	}
	p.enough.Store(math.Float64bits(content * s.Fast))
	d := max(min(affords, float64(p.settings.MostChoices)), wanted)
	most := min(max(int(d), p.settings.Choices), p.settings.MostChoices)
	p.most.Store(int32(most))
	rounds := 1.0
	if p.settings.MostChoices > p.settings.Choices {
		rounds = min(max(math.Ceil(wanted/float64(most)), 1), mostRounds)
	}
	p.rounds.Store(int32(rounds))
}
