// Command keellab is evenkeel's laboratory: it plays scenarios in virtual time and over
// real HTTP, and compares strategies.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // the thing asked for failed
	exitUsage  = 2
)

// command is one subcommand.
type command struct {
	name, usage, short string
	run                func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

// commands in the order of the help.
func commands() []command {
	return []command{
		{"list", "", "list the scenarios: name, and what each models", list},
		{"sim", "[SCENARIO…] [--subjects A,B] [--seeds N] [--seed S] [--out DIR] [--append]", "play scenarios in virtual time (default: all)", simulate},
		{"run", "[SCENARIO…] [--subjects A,B] [--blocks N] [--seed S] [--out DIR] [--append]", "play scenarios over real HTTP (default: all)", play},
		{"certify", "[--seeds N]", "hold the simulator against queueing theory; exit 1 on a miss", certifySim},
		{"report", "DIR", "make the reports of a results folder again, from its records", rerender},
		{"schema", "", "print the JSON Schema of scenario files", schema},
	}
}

// usageError is a mistake in the command line.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// dispatch runs the command line and returns the exit code.
func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		help(stderr)
		return exitUsage
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		help(stdout)
		return exitOK
	}
	var names []string
	for _, c := range commands() {
		if c.name == args[0] {
			return exit(c.run(ctx, args[1:], stdout, stderr), stderr)
		}
		names = append(names, c.name)
	}
	return exit(usageError{strict.Unknown("command", args[0], names)}, stderr)
}

// exit reports an error and returns the exit code for it.
func exit(err error, stderr io.Writer) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "keellab: %v\nTry 'keellab help'.\n", err)
		return exitUsage
	case errors.As(err, new(strict.Errors)):
		fmt.Fprintln(stderr, err) // each line says where
		return exitFailed
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "keellab: interrupted; the records of the trials that were finished are kept")
		return exitFailed
	}
	fmt.Fprintf(stderr, "keellab: %v\n", err)
	return exitFailed
}

func help(w io.Writer) {
	fmt.Fprint(w, "keellab: play scenarios, compare strategies\n\nUsage:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  keellab %-7s %s\n      %s\n", c.name, c.usage, c.short)
	}
	fmt.Fprint(w, `
SCENARIO is a name under scenarios/ or a path. A subject is a strategy, perhaps with
settings and a limiter: p2c-ewma, p2c-ewma{decay=5s}, least-requests+fixed{limit=100}.

Exit codes: 0 fine, 1 the thing asked for failed, 2 usage.
`)
}

// parse reads a command's flags and returns its other arguments, in any order.
func parse(name string, args []string, stderr io.Writer, define func(*flag.FlagSet)) ([]string, error) {
	fs := flag.NewFlagSet("keellab "+name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	define(fs)
	var rest []string
	for {
		err := fs.Parse(args)
		switch {
		case errors.Is(err, flag.ErrHelp):
			fmt.Fprintf(stderr, "Flags of keellab %s:\n", name)
			fs.SetOutput(stderr)
			fs.PrintDefaults()
			return nil, err
		case err != nil:
			return nil, usagef("%s: %s", name, unknownFlag(fs, err))
		case fs.NArg() == 0:
			return rest, nil
		}
		// The flag package stops at the first argument that is none.
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// unknownFlag is the flag package's message; for a flag that there is not, ours, with
// the name that was probably meant.
func unknownFlag(fs *flag.FlagSet, err error) string {
	given, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err.Error()
	}
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return strict.Unknown("flag", given, names)
}
