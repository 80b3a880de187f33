package scenario_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// folder writes files into a new folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTrace(t *testing.T) {
	dir := folder(t, map[string]string{
		"times.csv":     "# recorded somewhere\n\nseconds\r\n0.5\n  0.25\n# a gap\n4.999999999\n5\n1e1\n0\n10\n",
		"x.yaml":        with("{law: trace, file: times.csv}"),
		"fast.yaml":     with("{law: trace, file: times.csv, speed: 2}"),
		"slow.yaml":     with("{law: trace, file: times.csv, speed: 0.5}"),
		"below/up.yaml": with("{law: trace, file: ../times.csv}"),
	})
	ms := core.Instant(time.Millisecond)
	for name, want := range map[string][]core.Instant{
		"x":             {0, 250 * ms, 500 * ms, 4_999_999_999, 5000 * ms},
		"fast":          {0, 125 * ms, 250 * ms, 2_499_999_999, 2500 * ms, 5000 * ms, 5000 * ms},
		"slow":          {0, 500 * ms, 1000 * ms, 9_999_999_998},
		"below/up.yaml": {0, 250 * ms, 500 * ms, 4_999_999_999, 5000 * ms},
	} {
		if filepath.Ext(name) != "" {
			name = filepath.Join(dir, name)
		}
		s, err := scenario.Load(dir, name, scenario.Sim)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for seed := range uint64(2) {
			if diff := cmp.Diff(want, schedule(s, seed)); diff != "" {
				t.Errorf("%s, seed %d (-want +got):\n%s", name, seed, diff)
			}
		}
		if got, want := s.Rate(), float64(len(want))/10; got != want {
			t.Errorf("%s: rate %v, want %v", name, got, want)
		}
		if got, want := s.Offered(), float64(len(want))/40_000; got != want || s.MaxOffered() != want {
			t.Errorf("%s: offered %v, at most %v, want %v", name, got, s.MaxOffered(), want)
		}
	}
	absolute := with("{law: trace, file: " + filepath.Join(dir, "times.csv") + "}")
	elsewhere := folder(t, map[string]string{"x.yaml": absolute})
	if s, err := scenario.Load(elsewhere, "x", scenario.Sim); err != nil || s.Rate() != 0.5 {
		t.Errorf("an absolute path: %v", err)
	}
	stream := mustLoad(t, dir, "x").Stream(scenario.NewChance(1))
	for range 10 {
		stream.Next()
	}
	if at, ok := stream.Next(); ok {
		t.Errorf("it goes on after its end, at %d", at)
	}
}

func mustLoad(t *testing.T, dir, name string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Load(dir, name, scenario.Sim)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What hangs on files is not known before they are read, and who asks for their times
// anyway is told.
func TestUnread(t *testing.T) {
	trace := parse(t, with("{law: trace, file: missing.txt}"), scenario.Sim)
	empirical := parse(t, with("{load: 0.5}")+"servers: {service: {law: empirical, file: missing.txt}}\n", scenario.Sim)
	classes := parse(t, with("{load: 0.5}")+"classes: [{name: a, share: 1, service: {law: empirical, file: missing.txt}}, {name: b, share: 1, service: {law: constant, mean: 1s}}]\n", scenario.Sim)
	for name, s := range map[string]*scenario.Scenario{"trace": trace, "empirical": empirical, "classes": classes} {
		if s.Rate() != 0 || s.Offered() != 0 || s.MaxOffered() != 0 {
			t.Errorf("%s: rate %v, offered %v, at most %v: want 0, not known", name, s.Rate(), s.Offered(), s.MaxOffered())
		}
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, "missing.txt was not read") {
					t.Errorf("%s: got %q, want that missing.txt was not read", name, got)
				}
			}()
			s.Stream(scenario.NewChance(1))
			s.Demands(scenario.NewChance(1))
		}()
	}
	if empirical.Capacity() != 0 || classes.Capacity() != 0 {
		t.Errorf("capacity: got %v and %v, want 0, not known", empirical.Capacity(), classes.Capacity())
	}
}

func TestEmpiricalService(t *testing.T) {
	text := with("{load: 0.5}")
	dir := folder(t, map[string]string{
		"t/times.txt": "time\n0.003\n0.001\n0.001\n0.007\n", // their mean is 3 ms
		"as-is.yaml":  text + "servers: {service: {law: empirical, file: t/times.txt}}\n",
		"scaled.yaml": text + "servers: {service: {law: empirical, file: t/times.txt, mean: 30ms}}\n",
		"classes.yaml": text + "classes: [{name: a, share: 3, service: {law: empirical, file: t/times.txt}}, " +
			"{name: b, share: 1, service: {law: constant, mean: 11ms}}]\n",
	})
	ms := time.Millisecond
	for name, c := range map[string]struct {
		capacity float64 // 40 slots over the mean
		times    []time.Duration
	}{
		"as-is":   {40 / 0.003, []time.Duration{ms, 3 * ms, 7 * ms}},
		"scaled":  {40 / 0.030, []time.Duration{10 * ms, 30 * ms, 70 * ms}},
		"classes": {40 / 0.005, []time.Duration{ms, 3 * ms, 7 * ms, 11 * ms}},
	} {
		s := mustLoad(t, dir, name)
		if math.Abs(s.Capacity()/c.capacity-1) > 1e-12 || s.Rate() != 0.5*s.Capacity() || s.Offered() != 0.5 {
			t.Errorf("%s: capacity %v, rate %v, offered %v: want %v, %v, 0.5", name, s.Capacity(), s.Rate(), s.Offered(), c.capacity, 0.5*c.capacity)
		}
		demands := s.Demands(scenario.NewChance(1))
		seen := map[time.Duration]int{}
		for i := range uint64(1000) {
			_, work := demands.Of(i)
			seen[work]++
		}
		for _, want := range c.times {
			if seen[want] < 100 { // a quarter of them, half, or three quarters of that
				t.Errorf("%s: %v drawn %d times in 1000; in all: %v", name, want, seen[want], seen)
			}
		}
		if len(seen) != len(c.times) {
			t.Errorf("%s: got %v, want %v only", name, seen, c.times)
		}
	}
}

