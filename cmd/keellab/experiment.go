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
	more    stat.Stopping // when blocks are added to these; First is left out
	judge   judgement
	records int     // the first so many blocks, of which every request is kept
	room    int     // the requests of a trial that may be kept
	seed    *uint64 // nil: the scenario's
	out     string
	extend  bool
}

// simulate is keellab sim.
func simulate(c *cli.Call) error {
	e := experiment{call: c, driver: sim.Driver{}, parallel: runtime.GOMAXPROCS(0), room: mostKept}
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

// play is keellab run.
func play(c *cli.Call) error {
	e := experiment{call: c, parallel: 1, room: mostKept}
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
	e.driver, e.records = live.Driver{Proxy: binary}, e.blocks
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
		define(fs)
	})
	if err != nil {
		return err
	}
	if e.blocks < 1 || e.blocks > 10_000 {
		return e.call.Usagef("%d trials of each subject: expected 1 to 10000", e.blocks)
	}
	if e.scenarios, err = v.load(e.call, e.dir, names, size); err != nil {
		return err
	}
	if err := e.parseSubjects(size); err != nil {
		return err
	}
	return e.checkJudgement()
}

// parseSubjects reads the subjects for each scenario: those of the command line, or
// the scenario's own, and in the simulator the oracle.
func (e *experiment) parseSubjects(size scenario.Size) error {
	e.subjects = map[string][]scenario.Subject{}
	for _, s := range e.scenarios {
		texts := s.Subjects
		if size == scenario.Sim && !slices.Contains(texts, scenario.Oracle) {
			texts = append(slices.Clone(texts), scenario.Oracle)
		}
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
			if subject.Oracle && size == scenario.Live {
				return e.call.Usagef("subject oracle: it knows what only the simulator can know")
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
	if err := openFolder(e.out, e.extend, e.driver.Name(), e.scenarios); err != nil {
		return err
	}
	digests, err := e.playBlocks()
	// What was played is kept, also of an experiment that did not come to its end.
	var paths []string
	for _, s := range e.scenarios {
		err = cmp.Or(err, e.keep(digests[s.Name]))
		paths = append(paths, stat.DigestPath(e.out, s.Name, e.driver.Name()))
	}
	if err != nil {
		return err
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

// playAll plays the jobs, several at once where the driver allows it, and returns the
// digests of those that came to their end, by scenario.
func (e *experiment) playAll(ctx context.Context, jobs []job, p *progress) (map[string][]stat.Digest, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	digests := make(map[string][]stat.Digest)
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
	return digests, context.Cause(ctx)
}

// playOne plays a trial and digests it as it goes, and writes its requests down if they
// are to be kept.
func (e *experiment) playOne(ctx context.Context, j job, p *progress) (stat.Digest, error) {
	label := fmt.Sprintf("%s %s, block %d", j.scenario.Name, j.plan.Subject.Name, j.plan.Block+1)
	p.begin(label)
	keep := j.plan.Block < e.records
	var digester *stat.Digester
	var kept record.Trial
	h, err := trial.Play(ctx, e.driver, j.scenario, j.plan, trial.Watch{
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
	p.done()
	return d, err
}

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
	summary, err := render(rest[0], nil, nil, j)
	if err != nil {
		return err
	}
	printSummary(c.Stdout, summary)
	fmt.Fprintf(c.Stdout, "\n%s\n", filepath.Join(rest[0], report.HTMLFile))
	return nil
}
