package orca

import (
	"encoding/json"
	"io"
	"strings"
)

// camel are the names that the JSON form of protocol buffers has for the fields; both are
// read, as its readers have to.
var camel = map[string]string{
	"applicationUtilization": "application_utilization",
	"cpuUtilization":         "cpu_utilization",
	"rpsFractional":          "rps_fractional",
	"namedMetrics":           "named_metrics",
}

// json reads an object: numbers, and objects of numbers for the maps (named_metrics,
// utilization, request_cost). It goes by tokens, so that what is said twice is found.
func (r *Reader) json(s string, d *draft) error {
	in := json.NewDecoder(strings.NewReader(s))
	if err := r.object(in, d, ""); err != nil {
		return err
	}
	if _, err := in.Token(); err != io.EOF {
		return ErrJSON
	}
	return nil
}

// object reads one, whose names follow the prefix; within another one there is no third.
func (r *Reader) object(in *json.Decoder, d *draft, prefix string) error {
	if prefix == "" {
		if open, err := in.Token(); err != nil || open != json.Delim('{') {
			return ErrJSON
		}
	}
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return ErrJSON
		}
		name, _ := key.(string)
		if long := camel[name]; long != "" && prefix == "" {
			name = long
		}
		value, err := in.Token()
		if err != nil {
			return ErrJSON
		}
		switch v := value.(type) {
		case float64:
			if !r.take(d, prefix+name, v) {
				return ErrMetric
			}
		case json.Delim:
			if v != '{' || prefix != "" {
				return ErrJSON
			}
			if err := r.object(in, d, name+"."); err != nil {
				return err
			}
		default:
			return ErrJSON
		}
	}
	if _, err := in.Token(); err != nil {
		return ErrJSON
	}
	return nil
}
