package strict

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMarshalRoundTrip(t *testing.T) {
	want := settings{
		Name: "true", On: true, Count: -4, Small: 1, Seed: 1<<64 - 1, Byte: 9, Share: 1e-7, Wait: time.Hour,
		Range: netip.MustParsePrefix("::/0"), Peer: netip.IPv6Loopback(), Kind: "two",
		Parts: []part{{"a: b", 1, 0}, {"10", 0, time.Millisecond}}, Maybe: ptr(0),
		Labels: map[string]string{"1": "~", "b\n": "", "a": "#"}, Tags: []string{"- x", "y, z"}, Common: Common{1},
	}
	text, err := Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := Parse("printed", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var got settings
	doc.Decode(&got)
	if err := doc.Err(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("(-want +got)\n%s\n%s", diff, text)
	}
	for _, absent := range []string{"extra", "Ignored", "twin: 0s"} {
		if strings.Contains(string(text), absent) {
			t.Errorf("%s should not be written:\n%s", absent, text)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 10 * time.Second: "10s", time.Minute: "1m", 90 * time.Second: "1m30s",
		time.Hour: "1h", 90 * time.Minute: "1h30m", 10 * time.Hour: "10h", time.Hour + 10*time.Second: "1h0m10s", 100 * time.Minute: "1h40m",
		1500 * time.Microsecond: "1.5ms", -time.Minute: "-1m",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		} else if back, err := time.ParseDuration(got); err != nil || back != d {
			t.Errorf("%v: %s is read as %v, %v", d, got, back, err)
		}
	}
}

func TestSchema(t *testing.T) {
	data, err := Schema("a title", &settings{Count: 3, Wait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Schema("a title", settings{Count: 3, Wait: time.Minute})
	if string(again) != string(data) {
		t.Error("the same value must give the same schema")
	}
	var s any
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	at := func(path ...any) any {
		v := s
		for _, step := range path {
			switch step := step.(type) {
			case string:
				m, _ := v.(map[string]any)
				v = m[step]
			case int:
				l, _ := v.([]any)
				if step >= len(l) {
					return nil
				}
				v = l[step]
			}
		}
		return v
	}
	for _, test := range []struct {
		path []any
		want any
	}{
		{[]any{"$schema"}, "https://json-schema.org/draft/2020-12/schema"},
		{[]any{"title"}, "a title"},
		{[]any{"additionalProperties"}, false},
		{[]any{"properties", "name", "description"}, "a name"},
		{[]any{"properties", "name", "type"}, "string"},
		{[]any{"properties", "name", "default"}, nil},
		{[]any{"properties", "count", "default"}, 3.0},
		{[]any{"properties", "on", "default"}, false},
		{[]any{"properties", "small", "minimum"}, -128.0},
		{[]any{"properties", "byte", "maximum"}, 255.0},
		{[]any{"properties", "seed", "minimum"}, 0.0},
		{[]any{"properties", "wait", "type"}, "string"},
		{[]any{"properties", "wait", "pattern"}, durationPattern},
		{[]any{"properties", "wait", "default"}, "1m"},
		{[]any{"properties", "range", "type"}, "string"},
		{[]any{"properties", "kind", "enum", 1}, "two"},
		{[]any{"properties", "tags", "items", "enum", 0}, "x"},
		{[]any{"properties", "maybe", "default"}, nil},
		{[]any{"properties", "shared", "type"}, "integer"},
		{[]any{"properties", "labels", "additionalProperties", "type"}, "string"},
		{[]any{"properties", "extra", "anyOf", 0, "type"}, "string"},
		{[]any{"properties", "parts", "items", "anyOf", 1, "required", 0}, "kind"},
		{[]any{"properties", "parts", "items", "anyOf", 1, "properties", "size", "default"}, 7.0},
		{[]any{"properties", "Ignored"}, nil},
	} {
		if got := at(test.path...); got != test.want {
			t.Errorf("%v: got %v, want %v", test.path, got, test.want)
		}
	}
}

func TestSchemaOfItself(t *testing.T) {
	type node struct {
		Children []node `yaml:"children"`
	}
	if _, err := Schema("x", node{}); err == nil || !strings.Contains(err.Error(), "contains itself") {
		t.Errorf("a recursive type: got %v", err)
	}
}
