package stat

import (
	"math"
	"testing"
)

func TestStopping(t *testing.T) {
	with := func(intervals ...*[2]float64) *Scenario {
		s := new(Scenario)
		for _, i := range intervals {
			s.Verdicts = append(s.Verdicts, Verdict{Metric: P99, Effect: Effect{CI95: i}})
		}
		return s
	}
	wide, narrow := &[2]float64{math.Exp(-0.3), math.Exp(0.1)}, &[2]float64{math.Exp(0.5), math.Exp(0.6)}
	for _, c := range []struct {
		name   string
		rule   Stopping
		blocks int
		of     *Scenario
		want   int
	}{
		{"wide", Stopping{10, 100, 0.19}, 10, with(narrow, wide), 15},
		{"just narrow enough", Stopping{10, 100, 0.2001}, 10, with(narrow, wide), 10},
		{"none yet", Stopping{5, 100, 0.2}, 5, with(narrow, nil), 8},
		{"no more than most", Stopping{10, 20, 0.1}, 15, with(wide), 20},
		{"most", Stopping{10, 20, 0.1}, 20, with(wide), 20},
		{"one block", Stopping{1, 20, 0.1}, 1, with(nil), 2},
		{"nothing asked", Stopping{10, 20, 0}, 10, with(wide), 10},
		{"nothing to compare", Stopping{10, 20, 0.1}, 10, with(), 10},
	} {
		if got := c.rule.Next(c.blocks, c.of); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
	// Errors have a scale of their own: shares.
	errors := &Scenario{Verdicts: []Verdict{{Metric: ErrorRatio, Effect: Effect{Errors: Difference{CI95: &[2]float64{-0.02, 0.04}}}}}}
	if got := (Stopping{10, 20, 0.031}).Next(10, errors); got != 10 {
		t.Errorf("errors: got %d, want 10", got)
	}
	if got := (Stopping{10, 20, 0.029}).Next(10, errors); got != 15 {
		t.Errorf("errors: got %d, want 15", got)
	}
}
