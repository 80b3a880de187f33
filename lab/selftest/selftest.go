// Package selftest holds the lab's own statistics against what is known. Experiments in
// which nothing differs (A/A) must not find a winner or a loser more often than the level
// of the tests says; intervals must cover a true ratio that is known and not 1 as often as
// they say. Every experiment goes the whole way: trials, digests, summary, verdicts, and
// the rule by which it is stopped.
//
// Nothing is read from a clock: the same options give the same results, on any number of
// cores.
package selftest

import (
	"context"
	"fmt"
	"io"
	"math"
	"sync"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/evenkeel/evenkeel/lab/stat"
)

// Options say how thoroughly to test.
type Options struct {
	Experiments int // of each case, at least 1; 200 for a verdict
	Seed        uint64
	Parallel    int // experiments at once, at least 1
	// Level is that of the tests of the promises: how often they may fail though all is
	// well. 0 is DefaultLevel.
	Level float64
	// Judge gives the verdicts; stat.Judge but in tests.
	Judge func(*stat.Summary, stat.Rule)
	// Done is told the number of each case that is done, one at a time; nil for nobody.
	Done func(cases int)
}

// DefaultLevel is the level of the one-sided binomial tests.
const DefaultLevel = 0.01

// Case is a kind of experiment of which the truth is known.
type Case struct {
	Name string
	// True is the ratio that every subject has to the baseline: 1 where nothing differs.
	True float64
	// Promised says that the statistics promise something here: symmetric differences.
	// Of the others it is only said how far off they are.
	Promised bool
	Stopping stat.Stopping
	// Scale multiplies the number of experiments: synthetic ones cost little.
	Scale   int
	Metric  stat.Metric
	Subject []string // the baseline first
	// play plays a trial of the subject at this place, in an experiment.
	play func(ctx context.Context, experiment uint64, block, subject int) (stat.TrialSummary, error)
}

// Result is what became of a case.
type Result struct {
	Case        *Case
	Experiments int
	// False is how many experiments had a verdict that is false: a WIN or a LOSS of
	// subjects that do not differ, or one for the wrong side.
	False, MostFalse int
	Verdicts         map[string]int // of all comparisons
	// Covered is how many of the Intervals have the true ratio in them.
	Intervals, Covered, LeastCovered int
	Blocks                           float64 // of an experiment, in the mean
}

// OK reports whether the statistics keep their promise: the true chances of a false verdict
// and of a miss are not above stat.Alpha, by one-sided binomial tests.
func (r *Result) OK() bool {
	return !r.Case.Promised || r.False <= r.MostFalse && r.Covered >= r.LeastCovered
}

// Run plays the cases.
func Run(ctx context.Context, cases []Case, o Options) ([]Result, error) {
	if o.Judge == nil {
		o.Judge = stat.Judge
	}
	if o.Level == 0 {
		o.Level = DefaultLevel
	}
	var results []Result
	for i := range cases {
		r, err := run(ctx, &cases[i], &o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cases[i].Name, err)
		}
		results = append(results, r)
		if o.Done != nil {
			o.Done(i + 1)
		}
	}
	return results, nil
}

// run plays the experiments of one case, several at once.
func run(ctx context.Context, c *Case, o *Options) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	n := o.Experiments * c.Scale
	judged := make([]stat.Scenario, n)
	next := make(chan int)
	var workers sync.WaitGroup
	for range o.Parallel {
		workers.Go(func() {
			for i := range next {
				var err error
				if judged[i], err = c.experiment(ctx, o, uint64(i)); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		next <- i
	}
	close(next)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return Result{}, err
	}
	return c.count(judged, o.Level), nil
}

// experiment plays blocks until there are enough.
func (c *Case) experiment(ctx context.Context, o *Options, number uint64) (stat.Scenario, error) {
	summary := stat.Summary{Scenarios: []stat.Scenario{{Scenario: c.Name, Metric: c.Metric}}}
	s := &summary.Scenarios[0]
	for _, name := range c.Subject {
		s.Subjects = append(s.Subjects, stat.Subject{Name: name})
	}
	blocks := 0
	for goal := c.Stopping.First; blocks < goal; goal = c.Stopping.Next(blocks, s) {
		for ; blocks < goal; blocks++ {
			for i := range s.Subjects {
				t, err := c.play(ctx, o.Seed<<32+number, blocks, i)
				if err != nil {
					return *s, err
				}
				t.Block = blocks
				s.Subjects[i].Trials = append(s.Subjects[i].Trials, t)
			}
		}
		o.Judge(&summary, stat.NewRule(c.Subject[0], 0))
	}
	return *s, nil
}

// count counts what was judged against what is true.
func (c *Case) count(judged []stat.Scenario, level float64) Result {
	r := Result{Case: c, Experiments: len(judged), Verdicts: map[string]int{}}
	for i := range judged {
		wrong := false
		for _, v := range judged[i].Verdicts {
			r.Verdicts[v.Verdict]++
			switch {
			case v.Verdict == stat.Win && c.True >= 1, v.Verdict == stat.Loss && c.True <= 1:
				wrong = true
			}
			if v.CI95 != nil {
				r.Intervals++
				if v.CI95[0] <= c.True && c.True <= v.CI95[1] {
					r.Covered++
				}
			}
		}
		if wrong {
			r.False++
		}
		r.Blocks += float64(len(judged[i].Subjects[0].Trials))
	}
	r.Blocks /= float64(len(judged))
	r.MostFalse = most(r.Experiments, level)
	r.LeastCovered = r.Intervals - most(r.Intervals, level)
	return r
}

// most is the largest number of events that a one-sided binomial test lets pass when the
// chance of each is stat.Alpha.
func most(n int, level float64) int {
	law := distuv.Binomial{N: float64(n), P: stat.Alpha}
	k := 0
	for k < n && law.CDF(float64(k)) < 1-level {
		k++
	}
	return k
}

// Print writes the results as tables in Markdown.
func Print(w io.Writer, results []Result) {
	fmt.Fprintln(w, "| nothing differs | experiments | blocks, mean | WIN or LOSS | at most | TIE | UNDECIDED | |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|---|")
	for i := range results {
		if r := &results[i]; r.Case.True == 1 {
			total := 0
			for _, n := range r.Verdicts {
				total += n
			}
			fmt.Fprintf(w, "| %s | %d | %.1f | %d: %.1f %% | %d | %.1f %% | %.1f %% | %s |\n", r.Case.Name, r.Experiments, r.Blocks,
				r.False, percent(r.False, r.Experiments), r.MostFalse,
				percent(r.Verdicts[stat.Tie], total), percent(r.Verdicts[stat.Undecided], total), r.word())
		}
	}
	fmt.Fprintln(w, "\n| a known ratio | ratio | intervals | blocks, mean | cover it | at least | for the wrong side | |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|---|")
	for i := range results {
		if r := &results[i]; r.Case.True != 1 {
			fmt.Fprintf(w, "| %s | %.3g | %d | %.1f | %.1f %% | %.1f %% | %d | %s |\n", r.Case.Name, r.Case.True, r.Intervals, r.Blocks,
				percent(r.Covered, r.Intervals), percent(r.LeastCovered, r.Intervals), r.False, r.word())
		}
	}
}

// word sums a result up.
func (r *Result) word() string {
	switch {
	case !r.Case.Promised:
		return "not promised"
	case r.OK():
		return "ok"
	}
	return "**MISS**"
}

func percent(n, of int) float64 {
	if of == 0 {
		return math.NaN()
	}
	return 100 * float64(n) / float64(of)
}
