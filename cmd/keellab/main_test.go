package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/cmd/cli"
)

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
