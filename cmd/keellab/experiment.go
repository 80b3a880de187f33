package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/evenkeel/evenkeel/cmd/cli"
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
	watching  trial.Driver // plays the first block; nil for driver
	twin      trial.Driver // plays each trial once more, where it can; nil for nobody
	parallel  int          // trials at once
	scenarios []*scenario.Scenario
	subjects  map[string][]scenario.Subject // by scenario

	// Of the command line:
	dir     string // of the scenarios
	compare string
	blocks  int
	more    stat.Stopping // when blocks are added to these; First is left out
	judge   judgement
	records int     // the first so many blocks, of which every request is kept
	room    int     // the requests of a trial that may be kept
	seed    *uint64 // nil: the scenario's
	out     string
	extend  bool
	resume  bool          // what an earlier run has left is not played again
	within  time.Duration // how long all may take; 0: as long as it does

	before   func(context.Context, *scenario.Scenario) error // the first trial of a scenario; nil for nothing
	prepared []string                                        // the scenarios for which that was done
	skipped  []string                                        // said of what is left out
}

// simulate is keellab sim.
func simulate(c *cli.Call) error {
	e := experiment{call: c, driver: sim.Driver{}, watching: sim.Driver{Watch: true}, parallel: runtime.GOMAXPROCS(0), room: mostKept}
	if err := e.parse(scenario.Sim, func(fs *flag.FlagSet) {
		fs.IntVar(&e.blocks, "seeds", 20, "`number` of seeds: trials of each subject")
		fs.Float64Var(&e.more.HalfWidth, "precision", 0, "half-width of the widest interval, as a `share`, until which half as many seeds are added again and again; 0 adds none")
		fs.IntVar(&e.more.Most, "most-seeds", 100, "most seeds with --precision (`number`)")
		fs.IntVar(&e.records, "records", 1, "keep every request of the trials of the first so many seeds; 0 for none (`number`)")
	}); err != nil {
		return err
	}
	if err := e.checkRecords(); err != nil {
		return err
	}
	return e.run()
}

// parse reads the command line, and the scenarios and subjects that it names.
func (e *experiment) parse(size scenario.Size, define func(*flag.FlagSet)) error {
	var v variation
	names, err := e.call.Parse(func(fs *flag.FlagSet) {
		defineDir(fs, &e.dir)
		v.define(fs)
		e.judge.define(fs)
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
		fs.DurationVar(&e.within, "within", 0, "`time` after which no trial goes on: what is decided until then is decided, the rest is UNDECIDED; 0 for none")
		define(fs)
	})
	if err != nil {
		return err
	}
	if e.blocks < 1 || e.blocks > most {
		return e.call.Usagef("%d trials of each subject: expected 1 to %d", e.blocks, most)
	}
	if e.scenarios, err = v.load(e.call, e.dir, names, size); err != nil {
		return err
	}
	if e.within < 0 {
		return e.call.Usagef("--within %v: expected at least 0", e.within)
	}
	if err := e.parseSubjects(size); err != nil {
		return err
	}
	return e.checkJudgement()
}

// job is one trial to be played.
type job struct {
	scenario *scenario.Scenario
	plan     trial.Plan
}

// run plays everything, and leaves records, summary and reports in the folder.
func (e *experiment) run() error {
	began := time.Now()
	if err := openFolder(e.out, e.extend || e.resume, e.resume, e.driver.Name(), e.scenarios); err != nil {
		return err
	}
	fmt.Fprintf(e.call.Stderr, "%s: stopping rule: %s\n", e.driver.Name(), e.rule())
	digests, err := e.playWithin(began)
	// What was played is kept, also of an experiment that did not come to its end.
	var paths []string
	for _, s := range e.scenarios {
		err = cmp.Or(err, e.keep(digests[s.Name]))
		paths = append(paths, stat.DigestPath(e.out, s.Name, e.driver.Name()))
	}
	if err != nil {
		return e.interrupted(err)
	}
	summary, err := render(e.out, paths, new(report.NewRun(os.Args, began, time.Now())), e.judge)
	if err != nil {
		return err
	}
	// Of a folder that has others, too, only these are of this command.
	summary.Scenarios = slices.DeleteFunc(summary.Scenarios, func(s stat.Scenario) bool {
		return !slices.Contains(paths, stat.DigestPath(e.out, s.Scenario, s.Driver))
	})
	printSummary(e.call.Stdout, summary)
	for _, line := range e.skipped {
		fmt.Fprintln(e.call.Stdout, line)
	}
	fmt.Fprintf(e.call.Stdout, "\n%s\n", filepath.Join(e.out, report.HTMLFile))
	return voided(summary)
}

// keep writes the digests of a scenario's trials.
func (e *experiment) keep(digests []stat.Digest) error {
	if len(digests) == 0 {
		return nil // stopped before it was its turn
	}
	return stat.WriteDigests(e.out, digests)
}

