package scenario_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

const good = `# A good file.
# It says what it is about.

# And this is about the version.
version: 1
name: good
models: Something.
source: somewhere
expect: {wins: [p2c-ewma], loses: [round-robin]}
seed: 7
duration: 30s
warm_up: 3s
arrivals: {law: constant, rate: 100}
client: {timeout: 2s, retries: 0}
proxies: 3
proxy:
  breaker: {enabled: false}
servers:
  count: 10
  slots: 2
  queue: 5
  service: {law: lognormal, mean: 20ms, cv: 0.5}
faults:
  - {kind: slow, servers: [0, 1], from: 10s, to: 20s, factor: 4}
  - {kind: error, servers: [9], from: 5s, code: 500, latency: 1ms}
objective: {latency: 50ms, share: 0.9}
subjects: [round-robin, "p2c-ewma{decay=5s}"]
live:
  proxies: 1
  duration: 10s
  servers: {count: 4, service: {mean: 80ms}}
  faults:
    - {kind: slow, servers: [3], from: 1s, factor: 2}
  subjects: [random]
`

func parse(t testing.TB, text string, size scenario.Size) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("f", []byte(text), size)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParse(t *testing.T) {
	want := scenario.Default()
	want.Version, want.Name, want.Models, want.Source = 1, "good", "Something.", "somewhere"
	want.Expect = scenario.Expect{Wins: []string{"p2c-ewma"}, Loses: []string{"round-robin"}}
	want.Seed, want.Duration, want.WarmUp, want.Proxies = 7, 30*time.Second, 3*time.Second, 3
	want.Arrivals = scenario.Arrivals{Law: "constant", Rate: 100}
	want.Client = scenario.Client{Timeout: 2 * time.Second}
	want.Proxy.Breaker.Enabled = false
	want.Servers = scenario.Servers{Count: 10, Slots: 2, Queue: 5, Discipline: "fifo", Abandoned: "finish",
		Service: scenario.Service{Law: "lognormal", Mean: 20 * time.Millisecond, CV: 0.5}}
	want.Faults = []scenario.Fault{
		{Kind: "slow", Servers: []int{0, 1}, From: 10 * time.Second, To: 20 * time.Second, Factor: 4},
		{Kind: "error", Servers: []int{9}, From: 5 * time.Second, Code: 500, Latency: time.Millisecond},
	}
	want.Objective = scenario.Objective{Latency: 50 * time.Millisecond, Share: 0.9}
	want.Subjects = []string{"round-robin", "p2c-ewma{decay=5s}"}
	want.Text, want.Comment = []byte(good), "A good file.\nIt says what it is about."
	if diff := cmp.Diff(want, *parse(t, good, scenario.Sim)); diff != "" {
		t.Errorf("in the simulator's size (-want +got):\n%s", diff)
	}

	// Mappings are merged, lists replaced.
	want.Proxies, want.Duration = 1, 10*time.Second
	want.Servers.Count, want.Servers.Service.Mean = 4, 80*time.Millisecond
	want.Faults = []scenario.Fault{{Kind: "slow", Servers: []int{3}, From: time.Second, Factor: 2}}
	want.Subjects = []string{"random"}
	if diff := cmp.Diff(want, *parse(t, good, scenario.Live)); diff != "" {
		t.Errorf("in the live size (-want +got):\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	const least = "version: 1\nname: least\nmodels: x\narrivals: {load: 0.5}\n"
	want := scenario.Default()
	want.Version, want.Name, want.Models, want.Text = 1, "least", "x", []byte(least)
	want.Arrivals.Load = 0.5
	for _, size := range []scenario.Size{scenario.Sim, scenario.Live} {
		s := parse(t, least, size)
		if diff := cmp.Diff(want, *s); diff != "" {
			t.Errorf("size %d (-want +got):\n%s", size, diff)
		}
		// Ten servers with four slots at 10 ms.
		if s.Capacity() != 4000 || s.Rate() != 2000 {
			t.Errorf("capacity and rate: got %v and %v, want 4000 and 2000", s.Capacity(), s.Rate())
		}
	}
}

// Each case is the good file with some lines changed: the messages, in the order of
// the file, without its name.
func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		name     string
		old, new string
		want     string
	}{
		{"unknown field", "slots: 2", "slotz: 2", `20:3: servers: unknown field "slotz": did you mean "slots"?`},
		{"unknown field at the top", "seed: 7", "sed: 7", `10:1: unknown field "sed": did you mean "seed"?`},
		{"version", "version: 1", "version: 2", `5:10: version: version 2: expected 1`},
		{"no name", "name: good\n", "", `5:1: name: required, but not given`},
		{"empty name", "name: good", `name: ""`, `6:7: name: expected a name`},
		{"no servers", "count: 10", "count: 0", `19:10: servers.count: 0: expected 1 to 100000`},
		{"no slots", "slots: 2", "slots: 0", `20:10: servers.slots: 0: expected at least 1`},
		{"negative queue", "queue: 5", "queue: -1", `21:10: servers.queue: -1: expected at least 0`},
		{"unknown law of service", "law: lognormal", "law: lognorm", `22:18: servers.service.law: unknown law "lognorm": did you mean "lognormal"?`},
		{"service law without its cv", ", cv: 0.5", "", `22:12: servers.service: law lognormal: cv 0: expected above 0`},
		{"unknown law of arrivals", "law: constant", "law: possion", `13:17: arrivals.law: unknown law "possion": did you mean "poisson"?`},
		{"negative rate", "rate: 100", "rate: -100", `13:33: arrivals.rate: -100: expected above 0`},
		{"load and rate", "rate: 100", "rate: 100, load: 0.5", `13:11: arrivals: both load and rate are given: expected one of them`},
		{"neither load nor rate", ", rate: 100", "", `13:11: arrivals: expected load (a share of the capacity), rate (a second) or phases`},
		{"too many requests", "rate: 100", "rate: 1e8", `13:11: arrivals: 3000000000 requests in all: expected at most 100000000
13:11: arrivals: 1000000000 requests in all: expected at most 100000000`},
		{"duration", "duration: 30s", "duration: 0", `11:11: duration: 0s: expected above 0
12:10: warm_up: 3s: expected at least 0 and less than the duration, 0s`},
		{"warm-up as long as the trial", "warm_up: 3s", "warm_up: 10s", `12:10: warm_up: 10s: expected at least 0 and less than the duration, 10s`},
		{"client's timeout", "timeout: 2s", "timeout: 0", `14:19: client.timeout: 0s: expected above 0`},
		{"client's retries", "retries: 0", "retries: 1", `14:32: client.retries: 1: clients try again only in the simulator (set live.client.retries to 0)`},
		{"proxies", "proxies: 3", "proxies: 0", `15:10: proxies: 0: expected 1 to 1000`},
		{"proxies in the live size", "  proxies: 1\n", "", `15:10: proxies: 3: expected 1 in the live size (set live.proxies to 1)`},
		{"live too long", "  duration: 10s", "  duration: 11m", `30:13: duration: 11m0s: expected at most 10m0s in the live size (set live.duration)`},
		{"policies", "enabled: false", "enabled: true, failure_ratio: 2", `17:43: proxy.breaker.failure_ratio: expected a share above 0, at most 1, found 2`},
		{"objective", "latency: 50ms, share: 0.9", "latency: 0, share: 1.5", `26:22: objective.latency: 0s: expected above 0
26:32: objective.share: 1.5: expected above 0 and at most 1`},
		{"fault on a server that does not exist", "[0, 1]", "[0, 10]", `24:31: faults[0].servers[1]: server 10 does not exist: expected 0 to 9`},
		{"fault on a server that does not exist live", "servers: [3]", "servers: [4]", `33:30: faults[0].servers[0]: server 4 does not exist: expected 0 to 3`},
		{"fault on a server twice", "[0, 1]", "[1, 1]", `24:31: faults[0].servers[1]: server 1 stands twice`},
		{"unknown fault", "kind: error", "kind: errors", `25:12: faults[1].kind: unknown fault "errors": did you mean "error"?`},
		{"fault ends before it begins", "to: 20s", "to: 9s", `24:50: faults[0].to: 9s: expected after from, 10s`},
		{"fault ends as it begins", "to: 20s", "to: 10s", `24:50: faults[0].to: 10s: expected after from, 10s`},
		{"fault before the trial", "from: 10s", "from: -1s", `24:41: faults[0].from: -1s: expected at least 0`},
		{"slow without factor", ", factor: 4", "", `24:5: faults[0].factor: 0: expected 0.000001 to 1000000: how many times as long work takes`},
		{"slow with a code", "factor: 4", "factor: 4, code: 500", `24:72: faults[0].code: a fault of kind slow has no code`},
		{"error with a code that is none", "code: 500", "code: 404", `25:49: faults[1].code: 404: expected 500 to 599, or 429`},
		{"error with a factor", "code: 500", "code: 500, factor: 2", `25:62: faults[1].factor: a fault of kind error has no factor`},
		{"slow with a shape that is none", "factor: 4", "factor: 4, shape: round", `24:73: faults[0].shape: round: expected step, ramp or decay`},
		{"no subjects", `[round-robin, "p2c-ewma{decay=5s}"]`, `[]`, `27:11: subjects: expected at least one`},
		{"unknown strategy", "[round-robin, ", "[round-robbin, ", `27:12: subjects[0]: subject "round-robbin": strategy.name: unknown strategy "round-robbin": did you mean "round-robin"?`},
		{"unknown strategy live", "[random]", "[randon]", `34:14: subjects[0]: subject "randon": strategy.name: unknown strategy "randon": did you mean "random"?`},
		{"unknown strategy expected", "loses: [round-robin]", "loses: [p2c-ewna]", `9:36: expect.loses[0]: subject "p2c-ewna": strategy.name: unknown strategy "p2c-ewna": did you mean "p2c-ewma"?`},
		{"live is no mapping", good[strings.Index(good, "live:"):], "live: [1]\n", `15:10: proxies: 3: expected 1 in the live size (set live.proxies to 1)
28:7: live: expected a mapping of what differs, found a list`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.new, 1)
			if text == good {
				t.Fatalf("%q is not in the good file", c.old)
			}
			for _, size := range []scenario.Size{scenario.Sim, scenario.Live} {
				_, err := scenario.Parse("f", []byte(text), size)
				got := ""
				if err != nil {
					got = strings.ReplaceAll("\n"+err.Error(), "\nf:", "\n")[1:]
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("size %d (-want +got):\n%s", size, diff)
				}
			}
		})
	}
}

