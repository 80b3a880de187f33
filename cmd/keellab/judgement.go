package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"

	"github.com/evenkeel/evenkeel/lab/stat"
)

// judgement is what the command line says of how verdicts are given. What it does not say
// is as it was in the folder, or the default.
type judgement struct {
	baseline string
	margin   float64
}

func (j *judgement) define(fs *flag.FlagSet) {
	fs.StringVar(&j.baseline, "baseline", "", "`subject` that the others are held against (default: the folder's, or "+stat.DefaultBaseline+", or the first)")
	fs.Func("margin", fmt.Sprintf("how far apart two subjects may be and still be a TIE, as a `share` (default: the folder's, or %v)", stat.DefaultMargin), func(text string) error {
		return parseMargin(text, &j.margin)
	})
}

// parseMargin reads a share above 0.
func parseMargin(text string, to *float64) (err error) {
	if *to, err = strconv.ParseFloat(text, 64); err != nil || !(*to > 0 && *to < 1) {
		return errors.New("expected a share above 0 and below 1, such as 0.02")
	}
	return nil
}

// judge gives the verdicts; earlier is the rule of those that were there, nil for none.
func (j *judgement) judge(summary *stat.Summary, earlier *stat.Rule) error {
	rule := *j
	if earlier != nil && rule.baseline == "" {
		rule.baseline = earlier.Baseline
	}
	if earlier != nil && rule.margin == 0 {
		rule.margin = earlier.Margin
	}
	if j.baseline != "" && !slices.ContainsFunc(summary.Scenarios, func(s stat.Scenario) bool {
		return slices.ContainsFunc(s.Subjects, func(x stat.Subject) bool { return x.Name == j.baseline })
	}) {
		return fmt.Errorf("--baseline %s: there is no such subject", j.baseline)
	}
	stat.Judge(summary, stat.NewRule(rule.baseline, rule.margin))
	return nil
}

// checkJudgement refuses what would be noticed only when everything has been played.
func (e *experiment) checkJudgement() error {
	if e.more.HalfWidth < 0 || e.more.HalfWidth >= 1 {
		return e.call.Usagef("--precision %v: expected a share, 0 to 1", e.more.HalfWidth)
	}
	if e.more.HalfWidth > 0 && (e.more.Most < e.blocks || e.more.Most > 10_000) {
		return e.call.Usagef("--most-seeds %d: expected %d (--seeds) to 10000", e.more.Most, e.blocks)
	}
	if e.judge.baseline == "" {
		return nil
	}
	for _, subjects := range e.subjects {
		for _, s := range subjects {
			if s.Name == e.judge.baseline {
				return nil
			}
		}
	}
	return e.call.Usagef("--baseline %s: it is not among the subjects", e.judge.baseline)
}
