package main

import (
	"errors"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/regret"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// comparison is what regret and ablation have in common.
type comparison struct {
	call      *cli.Call
	dir       string
	endpoints []int // 0: the scenario's own
	proxies   []int
	breakers  []regret.Breakers
	options   regret.Options
	scenarios []*scenario.Scenario
}

// parse reads the command line, and the scenarios that it names in every size.
func (c *comparison) parse(mostSeeds int, define func(*flag.FlagSet)) error {
	o := &c.options
	o.Parallel, o.Play = runtime.GOMAXPROCS(0), regret.Simulate
	c.endpoints, c.proxies = []int{0}, []int{0}
	breakers := "both"
	names, err := c.call.Parse(func(fs *flag.FlagSet) {
		defineDir(fs, &c.dir)
		fs.StringVar(&o.Subject, "subject", "p2c-ewma", "`subject` that is looked at")
		fs.Func("endpoints", "`numbers` of endpoints, separated by commas (default: the scenario's)", counts(&c.endpoints))
		fs.Func("proxies", "`numbers` of proxies, separated by commas (default: the scenario's)", counts(&c.proxies))
		fs.StringVar(&breakers, "breakers", breakers, "`which`: on, those of the scenario; off; both, a table of each")
		fs.IntVar(&o.MostSeeds, "seeds", mostSeeds, "most seeds on which a ratio is measured (`number`)")
		fs.Float64Var(&o.Precision, "precision", 0.02, "half-width of the interval at which no more seeds are played, as a `share` of the ratio")
		fs.Func("seed", "`seed` of the first block (default: the scenario's)", func(text string) error {
			seed, err := strconv.ParseUint(text, 10, 64)
			o.Seed = &seed
			if err != nil {
				return errors.New("expected a whole number from 0 to 18446744073709551615")
			}
			return nil
		})
		define(fs)
	})
	if err != nil {
		return err
	}
	c.breakers = map[string][]regret.Breakers{"both": {regret.AsScenario, regret.Off}, "on": {regret.AsScenario}, "off": {regret.Off}}[breakers]
	if c.breakers == nil {
		return c.call.Usagef("--breakers %s: expected on, off or both", breakers)
	}
	if o.MostSeeds < 2 || o.MostSeeds > 10_000 {
		return c.call.Usagef("--seeds %d: expected 2 to 10000", o.MostSeeds)
	}
	if !(o.Precision > 0 && o.Precision <= 1) {
		return c.call.Usagef("--precision %v: expected above 0, at most 1", o.Precision)
	}
	return c.load(names)
}

// counts reads a list of numbers.
func counts(list *[]int) func(string) error {
	return func(text string) error {
		*list = nil
		for _, part := range strings.Split(text, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(part))
			if err != nil || n < 1 || slices.Contains(*list, n) {
				return errors.New("expected a number above 0, or several with commas, each once")
			}
			*list = append(*list, n)
		}
		return nil
	}
}

// load reads the scenarios in every size.
func (c *comparison) load(names []string) error {
	if len(names) == 0 {
		var err error
		if names, err = scenario.List(c.dir); err != nil {
			return err
		}
	}
	own, err := load(c.dir, names, scenario.Sim)
	if err != nil {
		return err
	}
	for i, s := range own {
		for _, endpoints := range c.endpoints {
			for _, proxies := range c.proxies {
				settings, err := regret.Resize(s, endpoints, proxies)
				if err != nil {
					return c.call.Usagef("%v", err)
				}
				sized, err := scenario.Load(c.dir, names[i], scenario.Sim, settings...)
				if err != nil {
					return c.call.Usagef("%s: %v", names[i], err)
				}
				c.scenarios = append(c.scenarios, sized)
			}
		}
	}
	return nil
}

// watch tells on stderr how far it is, and returns what ends that.
func (c *comparison) watch(what string) (end func()) {
	p := newProgress(c.call.Stderr, what, 0)
	c.options.Done = func(_, total int, label string) {
		p.total, p.label = total, label
		p.done()
	}
	return p.clear
}

// measured tells whether the tables are to be printed: where a scenario is too small for it,
// that is told, and the others' rows stand.
func measured(err error) bool {
	_, few := errors.AsType[regret.TooFewError](err)
	return err == nil || few
}

// failure is an error, that of a subject as one of the command line.
func (c *comparison) failure(err error) error {
	if subject, ok := errors.AsType[regret.SubjectError](err); ok {
		return c.call.Usagef("%v", subject)
	}
	return err
}

// findRegret is keellab regret.
func findRegret(call *cli.Call) error {
	c := comparison{call: call}
	against := strings.Join(regret.Others, ",")
	var markdown, check bool
	if err := c.parse(100, func(fs *flag.FlagSet) {
		fs.StringVar(&against, "against", against, "`subjects` of which the best is the measure, separated by commas")
		fs.IntVar(&c.options.Choose, "choose", 4, "seeds on which the best is chosen (`number`)")
		fs.BoolVar(&markdown, "markdown", false, "tables in Markdown")
		fs.BoolVar(&check, "check", false, "exit 1 on a miss")
	}); err != nil {
		return err
	}
	if c.options.Choose < 1 || c.options.Choose > 1000 {
		return call.Usagef("--choose %d: expected 1 to 1000", c.options.Choose)
	}
	var err error
	if c.options.Against, err = scenario.SplitSubjects(against); err != nil {
		return call.Usagef("%v", err)
	}
	c.options.Against = slices.DeleteFunc(c.options.Against, func(name string) bool { return name == c.options.Subject })
	if len(c.options.Against) == 0 {
		return call.Usagef("--against %s: expected somebody else than the subject", against)
	}
	end := c.watch("regret")
	tables, err := regret.Run(call.Context, c.scenarios, c.breakers, c.options)
	end()
	rows, missed := 0, 0
	for _, t := range tables {
		rows += len(t.Rows)
		for i := range t.Rows {
			if !t.Rows[i].OK() {
				missed++
			}
		}
	}
	if measured(err) {
		regret.Print(call.Stdout, tables, &c.options, markdown)
	}
	if err != nil {
		return c.failure(err)
	}
	if check && missed > 0 {
		return fmt.Errorf("the goal is missed in %d of %d rows", missed, rows)
	}
	return nil
}

// ablate is keellab ablation.
func ablate(call *cli.Call) error {
	c := comparison{call: call}
	if err := c.parse(50, func(*flag.FlagSet) {}); err != nil {
		return err
	}
	end := c.watch("ablation")
	tables, err := regret.Ablate(call.Context, c.scenarios, c.breakers, c.options)
	end()
	if measured(err) {
		regret.PrintAblation(call.Stdout, tables, &c.options)
	}
	return c.failure(err)
}
