package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// The list of metrics in a scenario is that of the statistics.
func TestMetricsAgree(t *testing.T) {
	var known []string
	for _, m := range stat.Metrics {
		known = append(known, string(m))
	}
	if !slices.Equal(known, scenario.Metrics) {
		t.Errorf("lab/scenario has %v, lab/stat %v", scenario.Metrics, known)
	}
}

// slowed is the folder of scenarios with servers of another speed, under the same text:
// what a later build that is slower would leave.
func slowed(t *testing.T, results string, factor float64) string {
	t.Helper()
	out := t.TempDir()
	if err := os.CopyFS(out, os.DirFS(results)); err != nil {
		t.Fatal(err)
	}
	s := summaryOf(t, out)
	for i := range s.Scenarios {
		for j := range s.Scenarios[i].Subjects {
			for k := range s.Scenarios[i].Subjects[j].Trials {
				if p99 := s.Scenarios[i].Subjects[j].Trials[k].Latency.P99; p99 != nil {
					*p99 *= factor
				}
			}
		}
	}
	if err := stat.WriteSummary(out, s); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCompare(t *testing.T) {
	dir, a := scenarios(t), t.TempDir()
	must(t, "sim", "short", "--scenarios", dir, "--seeds", "8", "--subjects", "random,round-robin,oracle", "--out", a)
	for _, c := range []struct {
		factor float64
		args   []string
		code   int
		said   string
	}{
		{1, nil, cli.OK, ""},
		{1.04, nil, cli.OK, ""},
		{1.1, nil, cli.Failed, "keellab: 2 of 4 comparisons: worse by more than 5 % (errors: 0.1 points)\n"},
		{0.5, nil, cli.OK, ""},
		{1.1, []string{"--margin", "0.2"}, cli.OK, ""},
		{1.04, []string{"--margin=0.03"}, cli.Failed, "keellab: 2 of 4 comparisons: worse by more than 3 % (errors: 0.1 points)\n"},
	} {
		b := slowed(t, a, c.factor)
		code, stdout, stderr := run(append([]string{"compare", a, b}, c.args...)...)
		if code != c.code || stderr != c.said {
			t.Errorf("%v times, %v: exit %d, %q, want %d, %q\n%s", c.factor, c.args, code, stderr, c.code, c.said, stdout)
		}
		if rows := strings.Count(stdout, "\n"); rows != 3 || !strings.Contains(stdout, fmt.Sprintf("%.3f", c.factor)) {
			t.Errorf("%v times: got\n%s", c.factor, stdout)
		}
		if worse := strings.Count(stdout, "WORSE"); (worse > 0) != (c.code == cli.Failed) {
			t.Errorf("%v times: %d are called worse", c.factor, worse)
		}
	}
	// Other seeds are compared all the same.
	b := t.TempDir()
	must(t, "sim", "short", "--scenarios", dir, "--seeds", "8", "--seed", "99", "--subjects", "random,round-robin", "--out", b)
	if stdout := must(t, "compare", a, b); strings.Count(stdout, "other seeds: compared by ranks") != 2 {
		t.Errorf("other seeds: got\n%s", stdout)
	}
}

// What is not in both folders, or is not the same there, is named and left out.
func TestNotCompared(t *testing.T) {
	dir := scenarios(t)
	play := func(args ...string) string {
		t.Helper()
		out := t.TempDir()
		must(t, append([]string{"sim", "--scenarios", dir, "--seeds", "2", "--out", out}, args...)...)
		return out
	}
	both := play("--subjects", "random,round-robin")
	for _, c := range []struct {
		name   string
		other  string
		code   int
		stderr []string
	}{
		{"scenarios and subjects", play("short", "--subjects", "random,least-requests"), cli.OK, []string{
			"not compared: short (sim): round-robin: OTHER does not have it", "not compared: short (sim): least-requests: BOTH does not have it",
			"not compared: tiny (sim): OTHER does not have it"}},
		{"settings", play("--subjects", "random", "--set", "servers.count=4"), cli.Failed, []string{
			`not compared: short (sim): set differently: "" in BOTH, "servers.count=4" in OTHER`, `not compared: tiny (sim): set differently: "" in BOTH, "servers.count=4" in OTHER`,
			"keellab: there is nothing that both folders have"}},
	} {
		code, _, stderr := run("compare", both, c.other)
		got := strings.Split(strings.TrimSpace(strings.NewReplacer(both, "BOTH", c.other, "OTHER").Replace(stderr)), "\n")
		if code != c.code || !slices.Equal(got, c.stderr) {
			t.Errorf("%s: exit %d, %q\nwant %d, %q", c.name, code, got, c.code, c.stderr)
		}
	}
	// Another text: a comment, an opinion or a seed makes no other scenario, a timeout does; and
	// by another metric nothing can be compared.
	path := filepath.Join(dir, "short.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for change, same := range map[string]bool{"# more\n": true, "expect: {wins: [random]}\n": true, "seed: 3\n": true, "client: {timeout: 2s}\n": false, "metric: p50\n": false} {
		if err := os.WriteFile(path, append(slices.Clone(text), change...), 0o644); err != nil {
			t.Fatal(err)
		}
		other := play("short", "--subjects", "random,round-robin")
		code, stdout, stderr := run("compare", both, other)
		if (code == cli.OK) != same || (strings.Count(stdout, "\n") == 3) != same || strings.Contains(stderr, "short (sim)") == same {
			t.Errorf("%q: exit %d, %s%s", change, code, stdout, stderr)
		}
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{both}, cli.Usage, "keellab: compare: expected two folders of results, the earlier one first"},
		{[]string{both, both, "--margin", "0"}, cli.Usage, `keellab: compare: invalid value "0" for flag -margin: expected a share above 0 and below 1, such as 0.02`},
		{[]string{both, dir}, cli.Failed, "keellab: stat: open " + filepath.Join(dir, "summary.json") + ": no such file or directory"},
	} {
		code, _, stderr := run(append([]string{"compare"}, c.args...)...)
		if line, _, _ := strings.Cut(stderr, "\n"); code != c.code || line != c.want {
			t.Errorf("%v: exit %d, %q, want %d, %q", c.args, code, line, c.code, c.want)
		}
	}
}

