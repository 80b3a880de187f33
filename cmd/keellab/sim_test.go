package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// The same seed gives the same bytes, reports included.
func TestSimRepeats(t *testing.T) {
	dir, first, again, other := scenarios(t), t.TempDir(), t.TempDir(), t.TempDir()
	for _, out := range []string{first, again} {
		must(t, "sim", "--scenarios", dir, "--seeds", "3", "--seed", "5", "--out", out)
	}
	want := contents(t, first)
	same(t, "again", want, contents(t, again))
	// A trial of two subjects and of one, the digests of two scenarios, the scenarios, the
	// summary, report.md.
	if got := keys(want); len(got) < 3+2+2+2 || want["summary.json"] == "" || want["report.md"] == "" {
		t.Errorf("files: got %v", got)
	}
	must(t, "sim", "--scenarios", dir, "--seeds", "3", "--seed", "5", "--out", again) // over itself
	same(t, "over itself", want, contents(t, again))
	must(t, "sim", "--scenarios", dir, "--seeds", "3", "--seed", "6", "--out", other)
	if contents(t, other)["summary.json"] == want["summary.json"] {
		t.Error("another seed gives the same summary")
	}
	wantSubjects := []string{"short sim, seed 5: round-robin×3 p2c-ewma×3 oracle×3", "tiny sim, seed 5: random×3 oracle×3"}
	if diff := cmp.Diff(wantSubjects, subjectsOf(summaryOf(t, first))); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
}

// Flags stand before and after names, subjects with commas in braces are one.
func TestSimArguments(t *testing.T) {
	dir := scenarios(t)
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"tiny"}, []string{"tiny sim, seed 1: random×20 oracle×20"}},
		{[]string{"--seeds", "1", "tiny", "--seed=9", "short"},
			[]string{"tiny sim, seed 9: random×1 oracle×1", "short sim, seed 9: round-robin×1 p2c-ewma×1 oracle×1"}},
		{[]string{filepath.Join(dir, "tiny.yaml"), "--seeds=1"}, []string{"tiny sim, seed 1: random×1 oracle×1"}},
		{[]string{"tiny", "--seeds", "1", "--subjects", "p2c-ewma{decay=5s,choices=3}+fixed{limit=9,queue=1}, random"},
			[]string{"tiny sim, seed 1: p2c-ewma{decay=5s,choices=3}+fixed{limit=9,queue=1}×1 random×1"}},
	} {
		out := t.TempDir()
		stdout := must(t, append([]string{"sim", "--scenarios", dir, "--out", out}, c.args...)...)
		if diff := cmp.Diff(c.want, subjectsOf(summaryOf(t, out))); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.args, diff)
		}
		if !strings.HasSuffix(stdout, "\n"+filepath.Join(out, "report.html")+"\n") || !strings.Contains(stdout, "tiny") {
			t.Errorf("%v: got\n%s", c.args, stdout)
		}
	}
}

func TestAppend(t *testing.T) {
	dir, out := scenarios(t), t.TempDir()
	sim := func(args ...string) {
		t.Helper()
		must(t, append([]string{"sim", "--scenarios", dir, "--out", out}, args...)...)
	}
	sim("tiny", "--seeds", "2", "--subjects", "random")
	// What the other driver has left, made by hand: the same trial under its name.
	digests, err := stat.ReadDigests(stat.DigestPath(out, "tiny", record.Sim))
	if err != nil || len(digests) != 2 {
		t.Fatalf("got %d digests, %v, want two", len(digests), err)
	}
	digests[0].Header.Driver, digests[0].Summary.Service = record.Live, new(stat.Latency)
	if err := stat.WriteDigests(out, digests[:1]); err != nil {
		t.Fatal(err)
	}
	must(t, "report", out)

	check := func(when string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, subjectsOf(summaryOf(t, out))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
		if paths, err := stat.ListDigests(out); err != nil || len(paths) != len(want) {
			t.Errorf("%s: digests %v, %v, want those of %d scenarios", when, paths, err, len(want))
		}
		if report := contents(t, out)["report.md"]; strings.Count(report, "The tiny one.") != strings.Count(strings.Join(want, ""), "tiny") {
			t.Errorf("%s: the report does not speak of each", when)
		}
		before := contents(t, out)
		must(t, "report", out)
		same(t, when+", made again from the records", before, contents(t, out))
	}
	check("both drivers", "tiny sim, seed 1: random×2", "tiny live, seed 1: random×1")
	sim("short", "--append", "--seeds", "1", "--subjects", "round-robin,p2c-ewma")
	check("another scenario", "tiny sim, seed 1: random×2", "tiny live, seed 1: random×1", "short sim, seed 1: round-robin×1 p2c-ewma×1")
	sim("tiny", "--append", "--seeds", "1", "--seed", "4", "--subjects", "least-requests")
	check("the same again", "tiny sim, seed 4: least-requests×1", "tiny live, seed 1: random×1", "short sim, seed 1: round-robin×1 p2c-ewma×1")
	var left []string
	for name := range contents(t, out) {
		if strings.HasPrefix(filepath.Base(name), "tiny.sim.") && strings.HasSuffix(name, record.Extension) {
			left = append(left, filepath.Base(name))
		}
	}
	if want := []string{"tiny.sim.least-requests.4.b0.csv.gz"}; !slices.Equal(left, want) {
		t.Errorf("requests of %v, want those of the last time, %v", left, want)
	}
	sim("tiny", "--seeds", "1", "--subjects", "random")
	check("without --append", "tiny sim, seed 1: random×1")
}

// Results are written nowhere else than into results.
func TestForeignFolder(t *testing.T) {
	dir, out := scenarios(t), t.TempDir()
	foreign := map[string]string{"notes.txt": "mine", "report.md": "mine too"}
	for name, text := range foreign {
		if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"sim", "tiny", "--scenarios", dir, "--out", out}, {"sim", "tiny", "--append", "--scenarios", dir, "--out", out}} {
		code, _, stderr := run(args...)
		want := fmt.Sprintf("keellab: %s is not empty, and no results folder: expected a new or an empty one\n", out)
		if code != cli.Failed || stderr != want {
			t.Errorf("exit %d, %q, want 1, %q", code, stderr, want)
		}
	}
	same(t, "touched", foreign, contents(t, out))
	file := filepath.Join(out, "notes.txt")
	if code, _, stderr := run("sim", "tiny", "--scenarios", dir, "--out", file); code != cli.Failed || strings.Count(stderr, "\n") != 1 {
		t.Errorf("a file for a folder: exit %d, %s", code, stderr)
	}
}
