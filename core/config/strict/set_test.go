package strict

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const varied = `# What it is.

# The name.
name: a # short
count: 1 # one
parts: [a, {kind: b, size: 2}]
extra:
labels: &labels {x: "1"}
by_name: {y: {kind: k}}
# At the end.
`

// parsed is a document that has to be one.
func parsed(t testing.TB, text string) *Document {
	t.Helper()
	doc, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// set sets "path=value", in their order, with that as the origin.
func set(doc *Document, all ...string) {
	for _, one := range all {
		path, value, _ := strings.Cut(one, "=")
		doc.Set(path, value, "--set "+one)
	}
}

func TestSet(t *testing.T) {
	base := settings{
		Name: "a", Count: 1, Parts: []part{{Kind: "a", Size: 7}, {Kind: "b", Size: 2}},
		Labels: map[string]string{"x": "1"}, ByName: map[string]part{"y": {Kind: "k", Size: 7}},
	}
	for _, c := range []struct {
		sets   []string
		change func(*settings)
	}{
		{[]string{"count=2"}, func(s *settings) { s.Count = 2 }},
		{[]string{"count=2", "count=3"}, func(s *settings) { s.Count = 3 }},
		{[]string{"count= 2 # of them"}, func(s *settings) { s.Count = 2 }},
		{[]string{"count=null"}, func(s *settings) { s.Count = 0 }},
		{[]string{"name='a: b'"}, func(s *settings) { s.Name = "a: b" }},
		{[]string{"wait=3s", "on=true"}, func(s *settings) { s.Wait, s.On = 3*time.Second, true }},
		{[]string{"parts[1].size=9", "parts[0]=c"}, func(s *settings) { s.Parts[1].Size, s.Parts[0].Kind = 9, "c" }},
		{[]string{"parts=[{kind: c}, d]", "parts[0].size=4"}, func(s *settings) { s.Parts = []part{{Kind: "c", Size: 4}, {Kind: "d", Size: 7}} }},
		{[]string{"parts=[]"}, func(s *settings) { s.Parts = nil }},
		{[]string{"extra.kind=e", "extra.size=3"}, func(s *settings) { s.Extra = &part{Kind: "e", Size: 3} }},
		{[]string{"extra={kind: e}"}, func(s *settings) { s.Extra = &part{Kind: "e", Size: 7} }},
		{[]string{"labels.z='2'"}, func(s *settings) { s.Labels["z"] = "2" }},
		{[]string{"by_name.z.kind=q", "by_name.y.size=1"}, func(s *settings) { s.ByName["z"], s.ByName["y"] = part{Kind: "q", Size: 7}, part{Kind: "k", Size: 1} }},
		{[]string{"shared=5"}, func(s *settings) { s.Shared = 5 }},
	} {
		doc := parsed(t, varied)
		set(doc, c.sets...)
		want := base
		want.Parts = slices.Clone(base.Parts)
		want.Labels, want.ByName = map[string]string{"x": "1"}, map[string]part{"y": {Kind: "k", Size: 7}}
		c.change(&want)
		var got settings
		doc.Decode(&got)
		if err := doc.Err(); err != nil {
			t.Errorf("%v: %v", c.sets, err)
		}
		if diff := cmp.Diff(want, got, compare); diff != "" {
			t.Errorf("%v (-want +got)\n%s", c.sets, diff)
		}
		path, _, _ := strings.Cut(c.sets[0], "=")
		if c.sets[0] != "count=null" && !doc.Has(path) {
			t.Errorf("%v: not there", c.sets)
		}
	}
}

// What is wrong is said of the origin; where only what stands in the file is wrong, of
// its line.
func TestSetMessages(t *testing.T) {
	fields := "expected one of name, on, count, small, seed, byte, share, wait, range, peer, kind, parts, extra, maybe, labels, by_name, tags, shared"
	for _, c := range []struct{ set, want string }{
		{"count=x", `count: expected a whole number, found "x"`},
		{"count={a: 1}", `count: expected a whole number, found a mapping`},
		{"coutn=1", `unknown field "coutn": did you mean "count"?`},
		{"zzz.a.b=1", `unknown field "zzz": ` + fields},
		{"parts[1].sise=1", `parts[1]: unknown field "sise": did you mean "size"?`},
		{"parts[2].size=1", `parts[2]: expected an item that is there, 0 to 1`},
		{"parts[2]=c", `parts[2]: expected an item that is there, 0 to 1`},
		{"tags[0]=c", `tags[0]: expected a list, found nothing`},
		{"labels[0]=c", `labels[0]: expected a list, found a mapping`},
		{"name.first=c", `name: expected a mapping, found "a": set name as a whole`},
		{"parts[0].size=1", `parts[0]: expected a mapping, found "a": set parts[0] as a whole`},
		{"parts.size=1", `parts: expected a mapping, found a list: set parts as a whole`},
		{"parts=[{size: 1}]", `parts[0].kind: required, but not given`},
		{"extra.size=1", `extra.kind: required, but not given`},
		{"labels={a: b, a: c}", `labels: duplicate key "a"`},
		{"labels={[a]: b}", `labels: expected a name as the key, found a list`},
		{"parts=[{kind: a, kind: b}]", `parts[0]: duplicate key "kind"`},
		{"count=", `count: expected a value (null for the default)`},
		{"count= # one", `count: expected a value (null for the default)`},
		{"count=1\n", `count: expected a value in one line`},
		{"parts=[a", `parts: expected a value in YAML, found "[a": did not find expected ',' or ']'`},
		{"name=*x", `name: expected a value in YAML, found "*x": unknown anchor 'x' referenced`},
		{"=1", `"" is no path: expected names such as servers.count or faults[0].factor`},
		{".a=1", `".a" is no path: expected names such as servers.count or faults[0].factor`},
		{"a..b=1", `"a..b" is no path: expected names such as servers.count or faults[0].factor`},
		{"parts[01]=1", `"parts[01]" is no path: expected names such as servers.count or faults[0].factor`},
		{"parts[x]=1", `"parts[x]" is no path: expected names such as servers.count or faults[0].factor`},
		{"parts[0=1", `"parts[0" is no path: expected names such as servers.count or faults[0].factor`},
		{"parts[0]size=1", `"parts[0]size" is no path: expected names such as servers.count or faults[0].factor`},
		{"\x8e=1", `"\x8e" is no path: expected names such as servers.count or faults[0].factor`},
		{"na me=1", `"na me" is no path: expected names such as servers.count or faults[0].factor`},
	} {
		doc := parsed(t, strings.Replace(varied, "labels: &labels {", "labels: {", 1))
		set(doc, c.set)
		doc.Decode(new(settings))
		path, value, _ := strings.Cut(c.set, "=")
		want := fmt.Sprintf("--set %s=%s: %s", path, value, c.want)
		if err := doc.Err(); err == nil || err.Error() != want {
			t.Errorf("%q\ngot  %v\nwant %s", c.set, err, want)
		}
	}
	deep := strings.Repeat("a.", maxDepth) + "a"
	doc := parsed(t, varied)
	doc.Set(deep, "1", "o")
	if doc.Err() == nil {
		t.Error("too deep a path: got no error")
	}
	doc = parsed(t, varied)
	doc.Set("parts", strings.Repeat("[", 5000)+strings.Repeat("]", 5000), "o")
	if err := doc.Err(); err == nil || err.Error() != "o: "+tooDeep {
		t.Errorf("too deep a value: got %v", err)
	}
	empty := parsed(t, "parts: []\n")
	empty.Set("parts[0]", "a", "o")
	if err := empty.Err(); err == nil || err.Error() != "o: parts[0]: the list is empty" {
		t.Errorf("an empty list: got %v", err)
	}
	list := parsed(t, "- a\n")
	list.Set("a", "1", "o")
	if err := list.Err(); err == nil || err.Error() != "o: expected a mapping, found a list" {
		t.Errorf("a list: got %v", err)
	}
}

// What cannot be set changes nothing.
func TestSetNothing(t *testing.T) {
	doc := parsed(t, varied)
	before := text(t, doc)
	set(doc, "labels={a: b, a: c}", "parts[2].size=1", "name.first=c", "count=[", "count=", "a..b=1")
	if diff := cmp.Diff(before, text(t, doc)); diff != "" {
		t.Errorf("(-before +after)\n%s", diff)
	}
}

// Validation speaks of the origin at what was set and below it, also where it misses
// something there; elsewhere of the file.
func TestSetReportf(t *testing.T) {
	doc := parsed(t, varied)
	doc.Set("parts", "[a, b]", "one")
	doc.Set("by_name.z.kind", "k", "two")
	for _, path := range []string{"parts[1]", "parts[1].size", "by_name.z.size", "by_name.y", "by_name"} {
		doc.Reportf(path, "p")
	}
	want := `f:9:10: by_name: p
f:9:14: by_name.y: p
one: parts[1]: p
one: parts[1].size: p
two: by_name.z.size: p`
	if got := doc.Err().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The documents from which one was derived stay as they are, and so do other uses of an
// anchor.
func TestSetElsewhere(t *testing.T) {
	doc := parsed(t, "extra: &e {kind: k, size: 1}\nby_name: {a: *e}\nlive: {count: 3, extra: {size: 2}}\n")
	base, live := doc.Without("live"), doc.Overlay("live")
	base.Set("extra.size", "5", "o")
	live.Set("by_name.a.size", "6", "o")
	live.Set("count", "4", "o")
	type sizes struct{ count, extra, named int }
	for _, c := range []struct {
		doc  *Document
		want sizes
	}{
		{parsed(t, text(t, base)), sizes{0, 5, 1}}, {base, sizes{0, 5, 1}},
		{parsed(t, text(t, live)), sizes{4, 2, 6}}, {live, sizes{4, 2, 6}},
		{doc.Without("live"), sizes{0, 1, 1}}, {doc.Overlay("live"), sizes{3, 2, 1}},
	} {
		var s settings
		c.doc.Decode(&s)
		if got := (sizes{s.Count, s.Extra.Size, s.ByName["a"].Size}); got != c.want || c.doc.Err() != nil {
			t.Errorf("got %v, %v, want %v", got, c.doc.Err(), c.want)
		}
	}
	base.Set("extra", "1", "wrong")
	base.Decode(new(settings))
	live.Reportf("extra.size", "p") // which is well, there
	if err := live.Err(); err == nil || err.Error() != "f:3:32: extra.size: p\nwrong: extra: expected a string, found 1: put it in quotes" {
		t.Errorf("got %v", err)
	}
	if doc.Err() == nil || doc.Err().Error() != live.Err().Error() {
		t.Errorf("problems of one are problems of all: got %v and %v", doc.Err(), live.Err())
	}
}

func text(t testing.TB, doc *Document) string {
	t.Helper()
	data, err := doc.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Comments stay, but for those on what was replaced.
func TestDocumentMarshal(t *testing.T) {
	doc := parsed(t, varied)
	set(doc, "count=2 # two", "parts[1].size=3", "extra.kind=e", "labels.y='3'")
	want := `# What it is.

# The name.
name: a # short
count: 2
parts: [a, {kind: b, size: 3}]
extra:
  kind: e
labels: {x: "1", y: '3'}
by_name: {y: {kind: k}}
# At the end.
`
	if diff := cmp.Diff(want, text(t, doc)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, comments := range []string{"# Top.\n\na: 1\n\n# End.\n", "# Top.\na: 1\n# End.\n"} {
		if diff := cmp.Diff(comments, text(t, parsed(t, comments))); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if diff := cmp.Diff("a: {b: 1}\nc: {b: 1}\n", text(t, parsed(t, "a: &x {b: 1}\nc: *x\n"))); diff != "" {
		t.Errorf("aliases (-want +got)\n%s", diff)
	}
	for bomb, want := range map[string]string{"a: &a {b: *a}\n": tooDeep, "a: &a [*a, *a]\n": tooDeep} {
		if _, err := parsed(t, bomb).Marshal(); err == nil || err.Error() != "strict: "+want {
			t.Errorf("%s: got %v, want %s", bomb, err, want)
		}
	}
	wide := "a: &a [" + strings.Repeat("1,", 999) + "1]\nb: [" + strings.Repeat("*a,", 99) + "*a]\n"
	if _, err := parsed(t, wide).Marshal(); err == nil || err.Error() != "strict: "+tooLarge {
		t.Errorf("wide: got %v", err)
	}
}

// Whatever is set, the document that is written says the same as the one in memory.
func FuzzSet(f *testing.F) {
	f.Add(varied, "parts[1].size", "3")
	f.Add(varied, "labels.x", "'a: b'")
	f.Add("a: &a [*a]\nextra: &b {kind: k}\nby_name: {x: *b} # c\n", "by_name.x.size", "4")
	f.Add("# a\n\n# b\nname: |\n  x\n  y\n# c\ncount: 1\n\n# d\n", "by_name", "{a: {kind: !!str x}, b: &x {kind: y}}")
	f.Add("{name: x, # c\n count: 1}", "wait", "1s # d")
	f.Add("{name: x, #&c\n count: }", "wait", "1s")
	f.Fuzz(func(t *testing.T, data, path, value string) {
		doc, err := Parse("f", []byte(data))
		if err != nil {
			return
		}
		doc.Set(path, value, "o")
		var want, got settings
		doc.Decode(&want)
		if err := doc.Err(); err != nil {
			for _, e := range err.(Errors) {
				if (e.File == "o") != (e.Line == 0) || e.File != "o" && e.File != "f" {
					t.Errorf("no position: %#v", e)
				}
			}
			return
		}
		written, err := doc.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("g", written)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		again.Decode(&got)
		if err := again.Err(); err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if diff := cmp.Diff(want, got, compare); diff != "" {
			t.Errorf("(-want +got)\n%s\n%s", diff, written)
		}
	})
}
