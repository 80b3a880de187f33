// Package p2c chooses by estimated cost: it draws some distinct members and takes the
// one whose next attempt is expected to cost least for its weight.
//
// Two draws are what the power of two choices needs, and all that there is time for where
// decisions come by the hundred thousand. But a further draw costs some twenty nanoseconds,
// and what it finds is worth far more: a member that is not slow, or has nothing pending. So
// the picker draws as many as keep its looking around below half a percent of a core, within
// its limits: eight at up to thirty thousand decisions a second.
//
// Where many members are slow, two draws meet slow ones only too often. With a share s of
// suspects d draws do so with probability s^d; whatever the rate, the picker draws as many
// as keep that below 0.2 %, where the tail does not see it. And where the whole pool is
// hardly more than a draw, it looks at everybody: two draws of four endpoints leave a
// quarter of the duels to chance (brpc has measured it).
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
	// Choices are the fewest members drawn, MostChoices the most; from 2 to
	// pick.MaxChoices. Where both are equal it always draws so many.
	Choices, MostChoices int
	// ScanUpTo is the size of a pool up to which all members are looked at instead; 0:
	// never.
	ScanUpTo int
}

// Defaults, as the lab has found them (see README.md in the folder above).
const (
	DefaultChoices     = 2
	DefaultMostChoices = pick.MaxChoices
	DefaultScanUpTo    = 12
)

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
	// thrift is the rate of draws, a second, up to which they are free: half a percent of
	// a core at 20 ns each.
	thrift = 0.005 / 20e-9
)

// Picker is a core.Picker. Safe for concurrent use.
type Picker struct {
	settings Settings
	scan     pick.Scan
	draws    [pick.MaxChoices + 1]*pick.Choices // by how many
	d        atomic.Int32
}

// New returns a picker. The settings are expected to be valid.
func New(s Settings) *Picker {
	p := &Picker{settings: s, scan: pick.Scan{Score: Cost}}
	for d := s.Choices; d <= s.MostChoices; d++ {
		p.draws[d] = pick.NewChoices(d, Cost)
	}
	p.d.Store(int32(s.Choices))
	return p
}

// NewScan returns the picker that looks at everybody, always.
func NewScan() core.Picker { return pick.Scan{Score: Cost} }

// Cost is a member's expected cost of one more attempt, in seconds per unit of
// weight: what a member of weight 2 does in two seconds is worth what one of weight
// 1 does in one.
func Cost(m *core.Member, now core.Instant) float64 { return m.Cost(now) / m.Weight() }

// Plan implements core.Planner.
func (p *Picker) Plan(v *core.View) any { return p.draws[p.settings.Choices].Plan(v) }

// Pick implements core.Picker.
func (p *Picker) Pick(v *core.View, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	if len(v.Members) <= p.settings.ScanUpTo {
		return p.scan.Pick(v, a, now, src)
	}
	return p.draws[p.d.Load()].Pick(v, a, now, src)
}

// Survey implements core.Surveyed: it sets how many are drawn.
func (p *Picker) Survey(_ core.Instant, s core.Survey) {
	d := float64(p.settings.MostChoices)
	if s.Rate > 0 {
		d = min(d, thrift/s.Rate)
	}
	if s.Suspects > 0 {
		share := min(float64(s.Suspects)/float64(s.Fresh), 0.99)
		d = max(d, math.Ceil(math.Log(missed)/math.Log(share)))
	}
	p.d.Store(int32(min(max(int(d), p.settings.Choices), p.settings.MostChoices)))
}