func TestServiceErrors(t *testing.T) {
	for service, want := range map[string]string{
		"{law: empirical}":                     `7:20: servers.service.file: expected the file with the times`,
		"{law: empirical, file: x, cv: 1}":     `7:20: servers.service: law empirical: it has no cv; leave it out`,
		"{law: empirical, file: x, mean: -1s}": `7:20: servers.service: law empirical: mean -1s: expected above 0`,
		"{law: exponential, file: x}":          `7:45: servers.service.file: law exponential: it has no file; leave it out`,
	} {
		_, err := scenario.Parse("f", []byte(with("{load: 0.5}")+"servers: {service: "+service+"}\n"), scenario.Sim)
		if got := strings.ReplaceAll(fmt.Sprint(err), "f:", ""); got != want {
			t.Errorf("%s: got %s, want %s", service, got, want)
		}
	}
}

// What is wrong with a file is said with its name and line, and which setting names it
// where the file as a whole is wrong.
func TestFileErrors(t *testing.T) {
	wrong := strings.Repeat("x\n", 30)
	for name, c := range map[string]struct{ text, want string }{
		"words":           {"seconds\n1\ntwo\n-3\n", "DIR/times.txt:3:1: expected a time in seconds, 0 to 1e+09, found \"two\"\nDIR/times.txt:4:1: expected a time in seconds, 0 to 1e+09, found \"-3\""},
		"a heading below": {"1\nseconds\n", `DIR/times.txt:2:1: expected a time in seconds, 0 to 1e+09, found "seconds"`},
		"headings":        {"a\nb\n", `DIR/times.txt:2:1: expected a time in seconds, 0 to 1e+09, found "b"`},
		"nan":             {"nan\n", `DIR/times.txt:1:1: expected a time in seconds, 0 to 1e+09, found "nan"`},
		"too large":       {"1e999\n", `DIR/times.txt:1:1: expected a time in seconds, 0 to 1e+09, found "1e999"`},
		"a date":          {"1\n1763856000\n", `DIR/times.txt:2:1: expected a time in seconds, 0 to 1e+09, found "1763856000"`},
		"columns":         {"1,2\n3,4\n", `DIR/times.txt:2:1: expected a time in seconds, 0 to 1e+09, found "3,4"`},
		"empty":           {"# nothing\n\n", `DIR/times.txt: expected times in seconds, one a line, found none`},
		"late":            {"10\n11\n", `DIR/x.yaml: arrivals.file: times.txt: none of its 2 instants lies within the duration, 10s`},
		"long":            {"1\n" + strings.Repeat("9", 1<<17), `DIR/times.txt:2:1: bufio.Scanner: token too long`},
		"too many":        {wrong, ""},
	} {
		dir := folder(t, map[string]string{"x.yaml": with("{law: trace, file: times.txt}"), "times.txt": c.text})
		_, err := scenario.Load(dir, "x", scenario.Sim)
		got := strings.ReplaceAll(fmt.Sprint(err), dir, "DIR")
		if name == "too many" {
			if lines := strings.Count(got, "\n") + 1; lines != 10 {
				t.Errorf("%s: %d mistakes, want the first 10", name, lines)
			}
		} else if got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	both := with("{law: trace, file: none.txt}") + "classes: [{name: a, share: 1, service: {law: empirical, file: zero.txt}}]\n"
	dir := folder(t, map[string]string{"x.yaml": both, "zero.txt": "0\n0\n"})
	if _, err := scenario.Load(dir, "x", scenario.Sim); fmt.Sprint(err) != fmt.Sprintf("%[1]s/x.yaml: arrivals.file: open %[1]s/none.txt: no such file or directory", dir) {
		t.Errorf("no file: got %v", err)
	}
	dir = folder(t, map[string]string{"x.yaml": strings.Replace(both, "none", "one", 1), "zero.txt": "0\n0\n", "one.txt": "1\n"})
	if _, err := scenario.Load(dir, "x", scenario.Sim); fmt.Sprint(err) != dir+"/x.yaml: classes[0].service.file: zero.txt: all times are 0: expected one above" {
		t.Errorf("all zero: got %v", err)
	}
	// The capacity is known only now: 40 slots at 1 µs.
	fast := with("{load: 1}") + "servers: {service: {law: empirical, file: t.txt}}\n"
	dir = folder(t, map[string]string{"x.yaml": fast, "t.txt": "1e-6\n"})
	if _, err := scenario.Load(dir, "x", scenario.Sim); fmt.Sprint(err) != dir+"/x.yaml: arrivals: 400000000 requests in all: expected at most 100000000" {
		t.Errorf("too many requests: got %v", err)
	}
}
