package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/core/config"
)

// binary is the command, built once for the tests that need a process.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	folder, err := os.MkdirTemp("", "evenkeel")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	binary = filepath.Join(folder, "evenkeel")
	build := exec.Command("go", "build", "-ldflags", "-X main.version=v0-test", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// result is how a command line ended.
type result struct {
	code           int
	stdout, stderr string
}

// call runs a command line in this process.
func call(args ...string) result {
	var stdout, stderr bytes.Buffer
	code := dispatch(args, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

const try = "Try 'evenkeel help'.\n"

// taken is the address of a port in use.
func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// Whatever is wrong is said in one line, with the right exit code.
func TestMistakes(t *testing.T) {
	inUse := taken(t)
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string // all of stderr; for a usage error without the line that follows
	}{
		{"unknown command", []string{"rum"}, 2, `evenkeel: unknown command "rum": did you mean "run"?`},
		{"unknown command, nothing near", []string{"frobnicate"}, 2, `evenkeel: unknown command "frobnicate": expected one of run, demo, validate, print, schema, version`},
		{"unknown flag", []string{"run", "--lisen", ":1"}, 2, `evenkeel: run: unknown flag "lisen": did you mean "listen"?`},
		{"unknown flag of demo", []string{"demo", "--x"}, 2, `evenkeel: demo: unknown flag "x": expected one of admin, listen, load, strategy`},
		{"a flag without a value", []string{"validate", "-c"}, 2, `evenkeel: validate: flag needs an argument: -c`},
		{"a flag with a value that it cannot have", []string{"demo", "--load", "many"}, 2, `evenkeel: demo: invalid value "many" for flag -load: parse error`},
		{"a load that cannot be", []string{"demo", "--load", "-1"}, 2, `evenkeel: demo: --load -1: expected 0 to 10000 requests a second`},
		{"a demo without anything to see", []string{"demo", "--admin", "off"}, 2, `evenkeel: demo: --admin off: the demo shows what the admin listener says`},
		{"an argument too many", []string{"validate", "-c", "x", "y"}, 2, `evenkeel: validate: unexpected argument "y"`},
		{"an argument to version", []string{"version", "y"}, 2, `evenkeel: version: unexpected argument "y"`},
		{"an argument to schema", []string{"schema", "y"}, 2, `evenkeel: schema: unexpected argument "y"`},
		{"no file", []string{"validate"}, 2, `evenkeel: validate: expected -c FILE`},
		{"no file to print", []string{"print"}, 2, `evenkeel: print: expected -c FILE`},
		{"nothing to run", []string{"run"}, 2, `evenkeel: run: expected -c FILE, or --endpoints URL,URL`},
		{"a file and flags", []string{"run", "-c", "x", "--listen", ":1"}, 2, `evenkeel: run: -c goes without --listen, --endpoints, --strategy and --admin`},

		{"missing file to validate", []string{"validate", "-c", "nowhere.yaml"}, 1, `evenkeel: nowhere.yaml: no such file or directory`},
		{"missing file to print", []string{"print", "-c", "nowhere.yaml"}, 1, `evenkeel: nowhere.yaml: no such file or directory`},
		{"missing file to run", []string{"run", "-c", "nowhere.yaml"}, 1, `evenkeel: nowhere.yaml: no such file or directory`},
		{"a folder", []string{"run", "-c", "testdata"}, 1, `evenkeel: testdata: is a directory`},
		{"impossible endpoint", []string{"run", "--endpoints", "ftp://127.0.0.1:1"}, 1,
			`--endpoints: "ftp://127.0.0.1:1": expected http://, https:// or unix:// in front, as in http://127.0.0.1:9001`},
		{"an endpoint with an impossible port", []string{"run", "--endpoints", "http://127.0.0.1:70000"}, 1,
			`--endpoints: "http://127.0.0.1:70000": expected a port from 1 to 65535`},
		{"an endpoint that is empty", []string{"run", "--endpoints", "http://127.0.0.1:1,"}, 1,
			`--endpoints: "": expected http://, https:// or unix:// in front, as in http://127.0.0.1:9001`},
		{"unknown strategy", []string{"run", "--endpoints", "http://127.0.0.1:1", "--strategy", "p2c-ewna"}, 1,
			`--strategy: unknown strategy "p2c-ewna": did you mean "p2c-ewma"?`},
		{"unknown strategy of the demo", []string{"demo", "--strategy", "randon"}, 1, `--strategy: unknown strategy "randon": did you mean "random"?`},
		{"impossible address", []string{"run", "--endpoints", "http://127.0.0.1:1", "--listen", "nonsense"}, 1,
			`--listen: expected host:port, such as 127.0.0.1:8080, found "nonsense"`},
		{"port in use", []string{"run", "--endpoints", "http://127.0.0.1:1", "--listen", inUse, "--admin", "off"}, 1,
			`evenkeel: cannot listen on ` + inUse + `: bind: address already in use`},
		{"admin port in use", []string{"run", "--endpoints", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--admin", inUse}, 1,
			`evenkeel: admin: cannot listen on ` + inUse + `: bind: address already in use`},
		{"port of the demo in use", []string{"demo", "--listen", inUse, "--admin", "127.0.0.1:0"}, 1,
			`evenkeel: cannot listen on ` + inUse + `: bind: address already in use`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := call(tt.args...)
			want := result{tt.code, "", tt.want + "\n"}
			if tt.code == cli.Usage {
				want.stderr += try
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("evenkeel %s (-want +got):\n%s", strings.Join(tt.args, " "), diff)
			}
		})
	}
}

// A configuration that is wrong in three places is told so three times, for every
// command that reads it.
func TestEveryMistakeInAFileAtOnce(t *testing.T) {
	const file = "testdata/wrong.yaml"
	for _, command := range []string{"validate", "print", "run"} {
		got := call(command, "-c", file)
		if got.code != cli.Failed || got.stdout != "" {
			t.Errorf("%s: got exit %d and %q, want 1 and nothing on stdout", command, got.code, got.stdout)
		}
		lines := strings.Split(strings.TrimSuffix(got.stderr, "\n"), "\n")
		want := []string{
			file + `:4:15: pools[0].strategy`,
			file + `:7:9: pools[0].endpoints[0]`,
			file + `:8:23: pools[0].timeouts.total: `,
		}
		if len(lines) != len(want) {
			t.Fatalf("%s: got %d lines, want %d:\n%s", command, len(lines), len(want), got.stderr)
		}
		for i := range want {
			if !strings.HasPrefix(lines[i], want[i]) {
				t.Errorf("%s: got %q, want it to begin with %q", command, lines[i], want[i])
			}
		}
		for i, near := range []string{"p2c-ewma", "weight", "5s"} {
			if !strings.Contains(lines[i], near) {
				t.Errorf("%s: got %q, want %q in it", command, lines[i], near)
			}
		}
	}
}

func TestValidateAGoodFile(t *testing.T) {
	want := result{0, "the configuration is valid\n", ""}
	if diff := cmp.Diff(want, call("validate", "-c", "testdata/good.yaml"), cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("validate (-want +got):\n%s", diff)
	}
}

// What print writes is a configuration with every default, and means the same.
func TestPrintIsTheEffectiveConfiguration(t *testing.T) {
	got := call("print", "-c", "testdata/good.yaml")
	if got.code != 0 || got.stderr != "" {
		t.Fatalf("print: got exit %d, %q", got.code, got.stderr)
	}
	printed, err := config.Parse("printed", []byte(got.stdout))
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	a, _ := loaded.YAML()
	b, _ := printed.YAML()
	if diff := cmp.Diff(string(a), string(b)); diff != "" {
		t.Errorf("printed and read again (-want +got):\n%s", diff)
	}
	for _, want := range []string{"open_for: 5s", "read_header_timeout: 10s", "strategy", "round-robin", "127.0.0.1:9901"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("print: got no %q in\n%s", want, got.stdout)
		}
	}
}

func TestSchemaIsJSON(t *testing.T) {
	got := call("schema")
	var schema struct{ Properties map[string]any }
	if err := json.Unmarshal([]byte(got.stdout), &schema); err != nil || got.code != 0 {
		t.Fatalf("schema: got exit %d, %v", got.code, err)
	}
	for _, name := range []string{"version", "listeners", "pools", "routes", "admin"} {
		if schema.Properties[name] == nil {
			t.Errorf("schema: got no property %q", name)
		}
	}
}

func TestVersion(t *testing.T) {
	got := call("version")
	if want := "evenkeel " + versionString() + " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n"; got.stdout != want || got.code != 0 {
		t.Errorf("version: got %q with exit %d, want %q", got.stdout, got.code, want)
	}
	out, err := exec.Command(binary, "version").Output()
	if want := "evenkeel v0-test "; err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("version of the binary: got %q, %v, want it to begin with %q", out, err, want)
	}
}

