package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Limiters are the names that [Concurrency] knows.
var Limiters = []string{"fixed", "aimd", "vegas", "gradient2", "correlated"}

// Concurrency bounds the requests of a pool that are in progress at once, and how
// many more may wait for their turn; or the attempts at each endpoint. A setting that
// the limiter does not have is zero. What the limiters do with their settings stands
// in adaptive/concurrency.
type Concurrency struct {
	// Name of the limiter, one of [Limiters]. Default fixed.
	Name string `yaml:"name,scalar" enum:"fixed,aimd,vegas,gradient2,correlated" doc:"name of the limiter"`

	// Limit is the number in progress, 1 to 1000000. Default 100: at 10 ms each
	// that is ten thousand a second (Little's law). Only for fixed.
	Limit int `yaml:"limit,omitempty" doc:"requests in progress at once, 1 to 1000000; only for fixed"`

	// Initial is the limit to start from, Min to Max; a reload goes on from what was
	// found. Default 20, as in Netflix's limiters, or what Min and Max leave of that.
	// Not for fixed, as all that follow to Samples.
	Initial int `yaml:"initial,omitempty" doc:"limit to start from; not for fixed"`

	// Min is the lowest limit, 1 to 1000000. Default 1: more would leave as many
	// requests hanging at whatever is stuck.
	Min int `yaml:"min,omitempty" doc:"lowest limit, at least 1; not for fixed"`

	// Max is the highest limit, Min to 1000000. Default 1000, as in Envoy and in
	// Netflix's Vegas: a bound against mistakes, out of the way of most pools.
	Max int `yaml:"max,omitempty" doc:"highest limit, at most 1000000; not for fixed"`

	// Window is how long samples are gathered, at least, before the limit moves;
	// 1ms to 1h. Default 100ms, as in Envoy.
	Window time.Duration `yaml:"window,omitempty" doc:"how long samples are gathered, at least, before the limit moves; not for fixed"`

	// Samples is how many of them it takes at least, 1 to 1000000. Default 10, as
	// in Netflix's WindowedLimit; 50 for correlated, as in failsafe-go: its
	// quantile needs more.
	Samples int `yaml:"samples,omitempty" doc:"samples gathered, at least, before the limit moves; not for fixed"`

	// Timeout is the latency from which on an answer counts as a drop; above 0.
	// Default 5s, as in Netflix's AIMDLimit. Only for aimd.
	Timeout time.Duration `yaml:"timeout,omitempty" doc:"latency from which on an answer counts as a drop; only for aimd"`

	// Tolerance is how many times its long average the latency may be before the
	// limit falls, 1 to 100. Default 1.5, as in Netflix's Gradient2Limit. Only for
	// gradient2.
	Tolerance float64 `yaml:"tolerance,omitempty" doc:"how many times its long average the latency may be before the limit falls; only for gradient2"`

	// Headroom is the queue that is allowed for, 1 to 1000000. Default 4, as in
	// Netflix's Gradient2Limit. Only for gradient2.
	Headroom float64 `yaml:"headroom,omitempty" doc:"queue that is allowed for; only for gradient2"`

	// Quantile of the latency that counts, above 0 and below 1. Default 0.9, as in
	// failsafe-go. Only for correlated.
	Quantile float64 `yaml:"quantile,omitempty" doc:"quantile of the latency that counts, above 0 and below 1; only for correlated"`

	// Queue is the number of requests that may wait beyond the limit, 0 to
	// 1000000. Default 0: what does not fit is rejected at once, which a client
	// can act on; with shed: codel 1000, ample, since the wait is bounded then. Not
	// for endpoints.
	Queue int `yaml:"queue" doc:"requests that may wait beyond the limit, 0 to 1000000; not for endpoints"`

	// MaxWait is how long a request may wait in the queue; more than 0. Default
	// 1s. Not for endpoints.
	MaxWait time.Duration `yaml:"max_wait,omitempty" doc:"how long a request may wait in the queue; not for endpoints"`

	// DryRun lets the limiter learn and tell its limit, and limits nothing. Default
	// false.
	DryRun bool `yaml:"dry_run,omitempty" doc:"learn and tell the limit, and limit nothing"`
}

const (
	defaultMaxWait    = time.Second
	defaultCoDelQueue = 1000
)

// NewConcurrency returns the limiter of that name with the defaults of the settings
// it has. The name is not checked.
func NewConcurrency(name string) Concurrency {
	c := Concurrency{Name: name, MaxWait: defaultMaxWait}
	if name == "fixed" {
		c.Limit = 100
		return c
	}
	c.Initial, c.Min, c.Max, c.Window, c.Samples = 20, 1, 1000, 100*time.Millisecond, 10
	switch name {
	case "aimd":
		c.Timeout = 5 * time.Second
	case "gradient2":
		c.Tolerance, c.Headroom = 1.5, 4
	case "correlated":
		c.Samples, c.Quantile = 50, 0.9
	}
	return c
}

