package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/regret"
)

// races makes a folder with two scenarios of a few hundred requests: one with a server
// that random requests fall for, and a calm one.
func races(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, rest := range map[string]string{
		"calm": "duration: 1s\nwarm_up: 100ms\narrivals: {rate: 1000}\nservers: {count: 4}\n",
		"trap": "duration: 2s\nwarm_up: 1s\narrivals: {rate: 1000}\nservers: {count: 4}\nclient: {timeout: 1s}\nfaults: [{kind: slow, servers: [0], factor: 20}]\n",
	} {
		text := "version: 1\nname: " + name + "\nmodels: Something.\n" + rest
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// cells are the fields of the rows of a table in Markdown, by the first.
func cells(text string) (rows [][]string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| scenario") {
			var row []string
			for _, cell := range strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|") {
				row = append(row, strings.TrimSpace(cell))
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// spaced is a text with one space wherever there are some.
func spaced(text string) string { return strings.Join(strings.Fields(text), " ") }

// The table has a row for each scenario and size, with breakers and without, and is the
// same every time.
func TestRegret(t *testing.T) {
	dir := races(t)
	args := []string{"regret", "--scenarios", dir, "--choose", "2", "--seeds", "3", "--endpoints", "4,8", "--proxies", "1,2"}
	aligned := must(t, args...)
	if strings.Count(aligned, "calm ") != 8 || strings.Count(aligned, "trap ") != 8 || strings.Contains(aligned, "|") {
		t.Errorf("got\n%s\nwant both in four sizes, twice", aligned)
	}
	rows := cells(must(t, append(args, "--markdown")...)) // plays them once more
	var sizes []string
	for _, row := range rows {
		sizes = append(sizes, strings.Join(row[:3], " "))
		if row[11] != "3" && row[11] != "3 (wide)" {
			t.Errorf("%v: want 3 seeds", row)
		}
		if again := spaced(strings.ReplaceAll(strings.Join(row, " "), "*", "")); !strings.Contains(spaced(aligned), again) {
			t.Errorf("got\n%s\nand then %s", aligned, again)
		}
	}
	const once = "calm 4 1, calm 4 2, calm 8 1, calm 8 2, trap 4 1, trap 4 2, trap 8 1, trap 8 2"
	if got := strings.Join(sizes, ", "); got != once+", "+once {
		t.Errorf("got rows of %s", got)
	}
}

// A miss is a failure if it is asked for: random is far from the best where one server is
// a trap.
func TestRegretCheck(t *testing.T) {
	args := []string{"regret", "--scenarios", races(t), "trap", "--subject", "random", "--choose", "2", "--seeds", "3", "--breakers", "off", "--markdown"}
	rows := cells(must(t, args...))
	if len(rows) != 1 || rows[0][12] != "**MISS**" {
		t.Fatalf("got %v, want one row with a miss", rows)
	}
	code, stdout, stderr := run(append(args, "--check")...)
	if code != cli.Failed || !strings.HasSuffix(stderr, "keellab: the goal is missed in 1 of 1 rows\n") || len(cells(stdout)) != 1 {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	// The other way round there is nothing to miss.
	must(t, "regret", "--scenarios", args[2], "trap", "--subject", "least-requests", "--against", "random,least-requests", "--seeds", "3", "--check")
}

func TestAblation(t *testing.T) {
	dir := races(t)
	args := []string{"ablation", "--scenarios", dir, "--seeds", "2", "--endpoints", "8"}
	text := must(t, args...)
	rows := cells(text)
	if len(rows) != 4 || rows[0][0] != "calm" || rows[1][0] != "trap" || rows[0][1] != "8" || len(rows[0]) != 4+len(regret.Guards) {
		t.Errorf("got\n%s", text)
	}
	// The same again is the same, alone, too.
	if again := cells(must(t, append(args, "--breakers", "on", "trap")...)); len(again) != 1 || !slices.Equal(again[0], rows[1]) {
		t.Errorf("one scenario with breakers: got %v, want %v", again, rows[1])
	}
}

// A scenario that is too small to be compared is told of, and does not cost the others their
// rows; alone there is nothing to print.
func TestTooFewRequests(t *testing.T) {
	dir := races(t)
	text := "version: 1\nname: tiny\nmodels: Something.\nduration: 1s\nwarm_up: 0s\narrivals: {rate: 100}\n"
	if err := os.WriteFile(filepath.Join(dir, "tiny.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	const few = "requests in a trial are too few for a p99: expected some 400 or more (a longer duration, a higher rate)\n"
	for _, command := range []string{"regret --choose 1 --markdown", "ablation"} {
		args := append(strings.Fields(command), "--scenarios", dir, "--seeds", "2")
		code, stdout, stderr := run(append(args, "calm", "tiny", "trap")...)
		if rows := cells(stdout); code != cli.Failed || len(rows) != 4 || rows[0][0] != "calm" || rows[1][0] != "trap" {
			t.Errorf("%s: exit %d, got\n%s", command, code, stdout)
		}
		if strings.Count(stderr, "tiny, ") != 2 || strings.Count(stderr, few) != 2 {
			t.Errorf("%s: got %q, want tiny told of twice, with breakers and without", command, stderr)
		}
		if code, stdout, stderr := run(append(args, "tiny")...); code != cli.Failed || stdout != "" || !strings.HasSuffix(stderr, few) {
			t.Errorf("%s: nobody else: exit %d, %q, %q", command, code, stdout, stderr)
		}
	}
}

func TestRegretMistakes(t *testing.T) {
	dir := races(t)
	const usage = "\nTry 'keellab help'.\n"
	for _, c := range []struct{ args, want string }{
		{"regret --seeds 1", "regret: --seeds 1: expected 2 to 10000"},
		{"regret --seeds 10001", "regret: --seeds 10001: expected 2 to 10000"},
		{"ablation --seeds 0", "ablation: --seeds 0: expected 2 to 10000"},
		{"regret --choose 0", "regret: --choose 0: expected 1 to 1000"},
		{"ablation --choose 2", `ablation: unknown flag "choose"`},
		{"regret --precision 0", "regret: --precision 0: expected above 0, at most 1"},
		{"regret --precision 2", "regret: --precision 2: expected above 0, at most 1"},
		{"regret --precision NaN", "regret: --precision NaN: expected above 0, at most 1"},
		{"regret --breakers half", "regret: --breakers half: expected on, off or both"},
		{"regret --endpoints 0", `regret: invalid value "0" for flag -endpoints: expected a number above 0, or several with commas, each once`},
		{"regret --proxies 1,1", `regret: invalid value "1,1" for flag -proxies: expected a number above 0, or several with commas, each once`},
		{"regret --endpoints 200000", `regret: calm: --set servers.count=200000: servers.count: 200000: expected 1 to 100000`},
		{"regret --seed x", `regret: invalid value "x" for flag -seed: expected a whole number from 0 to 18446744073709551615`},
		{"regret --subject p2c-emwa", `regret: subject "p2c-emwa`},
		{"regret --subject p2c-ewma+retries{attempts=2}", `regret: subject "p2c-ewma+retries{attempts=2}+retries{attempts=1}": expected one strategy and at most one retries`},
		{"regret --against random,", `regret: subjects "random,": one of them is empty`},
		{"regret --subject random --against random", "regret: --against random: expected somebody else than the subject"},
		{"ablation --subject random", `ablation: subject "random{`},
	} {
		code, stdout, stderr := run(append(strings.Fields(c.args), "--scenarios", dir)...)
		if code != cli.Usage || stdout != "" || !strings.HasPrefix(stderr, "keellab: "+c.want) || !strings.HasSuffix(stderr, usage) {
			t.Errorf("%s: exit %d, %s\ngot  %q\nwant %q…", c.args, code, stdout, stderr, c.want)
		}
	}
	code, _, stderr := run("regret", "--scenarios", dir, "clam")
	if want := "keellab: unknown scenario \"clam\": did you mean \"calm\"?\n"; code != cli.Failed || stderr != want {
		t.Errorf("exit %d, %q, want %q", code, stderr, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, complaints strings.Builder
	if code := dispatch(ctx, []string{"regret", "--scenarios", dir}, &out, &complaints); code != cli.Failed || out.Len() > 0 {
		t.Errorf("interrupted: exit %d, %s%s", code, &out, &complaints)
	}
}
