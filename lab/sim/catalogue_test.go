package sim

import (
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/lab/scenario"
)

// outcome is what the catalogue's claims are about.
type outcome struct {
	p99    time.Duration
	errors float64
}

// play3 plays a scenario of the catalogue with three seeds, at a sixth of its length.
func play3(t *testing.T, name, subject string) (all [3]outcome) {
	t.Helper()
	s, err := scenario.Load("../../scenarios", name, scenario.Sim)
	if err != nil {
		t.Fatal(err)
	}
	const shorter = 6
	s.Duration, s.WarmUp = s.Duration/shorter, s.WarmUp/shorter
	for i := range s.Faults {
		s.Faults[i].From, s.Faults[i].To = s.Faults[i].From/shorter, s.Faults[i].To/shorter
	}
	for i := range all {
		requests := after(play(t, s, subject, scenario.BlockSeed(s.Seed, i)).Requests, s.WarmUp)
		failed := 0
		for _, r := range requests {
			if !r.OK() {
				failed++
			}
		}
		all[i] = outcome{quantile(s, requests, 0.99), float64(failed) / float64(len(requests))}
	}
	return all
}

// The catalogue's winners and losers, with so much room that only a strategy that has
// lost its point, or a scenario that has, goes beyond.
func TestCatalogue(t *testing.T) {
	t.Run("one-slow", func(t *testing.T) {
		t.Parallel()
		robin, ewma := play3(t, "one-slow", "round-robin"), play3(t, "one-slow", "p2c-ewma")
		for i := range robin {
			if ewma[i].p99*10 >= robin[i].p99 {
				t.Errorf("block %d: p99 of p2c-ewma %v, want less than a tenth of round-robin's %v", i, ewma[i].p99, robin[i].p99)
			}
		}
	})
	t.Run("black-hole", func(t *testing.T) {
		t.Parallel()
		least, ewma := play3(t, "black-hole", "least-requests"), play3(t, "black-hole", "p2c-ewma")
		for i := range least {
			if ewma[i].errors >= 0.005 {
				t.Errorf("block %d: errors of p2c-ewma %.4f, want less than 0.005", i, ewma[i].errors)
			}
			if least[i].errors <= 0.2 {
				t.Errorf("block %d: errors of least-requests %.4f, want more than 0.2", i, least[i].errors)
			}
		}
	})
	t.Run("calm", func(t *testing.T) {
		t.Parallel()
		robin, ewma := play3(t, "calm", "round-robin"), play3(t, "calm", "p2c-ewma")
		for i := range robin {
			if ratio := float64(ewma[i].p99) / float64(robin[i].p99); ratio < 0.85 || ratio > 1.15 {
				t.Errorf("block %d: p99 of p2c-ewma %v, want within 15%% of round-robin's %v", i, ewma[i].p99, robin[i].p99)
			}
			if ewma[i].errors != 0 || robin[i].errors != 0 {
				t.Errorf("block %d: errors %v and %v, want none", i, ewma[i].errors, robin[i].errors)
			}
		}
	})
}
