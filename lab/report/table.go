package report

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// cell is a cell of a table, for HTML and Markdown alike.
type cell struct {
	Text   string
	Sub    string        // a smaller second line
	Strong bool          // the best of its row or column
	Tint   int           // 0 to 4: how far from the best
	Class  string        // win, loss, tie or reference; empty for anything else
	Lines  []line        // further lines below the text
	Link   string        // the section it leads to
	Bars   template.HTML // a small chart before the text
}

// line is a line of a cell that has several.
type line struct {
	Text  string
	Class string // as of a cell
}

// table has a name in the first cell of each row.
type table struct {
	Head []string
	Rows [][]cell
	Text bool // cells are words rather than figures
}

// overview is scenario × subject: median p99, and the error ratio where there are
// errors.
func overview(list []section) table {
	subjects := names(list)
	t := table{Head: append([]string{"scenario", "trials"}, subjects...)}
	for i := range list {
		s := &list[i]
		most, void := s.trials()
		trials := cell{Text: fmt.Sprint(most), Sub: marks(void, 0)} // what is unstable stands with each subject
		row := []cell{{Text: s.Scenario.Scenario, Sub: briefly(s.Driver), Link: s.ID}, trials}
		best := s.best()
		for _, name := range subjects {
			at := slices.IndexFunc(s.Subjects, func(sub subject) bool { return sub.Name == name })
			if at < 0 {
				row = append(row, cell{})
				continue
			}
			row = append(row, s.Subjects[at].overviewCell(best))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (s *subject) overviewCell(best *float64) cell {
	if s.Median == nil {
		return cell{Text: "void"}
	}
	c := cell{Text: duration(s.p99())}
	var notes []string
	if s.unstable() > 0 {
		notes = append(notes, "unstable")
	}
	if s.Median.ErrorRatio > 0 {
		notes = append(notes, "errors "+percent(s.Median.ErrorRatio))
	}
	c.Sub = strings.Join(notes, ", ")
	if v := s.p99(); v != nil && best != nil && !stat.Reference(s.Name) {
		c.Strong = s.eligible() && c.Text == duration(best)
		for _, limit := range []float64{1.1, 1.5, 3, 10} {
			if *v > limit**best {
				c.Tint++
			}
		}
	}
	return c
}

// latencies is a row of medians per subject.
func (s *section) latencies() table {
	t := table{Head: []string{"subject", "mean", "p50", "p90", "p99", "p99.9", "max", "p99 of successes", "errors", "goodput", "within objective", "trials"}}
	best := s.best()
	for i := range s.Subjects {
		sub := &s.Subjects[i]
		row := []cell{{Text: sub.Name}}
		trials := cell{Text: fmt.Sprint(len(sub.Trials)), Sub: marks(len(sub.voids()), sub.unstable())}
		m := sub.Median
		if m == nil {
			for range len(t.Head) - 2 {
				row = append(row, cell{Text: none})
			}
			t.Rows = append(t.Rows, append(row, trials))
			continue
		}
		l := &m.Latency
		for _, v := range []*float64{l.Mean, l.P50, l.P90, l.P99, l.P999, l.Max, m.LatencyOK.P99} {
			row = append(row, cell{Text: duration(v)})
		}
		row[4].Strong = best != nil && l.P99 != nil && sub.eligible() && duration(l.P99) == duration(best)
		row = append(row, cell{Text: percent(m.ErrorRatio)}, cell{Text: significant(m.GoodputRPS) + " /s"},
			cell{Text: percent(m.WithinObjective)}, trials)
		t.Rows = append(t.Rows, row)
	}
	return t
}

// marks says how many trials are void, and unstable; empty when none is.
func marks(void, unstable int) string {
	var parts []string
	if void > 0 {
		parts = append(parts, fmt.Sprintf("%d void", void))
	}
	if unstable > 0 {
		parts = append(parts, fmt.Sprintf("%d unstable", unstable))
	}
	return strings.Join(parts, ", ")
}

// voids are the subject's trials that do not count.
func (s *subject) voids() []stat.TrialSummary {
	return slices.DeleteFunc(slices.Clone(s.Trials), func(t stat.TrialSummary) bool { return t.Void == "" })
}

// decisions is how each subject decided, and where the traffic went.
func (s *section) decisions() table {
	t := table{Head: []string{"subject", "adaptive", "fallback", "panic", "why", "share per endpoint"}, Text: true}
	for i := range s.Subjects {
		sub := &s.Subjects[i]
		row := []cell{{Text: sub.Name}}
		if sub.Median == nil {
			for range len(t.Head) - 1 {
				row = append(row, cell{Text: none})
			}
			t.Rows = append(t.Rows, row)
			continue
		}
		m := sub.Median
		if m.Modes == (stat.Modes{}) {
			row = append(row, cell{Text: none}, cell{Text: none}, cell{Text: none})
		} else {
			row = append(row, cell{Text: percent(m.Modes.Adaptive)}, cell{Text: percent(m.Modes.Fallback)}, cell{Text: percent(m.Modes.Panic)})
		}
		row = append(row, cell{Text: why(m.Reasons)}, cell{Text: s.shareText(m.Shares), Bars: s.shareBars(m.Shares)})
		t.Rows = append(t.Rows, row)
	}
	return t
}

// why lists the reasons of the decisions that were not adaptive.
func why(reasons []stat.Reason) string {
	var parts []string
	for _, r := range reasons {
		if r.Mode != core.Adaptive.String() && r.Reason != "" && r.Share > 0 {
			parts = append(parts, r.Reason+" "+percent(r.Share))
		}
	}
	if len(parts) == 0 {
		return none
	}
	return strings.Join(parts, ", ")
}

// shareText says in words how the traffic was spread.
func (s *section) shareText(shares []stat.Share) string {
	if len(shares) == 0 || s.Header == nil {
		return ""
	}
	var sum float64
	low, high, n, all := 2.0, -1.0, 0, 0
	for _, sh := range shares {
		all += max(sh.Members, 1)
		if s.faulty(sh.Endpoint) {
			sum += sh.Share
			n += max(sh.Members, 1)
			continue
		}
		least, most := sh.Share, sh.Share
		if sh.Least != nil && sh.Most != nil {
			least, most = *sh.Least, *sh.Most
		}
		low, high = min(low, least), max(high, most)
	}
	rest := fmt.Sprintf("%s to %s each", percent(low), percent(high))
	if n == 0 {
		return rest
	}
	return fmt.Sprintf("with faults (%d of %d): %s; others %s", n, all, percent(sum), rest)
}

// faulty reports whether the group of that name is one with faults.
func (s *section) faulty(name string) bool {
	return slices.ContainsFunc(s.groups, func(g stat.Group) bool { return g.Faulty && g.Name == name })
}

// shareBars draws a bar per endpoint, those with faults set off; none where several
// endpoints share a figure.
func (s *section) shareBars(shares []stat.Share) template.HTML {
	const w, h = 7.0, 26.0
	if len(shares) == 0 || s.Header == nil {
		return ""
	}
	var top float64
	for _, sh := range shares {
		if sh.Members > 1 {
			return ""
		}
		top = max(top, sh.Share)
	}
	var c canvas
	for i, sh := range shares {
		class := "h0"
		if s.faulty(sh.Endpoint) {
			class = "f0"
		}
		height := max(sh.Share/max(top, 1e-9)*h, 0.6)
		c.printf(`<rect class="%s" x="%s" y="%s" width="%s" height="%s"><title>%s %s</title></rect>`,
			class, px(float64(i)*w), px(h-height), px(w-1.5), px(height), escape(sh.Endpoint), percent(sh.Share))
	}
	width := float64(len(shares)) * w
	return template.HTML(fmt.Sprintf(`<svg class="figure bars" viewBox="0 0 %s %s" width="%s" height="%s" aria-hidden="true">%s</svg>`,
		px(width), px(h), px(width), px(h), c.b.String()))
}

// faultTable lists the faults as they were played; empty without any.
func (s *section) faultTable() table {
	t := table{Head: []string{"fault", "where", "when"}, Text: true}
	if s.Header == nil {
		return t
	}
	const most = 12
	rows := faultRows(s.Header)
	for _, r := range rows[:min(most, len(rows))] {
		t.Rows = append(t.Rows, []cell{{Text: r.What}, {Text: r.Where}, {Text: r.When()}})
	}
	if more := len(rows) - most; more > 0 {
		t.Rows = append(t.Rows, []cell{{Text: fmt.Sprintf("and %d more", more)}, {}, {}})
	}
	return t
}

// generators is how well the load generator kept its plan, the worst of each
// subject's trials; empty for the simulator, which cannot be late.
func (s *section) generators() table {
	t := table{Head: []string{"subject", "lateness p50", "lateness p99", "lateness max", "sent", "peak in flight",
		"mean in flight", "by Little's law", "GC pauses", "processors busy", "beyond the server, p50", "p99"}}
	if s.Driver != record.Live {
		return t
	}
	for _, sub := range s.Subjects {
		var worst *stat.Generator
		for _, tr := range sub.Trials {
			if g := tr.Generator; g != nil && (worst == nil || g.LatenessP99 > worst.LatenessP99) {
				worst = g
			}
		}
		if worst == nil {
			continue
		}
		t.Rows = append(t.Rows, []cell{
			{Text: sub.Name}, {Text: duration(&worst.LatenessP50)}, {Text: duration(&worst.LatenessP99)}, {Text: duration(&worst.LatenessMax)},
			rates(worst), {Text: fmt.Sprint(worst.PeakInFlight)}, {Text: significant(worst.MeanInFlight)},
			{Text: significant(worst.LittleInFlight)}, pauses(worst), known(worst.Busy, percent),
			known(worst.BeyondP50, seconds), known(worst.BeyondP99, seconds),
		})
	}
	return t
}

// rates are how many requests a second were sent, beside the plan.
func rates(g *stat.Generator) cell {
	c := known(g.SentRate, func(v float64) string { return significant(v) + " /s" })
	if g.PlannedRate != 0 {
		c.Sub = "planned " + significant(g.PlannedRate)
	}
	return c
}

// pauses are those of the generator's collector.
func pauses(g *stat.Generator) cell {
	c := cell{Text: duration(&g.GCPauses)}
	if g.GCLongest != 0 {
		c.Sub = "longest " + duration(&g.GCLongest)
	}
	return c
}

// known writes a figure that is 0 where it is not known.
func known(v float64, write func(float64) string) cell {
	if v == 0 {
		return cell{Text: none}
	}
	return cell{Text: write(v)}
}

func seconds(v float64) string { return duration(&v) }
