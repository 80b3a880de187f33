package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// names are those of the catalogue's files.
func names(t *testing.T) []string {
	t.Helper()
	names, err := scenario.List(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// values is a YAML text as a schema sees it.
func values(t *testing.T, text []byte) (v map[string]any) {
	t.Helper()
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// catalogueRow is a row of the table of scenarios: its link, what it models, what is
// expected.
var catalogueRow = regexp.MustCompile(`(?m)^\| \[([^\]]+)\]\(([^)]+)\) \| ([^|]+) \| ([^|]+) \|$`)

// The table of the README and the folder are the same list, and the table says something
// of each.
func TestCatalogueTable(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(catalogue, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n## The catalogue\n")
	if !found {
		t.Fatal("README.md: there is no section called The catalogue")
	}
	var rows []string
	for _, row := range catalogueRow.FindAllStringSubmatch(table, -1) {
		name, link := row[1], row[2]
		if link != name+".yaml" {
			t.Errorf("%s: linked to %s", name, link)
		}
		if slices.Contains(rows, name) {
			t.Errorf("%s stands twice in the table", name)
		}
		rows = append(rows, name)
	}
	files := names(t)
	for _, name := range files {
		if !slices.Contains(rows, name) {
			t.Errorf("%s.yaml is missing in the table", name)
		}
	}
	for _, name := range rows {
		if !slices.Contains(files, name) {
			t.Errorf("%s stands in the table, and there is no such file", name)
		}
	}
}

// Every file says what is known of it before it is run, and is played in both sizes.
func TestCatalogueHeads(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(catalogue, name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			given := values(t, text)
			for _, field := range []string{"models", "source", "expect", "objective", "subjects", "live"} {
				if given[field] == nil {
					t.Errorf("it says nothing of %s", field)
				}
			}
			for _, size := range []scenario.Size{scenario.Sim, scenario.Live} {
				s, err := scenario.Load(catalogue, name, size)
				if err != nil {
					t.Fatal(err)
				}
				if s.Name != name {
					t.Errorf("it calls itself %s", s.Name)
				}
				if n := len(strings.Split(s.Comment, "\n")); n < 3 {
					t.Errorf("the comment at its head has %d lines, want at least 3", n)
				}
				played := func(subject string) bool { return slices.Contains(s.Subjects, subject) }
				for _, expected := range [][]string{s.Expect.Wins, s.Expect.Loses} {
					if len(expected) > 0 && !slices.ContainsFunc(expected, played) {
						t.Errorf("size %d: none of %v, of whom something is expected, is played", size, expected)
					}
				}
				if both := slices.IndexFunc(s.Expect.Wins, func(w string) bool { return slices.Contains(s.Expect.Loses, w) }); both >= 0 {
					t.Errorf("%s is expected to win and to lose", s.Expect.Wins[both])
				}
			}
		})
	}
}

// The README names every field of the format, and every word that stands for something,
// as code. What is below proxy is the proxy's, and said there.
func TestFormatIsDescribed(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(catalogue, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile("(?ms)^```.*?^```").ReplaceAll(text, nil) // examples explain nothing
	said := map[string]bool{}
	for _, code := range regexp.MustCompile("`[^`]+`").FindAll(text, -1) {
		for _, word := range regexp.MustCompile(`[a-z][a-z0-9_-]*`).FindAll(code, -1) {
			said[string(word)] = true
		}
	}
	properties := printedSchema(t)["properties"].(map[string]any)
	delete(properties, "live")
	proxy := properties["proxy"].(map[string]any)["properties"].(map[string]any)
	for _, policy := range proxy {
		delete(policy.(map[string]any), "properties")
		delete(policy.(map[string]any), "anyOf")
	}
	wanted := append(vocabulary(properties), config.Strategies...)
	wanted = slices.Concat(wanted, config.Limiters, config.Shedders)
	if len(wanted) < 100 {
		t.Fatalf("only %d words are looked for: %v", len(wanted), wanted)
	}
	for _, word := range wanted {
		if !said[word] {
			t.Errorf("README.md: nothing is said of %s", word)
		}
	}
}

// vocabulary lists the fields in a schema's properties, at every depth, and the words
// that they may have as values.
func vocabulary(properties map[string]any) (words []string) {
	var of func(schema map[string]any)
	of = func(schema map[string]any) {
		enum, _ := schema["enum"].([]any)
		for _, word := range enum {
			words = append(words, word.(string))
		}
		forms, _ := schema["anyOf"].([]any)
		for _, form := range forms {
			of(form.(map[string]any))
		}
		if items, ok := schema["items"].(map[string]any); ok {
			of(items)
		}
		if fields, ok := schema["properties"].(map[string]any); ok {
			words = append(words, vocabulary(fields)...)
		}
	}
	for _, name := range sortedKeys(properties) {
		words = append(words, name)
		of(properties[name].(map[string]any))
	}
	return words
}

// printedSchema is what keellab schema prints.
func printedSchema(t *testing.T) (schema map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(must(t, "schema")), &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// The schema accepts what is played.
func TestSchemaOfCatalogue(t *testing.T) {
	schema := printedSchema(t)
	for _, name := range names(t) {
		text, err := os.ReadFile(filepath.Join(catalogue, name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range mismatches(schema, values(t, text), name) {
			t.Error(wrong)
		}
	}
}

// The schema rejects the mistakes of shape that the reader rejects, each at its place, and
// no other place.
func TestSchemaOfMistakes(t *testing.T) {
	const head = "version: 1\nname: x\nmodels: Something.\narrivals: {rate: 10}\n"
	schema := printedSchema(t)
	if wrong := mismatches(schema, values(t, []byte(head)), "it"); wrong != nil {
		t.Fatalf("the file without mistakes: %v", wrong)
	}
	for _, c := range []struct{ text, at string }{
		{"version: 1\nmodels: Something.\narrivals: {rate: 10}\n", "it: name"},
		{head + "durations: 10s\n", "it.durations"},
		{head + "duration: 10\n", "it.duration"},
		{head + "duration: 10 s\n", "it.duration"},
		{head + "seed: -1\n", "it.seed"},
		{head + "proxies: 1.5\n", "it.proxies"},
		{head + "servers: 10\n", "it.servers"},
		{head + "servers: {discipline: lifo}\n", "it.servers.discipline"},
		{head + "servers: {service: {law: gamma}}\n", "it.servers.service.law"},
		{head + "servers: {reports: {enabled: perhaps}}\n", "it.servers.reports.enabled"},
		{head + "faults: {kind: slow, factor: 2}\n", "it.faults"},
		{head + "faults: [{factor: 2}]\n", "it.faults[0]: kind"},
		{head + "faults: [{kind: slow, factor: 2}, {kind: slower}]\n", "it.faults[1].kind"},
		{head + "subjects: [1]\n", "it.subjects[0]"},
		{head + "proxy: {breaker: {open_for: 5}}\n", "it.proxy.breaker.open_for"},
		{head + "live: {server: {count: 2}}\n", "it.live.server"},
		{head + "live: {servers: {count: some}}\n", "it.live.servers.count"},
		{head + "live: {faults: [{kind: slower}]}\n", "it.live.faults[0].kind"},
	} {
		wrong := mismatches(schema, values(t, []byte(c.text)), "it")
		if len(wrong) != 1 || !strings.HasPrefix(wrong[0], c.at+": ") && !strings.HasPrefix(wrong[0], c.at+" ") {
			t.Errorf("%q: got %q, want one mismatch at %s", strings.TrimPrefix(c.text, head), wrong, c.at)
		}
		if _, err := scenario.Parse("x", []byte(c.text), scenario.Sim); err == nil {
			t.Errorf("%q: the reader accepts it", c.text)
		}
	}
}

// mismatches holds a value against a schema made of the keywords that stand in that of the
// scenarios, and says where it does not match. Any other keyword is a mismatch.
func mismatches(schema map[string]any, v any, at string) (wrong []string) {
	for _, keyword := range sortedKeys(schema) {
		switch of := schema[keyword]; keyword {
		case "$schema", "title", "description", "default":
		case "type":
			if !isA(of.(string), v) {
				return []string{fmt.Sprintf("%s: %v is no %s", at, v, of)} // the rest is of no use
			}
		case "enum":
			if !slices.Contains(of.([]any), v) {
				wrong = append(wrong, fmt.Sprintf("%s: %v is not one of %v", at, v, of))
			}
		case "pattern":
			if text, ok := v.(string); ok && !regexp.MustCompile(of.(string)).MatchString(text) {
				wrong = append(wrong, fmt.Sprintf("%s: %q does not match %s", at, text, of))
			}
		case "minimum":
			if x, ok := number(v); ok && x < of.(float64) {
				wrong = append(wrong, fmt.Sprintf("%s: %v is below %v", at, v, of))
			}
		case "anyOf":
			wrong = append(wrong, noneOf(of.([]any), v, at)...)
		case "items":
			if list, ok := v.([]any); ok {
				for i, item := range list {
					wrong = append(wrong, mismatches(of.(map[string]any), item, fmt.Sprintf("%s[%d]", at, i))...)
				}
			}
		case "required":
			if fields, ok := v.(map[string]any); ok {
				for _, name := range of.([]any) {
					if _, there := fields[name.(string)]; !there {
						wrong = append(wrong, fmt.Sprintf("%s: %s is missing", at, name))
					}
				}
			}
		case "properties", "additionalProperties":
		default:
			wrong = append(wrong, fmt.Sprintf("%s: the schema has an unknown keyword, %s", at, keyword))
		}
	}
	if fields, ok := v.(map[string]any); ok {
		wrong = append(wrong, fieldMismatches(schema, fields, at)...)
	}
	return wrong
}

// fieldMismatches holds the fields of an object against properties and
// additionalProperties.
func fieldMismatches(schema, fields map[string]any, at string) (wrong []string) {
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range sortedKeys(fields) {
		where := at + "." + name
		if property, known := properties[name]; known {
			wrong = append(wrong, mismatches(property.(map[string]any), fields[name], where)...)
			continue
		}
		if schema["additionalProperties"] == false {
			wrong = append(wrong, where+" is an unknown field")
		}
	}
	return wrong
}

// noneOf says what is wrong when none of the alternatives match: of the first that is not
// wrong at once but deeper inside, or of the last.
func noneOf(alternatives []any, v any, at string) (best []string) {
	for _, a := range alternatives {
		wrong := mismatches(a.(map[string]any), v, at)
		if wrong == nil {
			return nil
		}
		if best == nil || strings.HasPrefix(best[0], at+":") {
			best = wrong
		}
	}
	return best
}

// isA tells whether a value is of a type of JSON.
func isA(kind string, v any) bool {
	switch kind {
	case "null":
		return v == nil
	case "object":
		_, ok := v.(map[string]any)
		return ok
	case "array":
		_, ok := v.([]any)
		return ok
	case "string":
		_, ok := v.(string)
		return ok
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "integer":
		_, ok := v.(int)
		return ok
	case "number":
		_, ok := number(v)
		return ok
	}
	return false
}

func number(v any) (x float64, ok bool) {
	switch n := v.(type) {
	case int:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
