package regret

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Print writes tables, aligned or as Markdown.
func Print(w io.Writer, tables []Table, o *Options, markdown bool) {
	for i, t := range tables {
		if i > 0 {
			fmt.Fprintln(w)
		}
		t.print(w, o, markdown)
	}
}

// column is a column of a table.
type column struct {
	head  string
	right bool // aligned to the right, in Markdown
}

var columns = []column{
	{"scenario", false}, {"endpoints", true}, {"proxies", true}, {"best other", false}, {"its p99 ms", true}, {"p99 ms", true},
	{"regret", true}, {"95 % interval", true}, {"errors %", true}, {"points above", true}, {"to " + Reference, true},
	{"seeds", true}, {"goal", false},
}

func (t *Table) print(w io.Writer, o *Options, markdown bool) {
	fmt.Fprintf(w, "Regret of %s, %s; goal: regret at most %.2f, errors at most %.1f points above.\n\n", o.Subject, t.Breakers, MostRegret, MostPoints)
	var rows [][]string
	ok := 0
	var worst *Row
	for i := range t.Rows {
		r := &t.Rows[i]
		rows = append(rows, r.cells(markdown))
		if r.OK() {
			ok++
		}
		if worst == nil || r.Regret.Value > worst.Regret.Value {
			worst = r
		}
	}
	if markdown {
		printMarkdown(w, columns, rows)
	} else {
		printAligned(w, columns, rows)
	}
	mean := geometricMean(t.Rows, func(r Row) float64 { return r.Regret.Value })
	fmt.Fprintf(w, "\n%d of %d ok; regret %.3f in the geometric mean, %.3f at most (%s).\n", ok, len(t.Rows), mean, worst.Regret.Value, worst.Scenario)
}

// cells are those of the columns.
func (r *Row) cells(markdown bool) []string {
	seeds, goal := fmt.Sprint(r.Regret.Seeds), "ok"
	if r.Wide {
		seeds += " (wide)"
	}
	if r.Unstable > 0 {
		seeds += " (unstable)"
	}
	switch {
	case r.OK():
	case markdown:
		goal = "**MISS**"
	default:
		goal = "MISS"
	}
	return []string{
		r.Scenario, fmt.Sprint(r.Endpoints), fmt.Sprint(r.Proxies), r.Best,
		fmt.Sprintf("%.1f", 1000*r.BestP99), fmt.Sprintf("%.1f", 1000*r.OurP99),
		fmt.Sprintf("%.3f", r.Regret.Value), fmt.Sprintf("%.3f to %.3f", r.Regret.Low, r.Regret.High),
		fmt.Sprintf("%.2f", 100*r.OurErrors), fmt.Sprintf("%+.2f", r.Points()),
		fmt.Sprintf("%.3f", r.Reference), seeds, goal,
	}
}

func printAligned(w io.Writer, columns []column, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i, c := range columns {
		if i > 0 {
			fmt.Fprint(t, "\t")
		}
		fmt.Fprint(t, c.head)
	}
	fmt.Fprintln(t)
	for _, cells := range rows {
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	t.Flush()
}

func printMarkdown(w io.Writer, columns []column, rows [][]string) {
	heads, rule := "|", "|"
	for _, c := range columns {
		heads += " " + c.head + " |"
		if c.right {
			rule += "--:|"
		} else {
			rule += "---|"
		}
	}
	fmt.Fprintf(w, "%s\n%s\n", heads, rule)
	for _, cells := range rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
}