func TestHelp(t *testing.T) {
	for _, arg := range []string{"help", "-h", "--help"} {
		got := call(arg)
		if got.code != 0 || got.stderr != "" {
			t.Errorf("%s: got exit %d and %q", arg, got.code, got.stderr)
		}
		for _, c := range program().Commands {
			if !strings.Contains(got.stdout, "evenkeel "+c.Name) {
				t.Errorf("%s: got no %s in\n%s", arg, c.Name, got.stdout)
			}
		}
	}
	if got := call(); got.code != cli.Usage || got.stdout != "" || !strings.Contains(got.stderr, "Usage:") {
		t.Errorf("no arguments: got exit %d, %q, %q, want 2 and the help on stderr", got.code, got.stdout, got.stderr)
	}
	if got := call("run", "-h"); got.code != 0 || !strings.Contains(got.stdout+got.stderr, "-endpoints") {
		t.Errorf("run -h: got exit %d, %q, want 0 and the flags", got.code, got.stdout+got.stderr)
	}
}

// What demo says about itself has the numbers in their places.
func TestDescribe(t *testing.T) {
	var before, now poolState
	for text, state := range map[string]*poolState{
		`{"Mode": "fallback", "Reason": "signal-thin", "Endpoints": [{"Requests": 10}, {"Requests": 10}]}`:                                              &before,
		`{"mode": "adaptive", "reason": "none", "endpoints": [{"requests": 40, "latency_seconds": 0.0204}, {"requests": 20, "latency_seconds": null}]}`: &now,
	} {
		if err := json.Unmarshal([]byte(text), state); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name        string
		now, before poolState
		want        string
	}{
		{"the first time", before, poolState{}, "fallback (signal-thin)     50%     -   50%     -"},
		{"since the time before", now, before, "adaptive                   75%  20ms   25%     -"},
		{"nothing happened", now, now, "adaptive                    0%  20ms    0%     -"},
	} {
		if got := describe(tt.now, tt.before); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
