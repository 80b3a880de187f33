package certify

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/sim"
)

// reduced are systems whose figures vary so little that they can be certified within
// seconds, also under the race detector. For M/M/1 at a load of 0.5 the standard error of
// the mean over N requests is 2.7/√N of it: 0.2 % for the two million played here.
func reduced(t *testing.T) []Case {
	t.Helper()
	all := Cases()
	var some []Case
	for _, one := range []struct {
		name     string
		requests int
	}{{"M/M/1 at 0.5", 200_000}, {"M/M/16 at 0.8", 200_000}, {"M/D/1 shared, at 0.5", 150_000}} {
		i := slices.IndexFunc(all, func(c Case) bool { return c.Name == one.name })
		if i < 0 {
			t.Fatalf("there is no case %q", one.name)
		}
		c := all[i]
		c.Requests = one.requests
		some = append(some, c)
	}
	return some
}

func TestSimulatorAgreesWithTheory(t *testing.T) {
	results, err := Run(t.Context(), reduced(t), Options{Seeds: 10, Effort: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 5 {
		t.Fatalf("got %d figures, want 5", len(results))
	}
	for _, r := range results {
		if !r.OK() {
			t.Errorf("%s, %s: got %v (%v to %v), want %v ± %v", r.Case, r.Figure, r.Mean, r.Low, r.High, r.Theory, r.Margin)
		}
	}
}

// A fault in the loop, small enough to be overlooked otherwise, is found.
func TestFaultsAreFound(t *testing.T) {
	const queue, shared = 0, 2 // places among the reduced
	for name, fault := range map[string]struct {
		of   int
		play func(context.Context, *scenario.Scenario, scenario.Subject, uint64, func(record.Request)) (sim.Outcome, error)
	}{
		"work takes 2 % longer": {queue, func(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (sim.Outcome, error) {
			s.Servers.Service.Mean += s.Servers.Service.Mean / 50
			s.Arrivals = scenario.Arrivals{Law: "poisson", Rate: s.Rate() * 1.02} // as it was
			return sim.Run(ctx, s, subject, seed, each)
		}},
		"arrivals at equal intervals": {queue, func(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (sim.Outcome, error) {
			s.Arrivals.Law = "constant"
			return sim.Run(ctx, s, subject, seed, each)
		}},
		"each request gets the whole speed": {shared, func(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (sim.Outcome, error) {
			s.Arrivals = scenario.Arrivals{Law: "poisson", Rate: s.Rate()} // as it was
			s.Servers.Slots = 1000
			return sim.Run(ctx, s, subject, seed, each)
		}},
		"whoever came first gets it all": {shared, func(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (sim.Outcome, error) {
			s.Servers.Discipline = scenario.Queueing
			return sim.Run(ctx, s, subject, seed, each)
		}},
		"the slowest of fifty is lost": {queue, func(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (sim.Outcome, error) {
			var held []record.Request
			return sim.Run(ctx, s, subject, seed, func(r record.Request) {
				if held = append(held, r); len(held) == 50 {
					slowest := slices.MaxFunc(held, func(a, b record.Request) int { return int(a.ResponseTime() - b.ResponseTime()) })
					for _, r := range held {
						if r.Seq != slowest.Seq {
							each(r)
						}
					}
					held = held[:0]
				}
			})
		}},
	} {
		c := reduced(t)[fault.of]
		if c.Requests = 50_000; fault.of == shared {
			c.Requests = 5_000 // these faults are coarse
		}
		results, err := Run(t.Context(), []Case{c}, Options{Seeds: 10, Effort: 1, Play: fault.play})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(results, func(r Result) bool { return !r.OK() }) {
			t.Errorf("%s: certified all the same: %+v", name, results)
		}
		var b strings.Builder
		if Print(&b, results); !strings.Contains(b.String(), "MISS") {
			t.Errorf("%s: the table does not say so:\n%s", name, b.String())
		}
	}
}

// Mean 3, standard deviation √2.5 of five: the 95 % t quantile at 4 degrees of freedom is
// 2.776, so the half width is 2.776·√(2.5/5) = 1.963.
func TestInterval(t *testing.T) {
	mean, low, high := interval([]float64{1, 2, 3, 4, 5})
	if mean != 3 || math.Abs(low-1.0367) > 1e-3 || math.Abs(high-4.9633) > 1e-3 {
		t.Errorf("got %v (%v to %v), want 3 (1.037 to 4.963)", mean, low, high)
	}
}

// A quantile is within half a bucket of the exact one.
func TestTally(t *testing.T) {
	s := newTally()
	for i := range 1000 {
		s.add(record.Request{Code: 200, Done: core.Instant(1000*(i+1)) * core.Instant(unit)})
	}
	s.add(record.Request{Code: 503})
	if got := s.p99(); math.Abs(got/990_000-1) > grain {
		t.Errorf("p99: got %v, want 990000 within %v", got, grain)
	}
	if got, want := s.refused(), 1/1001.0; got != want {
		t.Errorf("refused: got %v, want %v", got, want)
	}
	if got, want := s.mean(), 500_500.0; math.Abs(got-want) > 1e-6*want {
		t.Errorf("mean: got %v, want %v", got, want)
	}
}
