package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/live"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/report"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/sim"
	"github.com/evenkeel/evenkeel/lab/stat"
	"github.com/evenkeel/evenkeel/lab/trial"
)

// experiment is what sim and run have in common.
type experiment struct {
	call      *cli.Call
	driver    trial.Driver
	parallel  int // trials at once
	scenarios []*scenario.Scenario
	subjects  map[string][]scenario.Subject // by scenario

	// Of the command line:
	dir     string // of the scenarios
	compare string
	blocks  int
	seed    *uint64 // nil: the scenario's
	out     string
	extend  bool
}

// simulate is keellab sim.
func simulate(c *cli.Call) error {
	e := experiment{call: c, driver: sim.Driver{}, parallel: runtime.GOMAXPROCS(0)}
	if err := e.parse(scenario.Sim, func(fs *flag.FlagSet) {
		fs.IntVar(&e.blocks, "seeds", 5, "`number` of seeds: trials of each subject")
	}); err != nil {
		return err
	}
	return e.run()
}

// play is keellab run.
func play(c *cli.Call) error {
	e := experiment{call: c, parallel: 1}
	var binary string
	if err := e.parse(scenario.Live, func(fs *flag.FlagSet) {
		fs.IntVar(&e.blocks, "blocks", 2, "`number` of blocks: trials of each subject")
		fs.StringVar(&binary, "evenkeel", beside("evenkeel"), "`path` of the proxy's binary")
	}); err != nil {
		return err
	}
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("no proxy to run: %w (make build makes it; --evenkeel names another)", err)
	}
	e.driver = live.Driver{Proxy: binary}
	return e.run()
}

// beside is the path of another binary in the folder of this one.
func beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

// parse reads the command line, and the scenarios and subjects that it names.
func (e *experiment) parse(size scenario.Size, define func(*flag.FlagSet)) error {
	names, err := e.call.Parse(func(fs *flag.FlagSet) {
		defineDir(fs, &e.dir)
		fs.StringVar(&e.compare, "subjects", "", "`subjects` to compare, separated by commas (default: the scenario's)")
		fs.Func("seed", "`seed` of the first block (default: the scenario's)", func(text string) error {
			seed, err := strconv.ParseUint(text, 10, 64)
			e.seed = &seed
			if err != nil {
				return errors.New("expected a whole number from 0 to 18446744073709551615")
			}
			return nil
		})
		fs.StringVar(&e.out, "out", filepath.Join("results", "latest"), "`folder` for the results")
		fs.BoolVar(&e.extend, "append", false, "keep the folder's other results: other scenarios, the other driver")
		define(fs)
	})
	if err != nil {
		return err
	}
	if e.blocks < 1 || e.blocks > 10_000 {
		return e.call.Usagef("%d trials of each subject: expected 1 to 10000", e.blocks)
	}
	if e.scenarios, err = load(e.dir, names, size); err != nil {
		return err
	}
	return e.parseSubjects()
}

// parseSubjects reads the subjects for each scenario: those of the command line, or
// the scenario's own.
func (e *experiment) parseSubjects() error {
	e.subjects = map[string][]scenario.Subject{}
	for _, s := range e.scenarios {
		texts := s.Subjects
		if e.compare != "" {
			var err error
			if texts, err = scenario.SplitSubjects(e.compare); err != nil {
				return e.call.Usagef("%v", err)
			}
		}
		seen := map[string]bool{}
		for _, text := range texts {
			subject, err := s.Subject(text)
			if err != nil {
				return e.call.Usagef("%v", err)
			}
			if seen[subject.Name] {
				return e.call.Usagef("subject %q stands twice", subject.Name)
			}
			seen[subject.Name] = true
			e.subjects[s.Name] = append(e.subjects[s.Name], subject)
		}
	}
	return nil
}

// job is one trial to be played.
type job struct {
	scenario *scenario.Scenario
	plan     trial.Plan
}

