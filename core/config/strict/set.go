package strict

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Set puts a value, one line of YAML in flow notation, in place of what the document
// has at a path; mappings that are missing on the way are made. The path is that of
// messages, servers.count or faults[0].factor: names that contain a dot, a bracket or
// a space cannot be addressed, and an item of a list must be there. A null, which has
// to be written, brings back the default.
//
// Problems are kept for [Document.Err], and then the document is as it was. Whether
// the settings have such a field is Decode's to say. Where a message would name a
// file and a line, it names the origin instead: "--set servers.count=20". Documents
// that this one was derived from, or that were derived from it, do not change.
func (d *Document) Set(path, value, origin string) {
	*d.origins = append(*d.origins, origin)
	s := setter{place: yaml.Node{Line: -len(*d.origins)}}
	steps, ok := split(path)
	if !ok {
		d.report(&s.place, "", fmt.Sprintf("%s is no path: expected names such as servers.count or faults[0].factor", quote(path)))
		return
	}
	if s.value, s.problem = flow(value); s.problem != "" {
		d.report(&s.place, path, s.problem)
		return
	}
	s.stamp(s.value)
	before := len(*d.errs)
	d.checkKeys(s.value, path, 0)
	if len(*d.errs) > before {
		return
	}
	root := s.put(d.root, "", steps)
	if s.problem != "" {
		d.report(&s.place, "", s.problem)
		return
	}
	d.root = root
}

// Marshal writes the document as it is now, comments included where the YAML library
// keeps them, aliases expanded. It can be read again, and says the same.
func (d *Document) Marshal() ([]byte, error) {
	e := expander{budget: maxNodes}
	root := e.expand(d.root, 0)
	switch {
	case e.budget <= 0:
		return nil, errors.New("strict: " + tooLarge)
	case e.deep:
		return nil, errors.New("strict: " + tooDeep)
	}
	return emit(&yaml.Node{Kind: yaml.DocumentNode, HeadComment: d.head, FootComment: d.foot, Content: []*yaml.Node{root}})
}

// wellFormed is a path to something: names, and indices in brackets after them.
var wellFormed = regexp.MustCompile(`^[^.\[\]\s]+(\[(0|[1-9][0-9]{0,8})\])*(\.[^.\[\]\s]+(\[(0|[1-9][0-9]{0,8})\])*)*$`)

// split returns the steps of a path, and whether it is one.
func split(path string) ([]string, bool) {
	if !wellFormed.MatchString(path) || !utf8.ValidString(path) {
		return nil, false
	}
	var steps []string
	for rest := path; rest != ""; {
		var step string
		step, rest = cut(rest)
		steps = append(steps, step)
	}
	return steps, len(steps) <= maxDepth
}

// flow reads a value, and says what is wrong with it, or "".
func flow(value string) (*yaml.Node, string) {
	if strings.ContainsAny(value, "\r\n\u0085\u2028\u2029") {
		return nil, "expected a value in one line"
	}
	var doc yaml.Node
	err := yaml.NewDecoder(strings.NewReader(value)).Decode(&doc)
	switch {
	case errors.Is(err, io.EOF), err == nil && isNull(doc.Content[0]) && doc.Content[0].Value == "":
		return nil, "expected a value (null for the default)"
	case err != nil:
		return nil, fmt.Sprintf("expected a value in YAML, found %s: %s", quote(value), syntaxError("", []byte(value), err).Message)
	}
	return doc.Content[0], ""
}

// setter is one Set: what is put where, and what is in the way.
type setter struct {
	place   yaml.Node // whose Line stands for the origin
	value   *yaml.Node
	problem string
}

// stamp marks a value as of this origin. What is said in comments about it is no
// part of it.
func (s *setter) stamp(n *yaml.Node) {
	n.Line, n.Column = s.place.Line, 0
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	for _, c := range n.Content {
		s.stamp(c)
	}
}

// put returns n, which is at the path, with the value at the steps below it. n itself
// is not changed: other documents share it, and aliases.
func (s *setter) put(n *yaml.Node, path string, steps []string) *yaml.Node {
	if len(steps) == 0 {
		return s.value
	}
	n = resolve(n)
	step, rest := steps[0], steps[1:]
	below := join(path, step)
	changed := *n
	changed.Content = slices.Clone(n.Content)
	switch {
	case step[0] == '[':
		i, ok := item(step, n)
		if !ok {
			s.problem = below + ": " + noItem(n)
			return n
		}
		changed.Content[i] = s.put(n.Content[i], below, rest)
		return &changed
	case isNull(n):
		changed = yaml.Node{Kind: yaml.MappingNode, Line: s.place.Line}
	case n.Kind != yaml.MappingNode:
		s.problem = fmt.Sprintf("%s: expected a mapping, found %s: set %s as a whole", path, describe(n), path)
		if path == "" {
			s.problem = "expected a mapping, found " + describe(n)
		}
		return n
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if resolve(n.Content[i]).Value == step {
			changed.Content[i+1] = s.put(n.Content[i+1], below, rest)
			return &changed
		}
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: step, Line: s.place.Line}
	nothing := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	changed.Content = append(changed.Content, key, s.put(nothing, below, rest))
	return &changed
}

// noItem says why a list does not have the item that was meant.
func noItem(n *yaml.Node) string {
	switch {
	case n.Kind != yaml.SequenceNode:
		return "expected a list, found " + describe(n)
	case len(n.Content) == 0:
		return "the list is empty"
	}
	return fmt.Sprintf("expected an item that is there, 0 to %d", len(n.Content)-1)
}

// expander copies a tree without its aliases, within the bounds of a document.
type expander struct {
	budget int
	deep   bool
}

func (e *expander) expand(n *yaml.Node, depth int) *yaml.Node {
	e.budget--
	e.deep = e.deep || depth > maxDepth
	copied := *resolve(n)
	copied.Anchor = ""
	if isNull(&copied) {
		copied.Value = "null" // nothing at all would be written as '' in some places
	}
	if e.budget <= 0 || e.deep {
		return &copied
	}
	copied.Content = slices.Clone(copied.Content)
	for i, c := range copied.Content {
		copied.Content[i] = e.expand(c, depth+1)
	}
	return &copied
}
