package scenario_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/lab/scenario"
)

func setting(t testing.TB, text string) scenario.Setting {
	t.Helper()
	s, err := scenario.ParseSetting(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sweep(t testing.TB, text string) []scenario.Setting {
	t.Helper()
	s, err := scenario.ParseSweep(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A setting holds in the size that is played, whatever the live block says; the text
// that goes with the scenario is that scenario, without settings.
func TestVary(t *testing.T) {
	swept := sweep(t, "servers.slots=3,5")
	for _, c := range []struct {
		size     scenario.Size
		settings []scenario.Setting
		change   func(*scenario.Scenario)
	}{
		{scenario.Sim, []scenario.Setting{setting(t, "servers.count=20")}, func(s *scenario.Scenario) { s.Servers.Count = 20 }},
		{scenario.Live, []scenario.Setting{setting(t, "servers.count = 20 ")}, func(s *scenario.Scenario) { s.Servers.Count = 20 }},
		{scenario.Sim, []scenario.Setting{setting(t, "proxies=100")}, func(s *scenario.Scenario) { s.Proxies = 100 }},
		{scenario.Live, []scenario.Setting{setting(t, "faults=[]"), setting(t, "duration=5s")},
			func(s *scenario.Scenario) { s.Faults, s.Duration = nil, 5*time.Second }},
		{scenario.Sim, []scenario.Setting{setting(t, "arrivals.rate=null"), setting(t, "arrivals.load=0.7"), setting(t, "proxy.breaker.enabled=true")},
			func(s *scenario.Scenario) { s.Arrivals.Rate, s.Arrivals.Load, s.Proxy.Breaker.Enabled = 0, 0.7, true }},
		{scenario.Live, []scenario.Setting{setting(t, "faults[0].factor=9"), swept[1]},
			func(s *scenario.Scenario) {
				s.Faults = slices.Clone(s.Faults)
				s.Faults[0].Factor, s.Servers.Slots, s.Name = 9, 5, "good{servers.slots=5}"
			}},
		{scenario.Sim, []scenario.Setting{sweep(t, `subjects=["p2c-ewma{decay=1s}"]`)[0], swept[0], setting(t, "source=null"), setting(t, "seed=3")},
			func(s *scenario.Scenario) {
				s.Subjects, s.Servers.Slots, s.Source, s.Seed = []string{"p2c-ewma{decay=1s}"}, 3, "", 3
				s.Name = `good{subjects=["p2c-ewma{decay=1s}"],servers.slots=3}`
			}},
	} {
		got, err := scenario.Parse("f", []byte(good), c.size, c.settings...)
		if err != nil {
			t.Errorf("%v: %v", c.settings, err)
			continue
		}
		want := *parse(t, good, c.size)
		c.change(&want)
		for _, s := range c.settings {
			want.Set = append(want.Set, s.String())
		}
		want.Text = got.Text
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.settings, diff)
		}
		want.Set = nil
		for _, size := range []scenario.Size{scenario.Sim, c.size} {
			if diff := cmp.Diff(want, *parse(t, string(got.Text), size)); diff != "" {
				t.Errorf("%v: its text, size %d (-want +got):\n%s", c.settings, size, diff)
			}
		}
	}
}

// A mistake of a flag names the flag. What the flag makes impossible elsewhere is said
// where it stands, with the flags.
func TestVaryErrors(t *testing.T) {
	nine := scenario.Setting{Path: "servers.count", Value: "9", Flag: "--endpoints 9"}
	for _, c := range []struct {
		size     scenario.Size
		settings []scenario.Setting
		want     string
	}{
		{scenario.Sim, []scenario.Setting{setting(t, "servers.cuont=1")}, `--set servers.cuont=1: servers: unknown field "cuont": did you mean "count"?`},
		{scenario.Sim, []scenario.Setting{setting(t, "servers.count=many")}, `--set servers.count=many: servers.count: expected a whole number, found "many"`},
		{scenario.Sim, []scenario.Setting{sweep(t, "servers.count=0,1")[0]}, `--sweep servers.count=0: servers.count: 0: expected 1 to 100000`},
		{scenario.Sim, []scenario.Setting{setting(t, "faults[2].factor=3")}, `--set faults[2].factor=3: faults[2]: expected an item that is there, 0 to 1`},
		{scenario.Sim, []scenario.Setting{setting(t, "subjects=[randon]")},
			`--set subjects=[randon]: subjects[0]: subject "randon": strategy.name: unknown strategy "randon": did you mean "random"?`},
		{scenario.Live, []scenario.Setting{setting(t, "proxies=2")}, `--set proxies=2: proxies: 2: expected 1 in the live size (set live.proxies to 1)`},
		{scenario.Sim, []scenario.Setting{setting(t, "duration=3s")},
			`f:12:10: warm_up: 3s: expected at least 0 and less than the duration, 3s (with --set duration=3s)`},
		{scenario.Sim, []scenario.Setting{setting(t, "seed=2"), nine},
			`f:25:29: faults[1].servers[0]: server 9 does not exist: expected 0 to 8 (with --set seed=2 --endpoints 9)`},
	} {
		_, err := scenario.Parse("f", []byte(good), c.size, c.settings...)
		if err == nil || err.Error() != c.want {
			t.Errorf("%v:\ngot  %v\nwant %s", c.settings, err, c.want)
		}
	}
	// The file's own mistakes are no mistakes of the flags.
	text := strings.Replace(good, "slots: 2", "slots: 0", 1)
	_, err := scenario.Parse("f", []byte(text), scenario.Sim, setting(t, "servers.slots=1"))
	if want := "f:20:10: servers.slots: 0: expected at least 1"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A file without a live block is for the simulator, until it is played live.
func TestWithoutLiveBlock(t *testing.T) {
	text := good[:strings.Index(good, "live:")]
	if s := parse(t, text, scenario.Sim); s.Proxies != 3 {
		t.Errorf("got %d proxies, want 3", s.Proxies)
	}
	_, err := scenario.Parse("f", []byte(text), scenario.Live)
	if want := "f:15:10: proxies: 3: expected 1 in the live size (set live.proxies to 1)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestParseSetting(t *testing.T) {
	for text, want := range map[string]scenario.Setting{
		"a=1":             {Path: "a", Value: "1"},
		" a.b[0] = [x, ]": {Path: "a.b[0]", Value: "[x, ]"},
		"a=b=c":           {Path: "a", Value: "b=c"},
	} {
		if got, err := scenario.ParseSetting(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a", "=1", "a=", "a= ", " =1"} {
		if got, err := scenario.ParseSetting(text); err == nil || err.Error() != "expected PATH=VALUE, such as servers.count=20" {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
}

func TestParseSweep(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"a=1", []string{"a=1"}},
		{"a=1, 2 ,3", []string{"a=1", "a=2", "a=3"}},
		{"a=[],[1,{b: [2,3]}],{c: d, e: f}", []string{"a=[]", "a=[1,{b: [2,3]}]", "a={c: d, e: f}"}},
	} {
		var got []string
		for _, s := range sweep(t, c.text) {
			got = append(got, s.String())
			if !s.Swept || s.Flag != "--sweep "+s.String() {
				t.Errorf("%s: got %+v", c.text, s)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
	}
	for text, want := range map[string]string{
		"":         "expected PATH=A,B,…, such as servers.count=10,20,50",
		"a":        "expected PATH=A,B,…, such as servers.count=10,20,50",
		"=1,2":     "expected PATH=A,B,…, such as servers.count=10,20,50",
		"a= ":      "expected PATH=A,B,…, such as servers.count=10,20,50",
		"a=1,":     "a: one of the values is empty",
		"a=,1":     "a: one of the values is empty",
		"a=1,2, 1": "a: 1 stands twice",
		"a=[1,2":   `"[1,2": braces or brackets do not match`,
		"a={1],2":  `"{1],2": braces or brackets do not match`,
		"a=1],2":   `"1],2": braces or brackets do not match`,
	} {
		if got, err := scenario.ParseSweep(text); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, %v, want %s", text, got, err, want)
		}
	}
}

// points says which settings each point has.
func points(grid [][]scenario.Setting) (all []string) {
	for _, p := range grid {
		all = append(all, fmt.Sprint(p))
	}
	return all
}

func TestGrid(t *testing.T) {
	a, b := sweep(t, "a=1,2"), sweep(t, "b=x,y,z")
	for _, c := range []struct {
		set    []scenario.Setting
		sweeps [][]scenario.Setting
		want   []string
	}{
		{nil, nil, []string{"[]"}},
		{[]scenario.Setting{setting(t, "c=3"), setting(t, "d=4")}, nil, []string{"[c=3 d=4]"}},
		{nil, [][]scenario.Setting{a}, []string{"[a=1]", "[a=2]"}},
		{[]scenario.Setting{setting(t, "c=3")}, [][]scenario.Setting{a, b},
			[]string{"[c=3 a=1 b=x]", "[c=3 a=1 b=y]", "[c=3 a=1 b=z]", "[c=3 a=2 b=x]", "[c=3 a=2 b=y]", "[c=3 a=2 b=z]"}},
		{[]scenario.Setting{setting(t, "f=[{}]"), setting(t, "ab=1")}, [][]scenario.Setting{sweep(t, "f[0].x=1"), a},
			[]string{"[f=[{}] ab=1 f[0].x=1 a=1]", "[f=[{}] ab=1 f[0].x=1 a=2]"}},
	} {
		got, err := scenario.Grid(c.set, c.sweeps...)
		if diff := cmp.Diff(c.want, points(got)); diff != "" || err != nil {
			t.Errorf("%v %v: %v (-want +got):\n%s", c.set, c.sweeps, err, diff)
		}
	}
	for _, c := range []struct {
		set    []scenario.Setting
		sweeps [][]scenario.Setting
		want   string
	}{
		{[]scenario.Setting{setting(t, "a=3")}, [][]scenario.Setting{a}, "--set a=3 and --sweep a=1: expected one value for a"},
		{nil, [][]scenario.Setting{b, a, b}, "--sweep b=x and --sweep b=x: expected one value for b"},
		{[]scenario.Setting{setting(t, "a.b=1"), setting(t, "a={}")}, nil, "--set a={} would undo --set a.b=1: expected the whole before the part"},
		{[]scenario.Setting{setting(t, "a[0]=1")}, [][]scenario.Setting{a}, "--sweep a=1 would undo --set a[0]=1: expected the whole before the part"},
	} {
		if got, err := scenario.Grid(c.set, c.sweeps...); err == nil || err.Error() != c.want {
			t.Errorf("got %v, %v, want %s", points(got), err, c.want)
		}
	}
}

func TestMaxPoints(t *testing.T) {
	values := func(path string, n int) []scenario.Setting {
		text := path + "=0"
		for i := 1; i < n; i++ {
			text += fmt.Sprintf(",%d", i)
		}
		return sweep(t, text)
	}
	for _, c := range []struct {
		sizes []int
		fits  bool
	}{
		{[]int{1000}, true}, {[]int{1001}, false}, {[]int{10, 10, 10}, true}, {[]int{10, 10, 11}, false},
		{[]int{900, 900, 900, 900, 900, 900}, false},
	} {
		var sweeps [][]scenario.Setting
		for i, n := range c.sizes {
			sweeps = append(sweeps, values(fmt.Sprintf("p%d", i), n))
		}
		got, err := scenario.Grid(nil, sweeps...)
		if c.fits != (err == nil) || c.fits && len(got) != 1000 {
			t.Errorf("%v: got %d points, %v", c.sizes, len(got), err)
		}
		if err != nil && err.Error() != "the sweeps have more than 1000 points" {
			t.Errorf("%v: got %v", c.sizes, err)
		}
	}
}

// The points of any grid are as many as there are combinations, each is there once, and
// each has one value of every sweep.
func TestGridProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sweeps [][]scenario.Setting
		product := 1
		for i := range rapid.IntRange(0, 4).Draw(t, "sweeps") {
			var s []scenario.Setting
			n := rapid.IntRange(1, 5).Draw(t, "values")
			for v := range n {
				s = append(s, scenario.Setting{Path: fmt.Sprintf("p%d", i), Value: fmt.Sprint(v), Swept: true})
			}
			sweeps = append(sweeps, s)
			product *= n
		}
		grid, err := scenario.Grid([]scenario.Setting{{Path: "q", Value: "0"}}, sweeps...)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, p := range grid {
			seen[fmt.Sprint(p)] = true
			if len(p) != 1+len(sweeps) || p[0].Path != "q" {
				t.Fatalf("got %v", p)
			}
			for i, s := range sweeps {
				if !slices.Contains(s, p[1+i]) {
					t.Fatalf("got %v, want one of %v at %d", p, s, 1+i)
				}
			}
		}
		if len(grid) != product || len(seen) != product {
			t.Fatalf("got %d points, %d of them different, want %d", len(grid), len(seen), product)
		}
	})
}

// The values of a sweep are what stands between its commas, and each has its brackets
// closed; a scenario that they make can be read again from its text.
func FuzzSweep(f *testing.F) {
	f.Add("servers.count=20,30")
	f.Add("faults=[],[{kind: slow, servers: [0], factor: 2}]")
	f.Add("proxy.strategy={name: p2c-ewma, decay: 5s},random")
	f.Add(`name="a, b",c`)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := scenario.ParseSweep(text)
		if err != nil {
			return
		}
		var values []string
		for _, s := range list {
			values = append(values, s.Value)
			if strings.Count(s.Value, "[") != strings.Count(s.Value, "]") || strings.Count(s.Value, "{") != strings.Count(s.Value, "}") {
				t.Errorf("%q: got the value %q", text, s.Value)
			}
			point, err := scenario.Parse("f", []byte(good), scenario.Sim, s)
			if err != nil {
				continue
			}
			again, err := scenario.Parse("g", point.Text, scenario.Sim)
			if err != nil {
				t.Fatalf("%v\n%s", err, point.Text)
			}
			again.Set, again.Text = point.Set, point.Text
			if diff := cmp.Diff(point, again); diff != "" {
				t.Errorf("(-set +again)\n%s", diff)
			}
		}
		_, rest, _ := strings.Cut(text, "=")
		bare := func(text string) string { return strings.Join(strings.Fields(text), "") }
		if got := strings.Join(values, ","); bare(got) != bare(rest) {
			t.Errorf("%q: got the values %q", rest, values)
		}
	})
}

// Files that a setting names are read, and what is wrong with them is the setting's.
func TestLoadVaried(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"good.yaml": good, "times.csv": "0.5\n1.5\n", "bad.csv": "0.5\nx\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	from := func(file string) []scenario.Setting {
		return []scenario.Setting{setting(t, "arrivals.rate=null"), setting(t, "arrivals.law=trace"), setting(t, "arrivals.file="+file)}
	}
	s, err := scenario.Load(dir, "good", scenario.Sim, from("times.csv")...)
	if err != nil || len(s.Arrivals.Instants) != 2 {
		t.Errorf("got %+v, %v, want two instants", s, err)
	}
	for _, file := range []string{"bad.csv", "nowhere.csv"} {
		_, err := scenario.Load(dir, "good", scenario.Sim, from(file)...)
		want := " (with --set arrivals.rate=null --set arrivals.law=trace --set arrivals.file=" + file + ")"
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want …%s", file, err, want)
		}
	}
}
