package scenario_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

func arrivals(law string, rate float64, d time.Duration) *scenario.Scenario {
	s := scenario.Default()
	s.Arrivals = scenario.Arrivals{Law: law, Rate: rate}
	s.Duration = d
	return &s
}

func schedule(s *scenario.Scenario, seed uint64) []core.Instant {
	return slices.Collect(s.Schedule(scenario.NewChance(seed)))
}

func TestScheduleConstant(t *testing.T) {
	ms := core.Instant(time.Millisecond)
	for _, c := range []struct {
		rate float64
		d    time.Duration
		want []core.Instant
	}{
		{500, 10 * time.Millisecond, []core.Instant{0, 2 * ms, 4 * ms, 6 * ms, 8 * ms}},
		{500, 10*time.Millisecond + 1, []core.Instant{0, 2 * ms, 4 * ms, 6 * ms, 8 * ms, 10 * ms}},
		{1, time.Second, []core.Instant{0}},
		{1e-305, time.Second, []core.Instant{0}},
		{3, time.Second, []core.Instant{0, 333_333_333, 666_666_666}},
	} {
		if diff := cmp.Diff(c.want, schedule(arrivals("constant", c.rate, c.d), 1)); diff != "" {
			t.Errorf("%v a second for %v (-want +got):\n%s", c.rate, c.d, diff)
		}
	}
	// No drift: the last of a million still stands where it should.
	all := schedule(arrivals("constant", 1e4, 100*time.Second), 1)
	if got, want := all[len(all)-1], core.Instant(999_999)*100_000; len(all) != 1_000_000 || got != want {
		t.Errorf("a million: got %d, the last at %d, want the last at %d", len(all), got, want)
	}
}

// The number of arrivals in a time is Poisson's: with mean and variance rate times
// time. Over n windows the mean count m has the standard deviation √(m/n), and the
// sample variance, whose expectation is m too, √((m+2m²)/n) (the fourth central moment
// of Poisson's law is m+3m²). The gaps are exponential: their mean square is twice the
// square of their mean, with the standard deviation √(24-4)/√N in units of the latter.
// Five standard deviations each; the draws are seeded, so that nothing flickers.
func TestSchedulePoisson(t *testing.T) {
	const (
		rate, seconds = 1000.0, 200
		window        = 10 * time.Millisecond
		n             = seconds * 100
		m             = rate / 100
	)
	all := schedule(arrivals("poisson", rate, seconds*time.Second), 3)
	counts := make([]float64, n)
	var gaps2 float64
	last := core.Instant(0)
	for _, at := range all {
		counts[at/core.Instant(window)]++
		gap := at.Sub(last).Seconds() * rate
		gaps2 += gap * gap / float64(len(all))
		last = at
	}
	mean, variance := 0.0, 0.0
	for _, c := range counts {
		mean += c / n
	}
	for _, c := range counts {
		variance += (c - mean) * (c - mean) / (n - 1)
	}
	for _, c := range []struct {
		name              string
		got, want, within float64
	}{
		{"mean count", mean, m, 5 * math.Sqrt(m/n)},
		{"variance of the counts", variance, m, 5 * math.Sqrt((m+2*m*m)/n)},
		{"mean square of the gaps", gaps2, 2, 5 * math.Sqrt(20/float64(len(all)))},
	} {
		if math.Abs(c.got-c.want) > c.within {
			t.Errorf("%s: got %.4f, want %.4f ± %.4f", c.name, c.got, c.want, c.within)
		}
	}
}

// Invariants: the instants ascend, lie within the trial, and are those of the seed; a
// longer trial begins with the shorter one; and nothing but arrivals, capacity and
// duration makes a difference.
func TestScheduleInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		law := rapid.SampledFrom([]string{"poisson", "constant"}).Draw(t, "law")
		rate := rapid.Float64Range(0.1, 5000).Draw(t, "rate")
		d := time.Duration(rapid.Int64Range(1, int64(time.Second)).Draw(t, "duration"))
		seed := rapid.Uint64().Draw(t, "seed")
		s := arrivals(law, rate, d)
		all := schedule(s, seed)
		if !slices.IsSorted(all) || len(all) > 0 && (all[0] < 0 || all[len(all)-1] >= core.Instant(d)) {
			t.Fatalf("not ascending within %v: %v", d, all)
		}
		s.Subjects, s.Proxies, s.Faults, s.Servers.Queue, s.Servers.Service.Law = nil, 9, nil, 1, "constant"
		if again := schedule(s, seed); !slices.Equal(all, again) {
			t.Fatalf("with other servers: got %v, want %v", again, all)
		}
		longer := schedule(arrivals(law, rate, 2*d), seed)
		if len(longer) < len(all) || !slices.Equal(all, longer[:len(all)]) {
			t.Fatalf("twice as long: got %v, want it to begin with %v", longer, all)
		}
		if law == "poisson" && len(all) > 0 && slices.Equal(all, schedule(s, seed+1)) {
			t.Fatalf("another seed: the same schedule")
		}
	})
}

func TestScheduleStops(t *testing.T) {
	n := 0
	for range arrivals("poisson", 1000, time.Hour).Schedule(scenario.NewChance(1)) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("got %d, want 3", n)
	}
}