// Every mistake at once, each where it stands.
func TestParseAllErrors(t *testing.T) {
	const bad = `version: 3
name: bad
durations: 10s
warm_up: 90s
arrivals: {law: poison, rate: -1}
client: {timeout: 5, retries: 2}
servers: {count: ten, slots: 0}
faults:
  - {kind: slow, servers: [10], from: 5s, to: 2s, factor: -1}
subjects: [round-robin, nobody]
live: {proxies: 2}
`
	want := `bad.yaml:1:1: models: required, but not given
bad.yaml:1:10: version: version 3: expected 1
bad.yaml:3:1: unknown field "durations": did you mean "duration"?
bad.yaml:4:10: warm_up: 1m30s: expected at least 0 and less than the duration, 1m0s
bad.yaml:5:17: arrivals.law: unknown law "poison": did you mean "poisson"?
bad.yaml:5:31: arrivals.rate: -1: expected above 0
bad.yaml:6:19: client.timeout: expected a duration, found the bare number 5: add a unit, such as 5s
bad.yaml:6:31: client.retries: 2: clients try again only in the simulator (set live.client.retries to 0)
bad.yaml:7:18: servers.count: expected a whole number, found "ten"
bad.yaml:7:30: servers.slots: 0: expected at least 1
bad.yaml:9:28: faults[0].servers[0]: server 10 does not exist: expected 0 to 9
bad.yaml:9:47: faults[0].to: 2s: expected after from, 5s
bad.yaml:9:59: faults[0].factor: -1: expected 0.000001 to 1000000: how many times as long work takes
bad.yaml:10:25: subjects[1]: subject "nobody": strategy.name: unknown strategy "nobody": expected one of round-robin, weighted-round-robin, random, least-requests, p2c-least-requests, consistent-hash, ip-hash, ewma, p2c-ewma, orca-weighted-round-robin, c3, prequal
bad.yaml:11:17: proxies: 2: expected 1 in the live size (set live.proxies to 1)`
	_, err := scenario.Parse("bad.yaml", []byte(bad), scenario.Sim)
	if err == nil {
		t.Fatal("got no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The catalogue is valid in both sizes, its names are those of its files, and each
// scenario says who is expected to win or to lose by names that it compares.
func TestCatalogue(t *testing.T) {
	const dir = "../../scenarios"
	names, err := scenario.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		for _, size := range []scenario.Size{scenario.Sim, scenario.Live} {
			s, err := scenario.Load(dir, name, size)
			if err != nil {
				t.Errorf("%s", err)
				continue
			}
			if s.Name != name || s.Comment == "" || s.Source == "" {
				t.Errorf("%s: got name %q, comment %q, source %q", name, s.Name, s.Comment, s.Source)
			}
			for _, list := range [][]string{s.Subjects, s.Expect.Wins, s.Expect.Loses} {
				for _, text := range list {
					if subject, err := s.Subject(text); err != nil || subject.Name != text {
						t.Errorf("%s: subject %q: got %q, %v", name, text, subject.Name, err)
					}
				}
			}
			for _, winner := range s.Expect.Wins {
				for _, loser := range s.Expect.Loses {
					if winner == loser {
						t.Errorf("%s: %s is expected to win and to lose", name, winner)
					}
				}
			}
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "good.yaml")
	for path, text := range map[string]string{file: good, filepath.Join(dir, "notes.txt"): "x", filepath.Join(dir, "bad.yaml"): "version: 1\n"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names, err := scenario.List(dir)
	if diff := cmp.Diff([]string{"bad", "good"}, names); diff != "" || err != nil {
		t.Errorf("list: %v (-want +got):\n%s", err, diff)
	}
	for _, name := range []string{"good", file} {
		if s, err := scenario.Load(dir, name, scenario.Sim); err != nil || s.Name != "good" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"goood":     `unknown scenario "goood": did you mean "good"?`,
		"else":      `unknown scenario "else": expected one of bad, good`,
		"bad":       filepath.Join(dir, "bad.yaml") + `:1:1: name: required, but not given`,
		"./no.yaml": `open ./no.yaml: no such file or directory`,
	} {
		_, err := scenario.Load(dir, name, scenario.Sim)
		if err == nil || strings.Split(err.Error(), "\n")[0] != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	if _, err := scenario.List(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no scenarios in") {
		t.Errorf("an empty folder: got %v", err)
	}
	if _, err := scenario.List(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a folder that is not there: got no error")
	}
}

func TestFaults(t *testing.T) {
	s := parse(t, good, scenario.Sim)
	for i, want := range []string{"4x slower", "answers 500 after 1ms"} {
		if got := s.Faults[i].String(); got != want {
			t.Errorf("fault %d: got %q, want %q", i, got, want)
		}
	}
	if got := [3]string{s.ServerName(0), s.ServerName(9)}; got != [3]string{"server-0", "server-9"} {
		t.Errorf("names: got %v", got)
	}
	s.Servers.Count = 11
	if got := s.ServerName(3); got != "server-03" {
		t.Errorf("of eleven: got %q, want server-03", got)
	}
	sec := core.Instant(time.Second)
	// Server 1 works at a quarter of its speed from 10 s to 20 s, server 9 fails from
	// 5 s to the end, and nothing happens to server 2.
	for _, step := range []struct {
		server int
		at     core.Instant
		code   int
		took   time.Duration
	}{
		{1, 9 * sec, 200, time.Second},
		{1, 10 * sec, 200, 4 * time.Second},
		{1, 20 * sec, 200, time.Second},
		{2, 10 * sec, 200, time.Second},
		{9, 5*sec - 1, 200, time.Second},
		{9, 5 * sec, 500, time.Millisecond},
		{9, 1e6 * sec, 500, time.Millisecond},
	} {
		server := s.Server(step.server, scenario.NewChance(1))
		if fate, _ := server.Check(step.at); (fate == model.Served) != (step.code == 200) {
			t.Errorf("server %d at %v: the fate of a health check is %d", step.server, time.Duration(step.at), fate)
		}
		server.Arrive(step.at, model.Job{Demand: time.Second})
		d, ok := server.Finish(core.Never)
		if !ok || d.Code != step.code || d.At.Sub(step.at) != step.took {
			t.Errorf("server %d at %v: got %d after %v, want %d after %v",
				step.server, time.Duration(step.at), d.Code, d.At.Sub(step.at), step.code, step.took)
		}
	}
}
