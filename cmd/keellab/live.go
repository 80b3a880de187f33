package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/live"
	"github.com/evenkeel/evenkeel/lab/peer"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/sim"
)

// everyBlock is --records of keellab run where nothing is said.
const everyBlock = -1

// play is keellab run.
func play(c *cli.Call) error {
	e := experiment{call: c, twin: sim.Driver{}, parallel: 1, room: mostKept}
	var binary, address string
	if err := e.parse(scenario.Live, func(fs *flag.FlagSet) {
		fs.IntVar(&e.blocks, "blocks", 2, "`number` of blocks: trials of each subject")
		fs.StringVar(&binary, "evenkeel", beside("evenkeel"), "`path` of the proxy's binary")
		fs.IntVar(&e.records, "records", everyBlock, "keep every request of the trials of the first so many blocks; 0 for none, and nothing else that trials leave (default: all) (`number`)")
		fs.BoolVar(&e.resume, "resume", false, "go on where an earlier run of the same command was interrupted")
		fs.StringVar(&address, "metrics", "", "`address` at which the servers' metrics are shown while they run (default: nowhere)")
	}); err != nil {
		return err
	}
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("no proxy to run: %w (make build makes it; --evenkeel names another)", err)
	}
	d := live.Driver{Proxy: binary}
	switch {
	case e.records == everyBlock:
		d.Dir, e.records = e.out, e.blocks
	case e.records < 0:
		return c.Usagef("--records %d: expected at least 0", e.records)
	case e.records > 0:
		d.Dir = e.out
	}
	if address != "" {
		d.Metrics = new(live.Exposition)
		stop, err := serve(address, d.Metrics)
		if err != nil {
			return fmt.Errorf("--metrics: %w", err)
		}
		defer stop()
	}
	e.driver = d
	e.before = func(ctx context.Context, s *scenario.Scenario) error {
		calibrated, err := d.Calibrate(ctx, s)
		if err == nil {
			fmt.Fprintf(c.Stderr, "live: %s\n", calibrated)
		}
		return err
	}
	return e.run()
}

// serve serves what is to be seen while trials run.
func serve(address string, h http.Handler) (stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", h)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.Serve(listener)
	}()
	return func() {
		server.Close()
		<-ended
	}, nil
}

// beside is the path of another binary in the folder of this one.
func beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

// peers is the word for all other proxies that are installed.
const peers = "peers"

// parseSubjects reads the subjects for each scenario: those of the command line, or
// the scenario's own, and in the simulator the oracle.
func (e *experiment) parseSubjects(size scenario.Size) error {
	e.subjects = map[string][]scenario.Subject{}
	named, err := e.namedSubjects(size)
	if err != nil {
		return err
	}
	for _, s := range e.scenarios {
		texts := s.Subjects
		if size == scenario.Sim && !slices.Contains(texts, scenario.Oracle) {
			texts = append(slices.Clone(texts), scenario.Oracle)
		}
		if named != nil {
			texts = named
		}
		seen := map[string]bool{}
		for _, text := range texts {
			subject, err := s.Subject(text)
			if err != nil {
				return e.call.Usagef("%v", err)
			}
			switch {
			case subject.Oracle && size == scenario.Live:
				return e.call.Usagef("subject oracle: it knows what only the simulator can know")
			case subject.Peer != nil && size == scenario.Sim:
				return e.call.Usagef("subject %s: another proxy is played over real HTTP only (keellab run)", subject.Name)
			case subject.Peer != nil:
				if _, err := subject.Peer.Version(e.call.Context); err != nil {
					return fmt.Errorf("subject %s: %w", subject.Name, err)
				}
			}
			if seen[subject.Name] {
				return e.call.Usagef("subject %q stands twice", subject.Name)
			}
			seen[subject.Name] = true
			e.subjects[s.Name] = append(e.subjects[s.Name], subject)
		}
	}
	return nil
}

// namedSubjects are those of the command line; nil when it names none. Of the peers those
// that are not installed are left out, and that is said.
func (e *experiment) namedSubjects(size scenario.Size) ([]string, error) {
	if e.compare == "" {
		return nil, nil
	}
	names, err := scenario.SplitSubjects(e.compare)
	if err != nil {
		return nil, e.call.Usagef("%v", err)
	}
	at := slices.Index(names, peers)
	if at < 0 {
		return names, nil
	}
	if size == scenario.Sim {
		return nil, e.call.Usagef("subject %s: other proxies are played over real HTTP only (keellab run)", peers)
	}
	there, skipped, err := sortOut(peer.Names(), func(name string) (string, error) {
		version, err := peer.Find(name).Version(e.call.Context)
		if err == nil {
			fmt.Fprintf(e.call.Stderr, "%s: %s\n", name, version)
		}
		return version, err
	})
	if err != nil {
		return nil, err
	}
	e.skipped = append(e.skipped, skipped...)
	for _, line := range skipped {
		fmt.Fprintln(e.call.Stderr, line)
	}
	if names = slices.Replace(names, at, at+1, there...); len(names) == 0 {
		return nil, errors.New("nothing to compare: none of the other proxies is installed")
	}
	return names, nil
}

// sortOut are those of the names whose program tells its version, and a line for each reason
// why others are left out.
func sortOut(names []string, version func(string) (string, error)) (there, skipped []string, err error) {
	missing := map[string][]string{}
	for _, name := range names {
		_, err := version(name)
		switch {
		case errors.Is(err, peer.ErrMissing):
			missing[err.Error()] = append(missing[err.Error()], name)
		case err != nil:
			return nil, nil, err
		default:
			there = append(there, name)
		}
	}
	for why, names := range missing {
		skipped = append(skipped, fmt.Sprintf("skipped: %s: %s", strings.Join(names, ", "), why))
	}
	slices.Sort(skipped)
	return there, skipped, nil
}
