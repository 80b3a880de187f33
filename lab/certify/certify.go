// Package certify holds the simulator against queueing theory: systems simple enough to
// have closed formulas (lab/theory) are played by lab/sim, through the shipped router, and
// the whole 95 % confidence interval of what comes out has to lie close to what theory
// says.
package certify

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/sim"
)

// How close the whole interval has to be: as shares of what theory says.
const (
	MeanMargin = 0.01
	P99Margin  = 0.02
)

// Result is one figure of one case.
type Result struct {
	Case, Figure string
	Theory       float64
	Mean         float64 // over the seeds
	Low, High    float64 // 95 % t interval
	Margin       float64 // allowed, as a share of Theory
	Seeds        int
	Requests     int // measured, all seeds together
}

// OK reports whether the whole interval lies within the margin.
func (r Result) OK() bool {
	return r.Low >= r.Theory*(1-r.Margin) && r.High <= r.Theory*(1+r.Margin)
}

// Options say how thoroughly to certify.
type Options struct {
	Seeds int // at least 2; 10 for a verdict
	// Effort scales the number of requests; 1 is what the margins need.
	Effort float64
	// Play plays a trial; sim.Run but in tests.
	Play func(context.Context, *scenario.Scenario, scenario.Subject, uint64, func(record.Request)) (sim.Outcome, error)
	// Done is told each case's results; nil for nobody.
	Done func([]Result)
}

// Run certifies the cases.
func Run(ctx context.Context, cases []Case, o Options) ([]Result, error) {
	if o.Play == nil {
		o.Play = sim.Run
	}
	var all []Result
	for _, c := range cases {
		results, err := c.run(ctx, o)
		if err != nil {
			return all, fmt.Errorf("%s: %w", c.Name, err)
		}
		if o.Done != nil {
			o.Done(results)
		}
		all = append(all, results...)
	}
	return all, nil
}

// run plays a case once per seed, on all cores, and compares.
func (c Case) run(ctx context.Context, o Options) ([]Result, error) {
	tallies := make([]*tally, o.Seeds)
	errs := make([]error, o.Seeds)
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				tallies[i], errs[i] = c.play(ctx, o, uint64(i+1))
			}
		})
	}
	for i := range o.Seeds {
		next <- i
	}
	close(next)
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	var results []Result
	for _, f := range c.Figures {
		values := make([]float64, o.Seeds)
		requests := 0
		for i, t := range tallies {
			values[i] = f.of(t)
			requests += t.requests
		}
		r := Result{Case: c.Name, Figure: f.Name, Theory: f.Theory, Margin: f.Margin, Seeds: o.Seeds, Requests: requests}
		r.Mean, r.Low, r.High = interval(values)
		results = append(results, r)
	}
	return results, nil
}

// interval is the mean with its 95 % t interval.
func interval(values []float64) (mean, low, high float64) {
	mean, sd := stat.MeanStdDev(values, nil)
	n := float64(len(values))
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975) * sd / math.Sqrt(n)
	return mean, mean - half, mean + half
}

// play plays the case with one seed.
func (c Case) play(ctx context.Context, o Options, seed uint64) (*tally, error) {
	s := c.scenario()
	s.WarmUp = time.Duration(c.WarmUp * float64(unit))
	s.Duration = s.WarmUp + time.Duration(o.Effort*float64(c.Requests)/s.Rate()*float64(time.Second))
	subject, err := s.Subject(c.Subject)
	if err != nil {
		return nil, err
	}
	t := newTally()
	_, err = o.Play(ctx, s, subject, seed, func(r record.Request) {
		if r.Planned >= 0 && time.Duration(r.Planned) >= s.WarmUp {
			t.add(r)
		}
	})
	return t, err
}

// Print writes the results as a table in Markdown.
func Print(w io.Writer, results []Result) {
	fmt.Fprintln(w, "| system | figure | theory | simulated | 95 % interval, as share of theory | allowed | |")
	fmt.Fprintln(w, "|---|---|--:|--:|--:|--:|---|")
	for _, r := range results {
		verdict := "ok"
		if !r.OK() {
			verdict = "**MISS**"
		}
		fmt.Fprintf(w, "| %s | %s | %.5g | %.5g | %+.2f %% to %+.2f %% | ±%.0f %% | %s |\n",
			r.Case, r.Figure, r.Theory, r.Mean, 100*(r.Low/r.Theory-1), 100*(r.High/r.Theory-1), 100*r.Margin, verdict)
	}
}
