package regret

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/lab/scenario"
)

// speeds are p99s by strategy, with noise.
func speeds(noise float64, p99 map[string]float64) *fake {
	return &fake{p99: func(strategy string, chance *rand.Rand) float64 {
		return p99[strategy] * math.Exp(noise*chance.NormFloat64())
	}}
}

var equal = map[string]float64{
	"p2c-ewma": 0.1, "round-robin": 0.1, "weighted-round-robin": 0.1, "random": 0.1, "least-requests": 0.1, "p2c-least-requests": 0.1, "ewma": 0.1,
}

// row runs one row.
func row(t *testing.T, s *scenario.Scenario, o Options) Row {
	t.Helper()
	tables, err := Run(t.Context(), []*scenario.Scenario{s}, []Breakers{AsScenario}, o)
	if err != nil {
		t.Fatal(err)
	}
	return tables[0].Rows[0]
}

// The best of the others is found, and it is the measure.
func TestRow(t *testing.T) {
	f := speeds(0, map[string]float64{
		"p2c-ewma": 0.12, "round-robin": 0.5, "weighted-round-robin": 0.4, "random": 0.9, "least-requests": 0.1, "p2c-least-requests": 0.15, "ewma": 0.11,
	})
	got := row(t, parse(t, "servers: {count: 7}\nproxies: 3\n"), defaults(f))
	want := Row{
		Scenario: "test", Endpoints: 7, Proxies: 3, Best: "least-requests", Regret: Ratio{1.2, 1.2, 1.2, firstSeeds},
		BestP99: 0.1, OurP99: 0.12, Reference: 0.8,
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return near(a, b, 1e-9) })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is chosen by is not what is measured: no seed is used for both. Each strategy is
// chosen by the same seeds, and the pairs are measured on the same ones.
func TestSeeds(t *testing.T) {
	f := speeds(0.3, equal)
	o := defaults(f)
	o.Choose, o.MostSeeds = 7, 40
	r := row(t, parse(t, ""), o)
	var choice []uint64
	for i := range o.Choose {
		choice = append(choice, scenario.BlockSeed(1, i))
	}
	slices.Sort(choice)
	measured := map[string]bool{"p2c-ewma": true, Reference: true, r.Best: true}
	for strategy, seeds := range f.seeds {
		slices.Sort(seeds)
		fresh := slices.DeleteFunc(slices.Clone(seeds), func(s uint64) bool { return slices.Contains(choice, s) })
		want := 0
		if measured[strategy] {
			want = r.Regret.Seeds
		}
		if len(seeds) != o.Choose+want || len(fresh) != want || len(slices.Compact(seeds)) != o.Choose+want {
			t.Errorf("%s: played on %d seeds, %d of them fresh: want each of %d for the choice and %d fresh ones once",
				strategy, len(seeds), len(fresh), o.Choose, want)
		}
	}
	if r.Regret.Seeds != 40 || !r.Wide {
		t.Errorf("got %+v, want 40 seeds, still wide", r)
	}
	for _, c := range []struct {
		precision float64
		wide      bool
	}{{r.Regret.HalfWidth() / 1.01, true}, {r.Regret.HalfWidth() * 1.01, false}} {
		o.Precision = c.precision
		if again := row(t, parse(t, ""), o); again.Regret != r.Regret || again.Wide != c.wide {
			t.Errorf("precision %v: got %+v, want wide: %t", c.precision, again, c.wide)
		}
	}
	f.seeds, o.Seed = nil, new(uint64(99))
	row(t, parse(t, ""), o)
	if !slices.Contains(f.seeds["random"], 99) || slices.Contains(f.seeds["random"], 1) {
		t.Errorf("another seed: played on %v", f.seeds["random"])
	}
}