// playAll plays the jobs, several at once where the driver allows it, and adds the digests
// of those that came to their end, by scenario.
func (e *experiment) playAll(ctx context.Context, jobs []job, p *progress, digests map[string][]stat.Digest) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	next := make(chan job)
	var workers sync.WaitGroup
	for range e.parallel {
		workers.Go(func() {
			for j := range next {
				d, err := e.playOne(ctx, j, p)
				if err != nil {
					cancel(err)
					continue
				}
				mu.Lock()
				digests[j.scenario.Name] = append(digests[j.scenario.Name], d)
				if e.parallel == 1 { // trials that take their time are written down at once
					if err := e.save(j.scenario, digests[j.scenario.Name]); err != nil {
						cancel(err)
					}
				}
				mu.Unlock()
			}
		})
	}
	for _, j := range jobs {
		select {
		case next <- j:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	workers.Wait()
	p.end()
	return context.Cause(ctx)
}

// playOne plays a trial and digests it as it goes, and writes its requests down if they
// are to be kept.
func (e *experiment) playOne(ctx context.Context, j job, p *progress) (stat.Digest, error) {
	label := fmt.Sprintf("%s %s, block %d", j.scenario.Name, j.plan.Subject.Name, j.plan.Block+1)
	if err := e.prepare(ctx, j.scenario); err != nil {
		return stat.Digest{}, err
	}
	p.begin(label)
	keep := j.plan.Block < e.records
	var digester *stat.Digester
	var kept record.Trial
	driver := e.driver
	if j.plan.Block == 0 && e.watching != nil {
		driver = e.watching
	}
	h, err := trial.Play(ctx, driver, j.scenario, j.plan, trial.Watch{
		Begin: func(h record.Header) (each func(record.Request), err error) {
			if digester, err = stat.NewDigester(h); err != nil {
				return nil, err
			}
			if !keep {
				return digester.Add, nil
			}
			kept.Requests = kept.Requests[:0]
			return func(r record.Request) {
				digester.Add(r)
				if len(kept.Requests) <= e.room {
					kept.Requests = append(kept.Requests, r)
				}
			}, nil
		},
		Void: func(why string) { p.say(label + ": void, once more: " + why) },
	})
	if err != nil {
		return stat.Digest{}, err
	}
	if keep {
		if len(kept.Requests) > e.room {
			return stat.Digest{}, fmt.Errorf("%s: more than %d requests: too many to be kept (--records 0 keeps none)", label, e.room)
		}
		kept.Header = h
		slices.SortFunc(kept.Requests, func(a, b record.Request) int { return cmp.Compare(a.Seq, b.Seq) })
		if _, err := record.WriteFile(e.out, &kept); err != nil {
			return stat.Digest{}, err
		}
	}
	d, err := digester.Digest(h)
	if err == nil && e.twin != nil && j.plan.Subject.Peer == nil {
		err = e.playTwin(ctx, j, &d)
	}
	p.done()
	return d, err
}

// playTwin plays the same trial with the twin, and puts it beside.
func (e *experiment) playTwin(ctx context.Context, j job, beside *stat.Digest) error {
	var digester *stat.Digester
	h, err := trial.Play(ctx, e.twin, j.scenario, j.plan, trial.Watch{
		Begin: func(h record.Header) (each func(record.Request), err error) {
			if digester, err = stat.NewDigester(h); err != nil {
				return nil, err
			}
			return digester.Add, nil
		},
	})
	if err != nil {
		return fmt.Errorf("simulated beside: %w", err)
	}
	d, err := digester.Digest(h)
	beside.Beside(d)
	return err
}

// most is how many trials of a subject there may be.
const most = 10_000

// mostKept is how many requests of a trial are gathered to be written down: half a
// gigabyte of them.
const mostKept = 10_000_000

// checkRecords refuses to gather what does not fit, where that is known beforehand.
func (e *experiment) checkRecords() error {
	if e.records < 0 {
		return e.call.Usagef("--records %d: expected at least 0", e.records)
	}
	for _, s := range e.scenarios {
		if n := s.Rate() * s.Duration.Seconds(); e.records > 0 && n > float64(e.room) {
			return e.call.Usagef("%s: some %.0f million requests a trial: expected at most %d million to be kept (--records 0 keeps none)",
				s.Name, n/1e6, e.room/1_000_000)
		}
	}
	return nil
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
	var j judgement
	rest, err := c.Parse(j.define)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return c.Usagef("expected one folder of results")
	}
	if err := record.CheckFolder(rest[0]); err != nil {
		return err
	}
	summary, err := render(rest[0], nil, nil, j)
	if err != nil {
		return err
	}
	printSummary(c.Stdout, summary)
	fmt.Fprintf(c.Stdout, "\n%s\n", filepath.Join(rest[0], report.HTMLFile))
	return nil
}
