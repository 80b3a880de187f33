package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/sim"
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

func TestList(t *testing.T) {
	want := "short              The short one.\ntiny               The tiny one.\n"
	if got := must(t, "list", "--scenarios", scenarios(t)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	lines := strings.Split(strings.TrimSpace(must(t, "list", "--scenarios", catalogue)), "\n")
	if files, _ := filepath.Glob(catalogue + "/*.yaml"); len(lines) != len(files) {
		t.Errorf("the catalogue: %d lines, want %d", len(lines), len(files))
	}
}

func TestHelpAndSchema(t *testing.T) {
	for _, arg := range []string{"help", "-h", "--help"} {
		if got := must(t, arg); !strings.Contains(got, "keellab sim") {
			t.Errorf("%s: got %s", arg, got)
		}
	}
	if code, stdout, stderr := run("sim", "-h"); code != cli.OK || stdout != "" || !strings.Contains(stderr, "-subjects") {
		t.Errorf("sim -h: exit %d, %s%s", code, stdout, stderr)
	}
	if !json.Valid([]byte(must(t, "schema"))) {
		t.Error("schema: no JSON")
	}
}

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

// Summary and reports of a folder are made again from its digests alone.
func TestReport(t *testing.T) {
	dir, out := scenarios(t), t.TempDir()
	must(t, "sim", "--scenarios", dir, "--seeds", "2", "--records", "0", "--out", out)
	want := contents(t, out)
	must(t, "report", out)
	same(t, "once more", want, contents(t, out))
	for _, name := range []string{"summary.json", "report.md", "report.html", "figures"} {
		if err := os.RemoveAll(filepath.Join(out, name)); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "report", out)
	same(t, "from the records", want, contents(t, out))

	broken := stat.DigestPath(out, "tiny", record.Sim)
	if err := os.WriteFile(broken, []byte("no digests"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := run("report", out)
	if want := fmt.Sprintf("keellab: stat: %s: expected gzip'ed digests: ", broken); code != cli.Failed ||
		!strings.HasPrefix(stderr, want) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("broken digests: exit %d, %s\nwant 1, %s…", code, stderr, want)
	}
}

// Requests are kept of the first blocks only, as many as asked for; the figures are
// those of all.
func TestRecords(t *testing.T) {
	dir := scenarios(t)
	var figures string
	for n, want := range map[string]int{"0": 0, "1": 1, "2": 2, "9": 2} {
		out := t.TempDir()
		must(t, "sim", "--scenarios", dir, "tiny", "--subjects", "random", "--seeds", "2", "--seed", "4", "--records", n, "--out", out)
		files, err := filepath.Glob(filepath.Join(out, record.Folder, "*"+record.Extension))
		if err != nil || len(files) != want {
			t.Errorf("--records %s: got %v, want %d", n, files, want)
		}
		for _, path := range files {
			kept, err := record.ReadFile(path)
			if err != nil {
				t.Errorf("--records %s: %v", n, err)
			} else if last := kept.Requests[len(kept.Requests)-1]; last.Seq != int64(len(kept.Requests)-1) {
				t.Errorf("--records %s: the last of %d requests is %d", n, len(kept.Requests), last.Seq)
			}
		}
		if summary := contents(t, out)["summary.json"]; figures == "" {
			figures = summary
		} else if summary != figures {
			t.Errorf("--records %s: the summary differs", n)
		}
	}
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

func TestMistakes(t *testing.T) {
	dir, out := scenarios(t), filepath.Join(t.TempDir(), "out")
	bad := t.TempDir()
	if err := os.WriteFile(filepath.Join(bad, "bad.yaml"), []byte("version: 1\nname: bad\nmodels: x\narrivals: {load: -1}\nprocies: 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	nowhere, huge := filepath.Join(bad, "nowhere"), t.TempDir()
	if err := os.WriteFile(filepath.Join(huge, "huge.yaml"), []byte("version: 1\nname: huge\nmodels: x\nduration: 12s\narrivals: {rate: 1000000}\nsubjects: [random]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const usage = "\nTry 'keellab help'.\n"
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"simm"}, cli.Usage, `keellab: unknown command "simm": did you mean "sim"?` + usage},
		{[]string{"sim", "--scenarios", dir, "shrot"}, cli.Failed, `keellab: unknown scenario "shrot": did you mean "short"?` + "\n"},
		{[]string{"sim", "--scenarios", nowhere}, cli.Failed, "keellab: no scenarios in " + nowhere + ": expected files ending in .yaml\n"},
		{[]string{"list", "--scenarios", nowhere}, cli.Failed, "keellab: no scenarios in " + nowhere + ": expected files ending in .yaml\n"},
		{[]string{"sim", "--scenarios", nowhere, "short"}, cli.Failed, `keellab: unknown scenario "short": expected none` + "\n"},
		{[]string{"sim", "--scenarios", dir, "--sedes", "3"}, cli.Usage, `keellab: sim: unknown flag "sedes": did you mean "seeds"?` + usage},
		{[]string{"sim", "--scenarios", dir, "--seeds", "x"}, cli.Usage, `keellab: sim: invalid value "x" for flag -seeds: parse error` + usage},
		{[]string{"sim", "--scenarios", dir, "--seeds", "0"}, cli.Usage, `keellab: sim: 0 trials of each subject: expected 1 to 10000` + usage},
		{[]string{"sim", "--scenarios", dir, "--seed", "12x"}, cli.Usage, `keellab: sim: invalid value "12x" for flag -seed: expected a whole number from 0 to 18446744073709551615` + usage},
		{[]string{"sim", "--scenarios", dir, "--seed", "-1"}, cli.Usage, `keellab: sim: invalid value "-1" for flag -seed: expected a whole number from 0 to 18446744073709551615` + usage},
		{[]string{"sim", "--scenarios", dir, "tiny", "--subjects"}, cli.Usage, `keellab: sim: flag needs an argument: -subjects` + usage},
		{[]string{"sim", "--scenarios", dir, "tiny", "--subjects", "randon"}, cli.Usage,
			`keellab: sim: subject "randon": strategy.name: unknown strategy "randon": did you mean "random"?` + usage},
		{[]string{"sim", "--scenarios", dir, "tiny", "--subjects", "random,random"}, cli.Usage, `keellab: sim: subject "random" stands twice` + usage},
		{[]string{"sim", "--scenarios", dir, "tiny", "--subjects", "random,"}, cli.Usage, `keellab: sim: subjects "random,": one of them is empty` + usage},
		{[]string{"sim", "--scenarios", dir, "tiny", "--subjects", "a{"}, cli.Usage, `keellab: sim: subject "a{": braces do not match` + usage},
		{[]string{"sim", "--scenarios", dir, "tiny", "tiny"}, cli.Failed, `keellab: tiny and tiny are both called "tiny": expected different names` + "\n"},
		{[]string{"sim", "--scenarios", bad}, cli.Failed, bad + "/bad.yaml:4:18: arrivals.load: -1: expected above 0\n" +
			bad + "/bad.yaml:5:1: unknown field \"procies\": did you mean \"proxies\"?\n"},
		{[]string{"list", "--scenarios", bad}, cli.Failed, bad + "/bad.yaml:4:18: arrivals.load: -1: expected above 0\n" +
			bad + "/bad.yaml:5:1: unknown field \"procies\": did you mean \"proxies\"?\n"},
		{[]string{"list", "x"}, cli.Usage, `keellab: list: unexpected argument "x"` + usage},
		{[]string{"schema", "x"}, cli.Usage, `keellab: schema: unexpected argument "x"` + usage},
		{[]string{"report"}, cli.Usage, "keellab: report: expected one folder of results" + usage},
		{[]string{"report", nowhere}, cli.Failed, "keellab: " + nowhere + "/records has no digests of trials\n"},
		{[]string{"sim", "--scenarios", dir, "--records", "-1"}, cli.Usage, "keellab: sim: --records -1: expected at least 0" + usage},
		{[]string{"sim", filepath.Join(huge, "huge.yaml")}, cli.Usage,
			"keellab: sim: huge: some 12 million requests a trial: expected at most 10 million to be kept (--records 0 keeps none)" + usage},
		{[]string{"run", "--scenarios", dir, "tiny", "--evenkeel", nowhere}, cli.Failed,
			"keellab: no proxy to run: stat " + nowhere + ": no such file or directory (make build makes it; --evenkeel names another)\n"},
	} {
		args := c.args
		if args[0] == "sim" || args[0] == "run" {
			args = slices.Insert(slices.Clone(args), 1, "--out", out)
		}
		code, stdout, stderr := run(args...)
		if code != c.code || stdout != "" || stderr != c.want {
			t.Errorf("%v: exit %d, %s\ngot  %q\nwant %q", c.args, code, stdout, stderr, c.want)
		}
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a mistake has left results: %v", err)
	}
	if code, stdout, stderr := run(); code != cli.Usage || stdout != "" || !strings.HasPrefix(stderr, "keellab: play scenarios") {
		t.Errorf("no command: exit %d, %s%s", code, stdout, stderr)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stdout, stderr bytes.Buffer
	code := dispatch(ctx, []string{"sim", "--scenarios", scenarios(t), "--out", t.TempDir()}, &stdout, &stderr)
	if code != cli.Failed || !strings.Contains(stderr.String(), "keellab: interrupted") || stdout.Len() > 0 {
		t.Errorf("exit %d, %s%s", code, &stdout, &stderr)
	}
}

// interrupting is the simulator, interrupted after so many trials.
type interrupting struct {
	sim.Driver
	trials    int
	interrupt func()
}

func (d *interrupting) Play(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (record.Header, error) {
	if d.trials == 0 {
		d.interrupt()
	}
	d.trials--
	return d.Driver.Play(ctx, s, subject, seed, each)
}

// What was played before an interruption is kept, and can be looked at; what was to be
// played again and was not is gone.
func TestInterruptedInBetween(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := t.TempDir()
	must(t, "sim", "--scenarios", scenarios(t), "tiny", "--seeds", "1", "--out", out)
	e := experiment{
		call:   &cli.Call{Context: ctx, Stdout: io.Discard, Stderr: io.Discard},
		driver: &interrupting{trials: 3, interrupt: cancel}, parallel: 1, blocks: 2, out: out, extend: true,
		subjects: map[string][]scenario.Subject{},
	}
	for _, name := range []string{"short", "tiny"} {
		s, err := scenario.Load(scenarios(t), name, scenario.Sim)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range s.Subjects {
			subject, err := s.Subject(text)
			if err != nil {
				t.Fatal(err)
			}
			e.subjects[name] = append(e.subjects[name], subject)
		}
		e.scenarios = append(e.scenarios, s)
	}
	if err := e.run(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it interrupted", err)
	}
	must(t, "report", out)
	trials := 0
	summary := summaryOf(t, out)
	for _, subject := range summary.Scenarios[0].Subjects {
		trials += len(subject.Trials)
	}
	if len(summary.Scenarios) != 1 || summary.Scenarios[0].Scenario != "short" || trials != 3 {
		t.Errorf("%v: want the three trials that were played", subjectsOf(summary))
	}
}

// late is the simulator, found void at the first try.
type late struct {
	sim.Driver
	tries int
}

func (d *late) Play(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (record.Header, error) {
	h, err := d.Driver.Play(ctx, s, subject, seed, each)
	if d.tries++; d.tries == 1 {
		h.Void = "late"
	}
	return h, err
}

// A void try leaves nothing behind, neither in the figures nor among the requests.
func TestVoidTry(t *testing.T) {
	j := tiny(t)
	play := func(d trial.Driver) (stat.Digest, int) {
		e := experiment{driver: d, records: 1, room: mostKept, out: t.TempDir()}
		digest, err := e.playOne(t.Context(), j, newProgress(io.Discard, "sim", 1))
		if err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(e.out, record.Folder, "*"+record.Extension))
		if err != nil || len(files) != 1 {
			t.Fatalf("records %v, %v, want one", files, err)
		}
		kept, err := record.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		return digest, len(kept.Requests)
	}
	want, requests := play(sim.Driver{})
	d := &late{}
	got, again := play(d)
	if diff := cmp.Diff(want, got); diff != "" || requests != again || d.tries != 2 {
		t.Errorf("%d requests after %d tries, want %d; digest (-one try +two):\n%s", again, d.tries, requests, diff)
	}
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

// A trial whose number of requests is not known beforehand may have too many to keep.
func TestTooManyToKeep(t *testing.T) {
	j := tiny(t)
	for _, c := range []struct {
		records, room int
		want          string
	}{{1, 100, ""}, {1, 30, "tiny random, block 1: more than 30 requests: too many to be kept (--records 0 keeps none)"}, {0, 30, ""}} {
		e := experiment{driver: sim.Driver{}, records: c.records, room: c.room, out: t.TempDir()}
		if _, err := e.playOne(t.Context(), j, newProgress(io.Discard, "sim", 1)); err != nil && err.Error() != c.want || err == nil && c.want != "" {
			t.Errorf("--records %d, room for %d: got %v, want %q", c.records, c.room, err, c.want)
		}
	}
}
