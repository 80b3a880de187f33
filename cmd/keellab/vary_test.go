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
)

// A setting holds for every scenario, a sweep makes a scenario of each point; summary
// and records say what was set, and so does the report.
func TestSetAndSweep(t *testing.T) {
	dir := scenarios(t)
	const tiny, short = " random×1 oracle×1", " round-robin×1 p2c-ewma×1 oracle×1"
	for _, c := range []struct {
		args      []string
		subjects  []string
		set       []string // of each, joined by blanks
		endpoints []int
	}{
		{[]string{"tiny", "--set", "servers.count=5"}, []string{"tiny sim, seed 1:" + tiny}, []string{"servers.count=5"}, []int{5}},
		{[]string{"--endpoints", "4", "tiny", "short", "--proxies=2"},
			[]string{"tiny sim, seed 1:" + tiny, "short sim, seed 1:" + short},
			[]string{"servers.count=4 proxies=2", "servers.count=4 proxies=2"}, []int{4, 4}},
		{[]string{"--sweep", "servers.count=2,3"},
			[]string{"short{servers.count=2} sim, seed 1:" + short, "short{servers.count=3} sim, seed 1:" + short,
				"tiny{servers.count=2} sim, seed 1:" + tiny, "tiny{servers.count=3} sim, seed 1:" + tiny},
			[]string{"servers.count=2", "servers.count=3", "servers.count=2", "servers.count=3"}, []int{2, 3, 2, 3}},
		{[]string{"tiny", "--set", "seed=7", "--endpoints", "2,6", "--sweep", "faults=[],[{kind: slow, factor: 2}]"},
			[]string{"tiny{servers.count=2,faults=[]} sim, seed 7:" + tiny, "tiny{servers.count=2,faults=[{kind: slow, factor: 2}]} sim, seed 7:" + tiny,
				"tiny{servers.count=6,faults=[]} sim, seed 7:" + tiny, "tiny{servers.count=6,faults=[{kind: slow, factor: 2}]} sim, seed 7:" + tiny},
			[]string{"seed=7 servers.count=2 faults=[]", "seed=7 servers.count=2 faults=[{kind: slow, factor: 2}]",
				"seed=7 servers.count=6 faults=[]", "seed=7 servers.count=6 faults=[{kind: slow, factor: 2}]"}, []int{2, 2, 6, 6}},
		{[]string{"tiny", "--set", "subjects=[round-robin]"}, []string{"tiny sim, seed 1: round-robin×1 oracle×1"}, []string{"subjects=[round-robin]"}, []int{3}},
		{[]string{"tiny"}, []string{"tiny sim, seed 1:" + tiny}, []string{""}, []int{3}},
	} {
		out := t.TempDir()
		must(t, append([]string{"sim", "--scenarios", dir, "--out", out, "--seeds", "1"}, c.args...)...)
		summary := summaryOf(t, out)
		if diff := cmp.Diff(c.subjects, subjectsOf(summary)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.args, diff)
		}
		before := contents(t, out)
		var set []string
		var endpoints []int
		for _, s := range summary.Scenarios {
			set = append(set, strings.Join(s.Set, " "))
			if line := "set: " + strings.Join(s.Set, ", "); s.Set != nil && !strings.Contains(strings.ReplaceAll(before["report.md"], `\`, ""), line) {
				t.Errorf("%v: the report does not say %q", c.args, line)
			}
			header, _ := recorded(t, filepath.Join(out, record.Folder, record.Safe(s.Scenario)+".sim."+s.Subjects[0].Name+fmt.Sprintf(".%d.b0", s.Seed)+record.Extension))
			endpoints = append(endpoints, len(header.Endpoints))
			if !slices.Equal(header.Set, s.Set) {
				t.Errorf("%v: %s: the record says %v", c.args, s.Scenario, header.Set)
			}
			if s.Set != nil && !strings.Contains(before["report.md"], "What "+strings.Split(s.Scenario, "{")[0]+" is.") {
				t.Errorf("%v: %s: the report does not have the scenario's comment", c.args, s.Scenario)
			}
		}
		if diff := cmp.Diff(c.set, set); diff != "" {
			t.Errorf("%v: set (-want +got):\n%s", c.args, diff)
		}
		if diff := cmp.Diff(c.endpoints, endpoints); diff != "" {
			t.Errorf("%v: endpoints (-want +got):\n%s", c.args, diff)
		}
		must(t, "report", out)
		same(t, fmt.Sprint(c.args, ", made again"), before, contents(t, out))
	}
}

// The folder has each point as it was played: from that file alone comes the same.
func TestPlayedAgain(t *testing.T) {
	first, again := t.TempDir(), t.TempDir()
	must(t, "sim", "tiny", "--scenarios", scenarios(t), "--out", first, "--seeds", "2", "--proxies", "3", "--endpoints", "4,5")
	for _, s := range summaryOf(t, first).Scenarios {
		path := filepath.Join(first, record.Folder, record.Safe(s.Scenario)+".yaml")
		must(t, "sim", path, "--out", again, "--seeds", "2")
		other := summaryOf(t, again).Scenarios[0]
		if other.Set != nil {
			t.Errorf("%s: nothing was set, got %v", s.Scenario, other.Set)
		}
		other.Set = s.Set
		if diff := cmp.Diff(s, other); diff != "" {
			t.Errorf("%s (-first +again):\n%s", s.Scenario, diff)
		}
	}
}

func TestVaryMistakes(t *testing.T) {
	dir, out := scenarios(t), filepath.Join(t.TempDir(), "out")
	thousand := "seed=0"
	for i := range 1000 {
		thousand += fmt.Sprintf(",%d", i+1)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--set", "x"}, `invalid value "x" for flag -set: expected PATH=VALUE, such as servers.count=20`},
		{[]string{"--set", "servers.cuont=20"}, `--set servers.cuont=20: servers: unknown field "cuont": did you mean "count"?`},
		{[]string{"--set", "objective.kind=20"}, `--set objective.kind=20: objective: unknown field "kind": expected one of latency, share`},
		{[]string{"--set", "servers.count=x"}, `--set servers.count=x: servers.count: expected a whole number, found "x"`},
		{[]string{"--set", "servers.count=x", "--set", "seed=y"}, "--set seed=y: seed: expected a whole number, found \"y\"\n" +
			`--set servers.count=x: servers.count: expected a whole number, found "x"`},
		{[]string{"--set", "servers..count=2"}, `--set servers..count=2: "servers..count" is no path: expected names such as servers.count or faults[0].factor`},
		{[]string{"--set", "warm_up=500ms"}, `--set warm_up=500ms: warm_up: 500ms: expected at least 0 and less than the duration, 200ms (tiny)`},
		{[]string{"--set", "duration=100ms", "--proxies", "2"},
			dir + "/short.yaml:6:10: warm_up: 100ms: expected at least 0 and less than the duration, 100ms (with --set duration=100ms --proxies 2)"},
		{[]string{"--set", "name=a"}, `two scenarios are called "a": expected different names`},
		{[]string{"--sweep", "servers.count="}, `invalid value "servers.count=" for flag -sweep: expected PATH=A,B,…, such as servers.count=10,20,50`},
		{[]string{"--sweep", "servers.count=1,,2"}, `invalid value "servers.count=1,,2" for flag -sweep: servers.count: one of the values is empty`},
		{[]string{"--sweep", "servers.count=1,2,1"}, `invalid value "servers.count=1,2,1" for flag -sweep: servers.count: 1 stands twice`},
		{[]string{"tiny", "--sweep", "arrivals.rate=300,3e2"}, `tiny: tiny{arrivals.rate=300} and tiny{arrivals.rate=3e2} are the same: expected different points`},
		{[]string{"--sweep", "servers.count=1,x,y"}, `--sweep servers.count=x: servers.count: expected a whole number, found "x"`},
		{[]string{"--sweep", thousand}, `the sweeps have more than 1000 points`},
		{[]string{"--endpoints", "3", "--set", "servers.count=4"}, `--endpoints 3 and --set servers.count=4: expected one value for servers.count`},
		{[]string{"--endpoints", "x"}, `--endpoints x: servers.count: expected a whole number, found "x"`},
		{[]string{"--proxies", ""}, `invalid value "" for flag -proxies: expected a number, or several with commas, each once`},
		{[]string{"--proxies", "2,2"}, `invalid value "2,2" for flag -proxies: expected a number, or several with commas, each once`},
		{[]string{"--proxies", "0,1"}, `--proxies 0: proxies: 0: expected 1 to 1000`},
	} {
		args := append([]string{"sim", "--scenarios", dir, "--out", out}, c.args...)
		code, stdout, stderr := run(args...)
		want := "keellab: sim: " + c.want + "\nTry 'keellab help'.\n"
		if code != cli.Usage || stdout != "" || stderr != want {
			t.Errorf("%v: exit %d, %s\ngot  %q\nwant %q", c.args, code, stdout, stderr, want)
		}
	}
	// What is wrong with the files is said as ever.
	code, _, stderr := run("sim", "tinny", "--scenarios", dir, "--out", out, "--endpoints", "3")
	if want := `keellab: unknown scenario "tinny": did you mean "tiny"?` + "\n"; code != cli.Failed || stderr != want {
		t.Errorf("an unknown scenario: exit %d, %s", code, stderr)
	}
	// In the live size there is one proxy.
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	code, _, stderr = run("run", "tiny", "--scenarios", dir, "--out", out, "--proxies", "2", "--evenkeel", binary)
	if want := "keellab: run: --proxies 2: proxies: 2: expected 1 in the live size"; code != cli.Usage || !strings.HasPrefix(stderr, want) {
		t.Errorf("two proxies live: exit %d, %s", code, stderr)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a mistake has left results: %v", err)
	}
}
