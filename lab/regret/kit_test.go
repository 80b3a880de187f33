package regret

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/evenkeel/evenkeel/lab/scenario"
)

// parse reads a scenario; what is not given is as usual.
func parse(t testing.TB, text string) *scenario.Scenario {
	t.Helper()
	if !strings.Contains(text, "arrivals:") {
		text += "arrivals: {rate: 100}\n"
	}
	s, err := scenario.Parse("test.yaml", []byte("version: 1\nname: test\nmodels: Something.\n"+text), scenario.Sim)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fake is a player that makes p99s up: it asks for that of a strategy, with the chance of
// the seed and strategy. It keeps in mind which seeds a strategy was played on.
type fake struct {
	p99 func(strategy string, chance *rand.Rand) float64

	mu    sync.Mutex
	seeds map[string][]uint64
}

func (f *fake) play(_ context.Context, _ *scenario.Scenario, subject scenario.Subject, seed uint64) (Trial, error) {
	strategy, _, _ := strings.Cut(subject.Name, "+")
	f.mu.Lock()
	if f.seeds == nil {
		f.seeds = map[string][]uint64{}
	}
	f.seeds[strategy] = append(f.seeds[strategy], seed)
	f.mu.Unlock()
	of := uint64(0)
	for _, c := range []byte(subject.Name) {
		of = of*31 + uint64(c)
	}
	chance := rand.New(rand.NewPCG(seed, of))
	return Trial{P99: f.p99(strategy, chance), Course: of}, nil
}

// defaults are options for a fake.
func defaults(f *fake) Options {
	return Options{
		Subject: "p2c-ewma", Against: Others, Choose: 4, MostSeeds: 100, Precision: 0.02, Parallel: 2, Play: f.play,
	}
}

// subjects reads subjects.
func subjects(t testing.TB, s *scenario.Scenario, texts ...string) (all []scenario.Subject) {
	t.Helper()
	for _, text := range texts {
		subject, err := s.Subject(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, subject)
	}
	return all
}
