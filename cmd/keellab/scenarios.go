package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/evenkeel/evenkeel/core/config/strict"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// list prints the catalogue.
func list(_ context.Context, args []string, stdout, stderr io.Writer) error {
	dir := scenario.Dir
	rest, err := parse("list", args, stderr, func(fs *flag.FlagSet) { defineDir(fs, &dir) })
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("list: unexpected argument %q", rest[0])
	}
	names, err := scenario.List(dir)
	if err != nil {
		return err
	}
	all, err := load(dir, names, scenario.Sim)
	for _, s := range all {
		fmt.Fprintf(stdout, "%-14s %s\n", s.Name, s.Models)
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
func schema(_ context.Context, args []string, stdout, stderr io.Writer) error {
	rest, err := parse("schema", args, stderr, func(*flag.FlagSet) {})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("schema: unexpected argument %q", rest[0])
	}
	text, err := scenario.Schema()
	if err != nil {
		return err
	}
	_, err = stdout.Write(text)
	return err
}
