// Package scenario is the file that describes an experiment: who arrives when, what
// the servers are and what befalls them, what the proxy in between is set to, and
// which subjects are compared. The same file is played in virtual time and, in its
// live size, over real HTTP.
package scenario

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Scenario is one scenario file. Durations are relative to the start of a trial.
type Scenario struct {
	Version int    `yaml:"version,required" doc:"Version of the format: 1."`
	Name    string `yaml:"name,required" doc:"The scenario's name: that of its file."`
	Models  string `yaml:"models,required" doc:"What it models, in a sentence."`
	Source  string `yaml:"source" doc:"Where its idea and its numbers come from."`
	Expect  Expect `yaml:"expect" doc:"Who is expected to win and to lose; written before the run."`

	Seed     uint64        `yaml:"seed" doc:"Seed of the first block; further blocks count on from it."`
	Duration time.Duration `yaml:"duration" doc:"How long requests arrive, warm-up included."`
	WarmUp   time.Duration `yaml:"warm_up" doc:"Requests planned before this are played, but not counted."`

	Arrivals Arrivals        `yaml:"arrivals" doc:"When requests arrive."`
	Requests Requests        `yaml:"requests,omitempty" doc:"What is asked for."`
	Classes  []Class         `yaml:"classes,omitempty" doc:"Kinds of requests, each with its own service times; left out: one kind, as servers.service says."`
	Client   Client          `yaml:"client" doc:"What the clients do."`
	Network  Network         `yaml:"network" doc:"What lies between proxies and servers."`
	Proxies  int             `yaml:"proxies" doc:"How many proxies share the load, each with what it has learned by itself."`
	Proxy    config.Policies `yaml:"proxy" doc:"Settings of the pool in every proxy; a subject's strategy and limiter stand in place of those here."`
	Servers  Servers         `yaml:"servers" doc:"The servers, all alike but for their speeds and faults."`
	Faults   []Fault         `yaml:"faults" doc:"What befalls the servers."`

	Objective Objective `yaml:"objective" doc:"What a request should reach."`
	Metric    string    `yaml:"metric" enum:"p50,p90,p99,p999,mean,goodput_rps,error_ratio" doc:"What subjects are compared by: a percentile or the mean of the response time, the goodput within the objective, or the share of failures."`
	Subjects  []string  `yaml:"subjects" doc:"What is compared unless named on the command line."`

	// Text is the file as it was read, with the settings if there are any; Comment is
	// what it says at its top, Set the settings as PATH=VALUE.
	Text    []byte
	Comment string
	Set     []string
}

// Expect names subjects.
type Expect struct {
	Wins  []string `yaml:"wins,omitempty" doc:"Expected among the best."`
	Loses []string `yaml:"loses,omitempty" doc:"Expected to be clearly worse than the best."`
}

// Objective is what a request should reach.
type Objective struct {
	Latency time.Duration `yaml:"latency" doc:"An answer within this counts as good."`
	Share   float64       `yaml:"share" doc:"Share of the requests that should be good."`
}

// Metrics are what a scenario may compare its subjects by; lab/stat says how.
var Metrics = []string{"p50", "p90", "p99", "p999", "mean", "goodput_rps", "error_ratio"}

// Default returns the defaults of a scenario.
func Default() Scenario {
	return Scenario{
		Seed:      1,
		Duration:  60 * time.Second,
		WarmUp:    5 * time.Second,
		Arrivals:  Arrivals{Law: Poisson},
		Client:    Client{Timeout: 5 * time.Second},
		Proxies:   1,
		Proxy:     config.DefaultPolicies(),
		Servers:   Servers{Count: 10, Slots: 4, Queue: 1000, Discipline: Queueing, Abandoned: Finish, Service: Service{Law: "exponential", Mean: 10 * time.Millisecond}},
		Objective: Objective{Latency: 100 * time.Millisecond, Share: 0.99},
		Metric:    "p99",
		Subjects:  []string{"round-robin", "least-requests", "p2c-ewma"},
	}
}

// Size says which of a file's two sizes is meant.
type Size int

const (
	// Sim is the file as it stands, for virtual time.
	Sim Size = iota
	// Live has the file's live block laid over it, for real HTTP on a small
	// machine.
	Live
)

// Parse reads a scenario in the given size. Both sizes are checked, the live one if the
// file has a live block or it is asked for; with settings, then the given size with
// those. name stands in messages.
func Parse(name string, data []byte, size Size, settings ...Setting) (*Scenario, error) {
	doc, err := strict.Parse(name, data)
	if err != nil {
		return nil, err
	}
	sizes := [2]Scenario{Default(), Default()}
	played := [2]*strict.Document{Sim: doc.Without("live"), Live: doc.Overlay("live")}
	for i, d := range played {
		d.Decode(&sizes[i])
		sizes[i].validate(d.Reportf)
	}
	sizes[Sim].validateSim(played[Sim].Reportf)
	if size == Live || doc.Has("live") {
		sizes[Live].validateLive(played[Live].Reportf)
	}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	s := &sizes[size]
	s.Text = data
	if len(settings) > 0 {
		if s, err = vary(played[size], size, settings); err != nil {
			return nil, err
		}
	}
	s.Comment = comment(data)
	return s, nil
}

// comment is the text of the comment lines at the top of a file.
func comment(data []byte) string {
	var lines []string
	for line := range strings.Lines(string(data)) {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "#")
		if !ok {
			break
		}
		lines = append(lines, strings.TrimSpace(text))
	}
	return strings.Join(lines, "\n")
}

// Capacity is what the servers can do together at nominal speed, requests a second. It is
// 0 where it hangs on a file of service times that has not been read.
func (s *Scenario) Capacity() float64 {
	mean := s.meanService()
	if mean == 0 {
		return 0
	}
	return s.Servers.power() * float64(s.Servers.Slots) / mean.Seconds()
}

// Dir is where scenarios are looked up by name.
const Dir = "scenarios"

// Load reads the scenario called name, a path to a file or the name of one in dir, with
// the settings; and the files of times that it names, which Parse does not.
func Load(dir, name string, size Size, settings ...Setting) (*Scenario, error) {
	path := name
	if !strings.ContainsAny(name, "/\\") && filepath.Ext(name) == "" {
		path = filepath.Join(dir, name+".yaml")
	}
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) && path != name {
		names, _ := List(dir)
		return nil, fmt.Errorf("%s", strict.Unknown("scenario", name, names))
	}
	if err != nil {
		return nil, err
	}
	s, err := Parse(path, data, size, settings...)
	if err == nil {
		err = blame(s.read(path), settings)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// List returns the names of the scenarios in dir, sorted.
func List(dir string) ([]string, error) {
	var names []string
	files, err := fs.Glob(os.DirFS(dir), "*.yaml")
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f, ".yaml"))
	}
	slices.Sort(names)
	if err == nil && names == nil {
		err = fmt.Errorf("no scenarios in %s: expected files ending in .yaml", dir)
	}
	return names, err
}