// Baseline and margin are as given, kept by the folder, and given anew by report.
func TestJudgement(t *testing.T) {
	dir, out := scenarios(t), t.TempDir()
	check := func(when, baseline string, margin float64) {
		t.Helper()
		s := summaryOf(t, out)
		if s.Rule == nil || s.Rule.Baseline != baseline || s.Rule.Margin != margin {
			t.Errorf("%s: rule %+v, want %s and %v", when, s.Rule, baseline, margin)
		}
		if got := s.Scenarios[0].Verdicts[0].Baseline; got != baseline {
			t.Errorf("%s: held against %s, want %s", when, got, baseline)
		}
	}
	stdout := must(t, "sim", "short", "--scenarios", dir, "--seeds", "2", "--baseline", "p2c-ewma", "--margin", "0.1", "--out", out)
	check("as given", "p2c-ewma", 0.1)
	if !strings.Contains(stdout, "baseline") || !strings.Contains(stdout, "UNDECIDED") {
		t.Errorf("the table has no verdicts:\n%s", stdout)
	}
	must(t, "report", out)
	check("kept", "p2c-ewma", 0.1)
	must(t, "report", out, "--baseline", "round-robin")
	check("anew", "round-robin", 0.1)
	must(t, "report", out, "--margin", "0.05")
	check("anew", "round-robin", 0.05)
	must(t, "sim", "short", "--scenarios", dir, "--seeds", "2", "--out", out)
	check("played again", stat.DefaultBaseline, stat.DefaultMargin)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"sim", "short", "--scenarios", dir, "--out", out, "--baseline", "random"}, cli.Usage, "keellab: sim: --baseline random: it is not among the subjects"},
		{[]string{"sim", "--out", out, "--margin", "x"}, cli.Usage, `keellab: sim: invalid value "x" for flag -margin: expected a share above 0 and below 1, such as 0.02`},
		{[]string{"sim", "short", "--scenarios", dir, "--out", out, "--precision", "2"}, cli.Usage, "keellab: sim: --precision 2: expected a share, 0 to 1"},
		{[]string{"sim", "short", "--scenarios", dir, "--out", out, "--precision", "0.1", "--most-seeds", "19"}, cli.Usage, "keellab: sim: --most-seeds 19: expected 20 (--seeds) to 10000"},
		{[]string{"report", out, "--baseline", "random"}, cli.Failed, "keellab: --baseline random: there is no such subject"},
	} {
		code, _, stderr := run(c.args...)
		if line, _, _ := strings.Cut(stderr, "\n"); code != c.code || line != c.want {
			t.Errorf("%v: exit %d, %q, want %d, %q", c.args, code, line, c.code, c.want)
		}
	}
}

// Where intervals are wide, more seeds are played, the same ones as if asked for at once.
func TestPrecision(t *testing.T) {
	dir, out, once := scenarios(t), t.TempDir(), t.TempDir()
	args := []string{"sim", "--scenarios", dir, "--subjects", "random,round-robin"}
	must(t, append(args, "short", "tiny", "--seeds", "4", "--precision", "0.001", "--most-seeds", "8", "--out", out)...)
	// 4, 6, 8: of the tiny one no trial carries the p99, so its interval never comes.
	if got, want := subjectsOf(summaryOf(t, out)), []string{"short sim, seed 1: random×8 round-robin×8", "tiny sim, seed 1: random×8 round-robin×8"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	must(t, append(args, "short", "tiny", "--seeds", "8", "--out", once)...)
	same(t, "in one go", contents(t, once), contents(t, out))
	must(t, append(args, "short", "--seeds", "6", "--precision", "0.99", "--most-seeds", "50", "--out", out)...)
	if got, want := subjectsOf(summaryOf(t, out)), []string{"short sim, seed 1: random×6 round-robin×6"}; !slices.Equal(got, want) {
		t.Errorf("narrow enough: got %v, want %v", got, want)
	}
}

func TestSelftestArguments(t *testing.T) {
	code, stdout, stderr := run("selftest", "--experiments", "10")
	if want := "keellab: selftest: 10 experiments: expected 50 to 100000\nTry 'keellab help'.\n"; code != cli.Usage || stdout != "" || stderr != want {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}
