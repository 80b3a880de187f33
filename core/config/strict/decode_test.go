package strict

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// settings has a field of every kind.
type settings struct {
	Name    string            `yaml:"name" doc:"a name"`
	On      bool              `yaml:"on"`
	Count   int               `yaml:"count"`
	Small   int8              `yaml:"small"`
	Seed    uint64            `yaml:"seed"`
	Byte    uint8             `yaml:"byte"`
	Share   float64           `yaml:"share"`
	Wait    time.Duration     `yaml:"wait"`
	Range   netip.Prefix      `yaml:"range"`
	Peer    netip.Addr        `yaml:"peer"`
	Kind    kind              `yaml:"kind"`
	Parts   []part            `yaml:"parts"`
	Extra   *part             `yaml:"extra"`
	Maybe   *int              `yaml:"maybe"`
	Labels  map[string]string `yaml:"labels"`
	ByName  map[string]part   `yaml:"by_name"`
	Tags    []string          `yaml:"tags" enum:"x,y"`
	Common  `yaml:",inline"`
	private int
	Ignored int
}

type kind string

func (kind) Enum() []string { return []string{"one", "two"} }

type Common struct {
	Shared int `yaml:"shared"`
}

// part has a short form, a required field, and defaults of both sorts.
type part struct {
	Kind string        `yaml:"kind,scalar,required"`
	Size int           `yaml:"size" doc:"how large"`
	Twin time.Duration `yaml:"twin,omitempty"`
}

func (p *part) Defaults() { p.Size = 7 }

func (p *part) Derive(has func(string) bool) {
	if has("kind") && !has("twin") && p.Kind == "timed" {
		p.Twin = time.Second
	}
}

func ptr[T any](v T) *T { return &v }

