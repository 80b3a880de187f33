// Package p2c chooses by estimated cost: it draws d distinct members and takes the
// one whose next attempt is expected to cost least for its weight.
package p2c

import (
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// Cost is a member's expected cost of one more attempt, in seconds per unit of
// weight: what a member of weight 2 does in two seconds is worth what one of weight
// 1 does in one.
func Cost(m *core.Member, now core.Instant) float64 { return m.Cost(now) / m.Weight() }

// New returns a picker that compares d members at a time.
func New(d int) *pick.Choices { return pick.NewChoices(d, Cost) }
