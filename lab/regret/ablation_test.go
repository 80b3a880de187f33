package regret

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

func TestSwitched(t *testing.T) {
	for _, c := range []struct{ subject, setting, want string }{
		{"p2c-ewma", "near=0", "p2c-ewma{near=0}"},
		{"p2c-ewma{decay=5s}", "near=0", "p2c-ewma{decay=5s,near=0}"},
		{"p2c-ewma{decay=5s, near=0.2}+fixed{limit=5}", "near=0", "p2c-ewma{decay=5s,near=0}+fixed{limit=5}"},
		{"ewma{}+fixed{limit=5}", "near=0", "ewma{near=0}+fixed{limit=5}"},
		{"p2c-ewma{decay=5s}", "panic_threshold=0", "p2c-ewma{decay=5s}+pool{panic_threshold=0}"},
	} {
		if got := switched(c.subject, c.setting); got != c.want {
			t.Errorf("%s with %s: got %s, want %s", c.subject, c.setting, got, c.want)
		}
	}
}

// Each guard that there is has its column, and switching it makes it another strategy, in
// this one setting.
func TestGuards(t *testing.T) {
	fields := reflect.TypeFor[config.Guards]()
	for i := range fields.NumField() {
		name, _, _ := strings.Cut(fields.Field(i).Tag.Get("yaml"), ",")
		if !slices.ContainsFunc(Guards, func(g string) bool { return strings.HasPrefix(g, name+"=") }) {
			t.Errorf("%s is not among the guards", name)
		}
	}
	s := parse(t, "")
	whole := subjects(t, s, "p2c-ewma")[0]
	for _, g := range Guards {
		one := subjects(t, s, switched("p2c-ewma", g))[0]
		if reflect.DeepEqual(one.Policies, whole.Policies) {
			t.Errorf("%s changes nothing", g)
		}
	}
}

// Each guard is held against the subject as it is, on the same seeds, with as many of them
// as it takes for each.
func TestAblate(t *testing.T) {
	o := defaults(speeds(0, nil))
	o.MostSeeds = 40
	played := map[string][]uint64{}
	o.Parallel = 1
	o.Play = func(_ context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64) (Trial, error) {
		played[subject.Name] = append(played[subject.Name], seed)
		p, trial := subject.Policies, Trial{P99: 0.1, Course: seed}
		switch {
		case p.Strategy.Near == 0:
			trial = Trial{P99: 0.15, Errors: 0.02}
		case p.Strategy.Samples == 0:
			trial = Trial{P99: 0.1 + 0.2*float64(seed%7), Errors: 0.01}
		case p.PanicThreshold == 0:
			trial.Course = 1
		}
		if p.Breaker.Enabled {
			trial.Errors += 0.01
		}
		return trial, nil
	}
	tables, err := Ablate(t.Context(), []*scenario.Scenario{parse(t, "servers: {count: 7}\nproxies: 3\n")}, []Breakers{AsScenario, Off}, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		r := table.Rows[0]
		if r.Scenario != "test" || r.Endpoints != 7 || r.Proxies != 3 || !near(r.P99, 0.1, 1e-12) || len(r.Cells) != len(Guards) {
			t.Fatalf("got %+v", r)
		}
		for i, c := range r.Cells {
			seeds, ratio, points, same := 10, 1.0, 0.0, true
			switch Guards[i] {
			case "near=0":
				ratio, points, same = 1.5, 2, false
			case "samples=0":
				seeds, ratio, points, same = 40, c.Ratio.Value, 1, false
			case "panic_threshold=0":
				same = false
			}
			if c.Ratio.Seeds != seeds || !near(c.Ratio.Value, ratio, 1e-9) || !near(c.Points, points, 1e-9) || c.Same != same {
				t.Errorf("%s %s: got %+v", Guards[i], table.Breakers, c)
			}
		}
	}
	var blocks []uint64
	for i := range o.MostSeeds {
		blocks = append(blocks, scenario.BlockSeed(1, i))
	}
	for name, seeds := range played {
		want := slices.Sorted(slices.Values(blocks[:len(seeds)]))
		if slices.Sort(seeds); !slices.Equal(seeds, want) {
			t.Errorf("%s is not played on the first %d blocks, each once", name, len(seeds))
		}
	}
	if n := len(played["p2c-ewma"+AsScenario.suffix()]); n != 40 {
		t.Errorf("the subject as it is has been played %d times, want 40: once for all of its guards", n)
	}
}
