package report

import (
	"fmt"

	"github.com/evenkeel/evenkeel/lab/stat"
)

// recoveries lists how long the objective was missed because of faults; empty where no fault
// begins or ends in the measured time.
func (s *section) recoveries() table {
	t := table{Head: []string{"subject", "while a fault is on, met again after", "when it is over, met again after"}}
	for i := range s.Subjects {
		sub := &s.Subjects[i]
		if sub.Median == nil || sub.Median.Recovery == nil {
			continue
		}
		r := sub.Median.Recovery
		t.Rows = append(t.Rows, []cell{
			{Text: sub.Name},
			recoveryCell(r.Begun, r.Within, "not before it is over"),
			recoveryCell(r.Ended, r.After, "not before the end"),
		})
	}
	return t
}

// recoveryCell writes a figure of n faults; nil is never.
func recoveryCell(n int, seconds *float64, never string) cell {
	c := cell{Text: duration(seconds)}
	switch {
	case n == 0:
		return cell{Text: none}
	case seconds == nil:
		c.Text, c.Class = never, "loss"
	case *seconds == 0:
		c.Text = "at once"
	}
	if n > 1 {
		c.Sub = fmt.Sprintf("the longest of %d", n)
	}
	return c
}

// agreements compares live figures with those of the simulator; empty without.
func (s *section) agreements() table {
	t := table{Head: []string{"subject", "agreement", "p50", "p90", "p99", "errors, live more by", "traffic elsewhere"}}
	if s.Agreement == nil {
		return t
	}
	for i := range s.Agreement.Subjects {
		a := &s.Agreement.Subjects[i]
		t.Rows = append(t.Rows, []cell{
			{Text: a.Subject}, {Text: score(a.Score), Strong: true},
			sideBySide(a.Live.P50, a.Simulated.P50), sideBySide(a.Live.P90, a.Simulated.P90), sideBySide(a.Live.P99, a.Simulated.P99),
			{Text: fmt.Sprintf("%+.2f points", 100*a.Errors)}, {Text: percent(a.Moved)},
		})
	}
	return t
}

// foretold compares live comparisons with those of the simulator; empty without.
func (s *section) foretold() table {
	t := table{Head: []string{"subject", "baseline", "metric", "live", "simulated"}}
	if s.Agreement == nil {
		return t
	}
	for i := range s.Agreement.Ratios {
		r := &s.Agreement.Ratios[i]
		t.Rows = append(t.Rows, []cell{
			{Text: r.Subject}, {Text: r.Baseline}, {Text: metricName(s.Metric)},
			{Text: figureOf(s.Metric, &r.Live), Sub: limitsOrNothing(s.Metric, &r.Live)},
			{Text: figureOf(s.Metric, &r.Simulated), Sub: limitsOrNothing(s.Metric, &r.Simulated)},
		})
	}
	return t
}

func limitsOrNothing(m stat.Metric, e *stat.Effect) string {
	if l := limits(m, e); l != none {
		return l
	}
	return ""
}

// sideBySide is a live figure over what was simulated.
func sideBySide(live, simulated *float64) cell {
	return cell{Text: duration(live), Sub: "simulated " + duration(simulated)}
}

// score writes a share of agreement so that equal is 1.
func score(v float64) string { return fmt.Sprintf("%.3f", v) }

// sides is a row for each live scenario that was simulated, too; empty without any.
func sides(list []section) table {
	t := table{Head: []string{"scenario", "agreement", "subject", "by", "live", "simulated"}}
	for i := range list {
		s := &list[i]
		if s.Agreement == nil {
			continue
		}
		first := []cell{{Text: s.Scenario.Scenario, Link: s.ID}, {Text: score(s.Agreement.Score), Strong: true}}
		for j := range s.Agreement.Ratios {
			r := &s.Agreement.Ratios[j]
			t.Rows = append(t.Rows, append(first, cell{Text: r.Subject, Sub: "against " + r.Baseline}, cell{Text: metricName(s.Metric)},
				cell{Text: figureOf(s.Metric, &r.Live), Sub: limitsOrNothing(s.Metric, &r.Live)},
				cell{Text: figureOf(s.Metric, &r.Simulated), Sub: limitsOrNothing(s.Metric, &r.Simulated)}))
			first = []cell{{Text: s.Scenario.Scenario, Link: s.ID}, {}}
		}
		if len(s.Agreement.Ratios) == 0 {
			t.Rows = append(t.Rows, append(first, cell{Text: none}, cell{Text: none}, cell{Text: none}, cell{Text: none}))
		}
	}
	return t
}