// Choosing does not flatter: among equals the regret is 1, as often above as below. If the
// best one were measured by what it was chosen by, it would look better than it is: of six
// with a noise of 0.1 on four seeds each, by 1.27·0.05 = 6 % (1.267 is the expected
// greatest of six normal variables). The mean of the logarithm over the experiments has a
// standard error of 0.1·sqrt(2/10)/sqrt(400) = 0.0022; four of them are allowed.
func TestChoiceDoesNotFlatter(t *testing.T) {
	const experiments = 400
	o := defaults(speeds(0.1, equal))
	o.MostSeeds = 10
	s := parse(t, "")
	sum := 0.0
	for i := range experiments {
		o.Seed = new(uint64(1000 * i))
		sum += math.Log(row(t, s, o).Regret.Value)
	}
	if mean := sum / experiments; !near(mean, 0, 4*0.1*math.Sqrt(2.0/10/experiments)) {
		t.Errorf("among equals the logarithm of the regret is %.4f in the mean, want 0", mean)
	}
}

// alike plays the same course for the names given.
type alike struct {
	fake
	names []string
}

func (a *alike) play(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64) (Trial, error) {
	t, err := a.fake.play(ctx, s, subject, seed)
	if slices.ContainsFunc(a.names, func(n string) bool { return subject.Name == n+AsScenario.suffix() }) {
		t.Course = 1
	}
	return t, err
}

// The best has the least p99, then the fewest errors, then the first place; one that is
// the subject under another name is not held against it.
func TestBest(t *testing.T) {
	a, b, c, d := []Trial{{P99: 1, Errors: 0.5}, {P99: 4}}, []Trial{{P99: 2}, {P99: 2}}, []Trial{{P99: 2, Errors: 0.1}, {P99: 2}}, []Trial{{P99: 3}, {P99: 1}}
	s := &series{played: map[string][]Trial{"a": a, "b": b, "c": c, "d": d, "us": d, "b again": b}}
	list := func(names ...string) (all []scenario.Subject) {
		for _, n := range names {
			all = append(all, scenario.Subject{Name: n})
		}
		return all
	}
	for _, test := range []struct {
		others []string
		want   int
	}{
		{[]string{"a", "b"}, 1},
		{[]string{"c", "b", "a"}, 1},
		{[]string{"b", "b again"}, 0},
		{[]string{"a", "b", "d"}, 1},
		{[]string{"d"}, 0},
		{[]string{"d", "a"}, 1},
	} {
		if got := s.best(list("us")[0], list(test.others...)); got != test.want {
			t.Errorf("%v: got %s, want %s", test.others, test.others[got], test.others[test.want])
		}
	}
	s.played["us"] = nil
	if got := s.best(list("us")[0], list("a", "b", "d")); got != 2 {
		t.Errorf("nobody is the subject: got %d, want d", got)
	}
	twin := &alike{*speeds(0, equal), []string{"p2c-ewma", "round-robin"}}
	o := defaults(nil)
	o.Play = twin.play
	if r := row(t, parse(t, ""), o); r.Best != "weighted-round-robin" {
		t.Errorf("got %s, want it to be another strategy than the subject", r.Best)
	}
}

// The same options give the same rows on any number of cores, and rows do not hang on the
// others.
func TestDeterministic(t *testing.T) {
	s, other := parse(t, ""), parse(t, "seed: 5\n")
	var want []Table
	for _, cores := range []int{1, 2, 16} {
		o := defaults(speeds(0.1, equal))
		o.Parallel = cores
		got, err := Run(t.Context(), []*scenario.Scenario{s, other, s}, []Breakers{AsScenario, Off}, o)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d cores (-want +got):\n%s", cores, diff)
		}
		if got[0].Rows[0] != got[0].Rows[2] || got[0].Rows[0] == got[0].Rows[1] {
			t.Errorf("rows 0 and 2 are of the same scenario, and row 1 is not: %+v", got[0].Rows)
		}
	}
}

