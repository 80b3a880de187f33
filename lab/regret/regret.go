// Package regret says how far a strategy is from the best of the others, scenario by
// scenario, and what each of its guards is worth.
//
// Regret is the ratio of two p99s: the subject's, and that of the best of the strategies
// that it is held against. The best one is chosen on seeds of its own and then played, as
// the subject is, on fresh ones: the least of several noisy figures is too low, and would
// make the subject look worse than it is. Trials of the same seed have the same work to do
// (package trial), so ratios are taken seed by seed, and it is their logarithms that are
// averaged. Seeds are added until the interval is narrow.
//
// Every subject has the scenario's policies, but no retries in the proxy: what is compared
// is where a request is sent, not how often. Nothing is read from a clock, and the same
// options give the same rows, on any number of cores.
package regret

import (
	"cmp"
	"context"
	"slices"

	"github.com/evenkeel/evenkeel/lab/scenario"
)

// The goal.
const (
	MostRegret = 1.05
	// MostPoints is how many points, hundredths of all requests, more may fail than
	// with the best of the others.
	MostPoints = 0.1
)

// Others are the strategies that a subject is held against unless others are named: those
// that need no reports of the servers.
var Others = []string{"round-robin", "weighted-round-robin", "random", "least-requests", "p2c-least-requests", "ewma"}

// Reference is the strategy that has a column of its own: the best that is known without
// looking at latencies and without scanning.
const Reference = "p2c-least-requests"

// Breakers says which breakers the subjects have.
type Breakers int

const (
	AsScenario Breakers = iota // the scenario's
	Off
)

// String says it in the heading of a table.
func (b Breakers) String() string {
	if b == Off {
		return "without breakers"
	}
	return "with the scenario's breakers"
}

// suffix is what is added to each subject.
func (b Breakers) suffix() string {
	if b == Off {
		return "+retries{attempts=1}+breaker{enabled=false}"
	}
	return "+retries{attempts=1}"
}

// Options say what is compared, and how thoroughly.
type Options struct {
	Subject string
	Against []string // at least one
	// Choose is on how many seeds the best is chosen, at least 1; MostSeeds how many
	// are measured at most, at least 2. Of large trials there are fewer (see effort).
	Choose, MostSeeds int
	// Precision is the half-width of the interval of the logarithm of the ratio at which
	// no more seeds are needed, above 0.
	Precision float64
	Seed      *uint64 // of the first block; nil: the scenario's
	Parallel  int     // trials at once, at least 1
	Play      Player
	// Done is told of each row that is measured, one at a time, in any order: how many
	// that makes of how many in all, and which it was; nil for nobody.
	Done func(done, total int, label string)
}

// seed is that of the first block.
func (o *Options) seed(s *scenario.Scenario) uint64 {
	if o.Seed != nil {
		return *o.Seed
	}
	return s.Seed
}

// Row is the regret in one scenario. P99s are geometric means over the seeds in seconds,
// errors are means of shares.
type Row struct {
	Scenario           string
	Endpoints, Proxies int
	Best               string // of the others
	Regret             Ratio
	BestP99, OurP99    float64
	BestErrors         float64
	OurErrors          float64
	Reference          float64 // the subject's p99 over that of Reference
	Wide               bool    // the seeds did not do for the precision
	Unstable           int     // trials of the subject and of the best that had no steady state
}

// Points is how many points more fail than with the best of the others.
func (r *Row) Points() float64 { return 100 * (r.OurErrors - r.BestErrors) }

// OK reports whether the goal is reached.
func (r *Row) OK() bool { return r.Regret.Value <= MostRegret && r.Points() <= MostPoints }

// Table is the regret in several scenarios.
type Table struct {
	Breakers Breakers
	Rows     []Row
}

// Run makes a table for each kind of breakers, with a row for each scenario, in their
// order. With an error that has a TooFewError in it, the rows are those of the others.
func Run(ctx context.Context, scenarios []*scenario.Scenario, breakers []Breakers, o Options) ([]Table, error) {
	tables := make([]Table, len(breakers))
	for i, b := range breakers {
		tables[i] = Table{b, make([]Row, len(scenarios))}
	}
	subjects := append([]string{o.Subject, Reference}, o.Against...)
	err := o.runAll(ctx, scenarios, breakers, subjects, func(ctx context.Context, l *lab, p *plan) error {
		r, err := p.measure(ctx, l, &o)
		if err == nil {
			tables[p.table].Rows[p.row] = r
		}
		return err
	}, func(table, same, row int) { tables[table].Rows[row] = tables[same].Rows[row] })
	for i := range tables {
		tables[i].Rows = slices.DeleteFunc(tables[i].Rows, func(r Row) bool { return r.Scenario == "" })
	}
	tables = slices.DeleteFunc(tables, func(t Table) bool { return len(t.Rows) == 0 })
	return tables, err
}

// measure chooses the best of the others and measures the regret.
func (p *plan) measure(ctx context.Context, l *lab, o *Options) (Row, error) {
	r := Row{Scenario: p.scenario.Name, Endpoints: p.scenario.Servers.Count, Proxies: p.scenario.Proxies}
	subject, reference, others := p.subjects[0], p.subjects[1], p.subjects[2:]

	e := o.effort(p.scenario)
	choice := l.series(p.scenario, o.seed(p.scenario), 0)
	if err := choice.extend(ctx, e.choose, append(slices.Clone(others), subject)...); err != nil {
		return r, err
	}
	chosen := choice.best(subject, others)
	best := others[chosen]
	r.Best = o.Against[chosen]

	fresh := l.series(p.scenario, o.seed(p.scenario), e.choose)
	var err error
	if r.Regret, err = fresh.compare(ctx, e, subject, best); err != nil {
		return r, err
	}
	if err := fresh.extend(ctx, r.Regret.Seeds, reference); err != nil {
		return r, err
	}
	r.Reference = fresh.ratio(r.Regret.Seeds, subject, reference).Value
	r.Wide = r.Regret.HalfWidth() > o.Precision
	ours, theirs := fresh.played[subject.Name], fresh.played[best.Name]
	r.OurP99, r.BestP99 = geometricMean(ours, p99), geometricMean(theirs, p99)
	r.OurErrors, r.BestErrors = mean(ours, errorShare), mean(theirs, errorShare)
	for _, t := range slices.Concat(ours, theirs) {
		if t.Unstable {
			r.Unstable++
		}
	}
	return r, nil
}

// best is the place of the one of the others with the least p99; of equal ones that with
// the fewest errors, and of those the first. One that plays exactly as the subject does is
// no other strategy here, whatever its name: it is passed over unless all of them are.
func (s *series) best(subject scenario.Subject, others []scenario.Subject) int {
	best := -1
	for i, other := range others {
		trials := s.played[other.Name]
		if slices.Equal(trials, s.played[subject.Name]) {
			continue
		}
		if best < 0 || better(trials, s.played[others[best].Name]) {
			best = i
		}
	}
	return max(0, best)
}

func better(a, b []Trial) bool {
	return cmp.Or(
		cmp.Compare(geometricMean(a, p99), geometricMean(b, p99)),
		cmp.Compare(mean(a, errorShare), mean(b, errorShare)),
	) < 0
}

func p99(t Trial) float64        { return t.P99 }
func errorShare(t Trial) float64 { return t.Errors }
