package strict

import (
	"iter"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Has tells whether the file gives a value, other than null, at the path. Where
// a scalar stands for a struct, the paths of its fields do not exist.
func (d *Document) Has(path string) bool {
	n, found := d.find(path)
	return found && !isNull(n)
}

// find returns the node at a path and true, or its nearest existing ancestor
// and false. Names that contain a dot or a bracket cannot be addressed.
func (d *Document) find(path string) (*yaml.Node, bool) {
	n := resolve(d.root)
	for path != "" {
		var step string
		step, path = cut(path)
		next := child(n, step)
		if next == nil {
			return n, false
		}
		n = next
	}
	return n, true
}

// child returns the named field of a mapping or the "[n]" item of a list, or
// nil. A value that is nothing at all has the position of its key, which is
// where a reader looks for it.
func child(n *yaml.Node, step string) *yaml.Node {
	if strings.HasPrefix(step, "[") {
		i, ok := item(step, n)
		if !ok {
			return nil
		}
		return resolve(n.Content[i])
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for key, value := range pairs(n) {
		if key.Value != step {
			continue
		}
		if isNull(value) && value.Value == "" {
			null := *value
			null.Line, null.Column = key.Line, key.Column
			return &null
		}
		return value
	}
	return nil
}

// item returns the place of the "[n]" item in a list, and whether there is one.
func item(step string, n *yaml.Node) (int, bool) {
	i, err := strconv.Atoi(strings.TrimSuffix(step[1:], "]"))
	return i, err == nil && n.Kind == yaml.SequenceNode && i >= 0 && i < len(n.Content)
}

// cut splits the first step off a path: a name, or an index in its brackets.
func cut(path string) (step, rest string) {
	end := strings.IndexAny(path[1:], ".[") + 1
	if end == 0 {
		return path, ""
	}
	return path[:end], strings.TrimPrefix(path[end:], ".")
}

// parent returns the path without its last step.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

func join(path, name string) string {
	if path == "" || name == "" || name[0] == '[' {
		return path + name
	}
	return path + "." + name
}

func index(path string, i int) string {
	return path + "[" + strconv.Itoa(i) + "]"
}

// pairs yields the keys and values of a mapping, aliases resolved.
func pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(resolve(n.Content[i]), resolve(n.Content[i+1])) {
				return
			}
		}
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}
