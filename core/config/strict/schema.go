package strict

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"
)

// Schema returns the JSON Schema (draft 2020-12) of the documents that Decode
// accepts for the type of v, indented, the same bytes for the same value. The
// defaults are those that v holds; descriptions come from the doc tags; an enum
// comes from the enum tag or from a method Enum() []string of a string type.
func Schema(title string, v any) ([]byte, error) {
	value := reflect.ValueOf(v)
	for value.Kind() == reflect.Pointer && !value.IsNil() {
		value = value.Elem()
	}
	// An addressable copy, so that methods on pointers are seen.
	root := reflect.New(value.Type()).Elem()
	root.Set(value)
	s, err := describeType(root, nil)
	if err != nil {
		return nil, err
	}
	s.Schema, s.Title = "https://json-schema.org/draft/2020-12/schema", title
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("strict: %w", err)
	}
	return append(out, '\n'), nil
}

// schema has the keywords of JSON Schema that are used here.
type schema struct {
	Schema      string    `json:"$schema,omitempty"`
	Title       string    `json:"title,omitempty"`
	Description string    `json:"description,omitempty"`
	Type        string    `json:"type,omitempty"`
	Default     any       `json:"default,omitempty"`
	Enum        []string  `json:"enum,omitempty"`
	Pattern     string    `json:"pattern,omitempty"`
	Minimum     any       `json:"minimum,omitempty"`
	Maximum     any       `json:"maximum,omitempty"`
	AnyOf       []*schema `json:"anyOf,omitempty"`

	Properties map[string]*schema `json:"properties,omitempty"`
	Required   []string           `json:"required,omitempty"`
	Additional any                `json:"additionalProperties,omitempty"` // false, or a schema
	Items      *schema            `json:"items,omitempty"`
}

// durationPattern is what time.ParseDuration reads.
const durationPattern = `^[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`

// describeType returns the schema of an addressable value; above are the struct
// types that contain it.
func describeType(v reflect.Value, above []reflect.Type) (*schema, error) {
	switch x := v.Interface().(type) {
	case time.Duration:
		return &schema{Type: "string", Pattern: durationPattern, Default: formatDuration(x)}, nil
	case interface{ Enum() []string }:
		return &schema{Type: "string", Enum: x.Enum(), Default: textDefault(v)}, nil
	}
	if v.Kind() != reflect.Pointer {
		if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
			return &schema{Type: "string"}, nil
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		s, err := describeType(fresh(v.Type().Elem()).Elem(), above)
		if err == nil && s.Type != "object" && v.IsNil() {
			s.Default = nil // absent, not zero
		}
		return s, err
	case reflect.Struct:
		return describeStruct(v, above)
	case reflect.Slice:
		items, err := describeType(fresh(v.Type().Elem()).Elem(), above)
		if err == nil && items.Type != "object" {
			items.Default = nil // a list has no elements by default
		}
		return &schema{Type: "array", Items: items}, err
	case reflect.Map:
		values, err := describeType(fresh(v.Type().Elem()).Elem(), above)
		return &schema{Type: "object", Additional: values}, err
	}
	return describeBasic(v)
}

func describeBasic(v reflect.Value) (*schema, error) {
	switch {
	case v.Kind() == reflect.String:
		return &schema{Type: "string", Default: textDefault(v)}, nil
	case v.Kind() == reflect.Bool:
		return &schema{Type: "boolean", Default: v.Bool()}, nil
	case v.CanFloat():
		return &schema{Type: "number", Default: v.Float()}, nil
	case v.CanUint():
		s := &schema{Type: "integer", Default: v.Uint(), Minimum: 0}
		if bits := v.Type().Bits(); bits < 64 {
			s.Maximum = uint64(math.MaxUint64) >> (64 - bits)
		}
		return s, nil
	case v.CanInt():
		s := &schema{Type: "integer", Default: v.Int()}
		if bits := v.Type().Bits(); bits < 64 {
			s.Minimum, s.Maximum = int64(math.MinInt64)>>(64-bits), int64(math.MaxInt64)>>(64-bits)
		}
		return s, nil
	}
	return nil, fmt.Errorf("strict: values of type %s are not supported", v.Type())
}

func describeStruct(v reflect.Value, above []reflect.Type) (*schema, error) {
	if slices.Contains(above, v.Type()) {
		return nil, fmt.Errorf("strict: %s contains itself", v.Type())
	}
	above = append(above[:len(above):len(above)], v.Type())
	s := &schema{Type: "object", Properties: map[string]*schema{}, Additional: false}
	fields := fieldsOf(v.Type())
	for _, f := range fields {
		property, err := describeType(v.FieldByIndex(f.index), above)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		property.Description = f.doc
		if property.Items != nil && f.enum != nil {
			property.Items.Enum = f.enum
		} else if f.enum != nil {
			property.Enum = f.enum
		}
		if f.required {
			s.Required = append(s.Required, f.name)
			property.Default = nil
		}
		s.Properties[f.name] = property
	}
	if short, ok := scalarField(fields); ok {
		alone := *s.Properties[short.name]
		alone.Description, alone.Default = "short for "+short.name, nil
		return &schema{AnyOf: []*schema{&alone, s}}, nil
	}
	return s, nil
}

// textDefault returns a string as a default; the empty string says nothing.
func textDefault(v reflect.Value) any {
	if v.String() == "" {
		return nil
	}
	return v.String()
}
