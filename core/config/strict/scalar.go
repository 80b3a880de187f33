package strict

import (
	"encoding"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
)

// setScalar sets a value from a scalar and returns what is wrong with it, or "".
func setScalar(n *yaml.Node, v reflect.Value) string {
	tag := n.ShortTag()
	if n.Kind != yaml.ScalarNode {
		tag = ""
	}
	switch text, isText := v.Addr().Interface().(encoding.TextUnmarshaler); {
	case v.Type() == durationType:
		return setDuration(n, tag, v)
	case v.Type() == prefixType:
		return setPrefix(n, tag, v)
	case isText:
		return setText(n, tag, text)
	}
	switch v.Kind() {
	case reflect.String:
		return setString(n, tag, v)
	case reflect.Bool:
		return setBool(n, tag, v)
	case reflect.Float32, reflect.Float64:
		return setFloat(n, tag, v)
	}
	return setInteger(n, tag, v)
}

func setString(n *yaml.Node, tag string, v reflect.Value) string {
	switch tag {
	case "!!str", "!!timestamp": // a plain date is still the text that stands there
		v.SetString(n.Value)
		return ""
	case "!!int", "!!float", "!!bool":
		return fmt.Sprintf("expected a string, found %s: put it in quotes", describe(n))
	}
	return "expected a string, found " + describe(n)
}

func setBool(n *yaml.Node, tag string, v reflect.Value) string {
	b, err := strconv.ParseBool(n.Value)
	if tag != "!!bool" || err != nil {
		return "expected true or false, found " + describe(n)
	}
	v.SetBool(b)
	return ""
}

// octal is a number that YAML 1.1 reads with base eight and everybody else with
// base ten; it is refused.
var octal = regexp.MustCompile(`^[-+]?0[0-9_]`)

func setInteger(n *yaml.Node, tag string, v reflect.Value) string {
	text := strings.TrimPrefix(strings.ReplaceAll(n.Value, "_", ""), "+")
	wrong := func(expected string) string {
		return fmt.Sprintf("expected %s, found %s", expected, describe(n))
	}
	_, err := strconv.ParseFloat(text, 64)
	if (tag != "!!int" && tag != "!!float") || octal.MatchString(n.Value) || (tag == "!!float" && (err != nil || strings.ContainsAny(text, ".eE"))) {
		return wrong("a whole number")
	}
	// An integer beyond 64 bits is tagged as a float.
	bits := v.Type().Bits()
	if v.CanUint() {
		u, err := strconv.ParseUint(text, 0, bits)
		if err != nil {
			return wrong(fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-bits)))
		}
		v.SetUint(u)
		return ""
	}
	i, err := strconv.ParseInt(text, 0, bits)
	if err != nil {
		return wrong(fmt.Sprintf("a whole number from %d to %d", int64(math.MinInt64)>>(64-bits), int64(math.MaxInt64)>>(64-bits)))
	}
	v.SetInt(i)
	return ""
}

func setFloat(n *yaml.Node, tag string, v reflect.Value) string {
	text := strings.TrimPrefix(strings.ReplaceAll(n.Value, "_", ""), "+")
	f, err := strconv.ParseFloat(text, v.Type().Bits())
	if tag == "!!int" && err != nil { // 0x10, 0o17, 0b11
		var i int64
		i, err = strconv.ParseInt(text, 0, 64)
		f = float64(i)
	}
	isNumber := tag == "!!int" || tag == "!!float"
	switch {
	case isNumber && (strings.Contains(strings.ToLower(text), "inf") || strings.EqualFold(text, ".nan")),
		err == nil && (math.IsInf(f, 0) || math.IsNaN(f)):
		return "expected a finite number, found " + describe(n)
	case !isNumber || err != nil || octal.MatchString(text):
		return "expected a number, found " + describe(n)
	}
	v.SetFloat(f)
	return ""
}

func setDuration(n *yaml.Node, tag string, v reflect.Value) string {
	switch tag {
	case "!!int", "!!float":
		if n.Value != "0" {
			return fmt.Sprintf("expected a duration, found the bare number %s: add a unit, such as %ss", n.Value, n.Value)
		}
	case "!!str":
	default:
		return "expected a duration such as 10s, found " + describe(n)
	}
	duration, err := time.ParseDuration(n.Value)
	if err != nil {
		return "expected a duration such as 500ms, 10s or 1m30s, found " + describe(n)
	}
	v.SetInt(int64(duration))
	return ""
}

func setPrefix(n *yaml.Node, tag string, v reflect.Value) string {
	prefix, err := netip.ParsePrefix(n.Value)
	if err != nil {
		addr, bare := netip.ParseAddr(n.Value)
		if bare != nil || addr.Zone() != "" || tag != "!!str" {
			return "expected an address range such as 10.0.0.0/8, or an address, found " + describe(n)
		}
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	v.Set(reflect.ValueOf(prefix))
	return ""
}

func setText(n *yaml.Node, tag string, v encoding.TextUnmarshaler) string {
	switch tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
	default:
		return "expected a single value, found " + describe(n)
	}
	if err := v.UnmarshalText([]byte(n.Value)); err != nil {
		return fmt.Sprintf("%s: %v", describe(n), err)
	}
	return ""
}

// describe says what stands in the file, for the end of a message.
func describe(n *yaml.Node) string {
	switch tag := n.ShortTag(); {
	case n.Kind == yaml.MappingNode && tag == "!!map":
		return "a mapping"
	case n.Kind == yaml.SequenceNode && tag == "!!seq":
		return "a list"
	case n.Kind != yaml.ScalarNode || !strings.HasPrefix(tag, "!!"):
		return "the tag " + quote(tag)
	case tag == "!!null":
		return "nothing"
	case tag == "!!str":
		return quote(n.Value)
	}
	return n.Value
}

// quote quotes a word of the file, shortened to what one reads in a message.
func quote(word string) string {
	const longest = 60
	if len(word) > longest {
		return strconv.Quote(word[:longest]) + "…"
	}
	return strconv.Quote(word)
}
