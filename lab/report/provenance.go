package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/lab/stat"
)

// ProvenanceFile is the name of the provenance inside a results folder.
const ProvenanceFile = "provenance.json"

// Provenance is where the results of a folder come from: everything that varies
// from run to run. A folder may be filled by several runs.
type Provenance struct {
	Version  int       `json:"version"`
	Started  time.Time `json:"started"`  // of the first run
	Finished time.Time `json:"finished"` // of the last one
	Runs     []Run     `json:"runs"`
	// Verdicts says by what rule verdicts were given; nil for none.
	Verdicts *stat.Rule `json:"verdicts,omitempty"`
}

// Run is one command that wrote into the folder.
type Run struct {
	Command  []string  `json:"command"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Machine  Machine   `json:"machine"`
	Build    Build     `json:"build"`
}

// Machine is what a run ran on. Empty where the system does not tell.
type Machine struct {
	GOOS       string `json:"goos"`
	GOARCH     string `json:"goarch"`
	CPUs       int    `json:"cpus"`
	GOMAXPROCS int    `json:"gomaxprocs"`
	CPUModel   string `json:"cpu_model,omitempty"`
	Kernel     string `json:"kernel,omitempty"`
}

// Build is what a run was built from. Empty where the build does not tell.
type Build struct {
	Go       string   `json:"go"`
	Revision string   `json:"revision,omitempty"`
	Modified bool     `json:"modified,omitempty"` // uncommitted changes beyond Revision
	Modules  []Module `json:"modules"`
}

// Module is a dependency that results rest on.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

// NewRun describes the run of this process.
func NewRun(command []string, started, finished time.Time) Run {
	r := Run{
		Command: command, Started: started.UTC(), Finished: finished.UTC(),
		Machine: Machine{
			GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, CPUs: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0),
		},
		Build: Build{Go: runtime.Version(), Modules: []Module{}},
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		r.Machine.CPUModel = cpuModel(info)
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		r.Machine.Kernel = strings.TrimSpace(string(release))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		r.Build.read(info)
	}
	return r
}

// cpuModel finds the model of the first processor in /proc/cpuinfo.
func cpuModel(info []byte) string {
	lines := bufio.NewScanner(bytes.NewReader(info))
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), ":")
		if ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// instruments are the modules whose versions a result depends on.
var instruments = []string{
	"github.com/tsenart/vegeta/v12", "gonum.org/v1/gonum", "github.com/VictoriaMetrics/metrics",
}

func (b *Build) read(info *debug.BuildInfo) {
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	for _, m := range info.Deps {
		if slices.Contains(instruments, m.Path) {
			version := m.Version
			if m.Replace != nil {
				version = m.Replace.Version
			}
			b.Modules = append(b.Modules, Module{m.Path, version})
		}
	}
}

// Add appends a run.
func (p *Provenance) Add(r Run) {
	p.Version = 1
	if len(p.Runs) == 0 || r.Started.Before(p.Started) {
		p.Started = r.Started
	}
	if len(p.Runs) == 0 || r.Finished.After(p.Finished) {
		p.Finished = r.Finished
	}
	p.Runs = append(p.Runs, r)
}

// ReadProvenance reads DIR/provenance.json. A folder without one has an empty
// provenance, which is not an error.
func ReadProvenance(dir string) (Provenance, error) {
	path := filepath.Join(dir, ProvenanceFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return Provenance{}, nil
	}
	if err != nil {
		return Provenance{}, fmt.Errorf("report: %w", err)
	}
	var p Provenance
	if err := json.Unmarshal(data, &p); err != nil {
		return Provenance{}, fmt.Errorf("report: %s: %w", path, err)
	}
	return p, nil
}

// WriteProvenance writes DIR/provenance.json, whole or not at all.
func WriteProvenance(dir string, p Provenance) error {
	p.Version = 1
	p.Runs = append([]Run{}, p.Runs...)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(p); err != nil {
		return fmt.Errorf("report: %s: %w", ProvenanceFile, err)
	}
	return write(filepath.Join(dir, ProvenanceFile), b.Bytes())
}
