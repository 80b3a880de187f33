package strict

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Overlay returns the document in which the mapping under a top-level key is
// merged over everything else, and the key itself is gone. Mappings merge field
// by field, at every depth; everything else is replaced, lists too. Without the
// key, the result is the document as it is.
//
// Values keep the positions they have in the file, and problems found in the
// result are reported together with those of the original: either Err tells all.
func (d *Document) Overlay(key string) *Document {
	over := child(resolve(d.root), key)
	base := d.Without(key)
	if over == nil || isNull(over) {
		return base
	}
	if over.Kind != yaml.MappingNode {
		d.Reportf(key, "expected a mapping of what differs, found %s", describe(over))
		return base
	}
	m := merger{budget: maxNodes}
	base.root = m.merge(resolve(base.root), over, 0)
	if m.budget <= 0 {
		d.Reportf(key, "%s", tooLarge)
	}
	return base
}

// Without returns the document as if a top-level key were not there. Problems
// are reported together with those of the original.
func (d *Document) Without(key string) *Document {
	root := resolve(d.root)
	derived := *d
	derived.root, derived.failed = root, map[string]bool{}
	if root.Kind != yaml.MappingNode {
		return &derived
	}
	rest := *root
	rest.Content = nil
	for k, v := range pairs(root) {
		if k.Value != key {
			rest.Content = append(rest.Content, k, v)
		}
	}
	derived.root = &rest
	return &derived
}

// merger bounds what merging may visit: aliases can make a short text large, or
// a text that contains itself.
type merger struct{ budget int }

func (m *merger) merge(base, over *yaml.Node, depth int) *yaml.Node {
	m.budget--
	if base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode || m.budget <= 0 || depth > maxDepth {
		return over
	}
	merged := *base
	merged.Content = nil
	at := map[string]int{}
	for k, v := range pairs(base) {
		at[k.Value] = len(merged.Content) + 1
		merged.Content = append(merged.Content, k, v)
	}
	for k, v := range pairs(over) {
		if i, both := at[k.Value]; both {
			merged.Content[i-1] = k
			merged.Content[i] = m.merge(merged.Content[i], v, depth+1)
		} else {
			merged.Content = append(merged.Content, k, v)
		}
	}
	return &merged
}

// maxNodes bounds the values that one document may expand to. A configuration of
// a thousand endpoints has some ten thousand.
const maxNodes = 100_000

// maxDepth bounds their nesting; settings have ten levels at most.
const maxDepth = 100

var (
	tooLarge = fmt.Sprintf("expected at most %d values, aliases expanded", maxNodes)
	tooDeep  = fmt.Sprintf("expected at most %d levels, aliases expanded", maxDepth)
)