// Defaults sets every field to those of fixed.
func (c *Concurrency) Defaults() { *c = NewConcurrency("fixed") }

// Derive gives the settings that the file does not mention the defaults of the
// limiter it names.
func (c *Concurrency) Derive(has func(string) bool) {
	d := NewConcurrency(c.Name)
	keep(&c.Limit, d.Limit, has("limit"))
	keep(&c.Min, d.Min, has("min"))
	keep(&c.Max, d.Max, has("max"))
	keep(&c.Initial, min(max(d.Initial, c.Min), c.Max), has("initial"))
	keep(&c.Window, d.Window, has("window"))
	keep(&c.Samples, d.Samples, has("samples"))
	keep(&c.Timeout, d.Timeout, has("timeout"))
	keep(&c.Tolerance, d.Tolerance, has("tolerance"))
	keep(&c.Headroom, d.Headroom, has("headroom"))
	keep(&c.Quantile, d.Quantile, has("quantile"))
}

// keep sets a value to its default unless it was given.
func keep[T any](value *T, by T, given bool) {
	if !given {
		*value = by
	}
}

// Validate reports what is wrong with the limiter of a pool, by paths from c.
func (c *Concurrency) Validate(report strict.Report) {
	c.validateLimiter(report)
	between(report, "queue", c.Queue, 0, maxCount)
	positive(report, "max_wait", c.MaxWait)
}

// validateEndpoint reports what is wrong with the limiter of an endpoint.
func (c *Concurrency) validateEndpoint(report strict.Report) {
	c.validateLimiter(report)
	const none = "an endpoint has no queue: what it has no room for goes to another"
	if c.Queue != 0 {
		report("queue", none)
	}
	if c.MaxWait != 0 {
		report("max_wait", none)
	}
}

func (c *Concurrency) validateLimiter(report strict.Report) {
	if !oneOf(report, "name", "limiter", c.Name, Limiters) {
		return
	}
	moving := Limiters[1:]
	settings{report, c.Name}.check([]setting{
		{"limit", c.Limit != 0, []string{"fixed"}, func() { between(report, "limit", c.Limit, 1, maxCount) }},
		{"min", c.Min != 0, moving, func() { between(report, "min", c.Min, 1, maxCount) }},
		{"max", c.Max != 0, moving, func() { between(report, "max", c.Max, max(c.Min, 1), maxCount) }},
		{"initial", c.Initial != 0, moving, func() { between(report, "initial", c.Initial, max(c.Min, 1), max(c.Max, c.Min, 1)) }},
		{"window", c.Window != 0, moving, func() { within(report, "window", c.Window, time.Millisecond, time.Hour) }},
		{"samples", c.Samples != 0, moving, func() { between(report, "samples", c.Samples, 1, maxCount) }},
		{"timeout", c.Timeout != 0, []string{"aimd"}, func() { positive(report, "timeout", c.Timeout) }},
		{"tolerance", c.Tolerance != 0, []string{"gradient2"}, func() { between(report, "tolerance", c.Tolerance, 1, 100) }},
		{"headroom", c.Headroom != 0, []string{"gradient2"}, func() { between(report, "headroom", c.Headroom, 1, maxCount) }},
		{"quantile", c.Quantile != 0, []string{"correlated"}, func() { open(report, "quantile", c.Quantile) }},
	})
}

// settings checks the settings of something that comes under several names, each with
// settings of its own.
type settings struct {
	report strict.Report
	name   string
}

// setting is one of them: whether it was given, which names have it, and how it is
// checked for those.
type setting struct {
	path  string
	given bool
	of    []string
	check func()
}

func (s settings) check(all []setting) {
	for _, one := range all {
		if slices.Contains(one.of, s.name) {
			one.check()
		} else if one.given {
			s.report(one.path, "%s has no %s: only %s", s.name, one.path, have(one.of))
		}
	}
}

// have says who has something: "a has", "a and b have".
func have(names []string) string {
	if len(names) == 1 {
		return names[0] + " has"
	}
	last := len(names) - 1
	return fmt.Sprintf("%s and %s have", strings.Join(names[:last], ", "), names[last])
}

func open(report strict.Report, path string, share float64) {
	if !(share > 0 && share < 1) {
		report(path, "expected a share above 0 and below 1, found %v", share)
	}
}
