// Package cli is what the commands have in common: a table of subcommands on top of the
// flag package, one clear line for each mistake, and the exit codes.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Exit codes.
const (
	OK     = 0
	Failed = 1 // the thing asked for failed
	Usage  = 2
)

// Program is a table of commands.
type Program struct {
	Name, Title string
	Commands    []Command
	More        string // at the end of the help
	// Interrupted is what is said of an interruption (context.Canceled).
	Interrupted string
}

// Command is one subcommand.
type Command struct {
	Name, Usage, Short string
	Run                func(*Call) error
}

// Call is one use of a command.
type Call struct {
	Context        context.Context
	Stdout, Stderr io.Writer

	program, command string
	args             []string
}

// usageError is a mistake in the command line.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

// Usagef is the error of a mistake in the command line; it names the command.
func (c *Call) Usagef(format string, args ...any) error {
	return usageError{c.command + ": " + fmt.Sprintf(format, args...)}
}

// Run runs the command that the arguments name and returns the exit code.
func (p Program) Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		p.help(stderr)
		return Usage
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		p.help(stdout)
		return OK
	}
	var names []string
	for _, c := range p.Commands {
		if c.Name == args[0] {
			return p.exit(c.Run(&Call{ctx, stdout, stderr, p.Name, c.Name, args[1:]}), stderr)
		}
		names = append(names, c.Name)
	}
	return p.exit(usageError{strict.Unknown("command", args[0], names)}, stderr)
}

// exit reports an error and returns the exit code for it.
func (p Program) exit(err error, stderr io.Writer) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return OK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %v\nTry '%s help'.\n", p.Name, err, p.Name)
		return Usage
	case errors.As(err, new(strict.Errors)):
		fmt.Fprintln(stderr, err) // each line says where
	case errors.Is(err, context.Canceled) && p.Interrupted != "":
		fmt.Fprintf(stderr, "%s: %s\n", p.Name, p.Interrupted)
	default:
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
	}
	return Failed
}

func (p Program) help(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n\nUsage:\n", p.Name, p.Title)
	for _, c := range p.Commands {
		fmt.Fprintf(w, "  %s %-8s %s\n      %s\n", p.Name, c.Name, c.Usage, c.Short)
	}
	if p.More != "" {
		fmt.Fprintf(w, "\n%s\n", p.More)
	}
	fmt.Fprint(w, "\nExit codes: 0 fine, 1 the thing asked for failed, 2 usage.\n")
}

// Parse reads the command's flags and returns its other arguments; the two may be mixed.
func (c *Call) Parse(define func(*flag.FlagSet)) ([]string, error) {
	fs := flag.NewFlagSet(c.program+" "+c.command, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	define(fs)
	var rest []string
	for args := c.args; ; {
		err := fs.Parse(args)
		switch {
		case errors.Is(err, flag.ErrHelp):
			fmt.Fprintf(c.Stderr, "Flags of %s %s:\n", c.program, c.command)
			fs.SetOutput(c.Stderr)
			fs.PrintDefaults()
			return nil, err
		case err != nil:
			return nil, c.Usagef("%s", flagMessage(fs, err))
		case fs.NArg() == 0:
			return rest, nil
		}
		// The flag package stops at the first argument that is none.
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// ParseFlags is Parse for a command that takes nothing but flags.
func (c *Call) ParseFlags(define func(*flag.FlagSet)) error {
	rest, err := c.Parse(define)
	if err == nil && len(rest) > 0 {
		err = c.Usagef("unexpected argument %q", rest[0])
	}
	return err
}

// NoFlags is for a command that takes nothing at all.
func (c *Call) NoFlags() error { return c.ParseFlags(func(*flag.FlagSet) {}) }

// flagMessage is the flag package's message; for a flag that there is not, ours, with the
// name that was probably meant.
func flagMessage(fs *flag.FlagSet, err error) string {
	given, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err.Error()
	}
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return strict.Unknown("flag", given, names)
}
