package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// prog has a command that mixes flags and arguments, one that takes neither, and one that
// fails as it is told to.
func prog(got *[]string, fails error) Program {
	return Program{
		Name: "prog", Title: "a test", More: "There is more.", Interrupted: "interrupted, nothing is lost",
		Commands: []Command{
			{Name: "mix", Usage: "[NAME…]", Short: "takes both", Run: func(c *Call) (err error) {
				n := 0
				*got, err = c.Parse(func(fs *flag.FlagSet) { fs.IntVar(&n, "number", 1, "a `number`") })
				if n != 1 {
					*got = append(*got, "numbered")
				}
				return err
			}},
			{Name: "none", Short: "takes nothing", Run: func(c *Call) error { return c.NoFlags() }},
			{Name: "fail", Short: "fails", Run: func(*Call) error { return fails }},
		},
	}
}

func TestRun(t *testing.T) {
	mistakes := strict.Errors{{File: "f.yaml", Line: 2, Col: 3, Message: "no"}, {File: "f.yaml", Line: 1, Col: 1, Message: "nor this"}}
	for _, c := range []struct {
		args   string
		fails  error
		code   int
		stderr string
		got    []string
	}{
		{args: "mix a -number 2 b", got: []string{"a", "b", "numbered"}},
		{args: "mix", got: nil},
		{args: "mix --nubmer 2", code: 2, stderr: "prog: mix: unknown flag \"nubmer\": did you mean \"number\"?\nTry 'prog help'.\n"},
		{args: "mix --number x", code: 2, stderr: "prog: mix: invalid value \"x\" for flag -number: parse error\nTry 'prog help'.\n"},
		{args: "none"},
		{args: "none x", code: 2, stderr: "prog: none: unexpected argument \"x\"\nTry 'prog help'.\n"},
		{args: "nine", code: 2, stderr: "prog: unknown command \"nine\": did you mean \"none\"?\nTry 'prog help'.\n"},
		{args: "fail", fails: errors.New("it broke"), code: 1, stderr: "prog: it broke\n"},
		{args: "fail", fails: context.Canceled, code: 1, stderr: "prog: interrupted, nothing is lost\n"},
		{args: "fail", fails: mistakes, code: 1, stderr: "f.yaml:1:1: nor this\nf.yaml:2:3: no\n"},
	} {
		var got []string
		var stdout, stderr bytes.Buffer
		code := prog(&got, c.fails).Run(t.Context(), strings.Fields(c.args), &stdout, &stderr)
		if code != c.code || stderr.String() != c.stderr || stdout.Len() > 0 {
			t.Errorf("%q: got exit %d, %q, %q, want %d, %q", c.args, code, stderr.String(), stdout.String(), c.code, c.stderr)
		}
		if diff := cmp.Diff(c.got, got); c.code == 0 && diff != "" {
			t.Errorf("%q: arguments (-want +got):\n%s", c.args, diff)
		}
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := prog(nil, nil).Run(t.Context(), []string{"help"}, &stdout, &stderr); code != OK || stderr.Len() > 0 {
		t.Errorf("help: got exit %d and %q", code, stderr.String())
	}
	for _, want := range []string{"prog: a test", "prog mix", "[NAME…]", "takes nothing", "There is more.", "Exit codes"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("help says nothing of %q:\n%s", want, stdout.String())
		}
	}
	if code := prog(nil, nil).Run(t.Context(), nil, &stdout, &stderr); code != Usage || !strings.Contains(stderr.String(), "Usage:") {
		t.Errorf("nothing: got exit %d and %q, want 2 and the help", code, stderr.String())
	}
	stderr.Reset()
	var got []string
	if code := prog(&got, nil).Run(t.Context(), []string{"mix", "-h"}, &stdout, &stderr); code != OK || !strings.Contains(stderr.String(), "-number number") {
		t.Errorf("mix -h: got exit %d and %q", code, stderr.String())
	}
}
