package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/core/config/strict"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// compareFolders is keellab compare: the gate that keeps what was reached.
func compareFolders(c *cli.Call) error {
	margin := 0.05
	dirs, err := c.Parse(func(fs *flag.FlagSet) {
		fs.Func("margin", "how much worse a subject may be, as a `share` of its metric (default 0.05)", func(text string) error {
			return parseMargin(text, &margin)
		})
	})
	if err != nil {
		return err
	}
	if len(dirs) != 2 {
		return c.Usagef("expected two folders of results, the earlier one first")
	}
	var results [2]stat.Summary
	for i, dir := range dirs {
		if results[i], err = stat.ReadSummary(dir); err != nil {
			return err
		}
	}
	pairs, notes, others := match(dirs, &results)
	changes := stat.Compare(pairs, margin)
	for _, note := range notes {
		fmt.Fprintf(c.Stderr, "not compared: %s\n", note)
	}
	if len(changes) == 0 {
		return errors.New("there is nothing that both folders have")
	}
	worse := printChanges(c.Stdout, changes)
	if worse > 0 {
		return fmt.Errorf("%d of %d comparisons: worse by more than %v %% (errors: %v points)", worse, len(changes), 100*margin, 100*stat.ErrorMargin)
	}
	if others > 0 { // what is not looked at is no proof that nothing is worse
		return fmt.Errorf("%d of %d scenarios that both folders have are not the same there, and were not compared", others, others+len(pairs))
	}
	return nil
}

// match finds the scenarios that both folders have, in the order of the second, and says
// of the others why they are not compared; others are those of them that both have.
func match(dirs []string, results *[2]stat.Summary) (pairs [][2]*stat.Scenario, notes []string, others int) {
	for i := range results[1].Scenarios {
		later := &results[1].Scenarios[i]
		name := later.Scenario + " (" + later.Driver + ")"
		at := slices.IndexFunc(results[0].Scenarios, func(s stat.Scenario) bool {
			return s.Scenario == later.Scenario && s.Driver == later.Driver
		})
		if at < 0 {
			notes = append(notes, fmt.Sprintf("%s: %s does not have it", name, dirs[0]))
			continue
		}
		earlier := &results[0].Scenarios[at]
		if why := differ(dirs, earlier, later); why != "" {
			notes = append(notes, name+": "+why)
			others++
			continue
		}
		pairs = append(pairs, [2]*stat.Scenario{earlier, later})
		for i, of := range [2]*stat.Scenario{earlier, later} {
			for _, s := range of.Subjects {
				other := [2]*stat.Scenario{later, earlier}[i]
				if !slices.ContainsFunc(other.Subjects, func(o stat.Subject) bool { return o.Name == s.Name }) && !stat.Reference(s.Name) {
					notes = append(notes, fmt.Sprintf("%s: %s: %s does not have it", name, s.Name, dirs[1-i]))
				}
			}
		}
	}
	for _, s := range results[0].Scenarios {
		if !slices.ContainsFunc(results[1].Scenarios, func(o stat.Scenario) bool { return o.Scenario == s.Scenario && o.Driver == s.Driver }) {
			notes = append(notes, fmt.Sprintf("%s (%s): %s does not have it", s.Scenario, s.Driver, dirs[1]))
		}
	}
	return pairs, notes, others
}

// differ says why two results of a scenario are not of the same one; empty when they are.
func differ(dirs []string, earlier, later *stat.Scenario) string {
	if a, b := strings.Join(earlier.Set, ", "), strings.Join(later.Set, ", "); a != b {
		return fmt.Sprintf("set differently: %q in %s, %q in %s", a, dirs[0], b, dirs[1])
	}
	if earlier.Metric != later.Metric {
		return fmt.Sprintf("by %s in %s, by %s in %s", earlier.Metric, dirs[0], later.Metric, dirs[1])
	}
	var texts [2]string
	for i, dir := range dirs {
		text, err := essence(scenarioPath(dir, later.Scenario), later.Driver)
		if err != nil {
			return err.Error()
		}
		texts[i] = text
	}
	if texts[0] != texts[1] {
		return fmt.Sprintf("%s and %s are not the same scenario", scenarioPath(dirs[0], later.Scenario), scenarioPath(dirs[1], later.Scenario))
	}
	return ""
}

// essence is what a scenario file says of the experiment, and not of what is thought of it,
// of who takes part, or of where chance begins.
func essence(path, driver string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	size := scenario.Sim
	if driver == record.Live {
		size = scenario.Live
	}
	s, err := scenario.Parse(path, text, size)
	if err != nil {
		return "", err
	}
	s.Models, s.Source, s.Expect, s.Subjects, s.Seed = "", "", scenario.Expect{}, nil, 0
	marshalled, err := strict.Marshal(*s)
	return string(marshalled), err
}

// printChanges prints the changes, of errors only those that are worse, and returns how
// many are.
func printChanges(w io.Writer, changes []stat.Change) (worse int) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "scenario\tdriver\tsubject\tmetric\ttrials\tchange\t95 % interval\tp\t\t")
	for i := range changes {
		c := &changes[i]
		verdict := ""
		switch {
		case c.Worse:
			verdict = "WORSE"
			worse++
		case c.Metric == stat.ErrorRatio && i > 0 && changes[i-1].Subject == c.Subject:
			continue // looked at beside the metric
		case c.Why != "":
			verdict = c.Why
		case !c.Paired:
			verdict = "other seeds: compared by ranks"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%.4f\t%s\t\n", c.Scenario, c.Driver, c.Subject, c.Metric, c.Blocks,
			ratio(c.Metric, &c.Effect), interval(c.Metric, &c.Effect), c.PAdjusted, verdict)
	}
	t.Flush()
	return worse
}

// ratio is the effect in the metric's words: a ratio, or points of errors; a dash for none.
func ratio(m stat.Metric, e *stat.Effect) string {
	switch {
	case e.Blocks == 0:
		return "-"
	case !m.Ratios():
		return fmt.Sprintf("%+.2f points", 100*e.Errors.Share)
	}
	return fmt.Sprintf("%.3f", *e.Ratio)
}

// interval is that of ratio.
func interval(m stat.Metric, e *stat.Effect) string {
	ci := e.CI95
	if !m.Ratios() {
		ci = e.Errors.CI95
	}
	switch {
	case ci == nil:
		return "-"
	case !m.Ratios():
		return fmt.Sprintf("%+.2f to %+.2f", 100*ci[0], 100*ci[1])
	}
	return fmt.Sprintf("%.3f to %.3f", ci[0], ci[1])
}
