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
	"github.com/evenkeel/evenkeel/lab/model"
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
	Client   Client          `yaml:"client" doc:"What the clients do."`
	Proxies  int             `yaml:"proxies" doc:"How many proxies share the load, each with what it has learned by itself."`
	Proxy    config.Policies `yaml:"proxy" doc:"Settings of the pool in every proxy; a subject's strategy and limiter stand in place of those here."`
	Servers  Servers         `yaml:"servers" doc:"The servers, all alike but for their faults."`
	Faults   []Fault         `yaml:"faults" doc:"What befalls the servers."`

	Objective Objective `yaml:"objective" doc:"What a request should reach."`
	Subjects  []string  `yaml:"subjects" doc:"What is compared unless named on the command line."`

	// Text is the file as it was read, Comment what it says at its top.
	Text    []byte
	Comment string
}

// Expect names subjects.
type Expect struct {
	Wins  []string `yaml:"wins,omitempty" doc:"Expected among the best."`
	Loses []string `yaml:"loses,omitempty" doc:"Expected to be clearly worse than the best."`
}

// Arrivals says when requests arrive: by a law, at a rate or at a share of what the
// servers can do.
type Arrivals struct {
	Law  string  `yaml:"law" enum:"poisson,constant" doc:"poisson: memoryless; constant: at equal intervals."`
	Load float64 `yaml:"load,omitempty" doc:"Offered load as a share of the nominal capacity (count x slots / mean service time). Instead of rate."`
	Rate float64 `yaml:"rate,omitempty" doc:"Requests a second. Instead of load."`
}

// Client is how the clients behave.
type Client struct {
	Timeout time.Duration `yaml:"timeout" doc:"A client leaves after this; a failed request counts as at least this long."`
	Retries int           `yaml:"retries" doc:"How often a client tries again: only 0 so far."`
}

// Servers are the simulated backends.
type Servers struct {
	Count   int     `yaml:"count" doc:"How many."`
	Slots   int     `yaml:"slots" doc:"Requests that a server works on at once."`
	Queue   int     `yaml:"queue" doc:"Requests that wait for a slot, first in first out; more are refused with 503."`
	Service Service `yaml:"service" doc:"How long a request takes at nominal speed."`
}

// Service is the law of service times.
type Service struct {
	Law    string        `yaml:"law" enum:"constant,exponential,lognormal,normal,weibull,pareto,bimodal" doc:"The distribution."`
	Mean   time.Duration `yaml:"mean" doc:"Its mean."`
	CV     float64       `yaml:"cv,omitempty" doc:"lognormal: coefficient of variation (standard deviation / mean); normal: that of the bell curve before it is cut off at 0."`
	Shape  float64       `yaml:"shape,omitempty" doc:"weibull: below 1 its tail is heavier than the exponential law's, above 1 lighter."`
	Alpha  float64       `yaml:"alpha,omitempty" doc:"pareto: tail index."`
	Spread float64       `yaml:"spread,omitempty" doc:"pareto: the longest time over the shortest."`
	Share  float64       `yaml:"share,omitempty" doc:"bimodal: the share of times that are long."`
	Factor float64       `yaml:"factor,omitempty" doc:"bimodal: how many times as long they are as the others."`
}

// law is the law that the settings describe.
func (v Service) law() (model.Law, error) {
	return model.NewLaw(model.Params{
		Kind: v.Law, Mean: v.Mean, CV: v.CV, Shape: v.Shape,
		Alpha: v.Alpha, Spread: v.Spread, Share: v.Share, Factor: v.Factor,
	})
}

// Objective is what a request should reach.
type Objective struct {
	Latency time.Duration `yaml:"latency" doc:"An answer within this counts as good."`
	Share   float64       `yaml:"share" doc:"Share of the requests that should be good."`
}

// Default returns the defaults of a scenario.
func Default() Scenario {
	return Scenario{
		Seed:      1,
		Duration:  60 * time.Second,
		WarmUp:    5 * time.Second,
		Arrivals:  Arrivals{Law: "poisson"},
		Client:    Client{Timeout: 5 * time.Second},
		Proxies:   1,
		Proxy:     config.DefaultPolicies(),
		Servers:   Servers{Count: 10, Slots: 4, Queue: 1000, Service: Service{Law: "exponential", Mean: 10 * time.Millisecond}},
		Objective: Objective{Latency: 100 * time.Millisecond, Share: 0.99},
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

// Parse reads a scenario in the given size; both sizes are checked. name stands in
// messages.
func Parse(name string, data []byte, size Size) (*Scenario, error) {
	doc, err := strict.Parse(name, data)
	if err != nil {
		return nil, err
	}
	sizes := [2]Scenario{Default(), Default()}
	base := doc.Without("live")
	base.Decode(&sizes[Sim])
	sizes[Sim].validate(base.Reportf)
	live := doc.Overlay("live")
	live.Decode(&sizes[Live])
	sizes[Live].validate(live.Reportf)
	sizes[Live].validateLive(live.Reportf)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	s := &sizes[size]
	s.Text, s.Comment = data, comment(data)
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

// Capacity is what the servers can do together at nominal speed, requests a second.
func (s *Scenario) Capacity() float64 {
	return float64(s.Servers.Count*s.Servers.Slots) / s.Servers.Service.Mean.Seconds()
}

// Rate is the mean rate of arrivals, requests a second.
func (s *Scenario) Rate() float64 {
	if s.Arrivals.Rate > 0 {
		return s.Arrivals.Rate
	}
	return s.Arrivals.Load * s.Capacity()
}

// Dir is where scenarios are looked up by name.
const Dir = "scenarios"

// Load reads the scenario called name: a path to a file, or the name of one in dir.
func Load(dir, name string, size Size) (*Scenario, error) {
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
	return Parse(path, data, size)
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
