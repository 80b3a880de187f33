package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/stat"
	"github.com/evenkeel/evenkeel/lab/trial"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const catalogue = "../../scenarios"

// run runs a command line.
func run(args ...string) (code int, stdout, stderr string) {
	var out, complaints bytes.Buffer
	code = dispatch(context.Background(), args, &out, &complaints)
	return code, out.String(), complaints.String()
}

// must runs a command line that has to succeed.
func must(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	code, stdout, stderr := run(args...)
	if code != cli.OK {
		t.Fatalf("keellab %s: exit %d: %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// scenarios makes a folder with two small scenarios: of a second, and of 200 ms, in
// which too few requests arrive for the far percentiles.
func scenarios(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, rest := range map[string]string{
		"short": "duration: 1s\nwarm_up: 100ms\narrivals: {rate: 500}\nservers: {count: 3}\nsubjects: [round-robin, p2c-ewma]\nlive: {duration: 1s}\n",
		"tiny":  "duration: 200ms\nwarm_up: 0s\narrivals: {rate: 300}\nservers: {count: 3}\nsubjects: [random]\n",
	} {
		text := fmt.Sprintf("# What %[1]s is.\nversion: 1\nname: %[1]s\nmodels: The %[1]s one.\n%[2]s", name, rest)
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// contents reads every file below a folder, but for what varies from run to run.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "provenance.json" || d.Name() == "report.html" {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// same compares two folders without printing gzip.
func same(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	for _, name := range slices.Concat(keys(want), keys(got)) {
		if want[name] != got[name] {
			t.Errorf("%s: %s differs: %d bytes, want %d", what, name, len(got[name]), len(want[name]))
		}
	}
}

func keys(m map[string]string) (all []string) {
	for name := range m {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func summaryOf(t *testing.T, dir string) stat.Summary {
	t.Helper()
	s, err := stat.ReadSummary(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// subjectsOf says which subjects a summary has, by scenario and driver.
func subjectsOf(s stat.Summary) (all []string) {
	for _, e := range s.Scenarios {
		line := fmt.Sprintf("%s %s, seed %d:", e.Scenario, e.Driver, e.Seed)
		for _, subject := range e.Subjects {
			line += fmt.Sprintf(" %s×%d", subject.Name, len(subject.Trials))
		}
		all = append(all, line)
	}
	return all
}

// recorded reads a record.
func recorded(t *testing.T, path string) (h record.Header, requests []record.Request) {
	t.Helper()
	h, err := record.ReadFile(path, func(r record.Request) { requests = append(requests, r) })
	if err != nil {
		t.Fatal(err)
	}
	return h, requests
}

// tiny is a trial of the tiny scenario.
func tiny(t *testing.T) job {
	t.Helper()
	s, err := scenario.Load(scenarios(t), "tiny", scenario.Sim)
	if err != nil {
		t.Fatal(err)
	}
	subject, err := s.Subject("random")
	if err != nil {
		t.Fatal(err)
	}
	return job{s, trial.Plan{Subject: subject, Seed: 1}}
}
