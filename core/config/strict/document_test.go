package strict

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const tree = `pools:
  - name: a
    endpoints:
      - {url: x}
      - {url: y, weight: 2}
  - name: b
    empty:
strategy: fast
`

func TestReportf(t *testing.T) {
	for _, test := range []struct {
		path, want string
		has        bool
	}{
		{"", "f:1:1: p", true},
		{"pools", "f:2:3: pools: p", true},
		{"pools[0].name", "f:2:11: pools[0].name: p", true},
		{"pools[0].endpoints[1].weight", "f:5:26: pools[0].endpoints[1].weight: p", true},
		{"pools[0].endpoints[1].scale", "f:5:9: pools[0].endpoints[1].scale: p", false},
		{"pools[0].endpoints[2].url", "f:4:7: pools[0].endpoints[2].url: p", false},
		{"pools[1].endpoints", "f:6:5: pools[1].endpoints: p", false},
		{"pools[1].empty", "f:7:5: pools[1].empty: p", false},
		{"pools[1].empty.more", "f:7:5: pools[1].empty.more: p", false},
		{"strategy.name", "f:8:11: strategy.name: p", false},
		{"nowhere.at[3].all", "f:1:1: nowhere.at[3].all: p", false},
		{"pools[x]", "f:2:3: pools[x]: p", false},
		{"pools[-1", "f:2:3: pools[-1: p", false},
		{"..[[", "f:1:1: ..[[: p", false},
	} {
		doc, err := Parse("f", []byte(tree))
		if err != nil {
			t.Fatal(err)
		}
		doc.Reportf(test.path, "%s", "p")
		if got := doc.Err().Error(); got != test.want {
			t.Errorf("%s: got %q, want %q", test.path, got, test.want)
		}
		if got := doc.Has(test.path); got != test.has {
			t.Errorf("Has(%s): got %t", test.path, got)
		}
	}
}

// Where decoding failed, validation would speak of a default.
func TestReportfAfterFailure(t *testing.T) {
	doc, err := Parse("f", []byte("parts: 3\nwait: 4\ncount: 5\n"))
	if err != nil {
		t.Fatal(err)
	}
	doc.Decode(new(settings))
	doc.Reportf("parts", "expected at least one")
	doc.Reportf("parts[0].kind", "unknown")
	doc.Reportf("wait", "too short")
	doc.Reportf("count", "too small")
	want := `f:1:8: parts: expected a list, found 3
f:2:7: wait: expected a duration, found the bare number 4: add a unit, such as 4s
f:3:8: count: too small`
	if got := doc.Err().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestErrors(t *testing.T) {
	errs := Errors{
		{"b", 1, 1, "m"}, {"a", 2, 1, "late"}, {"a", 1, 9, "second"}, {"a", 1, 9, "second"}, {"a", 1, 9, "third"}, {"a", 1, 2, "first"},
		{"a", 0, 0, "as a whole"}, {"", 0, 0, "--flag: wrong"},
	}
	want := "--flag: wrong\na: as a whole\na:1:2: first\na:1:9: second\na:1:9: third\na:2:1: late\nb:1:1: m"
	if got := errs.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(errs) != 8 || errs[0].File != "b" {
		t.Error("Error must not reorder its receiver")
	}
	if err := (Errors{}).Err(); err != nil {
		t.Errorf("no errors: got %v", err)
	}
	var as Errors
	if !errors.As(errs.Err(), &as) || len(as) != 7 {
		t.Errorf("got %v", as)
	}
}

func TestOverlay(t *testing.T) {
	type file struct {
		Name   string            `yaml:"name"`
		Wait   time.Duration     `yaml:"wait"`
		Parts  []string          `yaml:"parts"`
		Labels map[string]string `yaml:"labels"`
		Extra  part              `yaml:"extra"`
	}
	doc, err := Parse("f", []byte(`name: n
wait: 1s
parts: [a, b]
labels: {a: "1", b: "2"}
extra: {kind: k, size: x}
live:
  wait: 3
  parts: [c]
  labels: {b: "3", c: "4"}
  extra: {size: 5}
`))
	if err != nil {
		t.Fatal(err)
	}
	var whole, live file
	doc.Without("live").Decode(&whole)
	over := doc.Overlay("live")
	over.Decode(&live)
	over.Reportf("labels.b", "live")
	over.Reportf("labels.a", "base")
	if diff := cmp.Diff(file{"n", time.Second, []string{"a", "b"}, map[string]string{"a": "1", "b": "2"}, part{Kind: "k"}}, whole); diff != "" {
		t.Errorf("without (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(file{"n", 0, []string{"c"}, map[string]string{"a": "1", "b": "3", "c": "4"}, part{Kind: "k", Size: 5}}, live); diff != "" {
		t.Errorf("overlay (-want +got)\n%s", diff)
	}
	want := `f:4:13: labels.a: base
f:5:24: extra.size: expected a whole number, found "x"
f:7:9: wait: expected a duration, found the bare number 3: add a unit, such as 3s
f:9:15: labels.b: live`
	for _, d := range []*Document{doc, over} {
		if got := d.Err().Error(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	if !doc.Has("live.wait") || over.Has("live") || over.Has("wait") != true {
		t.Error("the original must keep the key, the overlay must not have it")
	}
}

func TestOverlayOfNothing(t *testing.T) {
	for text, want := range map[string]string{
		"name: a":            "",
		"name: a\nlive:":     "",
		"name: a\nlive: [x]": "f:2:7: live: expected a mapping of what differs, found a list",
		"- a":                "",
	} {
		doc, err := Parse("f", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		over := doc.Overlay("live")
		got := ""
		if err := over.Err(); err != nil {
			got = err.Error()
		}
		if got != want || over.Has("live") {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	valid := []string{"round-robin", "random", "least-requests", "p2c-least-requests", "p2c-ewma", "ewma"}
	for word, want := range map[string]string{
		"p2c-ewna":              "p2c-ewma",
		"P2C_EWMA":              "p2c-ewma",
		"roundrobin":            "round-robin",
		"randmo":                "random",
		"least-request":         "least-requests",
		"emwa":                  "ewma",
		"rnd":                   "",
		"maglev":                "",
		"x":                     "",
		"":                      "",
		strings.Repeat("a", 99): "",
	} {
		if got := Nearest(word, valid); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"ca", "abc", 3}, {"kitten", "sitting", 3}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("%s, %s: got %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, test := range []struct {
		word  string
		valid []string
		want  string
	}{
		{"poll", []string{"pool"}, `unknown thing "poll": did you mean "pool"?`},
		{"x", []string{"pool"}, `unknown thing "x": expected pool`},
		{"x", []string{"pool", "route"}, `unknown thing "x": expected one of pool, route`},
		{"x", nil, `unknown thing "x": expected none`},
	} {
		if got := Unknown("thing", test.word, test.valid); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}
