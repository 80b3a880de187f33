package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// appendTo makes a file longer.
func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// failsWith runs a command that has to fail with one line.
func failsWith(t *testing.T, want string, args ...string) {
	t.Helper()
	code, _, stderr := run(args...)
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if last := lines[len(lines)-1]; code != cli.Failed || !strings.HasPrefix(last, "keellab: ") || !strings.Contains(last, want) {
		t.Errorf("%v: exit %d, %q; want exit %d and a line with %q", args, code, stderr, cli.Failed, want)
	}
}

// A report is of the scenario that was played, or of none.
func TestReportOfAChangedScenario(t *testing.T) {
	dir, out := scenarios(t), t.TempDir()
	must(t, "sim", "short", "--scenarios", dir, "--seeds", "2", "--out", out)
	must(t, "report", out)
	path := scenarioPath(out, "short")
	appendTo(t, path, "# more\n")
	failsWith(t, path+" is not the scenario that was played (short, sim)", "report", out)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	failsWith(t, path, "report", out)
}

// Broken and truncated digests are said to be so, in a line.
func TestReportOfBrokenRecords(t *testing.T) {
	dir, out := scenarios(t), t.TempDir()
	must(t, "sim", "short", "--scenarios", dir, "--seeds", "2", "--out", out)
	path := stat.DigestPath(out, "short", record.Sim)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	requests, err := filepath.Glob(filepath.Join(out, record.Folder, "short.sim.p2c-ewma.*"+record.Extension))
	if err != nil || len(requests) != 1 {
		t.Fatal(requests, err)
	}
	rows, err := os.ReadFile(requests[0])
	if err != nil {
		t.Fatal(err)
	}
	var odd bytes.Buffer // which follows as compressed text may
	zw := gzip.NewWriter(&odd)
	io.WriteString(zw, "1,2,3\n")
	zw.Close()
	for name, data := range map[string][]byte{
		"truncated rows": rows[:len(rows)-100], "damaged rows": append(bytes.Clone(rows[:len(rows)-8]), "12345678"...),
		"a row that is none": slices.Concat(rows, odd.Bytes()), "no rows": nil,
	} {
		if err := os.WriteFile(requests[0], data, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { failsWith(t, requests[0], "report", out) })
	}
	misnamed := strings.Replace(requests[0], "p2c-ewma", "random", 1)
	if err := os.WriteFile(misnamed, rows, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(requests[0], rows, 0o644); err != nil {
		t.Fatal(err)
	}
	failsWith(t, misnamed+":1: expected the header of the trial in its name", "report", out)
	// What is no record by its name is somebody else's.
	if err := os.Rename(misnamed, filepath.Join(out, record.Folder, "short.sim.random.1.servers"+record.Extension)); err != nil {
		t.Fatal(err)
	}
	must(t, "report", out)
	for name, data := range map[string][]byte{"truncated": whole[:len(whole)/2], "empty": nil, "not compressed": []byte("x")} {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { failsWith(t, path, "report", out) })
	}
	failsWith(t, "has no digests of trials", "report", t.TempDir())
	failsWith(t, "no such file", "compare", out, filepath.Join(out, "elsewhere"))
}

// A folder does not get the results of two texts of a scenario.
func TestAppendOfAChangedScenario(t *testing.T) {
	dir, out := scenarios(t), t.TempDir()
	must(t, "sim", "short", "--scenarios", dir, "--seeds", "2", "--out", out)
	text, err := os.ReadFile(filepath.Join(dir, "short.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	h := record.Header{Scenario: "short", Sum: record.Sum(text), Driver: record.Live, Subject: "random", Duration: time.Second, Endpoints: []string{"a"}}
	d, err := stat.NewDigester(h)
	if err != nil {
		t.Fatal(err)
	}
	live, err := d.Digest(h)
	if err != nil {
		t.Fatal(err)
	}
	if err := stat.WriteDigests(out, []stat.Digest{live}); err != nil {
		t.Fatal(err)
	}
	must(t, "sim", "short", "--scenarios", dir, "--seeds", "2", "--out", out, "--append")
	appendTo(t, filepath.Join(dir, "short.yaml"), "# more\n")
	failsWith(t, "short has changed since", "sim", "short", "--scenarios", dir, "--seeds", "2", "--out", out, "--append")
	must(t, "report", out) // nothing was harmed
	changed := &scenario.Scenario{Name: "short", Text: []byte("another")}
	if err := os.Remove(stat.DigestPath(out, "short", record.Live)); err != nil {
		t.Fatal(err)
	}
	for resume, refused := range map[bool]bool{false: false, true: true} {
		if err := agree(out, resume, record.Sim, []*scenario.Scenario{changed}); (err != nil) != refused {
			t.Errorf("its own results, resumed %t: error %v", resume, err)
		}
	}
	must(t, "sim", "tiny", "--scenarios", dir, "--seeds", "2", "--out", out, "--append")
	must(t, "sim", "short", "--scenarios", dir, "--seeds", "2", "--out", out)
}

// A gate that does not look at a scenario does not let it pass.
func TestCompareOfAChangedScenario(t *testing.T) {
	dir, a, b := scenarios(t), t.TempDir(), t.TempDir()
	args := []string{"sim", "short", "tiny", "--scenarios", dir, "--seeds", "2", "--subjects", "random,round-robin", "--out"}
	must(t, append(args, a)...)
	appendTo(t, filepath.Join(dir, "short.yaml"), "client: {timeout: 2s}\n")
	must(t, append(args, b)...)
	failsWith(t, "1 of 2 scenarios that both folders have are not the same there", "compare", a, b)
}