func TestBlockSeed(t *testing.T) {
	seen := map[uint64]string{}
	for seed := range uint64(20) {
		for block := range 50 {
			got := scenario.BlockSeed(seed, block)
			if block == 0 && got != seed {
				t.Errorf("seed %d, first block: got %d, want the seed itself", seed, got)
			}
			if got >= 1<<52 {
				t.Errorf("seed %d, block %d: got %d, which is not exact as a JSON number everywhere", seed, block, got)
			}
			name := fmt.Sprintf("seed %d, block %d", seed, block)
			if other, dup := seen[got]; dup {
				t.Errorf("%s and %s have the same seed %d", name, other, got)
			}
			seen[got] = name
			if again := scenario.BlockSeed(seed, block); again != got {
				t.Errorf("%s: got %d and then %d", name, got, again)
			}
		}
	}
}

// The streams and the places in them draw different numbers: of the keys of a seed no
// two are the same. (By chance two of 60,000 would meet once in 2^32 times.)
func TestChanceKeys(t *testing.T) {
	seen := map[uint64]string{}
	note := func(k core.Key, name string, args ...any) {
		name = fmt.Sprintf(name, args...)
		drawn := k.Uint64()
		if other, dup := seen[drawn]; dup {
			t.Errorf("%s and %s draw the same", name, other)
		}
		seen[drawn] = name
	}
	for seed := range uint64(4) {
		c := scenario.NewChance(seed)
		note(c.Order(), "seed %d: order", seed)
		for i := range uint64(1000) {
			note(*c.Pick(int(i)), "seed %d: pick %d", seed, i)
			for try := range uint64(2) {
				note(c.Proxy(i, try), "seed %d: proxy %d, try %d", seed, i, try)
				note(c.Backoff(i, try), "seed %d: backoff %d, try %d", seed, i, try)
				note(c.Probe(int(try), i), "seed %d: probe %d of proxy %d", seed, i, try)
				for server := range 2 {
					note(c.Luck(i, try, server), "seed %d: luck %d, try %d, server %d", seed, i, try, server)
					note(c.Report(i, try, server), "seed %d: report %d, try %d, server %d", seed, i, try, server)
				}
			}
		}
	}
	if got, want := scenario.NewChance(1).Luck(7, 1, 2), scenario.NewChance(1).Luck(7, 1, 2); got != want {
		t.Error("the same place has two keys")
	}
	one, other := scenario.NewChance(1).Pick(0), scenario.NewChance(1).Pick(0)
	one.Uint64()
	if *one == *other {
		t.Error("two sources of the same proxy are one")
	}
}

// fields lists the yaml fields of a type, nested ones with dots, those of list
// elements with brackets.
func fields(typ reflect.Type, path string) []string {
	var all []string
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct {
		return fields(typ.Elem(), path+"[]")
	}
	if typ.Kind() != reflect.Struct {
		return nil
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		tag := f.Tag.Get("yaml")
		if tag == "" {
			continue
		}
		name, _, _ := strings.Cut(tag, ",")
		if strings.Contains(tag, "inline") {
			all = append(all, fields(f.Type, path)...)
			continue
		}
		at := strings.TrimPrefix(path+"."+name, ".")
		all = append(all, at)
		all = append(all, fields(f.Type, at)...)
	}
	return all
}

// described lists the properties of a schema in the same way, and checks that each
// says what it is.
func described(t *testing.T, schema map[string]any, path string) []string {
	t.Helper()
	if forms, ok := schema["anyOf"].([]any); ok { // a short form, and the mapping
		return described(t, forms[len(forms)-1].(map[string]any), path)
	}
	if items, ok := schema["items"].(map[string]any); ok {
		if items["properties"] == nil {
			return nil
		}
		return described(t, items, path+"[]")
	}
	properties, ok := schema["properties"].(map[string]any)
	if !ok {
		return nil
	}
	if schema["additionalProperties"] != false {
		t.Errorf("%s: unknown fields are allowed", path)
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		property := properties[name].(map[string]any)
		if property["description"] == nil {
			t.Errorf("%s: no description", at)
		}
		all = append(all, at)
		all = append(all, described(t, property, at)...)
	}
	return all
}

// having lists the places in a schema where a keyword stands.
func having(keyword string, schema any, path string) []string {
	var all []string
	switch s := schema.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(s)) {
			if name == keyword {
				all = append(all, path)
			}
			all = append(all, having(keyword, s[name], path+"/"+name)...)
		}
	case []any:
		for i, element := range s {
			all = append(all, having(keyword, element, fmt.Sprintf("%s/%d", path, i))...)
		}
	}
	return all
}

func TestSchema(t *testing.T) {
	text, err := scenario.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	base := fields(reflect.TypeFor[scenario.Scenario](), "")
	want := append(base, "live")
	for _, f := range base {
		want = append(want, "live."+f)
	}
	got := described(t, schema, "")
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-in the struct +in the schema):\n%s", diff)
	}
	if len(base) < 50 {
		t.Errorf("only %d fields in the struct: the test looks at the wrong thing", len(base))
	}
	if diff := cmp.Diff([]any{"version", "name", "models"}, schema["required"]); diff != "" {
		t.Errorf("required (-want +got):\n%s", diff)
	}
	live := schema["properties"].(map[string]any)["live"]
	for _, keyword := range []string{"required", "default"} {
		if got := having(keyword, live, "live"); got != nil {
			t.Errorf("live says what is %s: %v", keyword, got)
		}
		if having(keyword, schema, "") == nil {
			t.Errorf("nothing is %s anywhere", keyword)
		}
	}
}
