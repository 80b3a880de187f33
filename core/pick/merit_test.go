package pick_test

import (
	"testing"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// Every picker says what its winner won by.
func TestPickersTellMerit(t *testing.T) {
	many := ready(100)
	var nearlyAll []core.Verdict // nobody else is met by draws or looks
	for range 200 {
		nearlyAll = append(nearlyAll, B)
	}
	nearlyAll = append(nearlyAll, R)
	cases := map[string]struct {
		picker   core.Picker
		verdicts []core.Verdict
		busy     int // attempts pending at the first member
		want     core.Merit
	}{
		"turn":                        {&pick.RoundRobin{}, many, 0, core.Turn},
		"passed over":                 {&pick.RoundRobin{}, []core.Verdict{B, B, R}, 0, core.OthersBarred},
		"weighted turn":               {&pick.WeightedRoundRobin{}, many, 0, core.Turn},
		"weighted lot":                {&pick.WeightedRoundRobin{}, nearlyAll, 0, core.OthersBarred},
		"random":                      {pick.Random{}, many, 0, core.Lot},
		"random, nobody else":         {pick.Random{}, nearlyAll, 0, core.OthersBarred},
		"hashed":                      {&pick.Hash{}, many, 0, core.Hashed},
		"hashed, and far from all":    {&pick.Hash{}, nearlyAll, 0, core.OthersBarred},
		"the least of all":            {pick.LeastRequests(), ready(2), 1, core.Cheapest},
		"one of the equal least":      {pick.LeastRequests(), ready(3), 1, core.Lot},
		"one of all that are equal":   {pick.LeastRequests(), many, 0, core.Lot},
		"one of the near":             {pick.NewSweep(pick.Load, 0.1, always), many, 0, core.Turn},
		"the least by far":            {pick.NewSweep(pick.Load, 0.1, always), ready(2), 1, core.Cheapest},
		"the less of two":             {pick.NewChoices(2, pick.Load), ready(2), 1, core.Cheapest},
		"one of two equal ones":       {pick.NewChoices(2, pick.Load), many, 0, core.Lot},
		"nobody of those drawn":       {pick.NewChoices(2, pick.Load), nearlyAll, 0, core.OthersBarred},
		"on probation and loaded":     {pick.LeastRequests(), []core.Verdict{P, R}, 1, core.OnProbation},
		"on probation among equals":   {pick.LeastRequests(), []core.Verdict{R, R, P}, 0, core.OnProbation},
		"two on probation and loaded": {pick.LeastRequests(), []core.Verdict{P, P}, 1, core.Cheapest},
	}
	for name, c := range cases {
		p := newPool(t, c.picker, c.verdicts...)
		for range c.busy {
			var others core.Ask
			copy(others.Tried[:], p.View().Members[1:])
			if !p.Begin(0, &others, new(core.Lease)) {
				t.Fatalf("%s: got no lease of the first", name)
			}
		}
		var why core.Decision
		if !p.Begin(0, &core.Ask{Why: &why}, new(core.Lease)) {
			t.Fatalf("%s: got no lease", name)
		}
		if why.Merit != c.want {
			t.Errorf("%s: got %v, want %v (%d considered)", name, why.Merit, c.want, why.Considered)
		}
		if first := why.Listed()[0]; first.Member != why.Winner {
			t.Errorf("%s: the winner is not the first listed", name)
		}
	}
}
