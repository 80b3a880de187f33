package strict

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Marshal writes a value as the YAML that Decode reads: every field by its tag,
// in the order of the struct, defaults included. Nil pointers are left out, and
// so are zero values of fields tagged omitempty. Keys of maps are sorted, so the
// same value gives the same bytes.
func Marshal(v any) ([]byte, error) {
	n, err := encode(reflect.ValueOf(v))
	if err != nil {
		return nil, err
	}
	return emit(n)
}

// emit writes a node with the indentation of this package.
func emit(n *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(n); err != nil {
		return nil, fmt.Errorf("strict: %w", err)
	}
	return b.Bytes(), enc.Close()
}

func encode(v reflect.Value) (*yaml.Node, error) {
	if !v.IsValid() || (v.Kind() == reflect.Pointer && v.IsNil()) {
		return scalar(nil)
	}
	switch x := v.Interface().(type) {
	case time.Duration:
		return scalar(formatDuration(x))
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err != nil {
			return nil, fmt.Errorf("strict: %w", err)
		}
		return scalar(string(text))
	}
	switch v.Kind() {
	case reflect.Pointer:
		return encode(v.Elem())
	case reflect.Struct:
		return encodeStruct(v)
	case reflect.Slice:
		return encodeList(v)
	case reflect.Map:
		return encodeMap(v)
	}
	return scalar(v.Interface())
}

func encodeStruct(v reflect.Value) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range fieldsOf(v.Type()) {
		fv := v.FieldByIndex(f.index)
		if (fv.Kind() == reflect.Pointer && fv.IsNil()) || (f.omitEmpty && fv.IsZero()) {
			continue
		}
		if err := put(n, f.name, fv); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func encodeList(v reflect.Value) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for i := range v.Len() {
		item, err := encode(v.Index(i))
		if err != nil {
			return nil, err
		}
		if item.Kind != yaml.ScalarNode {
			n.Style = 0
		}
		n.Content = append(n.Content, item)
	}
	return n, nil
}

func encodeMap(v reflect.Value) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		if err := put(n, key.String(), v.MapIndex(key)); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func put(n *yaml.Node, name string, v reflect.Value) error {
	key, err := scalar(name)
	if err != nil {
		return err
	}
	value, err := encode(v)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	n.Content = append(n.Content, key, value)
	return nil
}

func scalar(v any) (*yaml.Node, error) {
	n := new(yaml.Node)
	if err := n.Encode(v); err != nil {
		return nil, fmt.Errorf("strict: %w", err)
	}
	return n, nil
}

// formatDuration writes a duration as people do: 1m rather than 1m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
