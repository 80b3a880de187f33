// Command evenkeel is a latency-aware HTTP load balancer.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/evenkeel/evenkeel/core/config"
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
	run                func(args []string, stdout, stderr io.Writer) error
}

// commands in the order of the help.
func commands() []command {
	return []command{
		{"run", "[-c FILE] | --listen ADDR --endpoints URL,URL [--strategy NAME] [--admin ADDR]", "run the proxy", run},
		{"demo", "[--load 50] [--strategy NAME]", "run the proxy in front of five simulated backends, one of them slow", demo},
		{"validate", "-c FILE", "check a configuration: every error at once, exit 1 if there is one", validate},
		{"print", "-c FILE", "print the effective configuration, every default included", printConfig},
		{"schema", "", "print the JSON Schema of the configuration", schema},
		{"version", "", "print the version", printVersion},
	}
}

// usageError is a mistake in the command line.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

func main() { os.Exit(dispatch(os.Args[1:], os.Stdout, os.Stderr)) }

// dispatch runs the command line and returns the exit code.
func dispatch(args []string, stdout, stderr io.Writer) int {
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
			return exit(c.run(args[1:], stdout, stderr), stderr)
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
		fmt.Fprintf(stderr, "evenkeel: %v\nTry 'evenkeel help'.\n", err)
		return exitUsage
	case errors.As(err, new(strict.Errors)):
		fmt.Fprintln(stderr, err) // each line says where
		return exitFailed
	}
	fmt.Fprintf(stderr, "evenkeel: %v\n", err)
	return exitFailed
}

func help(w io.Writer) {
	fmt.Fprint(w, "evenkeel: a latency-aware HTTP load balancer\n\nUsage:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  evenkeel %-8s %s\n      %s\n", c.name, c.usage, c.short)
	}
	fmt.Fprint(w, "\nExit codes: 0 fine, 1 the thing asked for failed, 2 usage.\n")
}

// parse reads a command's flags; there are no other arguments.
func parse(name string, args []string, stderr io.Writer, define func(*flag.FlagSet)) error {
	fs := flag.NewFlagSet("evenkeel "+name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	define(fs)
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stderr, "Flags of evenkeel %s:\n", name)
		fs.SetOutput(stderr)
		fs.PrintDefaults()
		return err
	case err != nil:
		return usagef("%s: %v", name, err)
	case fs.NArg() > 0:
		return usagef("%s: unexpected argument %q", name, fs.Arg(0))
	}
	return nil
}

// load reads the file of a command that takes just one.
func load(name string, args []string, stderr io.Writer) (*config.File, error) {
	var path string
	if err := parse(name, args, stderr, func(fs *flag.FlagSet) {
		fs.StringVar(&path, "c", "", "configuration `file`; - for standard input")
	}); err != nil {
		return nil, err
	}
	if path == "" {
		return nil, usagef("%s: expected -c FILE", name)
	}
	return config.Load(path)
}

func validate(args []string, stdout, stderr io.Writer) error {
	_, err := load("validate", args, stderr)
	if err == nil {
		fmt.Fprintln(stdout, "the configuration is valid")
	}
	return err
}

func printConfig(args []string, stdout, stderr io.Writer) error {
	f, err := load("print", args, stderr)
	if err != nil {
		return err
	}
	text, err := f.YAML()
	if err != nil {
		return err
	}
	_, err = stdout.Write(text)
	return err
}

func schema(args []string, stdout, stderr io.Writer) error {
	if err := parse("schema", args, stderr, func(*flag.FlagSet) {}); err != nil {
		return err
	}
	text, err := config.Schema()
	if err != nil {
		return err
	}
	_, err = stdout.Write(text)
	return err
}

// version is set by the build; without it the module's own version stands.
var version string

func versionString() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func printVersion(args []string, stdout, stderr io.Writer) error {
	if err := parse("version", args, stderr, func(*flag.FlagSet) {}); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "evenkeel %s %s %s/%s\n", versionString(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
