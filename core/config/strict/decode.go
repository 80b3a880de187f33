package strict

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Decode reads the document into the value that the pointer points to, which
// holds the defaults beforehand. Problems are collected; a value that cannot be
// read leaves its default. Decode panics when into is not a pointer or its type
// has a field of a kind that is not supported: supported are structs, pointers,
// lists, maps with string keys, strings, bools, integers, floats, time.Duration,
// netip.Prefix (a bare address too) and whatever reads itself from text.
func (d *Document) Decode(into any) {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		panic(fmt.Sprintf("strict: Decode needs a pointer, not %T", into))
	}
	dec := decoder{Document: d, budget: maxNodes}
	dec.value(d.root, v.Elem(), "")
}

// decoder is one walk over the document.
type decoder struct {
	*Document
	budget int // values left; aliases can make a short text large
	depth  int
}

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	n = resolve(n)
	if !d.enter(n, path) {
		return
	}
	defer d.leave()
	if isNull(n) {
		return
	}
	if isScalarType(v) {
		if problem := setScalar(n, v); problem != "" {
			d.fail(n, path, problem)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(fresh(v.Type().Elem()))
		}
		d.value(n, v.Elem(), path)
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	default:
		panic(fmt.Sprintf("strict: %s: values of type %s are not supported", path, v.Type()))
	}
}

// enter counts a value and reports the first that is too many or too deep, after
// which nothing more is read.
func (d *decoder) enter(n *yaml.Node, path string) bool {
	switch d.budget--; {
	case d.budget == 0:
		d.fail(n, path, tooLarge)
	case d.budget > 0 && d.depth == maxDepth:
		d.fail(n, path, tooDeep)
		d.budget = 0
	}
	if d.budget <= 0 {
		return false
	}
	d.depth++
	return true
}

func (d *decoder) leave() { d.depth-- }

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	fields := fieldsOf(v.Type())
	given := map[string]bool{}
	if short, ok := scalarField(fields); ok && n.Kind == yaml.ScalarNode {
		given[short.name] = true
		d.value(n, v.FieldByIndex(short.index), path)
	} else if n.ShortTag() == "!!map" && n.Kind == yaml.MappingNode {
		d.fields(n, v, path, fields, given)
	} else {
		d.fail(n, path, fmt.Sprintf("expected a mapping with %s, found %s", strings.Join(names(fields), ", "), describe(n)))
		return
	}
	for _, f := range fields {
		if f.required && !given[f.name] {
			d.fail(n, join(path, f.name), "required, but not given")
		}
	}
	if s, ok := v.Addr().Interface().(interface{ Derive(has func(string) bool) }); ok {
		s.Derive(func(name string) bool { return given[name] })
	}
}

// fields decodes the fields of a mapping and notes those that were given.
func (d *decoder) fields(n *yaml.Node, v reflect.Value, path string, fields []field, given map[string]bool) {
	byName := make(map[string]field, len(fields))
	for _, f := range fields {
		byName[f.name] = f
	}
	for key, value := range pairs(n) {
		if key.Kind != yaml.ScalarNode || given[key.Value] {
			continue // reported when the document was parsed
		}
		f, known := byName[key.Value]
		if !known {
			d.report(key, path, Unknown("field", key.Value, names(fields)))
			continue
		}
		given[f.name] = !isNull(value)
		d.value(value, v.FieldByIndex(f.index), join(path, f.name))
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode || n.ShortTag() != "!!seq" {
		d.fail(n, path, "expected a list, found "+describe(n))
		return
	}
	list := reflect.Zero(v.Type())
	for i, item := range n.Content {
		element := fresh(v.Type().Elem()).Elem()
		d.value(item, element, index(path, i))
		if d.budget <= 0 {
			break
		}
		list = reflect.Append(list, element)
	}
	v.Set(list)
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if v.Type().Key().Kind() != reflect.String {
		panic(fmt.Sprintf("strict: %s: maps need string keys, not those of %s", path, v.Type()))
	}
	if n.Kind != yaml.MappingNode || n.ShortTag() != "!!map" {
		d.fail(n, path, "expected a mapping, found "+describe(n))
		return
	}
	m := reflect.Zero(v.Type())
	if len(n.Content) > 0 {
		m = reflect.MakeMap(v.Type())
	}
	for key, value := range pairs(n) {
		if key.Kind != yaml.ScalarNode {
			continue // reported when the document was parsed
		}
		name := reflect.ValueOf(key.Value).Convert(v.Type().Key())
		if key.Value == "<<" {
			d.report(key, path, "expected a name as the key, found <<: keys are not merged")
		} else if !m.MapIndex(name).IsValid() && d.budget > 0 {
			element := fresh(v.Type().Elem()).Elem()
			d.value(value, element, join(path, key.Value))
			m.SetMapIndex(name, element)
		}
	}
	v.Set(m)
}

// isScalarType tells whether a value is read from a scalar.
func isScalarType(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Pointer:
		return false
	}
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}