// Nobody tries again in the proxy, and a table is without breakers; a scenario without
// them is played once for both tables.
func TestPolicies(t *testing.T) {
	on, off := parse(t, "proxy: {retries: {attempts: 3}}\n"), parse(t, "proxy: {breaker: {enabled: false}}\n")
	var rows []string
	played := 0
	o := defaults(speeds(0, equal))
	o.Parallel = 1
	fakes := o.Play
	o.Play = func(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64) (Trial, error) {
		played++
		if subject.Policies.Retries.Attempts != 1 {
			t.Errorf("%s: %d attempts, want 1", subject.Name, subject.Policies.Retries.Attempts)
		}
		trial, err := fakes(ctx, s, subject, seed)
		if subject.Policies.Breaker.Enabled {
			trial.P99 *= 2
		}
		return trial, err
	}
	o.Done = func(done, total int, label string) {
		if rows = append(rows, label); done != len(rows) || total != 3 {
			t.Errorf("told of row %d of %d, want %d of 3", done, total, len(rows))
		}
	}
	tables, err := Run(t.Context(), []*scenario.Scenario{on, off}, []Breakers{AsScenario, Off}, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 || played != 3*(7*o.Choose+3*firstSeeds) {
		t.Errorf("measured %q in %d trials, want three rows", rows, played)
	}
	p99 := func(table, row int) float64 { return tables[table].Rows[row].OurP99 }
	if !near(p99(0, 0), 0.2, 1e-9) || !near(p99(1, 0), 0.1, 1e-9) || !near(p99(0, 1), 0.1, 1e-9) || tables[0].Rows[1] != tables[1].Rows[1] {
		t.Errorf("got %+v", tables)
	}
}

// Errors and what is unstable are those of the trials that are measured; the goal looks at
// regret and errors.
func TestErrors(t *testing.T) {
	o := defaults(speeds(0, equal))
	o.Against = []string{"random", "round-robin"}
	fakes := o.Play
	o.Play = func(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64) (Trial, error) {
		trial, err := fakes(ctx, s, subject, seed)
		switch subject.Policies.Strategy.Name {
		case "p2c-ewma":
			trial.Errors, trial.Unstable = 0.03, true
		case "random":
			trial.Errors, trial.Unstable = 0.01, true
		case Reference:
			trial.Unstable = true
		default:
			trial.P99 *= 2
		}
		return trial, err
	}
	r := row(t, parse(t, ""), o)
	if r.Best != "random" || !near(r.OurErrors, 0.03, 1e-12) || !near(r.BestErrors, 0.01, 1e-12) || !near(r.Points(), 2, 1e-9) || r.Unstable != 2*firstSeeds {
		t.Errorf("got %+v, %v points above", r, r.Points())
	}
	for _, c := range []struct {
		regret, ours float64
		want         bool
	}{{1, 0.01, true}, {1.05, 0.0109, true}, {1.051, 0.01, false}, {1, 0.0112, false}, {0.5, 0.012, false}, {1.2, 0, false}} {
		r.Regret.Value, r.OurErrors = c.regret, c.ours
		if r.OK() != c.want {
			t.Errorf("%+v: got %t", c, r.OK())
		}
	}
}

// A trial that cannot be played ends everything, and so does an interruption.
func TestStopped(t *testing.T) {
	broken := errors.New("broken")
	o := defaults(speeds(0, equal))
	fakes := o.Play
	o.Play = func(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64) (Trial, error) {
		if subject.Policies.Strategy.Name == "random" {
			return Trial{}, broken
		}
		return fakes(ctx, s, subject, seed)
	}
	s := parse(t, "")
	if _, err := Run(t.Context(), []*scenario.Scenario{s, s, s}, []Breakers{AsScenario}, o); !errors.Is(err, broken) {
		t.Errorf("got %v, want the player's error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, []*scenario.Scenario{s}, []Breakers{AsScenario}, defaults(speeds(0, equal))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it interrupted", err)
	}
	o.Subject = "p2c-ewma+retries{attempts=2}"
	if _, err := Run(t.Context(), []*scenario.Scenario{s}, []Breakers{AsScenario}, o); err == nil {
		t.Error("a subject with retries is accepted")
	}
}
