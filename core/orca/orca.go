// Package orca reads what endpoints report of their own load: the response header
// Endpoint-Load-Metrics of ORCA (Open Request Cost Aggregation, gRPC proposal A51; the
// header's forms as in Envoy):
//
//	endpoint-load-metrics: TEXT cpu_utilization=0.3,rps_fractional=10,named_metrics.x=1
//	endpoint-load-metrics: JSON {"cpu_utilization": 0.3, "named_metrics": {"x": 1}}
//
// The binary form (BIN, and endpoint-load-metrics-bin) is not supported: it is a protocol
// buffer, and what it is good for, gRPC's trailers, does not pass here.
//
// A report comes from outside, and so it is read strictly and within bounds: what is not
// well formed, too long, not finite, negative or said twice is not believed at all. Names
// that mean nothing here are passed over.
package orca

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/evenkeel/evenkeel/core"
)

// Header is the name of the header, as net/http writes it.
const Header = "Endpoint-Load-Metrics"

const (
	// MaxLength is the longest report that is read, in bytes.
	MaxLength = 4 << 10
	// MaxMetrics is the most metrics that one may have.
	MaxMetrics = 64
)

// Sentinels of Parse.
var (
	ErrForm   = errors.New("orca: expected TEXT or JSON before the metrics")
	ErrLong   = errors.New("orca: the report is too long")
	ErrMetric = errors.New("orca: expected metrics as name=number, each once")
	ErrJSON   = errors.New("orca: expected an object of numbers, and of objects of numbers")
)

// Names are the named metrics (named_metrics.NAME in a report) that ORCA has no fields of
// its own for; empty for none.
type Names struct {
	InFlight    string // requests in flight at the endpoint
	Latency     string // seconds that it expects for a request
	Utilization string // used instead of application_utilization and cpu_utilization
}

// MaxName is the longest name of a named metric.
const MaxName = 64

// Validate reports a name that no report can have.
func (n Names) Validate() error {
	for _, name := range []string{n.InFlight, n.Latency, n.Utilization} {
		if len(name) > MaxName || strings.ContainsFunc(name, odd) {
			return fmt.Errorf("orca: %q: expected a name of at most %d letters, digits and _ . - /", name, MaxName)
		}
	}
	return nil
}

// odd reports what is no part of a name.
func odd(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.-/", r))
}

// Reader reads reports. The zero value knows no named metrics. Safe for concurrent use.
type Reader struct {
	// wanted are the named metrics by the place where they go.
	wanted [fields]string
}

// NewReader returns a reader of reports with these named metrics.
func NewReader(n Names) (*Reader, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	r := &Reader{}
	r.wanted[inFlight], r.wanted[latency], r.wanted[utilization] = n.InFlight, n.Latency, n.Utilization
	return r, nil
}

// What is kept of a report.
const (
	inFlight = iota
	latency
	utilization // the named metric
	application
	cpu
	rate
	errorRate
	fields
)

// draft is a report while it is being read: each field that has been found, and how many
// metrics there were.
type draft struct {
	values [fields]float64
	found  [fields]bool
	count  int
}

// Parse reads the value of the header. Of a report that is not well formed it returns the
// error and nothing. Reading TEXT allocates nothing.
//
// The utilisation is the named metric, if one is configured and reported, else
// application_utilization if that is above 0, else cpu_utilization (gRPC proposal A58).
func (r *Reader) Parse(value string) (core.LoadReport, error) {
	if len(value) > MaxLength {
		return core.LoadReport{}, ErrLong
	}
	form, rest, _ := strings.Cut(value, " ")
	var d draft
	var err error
	switch form {
	case "TEXT":
		err = r.text(rest, &d)
	case "JSON":
		err = r.json(rest, &d)
	default:
		err = ErrForm
	}
	if err != nil {
		return core.LoadReport{}, err
	}
	return d.report(), nil
}

// text reads name=number,name=number…
func (r *Reader) text(s string, d *draft) error {
	for more := true; more; {
		var pair string
		pair, s, more = strings.Cut(s, ",")
		name, number, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
		name, number = strings.TrimRight(name, " \t"), strings.TrimLeft(number, " \t")
		if !ok || name == "" || strings.ContainsFunc(name, odd) || !plain(number) {
			return ErrMetric
		}
		x, err := strconv.ParseFloat(number, 64)
		if err != nil || !r.take(d, name, x) {
			return ErrMetric
		}
	}
	return nil
}

// plain reports whether a number is written in decimal: strconv knows more ways. A word
// that is none is refused before strconv would allocate its error.
func plain(number string) bool {
	digits := 0
	for i := range len(number) {
		switch c := number[i]; {
		case c >= '0' && c <= '9':
			digits++
		case strings.IndexByte("+-.eE", c) < 0:
			return false
		}
	}
	return digits > 0 && len(number) <= 32
}

// named is what stands before the name of a named metric.
const named = "named_metrics."

// take notes a metric, and reports whether it is one that can be.
func (r *Reader) take(d *draft, name string, x float64) bool {
	if d.count++; d.count > MaxMetrics || !(x >= 0) || math.IsInf(x, 1) {
		return false
	}
	switch name {
	case "application_utilization":
		return d.set(application, x)
	case "cpu_utilization":
		return d.set(cpu, x)
	case "rps_fractional":
		return d.set(rate, x)
	case "eps":
		return d.set(errorRate, x)
	}
	if own, ok := strings.CutPrefix(name, named); ok {
		for field, wanted := range r.wanted {
			if wanted != "" && wanted == own && !d.set(field, x) {
				return false
			}
		}
	}
	return true
}

// set keeps a value, once.
func (d *draft) set(field int, x float64) bool {
	if d.found[field] {
		return false
	}
	d.values[field], d.found[field] = x, true
	return true
}

// report is what the draft comes to.
func (d *draft) report() core.LoadReport {
	for field := range d.values {
		if !d.found[field] {
			d.values[field] = -1
		}
	}
	used := d.values[utilization]
	if used < 0 {
		used = d.values[application]
		if used <= 0 && d.found[cpu] {
			used = d.values[cpu]
		}
	}
	return core.LoadReport{
		Known:       true,
		InFlight:    d.values[inFlight],
		Utilization: used,
		Latency:     d.values[latency],
		Rate:        d.values[rate],
		Errors:      d.values[errorRate],
	}
}
