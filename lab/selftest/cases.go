package selftest

import (
	"context"
	"math"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/sim"
	"github.com/evenkeel/evenkeel/lab/stat"
	"github.com/evenkeel/evenkeel/lab/trial"
)

// stopping is that of the cases: from ten blocks over fifteen to twenty, with a width that
// some experiments reach at each look.
var stopping = stat.Stopping{First: 10, Most: 20, HalfWidth: 0.1}

// Cases are all cases.
func Cases() []Case {
	return append(simulated(), synthetic()...)
}

// slower is the known ratio: the same system with all its times stretched.
const slower = 1.25

// simulated are cases in virtual time: the p99 of a small pool of servers, by a strategy
// that picks at random and has no times of its own to be stretched. Where arrivals are
// shared subjects differ by their picks only, as in an experiment of the lab; where they
// are not, by everything.
func simulated() []Case {
	aa := Case{True: 1, Promised: true, Stopping: stopping, Scale: 1, Metric: stat.P99, Subject: []string{"a", "a, once more"}}
	shared, apart, known := aa, aa, aa
	shared.Name, shared.play = "simulated, picks of their own", func(ctx context.Context, experiment uint64, block, subject int) (stat.TrialSummary, error) {
		return play(ctx, system(1), "p2c-least-requests", seed(experiment, block), subject)
	}
	apart.Name, apart.play = "simulated, arrivals of their own", func(ctx context.Context, experiment uint64, block, subject int) (stat.TrialSummary, error) {
		return play(ctx, system(1), "p2c-least-requests", seed(experiment, 1000*(subject+1)+block), 0)
	}
	known.Name, known.True, known.Subject = "simulated, all times stretched", slower, []string{"as it is", "stretched"}
	known.play = func(ctx context.Context, experiment uint64, block, subject int) (stat.TrialSummary, error) {
		return play(ctx, system([]float64{1, slower}[subject]), "p2c-least-requests", seed(experiment, 1000*(subject+1)+block), 0)
	}
	return []Case{shared, apart, known}
}

func seed(experiment uint64, block int) uint64 {
	return scenario.BlockSeed(experiment+1, block+1)
}

// system is a pool of four servers at 70 % for about 520 requests, enough for a p99, with
// all times multiplied.
func system(by float64) *scenario.Scenario {
	times := func(d time.Duration) time.Duration { return time.Duration(by * float64(d)) }
	s := scenario.Default()
	s.Name = "selftest"
	s.Servers.Count, s.Servers.Slots = 4, 2
	s.Servers.Service.Mean = times(10 * time.Millisecond)
	s.WarmUp, s.Duration = times(100*time.Millisecond), times(1050*time.Millisecond)
	s.Client.Timeout = times(s.Client.Timeout)
	s.Arrivals.Load = 0.7
	return &s
}

// play plays a trial and digests it.
func play(ctx context.Context, s *scenario.Scenario, strategy string, seed uint64, copy int) (stat.TrialSummary, error) {
	subject, err := s.Subject(strategy)
	if err != nil {
		return stat.TrialSummary{}, err
	}
	subject.Copy = copy
	var d *stat.Digester
	h, err := trial.Play(ctx, sim.Driver{}, s, trial.Plan{Subject: subject, Seed: seed}, trial.Watch{
		Begin: func(h record.Header) (each func(record.Request), err error) {
			if d, err = stat.NewDigester(h); err != nil {
				return nil, err
			}
			return d.Add, nil
		},
	})
	if err != nil {
		return stat.TrialSummary{}, err
	}
	digest, err := d.Digest(h)
	return digest.Summary, err
}

// synthetic are cases of drawn figures, with laws that are worse than any that a scenario
// has shown: the test must not need normal ones.
func synthetic() []Case {
	c := Case{True: 1, Promised: true, Stopping: stopping, Scale: 4, Metric: stat.P99, Subject: []string{"a", "b"}}
	normal, heavy, stopped, many, known, skewed := c, c, c, c, c, c
	normal.Subject = []string{"a", "b", "c", "d", "e", "f"}
	normal.Name, normal.play = "drawn, normal", drawn(1, func(k *core.Key, _ int) float64 { return 0.1 * gauss(k) })
	// Student's t with two degrees of freedom: its variance is infinite.
	heavy.Stopping = stat.Stopping{First: 20, Most: 20}
	heavy.Name, heavy.play = "drawn, heavy tails, twenty blocks", drawn(1, func(k *core.Key, _ int) float64 {
		return 0.1 * gauss(k) / math.Sqrt(-math.Log(k.Float64()))
	})
	// With such tails blocks that happen to lie together look more certain than they are,
	// and that is when the experiment stops.
	stopped.Name, stopped.play, stopped.Promised = "drawn, heavy tails, stopped when narrow", heavy.play, false
	many.Name, many.play = "drawn, normal, thirty blocks", normal.play
	many.Stopping = stat.Stopping{First: 30, Most: 30}
	known.Stopping = heavy.Stopping
	known.Name, known.True, known.play = "drawn, heavy tails, twenty blocks", 1.1, drawn(1.1, func(k *core.Key, _ int) float64 {
		return 0.1 * gauss(k) / math.Sqrt(-math.Log(k.Float64()))
	})
	// An exponential law about its mean on one side only: differences that are not
	// symmetric, of which the test promises nothing.
	skewed.Name, skewed.True, skewed.Promised = "drawn, skewed on one side", 1.1, false
	skewed.play = drawn(1.1, func(k *core.Key, subject int) float64 {
		if subject == 0 {
			return 0.02 * gauss(k)
		}
		return 0.1 * (-math.Log(k.Float64()) - 1)
	})
	return []Case{normal, heavy, stopped, many, known, skewed}
}

// drawn plays trials whose p99 is drawn: in a block all have a factor in common, as with
// common random numbers, and each has noise, in logarithms, of its own. The subjects but
// the baseline have the ratio.
func drawn(ratio float64, noise func(k *core.Key, subject int) float64) func(context.Context, uint64, int, int) (stat.TrialSummary, error) {
	return func(_ context.Context, experiment uint64, block, subject int) (stat.TrialSummary, error) {
		of := core.NewKey(core.Hash("drawn")).At(experiment).At(uint64(block))
		own := of.At(uint64(subject) + 1)
		p99 := math.Exp(0.3*gauss(&of) + noise(&own, subject))
		if subject > 0 {
			p99 *= ratio
		}
		var t stat.TrialSummary
		t.Latency.P99 = &p99
		return t, nil
	}
}

// gauss is a standard normal draw (Box and Muller, 1958).
func gauss(k *core.Key) float64 {
	return math.Sqrt(-2*math.Log(k.Float64())) * math.Cos(2*math.Pi*k.Float64())
}
