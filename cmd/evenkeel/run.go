package main

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/evenkeel/evenkeel/adaptive"
	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/serve"
)

// run runs the proxy until a signal stops it.
func run(c *cli.Call) error {
	var path, listen, endpoints, strategy, admin string
	if err := c.ParseFlags(func(fs *flag.FlagSet) {
		fs.StringVar(&path, "c", "", "configuration `file`; - for standard input")
		fs.StringVar(&listen, "listen", "", "without a file: `address` to listen on (default 127.0.0.1:8080)")
		fs.StringVar(&endpoints, "endpoints", "", "without a file: `URLs` of the endpoints, separated by commas")
		fs.StringVar(&strategy, "strategy", "", "without a file: `name` of the strategy (default "+config.DefaultStrategy+")")
		fs.StringVar(&admin, "admin", "", "without a file: `address` of the admin listener (default 127.0.0.1:9901), or off")
	}); err != nil {
		return err
	}
	var file *config.File
	var again func() (*config.File, error)
	var err error
	switch {
	case path != "" && listen+endpoints+strategy+admin != "":
		return c.Usagef("-c goes without --listen, --endpoints, --strategy and --admin")
	case path != "":
		if path != "-" { // standard input is read once
			again = func() (*config.File, error) { return config.Load(path) }
		}
		file, err = config.Load(path)
	case endpoints == "":
		return c.Usagef("expected -c FILE, or --endpoints URL,URL")
	default:
		file, err = config.FromEndpoints(listen, strings.Split(endpoints, ","), strategy, admin)
	}
	if err != nil {
		return err
	}
	log, level := logger(file.Log.Level, c.Stderr)
	server, err := serve.New(file, serve.Options{
		Assemble: adaptive.Build, Version: versionString(), Log: log, Level: level, Load: again,
	})
	if err != nil {
		return err
	}
	return untilSignalled(server)
}

// logger writes JSON lines, from a level on that may be changed. What the standard logger
// is told goes there, too, for debugging: net/http's transport tells it of endpoints that
// send what nobody has asked for, and has no logger of its own.
func logger(level string, w io.Writer) (*slog.Logger, *slog.LevelVar) {
	l := new(slog.LevelVar)
	l.UnmarshalText([]byte(level)) // validated with the configuration
	log := slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l}))
	slog.SetLogLoggerLevel(slog.LevelDebug)
	slog.SetDefault(log)
	return log, l
}

// untilSignalled runs a server until a signal stops it. HUP has it read its
// configuration again; what is wrong with that it says itself.
func untilSignalled(server *serve.Server) error {
	stop, kill, release := signals()
	defer release()
	hangup := make(chan os.Signal, 1) // one that comes during a reload is not lost
	signal.Notify(hangup, syscall.SIGHUP)
	var loading sync.WaitGroup
	loading.Go(func() {
		for range hangup {
			_ = server.Reload()
		}
	})
	defer func() {
		signal.Stop(hangup)
		close(hangup)
		loading.Wait()
	}()
	return server.Run(stop, kill)
}

// signals returns a context that ends with the first TERM or INT, and one that ends
// with the second.
func signals() (stop, kill context.Context, release func()) {
	arrived := make(chan os.Signal, 2)
	signal.Notify(arrived, syscall.SIGTERM, os.Interrupt)
	stop, stopped := context.WithCancel(context.Background())
	kill, killed := context.WithCancel(context.Background())
	go func() {
		defer killed()
		defer stopped()
		<-arrived
		stopped()
		<-arrived
	}()
	return stop, kill, func() {
		signal.Stop(arrived)
		close(arrived)
	}
}
