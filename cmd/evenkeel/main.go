// Command evenkeel is a latency-aware HTTP load balancer.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/core/config"
)

func program() cli.Program {
	return cli.Program{
		Name:  "evenkeel",
		Title: "a latency-aware HTTP load balancer",
		Commands: []cli.Command{
			{Name: "run", Usage: "[-c FILE] | --listen ADDR --endpoints URL,URL [--strategy NAME] [--admin ADDR]", Short: "run the proxy", Run: run},
			{Name: "demo", Usage: "[--load 50] [--strategy NAME]", Short: "run the proxy in front of five simulated backends, one of them slow", Run: demo},
			{Name: "validate", Usage: "-c FILE", Short: "check a configuration: every error at once, exit 1 if there is one", Run: validate},
			{Name: "print", Usage: "-c FILE", Short: "print the effective configuration, every default included", Run: printConfig},
			{Name: "schema", Short: "print the JSON Schema of the configuration", Run: schema},
			{Name: "version", Short: "print the version", Run: printVersion},
		},
	}
}

func main() { os.Exit(dispatch(os.Args[1:], os.Stdout, os.Stderr)) }

// dispatch runs the command line and returns the exit code. The commands that run until
// they are stopped see to signals themselves: there is a difference between the first
// and the second.
func dispatch(args []string, stdout, stderr io.Writer) int {
	return program().Run(context.Background(), args, stdout, stderr)
}

// load reads the file of a command that takes just one.
func load(c *cli.Call) (*config.File, error) {
	var path string
	if err := c.ParseFlags(func(fs *flag.FlagSet) {
		fs.StringVar(&path, "c", "", "configuration `file`; - for standard input")
	}); err != nil {
		return nil, err
	}
	if path == "" {
		return nil, c.Usagef("expected -c FILE")
	}
	return config.Load(path)
}

func validate(c *cli.Call) error {
	_, err := load(c)
	if err == nil {
		fmt.Fprintln(c.Stdout, "the configuration is valid")
	}
	return err
}

func printConfig(c *cli.Call) error {
	f, err := load(c)
	if err != nil {
		return err
	}
	text, err := f.YAML()
	if err != nil {
		return err
	}
	_, err = c.Stdout.Write(text)
	return err
}

func schema(c *cli.Call) error {
	if err := c.NoFlags(); err != nil {
		return err
	}
	text, err := config.Schema()
	if err != nil {
		return err
	}
	_, err = c.Stdout.Write(text)
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

func printVersion(c *cli.Call) error {
	if err := c.NoFlags(); err != nil {
		return err
	}
	fmt.Fprintf(c.Stdout, "evenkeel %s %s %s/%s\n", versionString(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
