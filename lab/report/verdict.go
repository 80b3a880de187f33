package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evenkeel/evenkeel/lab/stat"
)

// A column of its own in the matrix is for subjects that so many scenarios have; the others
// share one. A report of a single scenario has a column for each.
const common = 3

// matrix is scenario × subject: verdict, ratio and interval, and what is left to the
// oracle. It is empty without verdicts.
func matrix(list []section, rule *stat.Rule) table {
	subjects := columns(list)
	t := table{Head: append([]string{"scenario", "by"}, subjects...)}
	var others, distances bool
	for i := range list {
		others = others || len(list[i].others(subjects)) > 0
		distances = distances || len(list[i].Distances) > 0
	}
	if distances {
		t.Head = append(t.Head, "closest to the oracle")
	}
	if others {
		t.Head = append(t.Head, "other subjects")
	}
	for i := range list {
		s := &list[i]
		if len(s.Verdicts) == 0 {
			continue
		}
		row := []cell{{Text: s.Scenario.Scenario, Sub: briefly(s.Driver), Link: s.ID}, {Text: metricName(s.Verdicts[0].Metric)}}
		for _, name := range subjects {
			row = append(row, s.matrixCell(name))
		}
		if baseline := s.Verdicts[0].Baseline; rule == nil || baseline != rule.Baseline {
			row[1].Sub = "against " + baseline
		}
		if distances {
			row = append(row, s.closest())
		}
		if others {
			row = append(row, cell{Lines: s.others(subjects)})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// briefly is a driver in a word.
func briefly(name string) string {
	word, _, _ := strings.Cut(driver(name), " ")
	return word
}

// columns are the subjects with a column of their own (a baseline has none for that), in the order of first appearance.
func columns(list []section) (subjects []string) {
	in := make(map[string]map[string]bool)
	scenarios := make(map[string]bool)
	for i := range list {
		s := &list[i]
		for j := range s.Verdicts {
			scenarios[s.Scenario.Scenario] = true
			name := s.Verdicts[j].Subject
			if in[name] == nil {
				in[name] = make(map[string]bool)
				subjects = append(subjects, name)
			}
			in[name][s.Scenario.Scenario] = true
		}
	}
	return slices.DeleteFunc(subjects, func(name string) bool { return len(in[name]) < min(common, len(scenarios)) })
}

func (s *section) matrixCell(name string) cell {
	for i := range s.Verdicts {
		switch v := &s.Verdicts[i]; name {
		case v.Subject:
			c := cell{Text: word(v), Class: strings.ToLower(v.Verdict)}
			if v.Blocks > 0 {
				c.Text += " " + figureOf(v.Metric, &v.Effect)
			}
			if l := limits(v.Metric, &v.Effect); l != none {
				c.Sub = l
			}
			return c
		case v.Baseline:
			return cell{Text: "baseline", Class: "reference"}
		}
	}
	return cell{}
}

// others has a line for each verdict whose subject has no column.
func (s *section) others(subjects []string) (lines []line) {
	for i := range s.Verdicts {
		if v := &s.Verdicts[i]; !slices.Contains(subjects, v.Subject) {
			text := v.Subject + ": " + word(v)
			if ratio := ratioText(v.Metric, &v.Effect); ratio != "" {
				text += " " + ratio
			}
			lines = append(lines, line{text, strings.ToLower(v.Verdict)})
		}
	}
	return lines
}

// word is a verdict, with a question mark where it may well be a false discovery among all
// those of the matrix.
func word(v *stat.Verdict) string {
	if (v.Verdict == stat.Win || v.Verdict == stat.Loss) && v.Discovery >= stat.Alpha {
		return v.Verdict + "?"
	}
	return v.Verdict
}

// closest is the subject with the smallest distance from the oracle.
func (s *section) closest() cell {
	var best *stat.Distance
	for i := range s.Distances {
		if d := &s.Distances[i]; d.Blocks > 0 && (best == nil || nearer(d, best)) {
			best = d
		}
	}
	if best == nil {
		return cell{}
	}
	return cell{Lines: []line{{Text: figureOf(best.Metric, &best.Effect) + " " + best.Subject}}}
}

func nearer(a, b *stat.Distance) bool {
	if a.Metric.Ratios() {
		return *a.Ratio < *b.Ratio
	}
	return a.Errors.Share < b.Errors.Share
}

// figureOf is an effect in a figure: a ratio, or points where errors are the metric.
func figureOf(m stat.Metric, e *stat.Effect) string {
	switch {
	case e.Blocks == 0:
		return none
	case !m.Ratios():
		return fmt.Sprintf("%+.2f points", 100*e.Errors.Share)
	}
	return ratioFigure(*e.Ratio)
}

// limits is the interval of figureOf.
func limits(m stat.Metric, e *stat.Effect) string {
	ci := e.CI95
	if !m.Ratios() {
		ci = e.Errors.CI95
	}
	switch {
	case ci == nil:
		return none
	case !m.Ratios():
		return fmt.Sprintf("%+.2f to %+.2f", 100*ci[0], 100*ci[1])
	}
	return ratioFigure(ci[0]) + " to " + ratioFigure(ci[1])
}

// ratioText is a figure with its interval.
func ratioText(m stat.Metric, e *stat.Effect) string {
	if e.Blocks == 0 {
		return ""
	}
	text := figureOf(m, e)
	if l := limits(m, e); l != none {
		text += ", " + l
	}
	return text
}

// ratioFigure writes a ratio so that 2 % are seen.
func ratioFigure(v float64) string {
	switch {
	case v < 0.00995 && v > 0:
		return fmt.Sprintf("%.2g", v)
	case v < 9.995:
		return fmt.Sprintf("%.3f", v)
	}
	return significant(v)
}

// metricName is a metric as the report's tables call it.
func metricName(m stat.Metric) string {
	switch m {
	case stat.P999:
		return "p99.9"
	case stat.GoodputRPS:
		return "goodput"
	case stat.ErrorRatio:
		return "errors"
	}
	return string(m)
}

// verdicts lists the comparisons of a section; empty without any.
func (s *section) verdicts() table {
	t := table{Head: []string{"subject", "baseline", "metric", "ratio", "95 % interval", "better in", "errors, difference", "adjusted p", "verdict"}}
	for i := range s.Verdicts {
		v := &s.Verdicts[i]
		row := []cell{{Text: v.Subject}, {Text: v.Baseline}, {Text: metricName(v.Metric)}, {Text: figureOf(v.Metric, &v.Effect)},
			{Text: limits(v.Metric, &v.Effect)}, {Text: none}, {Text: none}, {Text: none},
			{Text: word(v), Sub: v.Why, Strong: v.Verdict == stat.Win || v.Verdict == stat.Loss, Class: strings.ToLower(v.Verdict)}}
		if v.Blocks > 0 {
			row[5].Text, row[5].Sub = percent(v.Better), "of "+count(v.Blocks, "block")
			row[6].Text = errorsText(&v.Errors)
			row[7].Text, row[7].Sub = fmt.Sprintf("%.4f", v.PAdjusted), fmt.Sprintf("q %.4f", v.Discovery)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func errorsText(d *stat.Difference) string {
	switch {
	case d.CI95 == nil && d.Share == 0, d.CI95 != nil && *d.CI95 == [2]float64{}:
		return "0"
	case d.CI95 == nil:
		return fmt.Sprintf("%+.2f points", 100*d.Share)
	}
	return fmt.Sprintf("%+.2f points (%+.2f to %+.2f)", 100*d.Share, 100*d.CI95[0], 100*d.CI95[1])
}

// distances lists how far the subjects are from the oracle; empty without it.
func (s *section) distances() table {
	t := table{Head: []string{"subject", "metric", "ratio to the oracle", "95 % interval"}}
	for i := range s.Distances {
		d := &s.Distances[i]
		t.Rows = append(t.Rows, []cell{{Text: d.Subject}, {Text: metricName(d.Metric)}, {Text: figureOf(d.Metric, &d.Effect)}, {Text: limits(d.Metric, &d.Effect)}})
	}
	return t
}

// tally counts the verdicts; empty without any.
func tally(list []section) string {
	counts := make(map[string]int)
	all, doubtful := 0, 0
	for i := range list {
		for j := range list[i].Verdicts {
			v := &list[i].Verdicts[j]
			all++
			counts[v.Verdict]++
			if word(v) != v.Verdict {
				doubtful++
			}
		}
	}
	if all == 0 {
		return ""
	}
	text := count(all, "comparison") + ":"
	for i, verdict := range []string{stat.Loss, stat.Win, stat.Tie, stat.Undecided} {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(" %d %s", counts[verdict], verdict)
	}
	if doubtful > 0 {
		text += fmt.Sprintf("; %d of them with a question mark", doubtful)
	}
	return text + "."
}

// losses names every LOSS.
func losses(list []section) (lines []string) {
	for i := range list {
		s := &list[i]
		for j := range s.Verdicts {
			if v := &s.Verdicts[j]; v.Verdict == stat.Loss {
				lines = append(lines, fmt.Sprintf("%s in %s (%s): %s by the %s against %s", v.Subject, s.Scenario.Scenario, briefly(s.Driver),
					ratioText(v.Metric, &v.Effect), metricName(v.Metric), v.Baseline))
			}
		}
	}
	return lines
}

// ruleText says by what rule verdicts are given.
func ruleText(r *stat.Rule) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("Baseline: %s unless another is named. Ratios of a subject to the baseline with their 95 %% intervals, below 1 is better (goodput: of the baseline to the subject). "+
		"TIE: the whole interval is within %v %%; else WIN or LOSS: the adjusted p is below %v; else UNDECIDED.", r.Baseline, number(100*r.Margin), r.Alpha)
}