func TestDecode(t *testing.T) {
	doc, err := Parse("f", []byte(`
name: n
on: true
count: -1_000
small: -128
seed: 18446744073709551615
byte: 0xff
share: 1e-3
wait: 1m30s
range: 10.0.0.0/8
peer: ::1
kind: one
parts: [a, {kind: timed, size: 1}, {kind: timed, twin: 0}, &again {kind: b}, *again]
extra: c
maybe: 3
labels: {a: b, c: d, e: "<<"}
by_name: {x: {kind: y}}
tags: []
shared: 4
`))
	if err != nil {
		t.Fatal(err)
	}
	got := settings{Tags: []string{"default"}, private: 1, Ignored: 2}
	doc.Decode(&got)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	want := settings{
		Name: "n", On: true, Count: -1000, Small: -128, Seed: 1<<64 - 1, Byte: 255, Share: 0.001, Wait: 90 * time.Second,
		Range: netip.MustParsePrefix("10.0.0.0/8"), Peer: netip.IPv6Loopback(), Kind: "one",
		Parts:  []part{{"a", 7, 0}, {"timed", 1, time.Second}, {"timed", 7, 0}, {"b", 7, 0}, {"b", 7, 0}},
		Extra:  &part{"c", 7, 0},
		Maybe:  ptr(3),
		Labels: map[string]string{"a": "b", "c": "d", "e": "<<"},
		ByName: map[string]part{"x": {"y", 7, 0}},
		Common: Common{4}, private: 1, Ignored: 2,
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

var compare = cmp.Options{
	cmp.AllowUnexported(settings{}),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

// Null, and nothing at all, leave the defaults.
func TestNullLeavesDefaults(t *testing.T) {
	doc, err := Parse("f", []byte("count: ~\nwait:\nparts: null\nextra:\nshared: null\nname: x\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := settings{Name: "x", Count: 3, Wait: time.Second, Parts: []part{{Kind: "p"}}, Common: Common{5}}
	got := want
	got.Name = ""
	doc.Decode(&got)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// One line of YAML, one message. The position is that of the offending value.
func TestMessages(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"name: 12", `1:7: name: expected a string, found 12: put it in quotes`},
		{"name: [a]", `1:7: name: expected a string, found a list`},
		{"name: 2020-01-01", ``},
		{"name: !other x", `1:7: name: expected a string, found the tag "!other"`},
		{"on: yes", `1:5: on: expected true or false, found "yes"`},
		{"on: 1", `1:5: on: expected true or false, found 1`},
		{"count: 1.0", `1:8: count: expected a whole number, found 1.0`},
		{"count: 1e3", `1:8: count: expected a whole number, found 1e3`},
		{"count: .inf", `1:8: count: expected a whole number, found .inf`},
		{"count: '1'", `1:8: count: expected a whole number, found "1"`},
		{"count: 010", `1:8: count: expected a whole number, found 010`},
		{"count: {}", `1:8: count: expected a whole number, found a mapping`},
		{"small: 128", `1:8: small: expected a whole number from -128 to 127, found 128`},
		{"byte: -1", `1:7: byte: expected a whole number from 0 to 255, found -1`},
		{"seed: 18446744073709551616", `1:7: seed: expected a whole number from 0 to 18446744073709551615, found 18446744073709551616`},
		{"share: half", `1:8: share: expected a number, found "half"`},
		{"share: .nan", `1:8: share: expected a finite number, found .nan`},
		{"share: -.inf", `1:8: share: expected a finite number, found -.inf`},
		{"share: 0x10", ``},
		{"wait: 10", `1:7: wait: expected a duration, found the bare number 10: add a unit, such as 10s`},
		{"wait: 1.5", `1:7: wait: expected a duration, found the bare number 1.5: add a unit, such as 1.5s`},
		{"wait: 0", ``},
		{"wait: 1d", `1:7: wait: expected a duration such as 500ms, 10s or 1m30s, found "1d"`},
		{"wait: true", `1:7: wait: expected a duration such as 10s, found true`},
		{"range: 1.2.3.4", ``},
		{"range: 1.2.3.4/33", `1:8: range: expected an address range such as 10.0.0.0/8, or an address, found "1.2.3.4/33"`},
		{"range: [1]", `1:8: range: expected an address range such as 10.0.0.0/8, or an address, found a list`},
		{"peer: x", `1:7: peer: "x": ParseAddr("x"): unable to parse IP`},
		{"peer: {}", `1:7: peer: expected a single value, found a mapping`},
		{"parts: a", `1:8: parts: expected a list, found "a"`},
		{"parts: [[]]", `1:9: parts[0]: expected a mapping with kind, size, twin, found a list`},
		{"parts: [{size: 1}]", `1:9: parts[0].kind: required, but not given`},
		{"parts: [{kind: }]", `1:9: parts[0].kind: required, but not given`},
		{"parts: [12]", `1:9: parts[0]: expected a string, found 12: put it in quotes`},
		{"labels: [a]", `1:9: labels: expected a mapping, found a list`},
		{"labels: {a: 1}", `1:13: labels.a: expected a string, found 1: put it in quotes`},
		{"labels: {<<: {a: b}}", `1:10: labels: expected a name as the key, found <<: keys are not merged`},
		{"? [a]\n: b", `1:3: expected a name as the key, found a list`},
		{"nam: x", `1:1: unknown field "nam": did you mean "name"?`},
		{"extra: {something: x, kind: y}", `1:9: extra: unknown field "something": expected one of kind, size, twin`},
		{"<<: {name: x}", `1:1: unknown field "<<": expected one of name, on, count, small, seed, byte, share, wait, range, peer, kind, parts, extra, maybe, labels, by_name, tags, shared`},
		{"name: a\nname: b", `2:1: duplicate key "name": it was given on line 1 already`},
		{"unknownfield: {a: 1, a: 2}\nnam: x", "1:1: unknown field \"unknownfield\": expected one of name, on, count, small, seed, byte, share, wait, range, peer, kind, parts, extra, maybe, labels, by_name, tags, shared\nf:1:22: unknownfield: duplicate key \"a\": it was given on line 1 already\nf:2:1: unknown field \"nam\": did you mean \"name\"?"},
		{"- a", `1:1: expected a mapping with name, on, count, small, seed, byte, share, wait, range, peer, kind, parts, extra, maybe, labels, by_name, tags, shared, found a list`},
	} {
		doc, err := Parse("f", []byte(test.text))
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		doc.Decode(new(settings))
		got := ""
		if err := doc.Err(); err != nil {
			got = strings.TrimPrefix(err.Error(), "f:")
		}
		if got != test.want {
			t.Errorf("%s\ngot  %s\nwant %s", test.text, got, test.want)
		}
	}
}

func TestSyntax(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "f:1:1: the document is empty"},
		{"# nothing\n", "f:1:1: the document is empty"},
		{"---\n", "f:1:1: the document is empty"},
		{"a: 1\n---\nb: 2\n", "f:2:1: expected a single document, found the start of a second one"},
		{"a: 1\nb: 2\n c: 3\n", "f:3:1: mapping values are not allowed in this context: a text with a colon and a space in it stands in quotes, and names that belong together begin in the same column"},
		{"a:\n  - b\n c: d\n", "f:3:1: did not find expected key"},
		{"a: 1\nb: [1,\n2\nc: 3\n", "f:2:1: did not find expected ',' or ']'"},
		{"a: 1\n\tb: 2", "f:2:1: found a tab character that violates indentation"},
		{"a: 1\nb: *x\n", "f:2:4: unknown anchor 'x' referenced"},
	} {
		_, err := Parse("f", []byte(test.text))
		if err == nil || err.Error() != test.want {
			t.Errorf("%q\ngot  %v\nwant %s", test.text, err, test.want)
		}
	}
}

// Ten levels of ten references each would be ten thousand million values.
func TestAliasBomb(t *testing.T) {
	type node struct {
		Children []*node           `yaml:"children"`
		Leaf     string            `yaml:"leaf"`
		Anchors  map[string]*node  `yaml:"anchors"`
		Labels   map[string]string `yaml:"labels"`
	}
	var b strings.Builder
	b.WriteString("anchors:\n  l0: &l0 {leaf: x}\n")
	for i := 1; i <= 10; i++ {
		fmt.Fprintf(&b, "  l%d: &l%d {children: [%s]}\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d, ", i-1), 10), ", "))
	}
	want := map[string]string{"wide": tooLarge, "endless": tooDeep, "deep": tooDeep}
	for name, text := range map[string]string{"wide": b.String(), "endless": "&a {children: [*a, *a]}", "deep": "&a {anchors: {x: *a}}"} {
		doc, err := Parse("f", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		doc.Decode(new(node))
		if err := doc.Err(); err == nil || !strings.HasSuffix(err.Error(), want[name]) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %.300v", name, err)
		}
	}
	brackets := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	if doc, err := Parse("f", []byte(brackets)); err != nil || doc.Err() == nil || doc.Err().Error() != "f:1:102: "+tooDeep {
		t.Errorf("brackets: got %v, %.300v", err, doc.Err())
	}
	doc, err := Parse("f", []byte("&a {x: {y: *a, x: *a}, live: {x: *a, y: *a}}"))
	if err != nil {
		t.Fatal(err)
	}
	doc.Overlay("live").Overlay("x") // ends
}

// Nothing that is written in a file makes the reader panic or run away.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("name: a\nparts: [x, {kind: y, twin: 3s}]\nlabels: {a: b}\nlive: {name: b, parts: []}\n"))
	f.Add([]byte("a: &a [*a]\n<<: *a\nextra: &b {kind: *b}\n"))
	f.Add([]byte("count: 0o17\nseed: 0x_f\nshare: +.5e3\nrange: ::/0\npeer: 1.2.3.4\nby_name: {a: {kind: x}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := Parse("f", data)
		if err != nil {
			return
		}
		var s settings
		doc.Decode(&s)
		doc.Overlay("live").Decode(new(settings))
		doc.Reportf("parts[0].kind", "a problem")
		doc.Reportf(string(data), "a problem")
		doc.Has(string(data))
		if err := doc.Err(); err != nil {
			for _, e := range err.(Errors) {
				if e.Line < 1 || e.Col < 1 {
					t.Errorf("no position: %#v", e)
				}
			}
		}
	})
}
