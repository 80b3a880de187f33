package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/core/config/strict"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// variation is what the command line sets in place of what the scenarios say.
type variation struct {
	set    []scenario.Setting
	sweeps [][]scenario.Setting
}

// define defines the flags.
func (v *variation) define(fs *flag.FlagSet) {
	fs.Func("set", "`path=value` in place of what every scenario says: servers.count=20, 'faults=[]'; may be repeated", func(text string) error {
		s, err := scenario.ParseSetting(text)
		v.set = append(v.set, s)
		return err
	})
	fs.Func("sweep", "`path=a,b,c`: every scenario with each of the values; repeated, with all combinations", func(text string) error {
		sweep, err := scenario.ParseSweep(text)
		v.sweeps = append(v.sweeps, sweep)
		return err
	})
	v.defineShort(fs, "proxies", "proxies")
	v.defineShort(fs, "endpoints", "servers.count")
}

// defineShort defines a flag for one path: a setting, or with commas a sweep.
func (v *variation) defineShort(fs *flag.FlagSet, name, path string) {
	fs.Func(name, "`number`, or with commas several: short for --set or --sweep "+path+"=…", func(text string) error {
		sweep, err := scenario.ParseSweep(path + "=" + text)
		if err != nil {
			return errors.New("expected a number, or several with commas, each once")
		}
		for i := range sweep {
			sweep[i].Flag = "--" + name + " " + sweep[i].Value
		}
		if len(sweep) == 1 {
			sweep[0].Swept = false
			v.set = append(v.set, sweep[0])
		} else {
			v.sweeps = append(v.sweeps, sweep)
		}
		return nil
	})
}

// load reads the scenarios, all of dir if none is named, each at every point of the
// sweeps. Mistakes in the files come first: they are no mistakes of the flags.
func (v *variation) load(c *cli.Call, dir string, names []string, size scenario.Size) ([]*scenario.Scenario, error) {
	points, err := scenario.Grid(v.set, v.sweeps...)
	if err != nil {
		return nil, c.Usagef("%v", err)
	}
	if len(names) == 0 {
		if names, err = scenario.List(dir); err != nil {
			return nil, err
		}
	}
	plain, err := load(dir, names, size)
	if err != nil || len(points[0]) == 0 {
		return plain, err
	}
	var all []*scenario.Scenario
	var wrong complaints
	for i, name := range names {
		these, err := vary(dir, name, size, points)
		var mistakes strict.Errors
		switch {
		case errors.As(err, &mistakes):
			wrong.add(plain[i].Name, mistakes)
		case err != nil:
			return nil, c.Usagef("%s: %v", name, err)
		}
		all = append(all, these...)
	}
	if wrong.lines != nil {
		return nil, c.Usagef("%s", wrong.text(len(names)))
	}
	seen := map[string]bool{}
	for _, s := range all {
		if seen[s.Name] {
			return nil, c.Usagef("two scenarios are called %q: expected different names", s.Name)
		}
		seen[s.Name] = true
	}
	return all, nil
}

// vary reads one scenario at each point; the first point with mistakes is the last.
func vary(dir, name string, size scenario.Size, points [][]scenario.Setting) ([]*scenario.Scenario, error) {
	var all []*scenario.Scenario
	at := map[string]string{} // names, by everything else that is said
	for _, p := range points {
		s, err := scenario.Load(dir, name, size, p...)
		if err != nil {
			return nil, err
		}
		nameless := *s
		nameless.Name = ""
		text, err := strict.Marshal(nameless)
		if err != nil {
			return nil, err
		}
		if first, twice := at[string(text)]; twice {
			return nil, fmt.Errorf("%s and %s are the same: expected different points", first, s.Name)
		}
		at[string(text)] = s.Name
		all = append(all, s)
	}
	return all, nil
}

// complaints are mistakes of the flags, each once, with the scenarios that have it. What
// stands in a file says so itself.
type complaints struct {
	lines []string
	of    map[string][]string
}

func (c *complaints) add(scenario string, mistakes strict.Errors) {
	if c.of == nil {
		c.of = map[string][]string{}
	}
	for _, m := range mistakes {
		line := m.Error()
		if c.of[line] == nil {
			c.lines = append(c.lines, line)
		}
		if m.Line == 0 {
			c.of[line] = append(c.of[line], scenario)
		}
	}
}

// text is a line for each mistake; what only some of the scenarios have names them.
func (c *complaints) text(scenarios int) string {
	lines := slices.Clone(c.lines)
	for i, line := range lines {
		if of := c.of[line]; of != nil && len(of) < scenarios {
			lines[i] += " (" + strings.Join(of, ", ") + ")"
		}
	}
	return strings.Join(lines, "\n")
}
