// Package strict reads YAML into Go structs without forgiving anything, and
// reports every mistake at once, each at its line and column.
//
// It exists because a configuration that is nearly right is the dangerous kind:
// a misspelt field that is silently ignored leaves a default in force that
// nobody chose. So an unknown field, a duplicate key, a number without its unit
// or a value of the wrong type is an error that says what was expected, what was
// found, and what was probably meant; and because nobody likes to fix a file one
// message at a time, reading goes on after a mistake.
//
// The work is done in three steps on one [Document]:
//
//	doc, err := strict.Parse(name, data) // syntax
//	doc.Decode(&settings)                // shape and types; settings hold the defaults beforehand
//	settings.validate(doc.Reportf)       // meaning; problems are named by path
//	err = doc.Err()                      // nil, or Errors, in the order of the file
//
// Before it is decoded, a document can be varied: [Document.Overlay] lays one part of it
// over the rest, [Document.Set] puts a value from elsewhere, such as a flag, in its place.
//
// # What a struct says
//
// A field takes part when it has a yaml tag: `yaml:"name"`, with these options:
//
//   - inline: an embedded struct whose fields stand among those of its parent.
//   - scalar: where a scalar stands for the whole struct, it sets this field
//     (`strategy: random` for `strategy: {name: random}`). One field at most.
//   - required: it is an error to leave the field out.
//   - omitempty: [Marshal] leaves the zero value out.
//
// The tags `doc:"…"` and `enum:"a,b"` describe the field to [Schema]; nothing
// else reads them.
//
// Two optional methods on the pointer to a struct speak of defaults:
//
//   - Defaults() fills a value that decoding allocates: the target of a nil
//     pointer, an element of a list or of a map.
//   - Derive(has func(name string) bool) is called when the struct has been
//     decoded, to set those defaults which depend on other settings; has tells
//     which fields the file gave.
//
// A null leaves the default; a list or a map replaces it, and is nil when empty.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Document is one parsed YAML document and the problems found in it so far.
// Not safe for concurrent use.
type Document struct {
	file   string
	root   *yaml.Node
	head   string // the comment above everything, and the one below
	foot   string
	failed map[string]bool // paths whose value could not be decoded
	// Shared with the documents derived from this one:
	errs    *Errors
	origins *[]string // of values that were set: a node of the nth has the line -n
}

// Parse reads one YAML document. The name is what messages call the file. The
// error, if any, is an [Errors] with the one syntax error; mistakes that do not
// prevent reading on, such as duplicate keys, are kept for [Document.Err].
//
// An empty document, and more than one, are errors too.
func Parse(name string, data []byte) (*Document, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	if err := dec.Decode(&first); errors.Is(err, io.EOF) {
		return nil, Errors{{name, 1, 1, "the document is empty"}}
	} else if err != nil {
		return nil, Errors{syntaxError(name, data, err)}
	}
	if err := dec.Decode(&second); err == nil {
		return nil, Errors{{name, second.Line, second.Column, "expected a single document, found the start of a second one"}}
	} else if !errors.Is(err, io.EOF) {
		return nil, Errors{syntaxError(name, data, err)}
	}
	if len(first.Content) != 1 || isNull(first.Content[0]) {
		return nil, Errors{{name, 1, 1, "the document is empty"}}
	}
	d := &Document{
		file: name, root: first.Content[0], head: first.HeadComment, foot: first.FootComment,
		failed: map[string]bool{}, errs: new(Errors), origins: new([]string),
	}
	d.checkKeys(d.root, "", 0)
	return d, nil
}

// Reportf records a problem with the value at a path, such as
// pools[0].endpoints[1].url. The message begins with the path; its position is
// that of the value there, or of the nearest ancestor that exists. Nothing is
// recorded where decoding has failed at the path or above it: what stands there
// is a default, and complaining of it would only distract.
func (d *Document) Reportf(path, format string, args ...any) {
	for p := path; ; p = parent(p) {
		if d.failed[p] {
			return
		}
		if p == "" {
			break
		}
	}
	n, _ := d.find(path)
	d.report(n, path, fmt.Sprintf(format, args...))
}

// Err returns nil, or all problems found so far as [Errors], sorted by position.
func (d *Document) Err() error {
	return d.errs.Err()
}

func (d *Document) report(n *yaml.Node, path, message string) {
	if path != "" {
		message = path + ": " + message
	}
	if n.Line < 0 {
		*d.errs = append(*d.errs, Error{File: (*d.origins)[-n.Line-1], Message: message})
		return
	}
	*d.errs = append(*d.errs, Error{d.file, n.Line, n.Column, message})
}

// fail reports a value that could not be decoded.
func (d *Document) fail(n *yaml.Node, path, message string) {
	d.failed[path] = true
	d.report(n, path, message)
}

// checkKeys reports duplicate keys and keys that are no scalars, everywhere in
// the tree: also where nobody will decode. It does not follow aliases, so every
// node is visited once.
func (d *Document) checkKeys(n *yaml.Node, path string, depth int) {
	if depth > maxDepth {
		d.report(n, "", tooDeep)
		return
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for i, item := range n.Content {
			d.checkKeys(item, index(path, i), depth+1)
		}
	case yaml.MappingNode:
		lines := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := resolve(n.Content[i]), n.Content[i+1]
			if key.Kind != yaml.ScalarNode {
				d.report(key, path, "expected a name as the key, found "+describe(key))
				continue
			}
			if line, dup := lines[key.Value]; dup && line < 0 {
				d.report(key, path, fmt.Sprintf("duplicate key %q", key.Value))
			} else if dup {
				d.report(key, path, fmt.Sprintf("duplicate key %q: it was given on line %d already", key.Value, line))
			} else {
				lines[key.Value] = key.Line
			}
			d.checkKeys(value, join(path, key.Value), depth+1)
		}
	}
}

var (
	yamlError     = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.+)' referenced$`)

	// offByOne are the messages of yaml's parser, as opposed to its scanner; their
	// lines count from zero.
	offByOne = regexp.MustCompile(`^(did not find expected (<|node content|key$|'-' indicator|',' or)|found (duplicate %|undefined tag|incompatible YAML))`)
)

// syntaxError converts an error of the parser, which knows the line at best, and
// often that of where the construct began.
func syntaxError(name string, data []byte, err error) Error {
	message, line, col := err.Error(), 1, 1
	if m := yamlError.FindStringSubmatch(message); m != nil {
		message = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
			if offByOne.MatchString(message) {
				line++
			}
		}
	}
	if strings.HasPrefix(message, "mapping values are not allowed") {
		message += ": a text with a colon and a space in it stands in quotes, and names that belong together begin in the same column"
	}
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		before, _, _ := bytes.Cut(data, []byte("*"+m[1]))
		line = bytes.Count(before, []byte("\n")) + 1
		col = len(before) - bytes.LastIndexByte(before, '\n')
	}
	line = max(1, min(line, bytes.Count(data, []byte("\n"))+1))
	return Error{name, line, col, strings.ReplaceAll(message, "\n", " ")}
}
