package main

import (
	"errors"
	"flag"
	"fmt"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/core/config/strict"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// list prints the catalogue.
func list(c *cli.Call) error {
	dir := scenario.Dir
	if err := c.ParseFlags(func(fs *flag.FlagSet) { defineDir(fs, &dir) }); err != nil {
		return err
	}
	names, err := scenario.List(dir)
	if err != nil {
		return err
	}
	all, err := load(dir, names, scenario.Sim)
	for _, s := range all {
		fmt.Fprintf(c.Stdout, "%-18s %s\n", s.Name, s.Models)
	}
	return err
}

func defineDir(fs *flag.FlagSet, dir *string) {
	fs.StringVar(dir, "scenarios", scenario.Dir, "`folder` in which scenarios are looked up by name")
}

// load reads scenarios by name or path, all of them if none is named, and reports the
// mistakes in all of them at once.
func load(dir string, names []string, size scenario.Size) ([]*scenario.Scenario, error) {
	if len(names) == 0 {
		var err error
		if names, err = scenario.List(dir); err != nil {
			return nil, err
		}
	}
	var all []*scenario.Scenario
	var mistakes strict.Errors
	seen := map[string]string{}
	for _, name := range names {
		s, err := scenario.Load(dir, name, size)
		var these strict.Errors
		switch {
		case errors.As(err, &these):
			mistakes = append(mistakes, these...)
			continue
		case err != nil:
			return nil, err
		}
		if first, twice := seen[s.Name]; twice {
			return nil, fmt.Errorf("%s and %s are both called %q: expected different names", first, name, s.Name)
		}
		seen[s.Name] = name
		all = append(all, s)
	}
	return all, mistakes.Err()
}

// schema prints the JSON Schema of scenario files.
func schema(c *cli.Call) error {
	if err := c.NoFlags(); err != nil {
		return err
	}
	text, err := scenario.Schema()
	if err != nil {
		return err
	}
	_, err = c.Stdout.Write(text)
	return err
}
