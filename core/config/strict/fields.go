package strict

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// field is one field of a struct as its tags describe it.
type field struct {
	name      string
	index     []int // for reflect.Value.FieldByIndex
	typ       reflect.Type
	scalar    bool
	required  bool
	omitEmpty bool
	doc       string
	enum      []string
}

// fieldsOf returns the fields of a struct type in their order, those of inline
// structs in place. A tag that makes no sense is a mistake of the program, not of
// the file, and panics.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, ok := sf.Tag.Lookup("yaml")
		if !ok || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if options == "inline" {
			for _, f := range fieldsOf(sf.Type) {
				f.index = append([]int{i}, f.index...)
				fields = append(fields, f)
			}
			continue
		}
		if name == "" || !sf.IsExported() {
			panic(fmt.Sprintf("strict: %s.%s: the tag needs a name and an exported field", t, sf.Name))
		}
		f := field{name: name, index: []int{i}, typ: sf.Type, doc: sf.Tag.Get("doc")}
		if enum := sf.Tag.Get("enum"); enum != "" {
			f.enum = strings.Split(enum, ",")
		}
		f.setOptions(t, options)
		fields = append(fields, f)
	}
	for i, f := range fields {
		if slices.ContainsFunc(fields[:i], func(g field) bool { return g.name == f.name }) {
			panic(fmt.Sprintf("strict: %s: two fields are called %q", t, f.name))
		}
	}
	return fields
}

func (f *field) setOptions(t reflect.Type, options string) {
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "":
		case "scalar":
			f.scalar = true
		case "required":
			f.required = true
		case "omitempty":
			f.omitEmpty = true
		default:
			panic(fmt.Sprintf("strict: %s: field %q has the unknown option %q", t, f.name, option))
		}
	}
}

func names(fields []field) []string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.name
	}
	return list
}

// scalarField returns the field that a scalar sets, and whether there is one.
func scalarField(fields []field) (field, bool) {
	for _, f := range fields {
		if f.scalar {
			return f, true
		}
	}
	return field{}, false
}

// fresh returns a pointer to a new value of the type, with its defaults.
func fresh(t reflect.Type) reflect.Value {
	p := reflect.New(t)
	if d, ok := p.Interface().(interface{ Defaults() }); ok {
		d.Defaults()
	}
	return p
}