// run plays everything, and leaves records, summary and reports in the folder.
func (e *experiment) run() error {
	began := time.Now()
	folder, err := openFolder(e.out, e.extend, e.driver.Name(), e.scenarios)
	if err != nil {
		return err
	}
	var jobs []job
	for _, s := range e.scenarios {
		seed := s.Seed
		if e.seed != nil {
			seed = *e.seed
		}
		for _, p := range trial.Blocks(seed, e.subjects[s.Name], e.blocks) {
			jobs = append(jobs, job{s, p})
		}
	}
	digests, err := e.playAll(e.call.Context, jobs, newProgress(e.call.Stderr, e.driver.Name(), len(jobs)))
	if err != nil {
		return err
	}
	var summary stat.Summary
	for _, s := range e.scenarios {
		var order []string
		for _, subject := range e.subjects[s.Name] {
			order = append(order, subject.Name)
		}
		one, err := stat.SummariseDigests(of(digests, s.Name), order)
		if err != nil {
			return err
		}
		summary.Scenarios = append(summary.Scenarios, one)
	}
	if err := folder.finish(summary, digests, report.NewRun(os.Args, began, time.Now())); err != nil {
		return err
	}
	printSummary(e.call.Stdout, summary)
	fmt.Fprintf(e.call.Stdout, "\n%s\n", filepath.Join(e.out, report.HTMLFile))
	return voided(summary)
}

// of are the digests of one scenario.
func of(digests []stat.Digest, scenario string) []stat.Digest {
	var these []stat.Digest
	for _, d := range digests {
		if d.Header.Scenario == scenario {
			these = append(these, d)
		}
	}
	return these
}

// playAll plays the jobs, several at once where the driver allows it, writes their
// records and returns their digests in the order of the jobs.
func (e *experiment) playAll(ctx context.Context, jobs []job, p *progress) ([]stat.Digest, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	digests := make([]stat.Digest, len(jobs))
	next := make(chan int)
	var workers sync.WaitGroup
	for range e.parallel {
		workers.Go(func() {
			for i := range next {
				d, err := e.playOne(ctx, jobs[i], p)
				if err != nil {
					cancel(err)
					continue
				}
				digests[i] = d
			}
		})
	}
	for i := range jobs {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	workers.Wait()
	p.end()
	return digests, context.Cause(ctx)
}

func (e *experiment) playOne(ctx context.Context, j job, p *progress) (stat.Digest, error) {
	label := fmt.Sprintf("%s %s, block %d", j.scenario.Name, j.plan.Subject.Name, j.plan.Block+1)
	p.begin(label)
	t, err := trial.Play(ctx, e.driver, j.scenario, j.plan, func(why string) { p.say(label + ": void, once more: " + why) })
	if err != nil {
		return stat.Digest{}, err
	}
	if _, err := record.WriteFile(e.out, t); err != nil {
		return stat.Digest{}, err
	}
	d, err := stat.NewDigest(t)
	p.done()
	return d, err
}

// voided is the error of an experiment of which some subject has no trial that can be
// trusted.
func voided(summary stat.Summary) error {
	var names []string
	for _, s := range summary.Scenarios {
		for _, subject := range s.Subjects {
			if subject.Median == nil {
				names = append(names, s.Scenario+" "+subject.Name)
			}
		}
	}
	if names == nil {
		return nil
	}
	return fmt.Errorf("not to be trusted: every trial was void of %s", strings.Join(names, ", "))
}

// rerender is keellab report.
func rerender(c *cli.Call) error {
	rest, err := c.Parse(func(*flag.FlagSet) {})
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return c.Usagef("expected one folder of results")
	}
	summary, err := renderFolder(rest[0])
	if err != nil {
		return err
	}
	printSummary(c.Stdout, summary)
	fmt.Fprintf(c.Stdout, "\n%s\n", filepath.Join(rest[0], report.HTMLFile))
	return nil
}
