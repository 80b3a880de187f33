package regret

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Guards are the guards of a strategy that estimates latency, each as the setting that
// switches it off, or on where it is off by default; and its decay, three times as long as
// the default. panic_threshold is the pool's.
var Guards = []string{
	"samples=0", "near=0", "outlier=0", "penalty=0s", "aside=false", "peak=true", "age=false", "grace=0", "drift=false", "explore=10s", "seed=false",
	"scan_up_to=0", "most_choices=2", "trust=false", "slow_start=10s", "classes=true", "decay=10s", "panic_threshold=0",
}

// Ablation is what the guards are worth in several scenarios.
type Ablation struct {
	Breakers Breakers
	Rows     []AblationRow
}

// AblationRow is what the guards are worth in one scenario.
type AblationRow struct {
	Scenario           string
	Endpoints, Proxies int
	P99                float64 // of the subject as it is, seconds; the geometric mean
	Cells              []Cell  // in the order of Guards
}

// Cell is the subject with one guard switched, against the subject as it is.
type Cell struct {
	Ratio  Ratio   // of the p99s; above 1 the guard is of use
	Points float64 // errors above, hundredths of all requests
	Same   bool    // it played exactly the same
}

// remarkable is how far from 1 a ratio is to be for its cell to stand out.
const remarkable = 0.02

// Significant tells whether the ratio differs from 1 by more than 2 %, and that by more
// than chance, at 95 % for this cell alone.
func (c *Cell) Significant() bool {
	return math.Abs(c.Ratio.Value-1) > remarkable && (c.Ratio.Low > 1 || c.Ratio.High < 1)
}

// Ablate makes a table for each kind of breakers, with a row for each scenario, in their
// order. Against and Choose of the options are of no meaning here. With an error that has a
// TooFewError in it, the rows are those of the others.
func Ablate(ctx context.Context, scenarios []*scenario.Scenario, breakers []Breakers, o Options) ([]Ablation, error) {
	tables := make([]Ablation, len(breakers))
	for i, b := range breakers {
		tables[i] = Ablation{b, make([]AblationRow, len(scenarios))}
	}
	subjects := []string{o.Subject}
	for _, g := range Guards {
		subjects = append(subjects, switched(o.Subject, g))
	}
	err := o.runAll(ctx, scenarios, breakers, subjects, func(ctx context.Context, l *lab, p *plan) error {
		r, err := p.ablate(ctx, l, &o)
		if err == nil {
			tables[p.table].Rows[p.row] = r
		}
		return err
	}, func(table, same, row int) { tables[table].Rows[row] = tables[same].Rows[row] })
	for i := range tables {
		tables[i].Rows = slices.DeleteFunc(tables[i].Rows, func(r AblationRow) bool { return r.Scenario == "" })
	}
	tables = slices.DeleteFunc(tables, func(t Ablation) bool { return len(t.Rows) == 0 })
	return tables, err
}

// ablate measures each of the guards.
func (p *plan) ablate(ctx context.Context, l *lab, o *Options) (AblationRow, error) {
	r := AblationRow{Scenario: p.scenario.Name, Endpoints: p.scenario.Servers.Count, Proxies: p.scenario.Proxies}
	trials := l.series(p.scenario, o.seed(p.scenario), 0)
	whole := p.subjects[0]
	for _, without := range p.subjects[1:] {
		ratio, err := trials.compare(ctx, o.effort(p.scenario), without, whole)
		if err != nil {
			return r, err
		}
		a, b := trials.played[without.Name], trials.played[whole.Name][:ratio.Seeds]
		r.Cells = append(r.Cells, Cell{ratio, 100 * (mean(a, errorShare) - mean(b, errorShare)), slices.Equal(a, b)})
	}
	r.P99 = geometricMean(trials.played[whole.Name], p99)
	return r, nil
}

// switched is a subject with another value of one setting.
func switched(subject, setting string) string {
	key, _, _ := strings.Cut(setting, "=")
	if key == "panic_threshold" {
		return subject + "+pool{" + setting + "}"
	}
	strategy, policies := subject, ""
	if i := strings.Index(subject, "+"); i >= 0 {
		strategy, policies = subject[:i], subject[i:]
	}
	name, braced, _ := strings.Cut(strategy, "{")
	var settings []string
	for s := range strings.SplitSeq(strings.TrimSuffix(braced, "}"), ",") {
		if k, _, _ := strings.Cut(s, "="); strings.TrimSpace(k) != key && k != "" {
			settings = append(settings, s)
		}
	}
	return name + "{" + strings.Join(append(settings, setting), ",") + "}" + policies
}

// PrintAblation writes tables in Markdown.
func PrintAblation(w io.Writer, tables []Ablation, o *Options) {
	columns := []column{{"scenario", false}, {"endpoints", true}, {"proxies", true}, {"p99 ms", true}}
	for _, g := range Guards {
		columns = append(columns, column{"`" + g + "`", true})
	}
	for i, t := range tables {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "p99 of %s with one setting changed, over its p99 as it is, %s.\n\n", o.Subject, t.Breakers)
		var rows [][]string
		for _, r := range t.Rows {
			cells := []string{r.Scenario, fmt.Sprint(r.Endpoints), fmt.Sprint(r.Proxies), fmt.Sprintf("%.1f", 1000*r.P99)}
			for _, c := range r.Cells {
				cells = append(cells, c.String())
			}
			rows = append(rows, cells)
		}
		printMarkdown(w, columns, rows)
	}
}

// String is the ratio with its interval, in bold if it is significant; = where nothing
// differs; and the errors above, if they differ by as much as the goal allows.
func (c *Cell) String() string {
	if c.Same {
		return "="
	}
	text := fmt.Sprintf("%.3f (%.3f to %.3f)", c.Ratio.Value, c.Ratio.Low, c.Ratio.High)
	if c.Significant() {
		text = "**" + text + "**"
	}
	if math.Abs(c.Points) >= MostPoints {
		text += fmt.Sprintf(", errors %+.2f", c.Points)
	}
	return text
}
