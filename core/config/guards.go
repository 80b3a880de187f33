package config

import (
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Guards are the settings of strategies that estimate latency (see Strategy.Estimates):
// what keeps their estimates honest. Each can be switched off, so that the lab can show
// what it is good for. The zero value is that of a strategy that has none.
type Guards struct {
	// Samples is how many samples an estimate remembers at least, 0 to 10000: where an
	// endpoint is asked too rarely for so many within decay, it remembers for longer,
	// up to twenty times. Default 10, so that the average of exponential times is within a
	// quarter of their mean (1/sqrt(2·samples) is 0.22); 0: never longer.
	Samples int `yaml:"samples,omitempty" doc:"samples that an estimate remembers at least, however rarely they come; 0: no more than decay holds"`

	// Near is how far from the pool's median a latency counts as the median, as a share
	// of it, 0 to below 1. Default 0.1, about what averages of equal endpoints differ by,
	// by chance; 0: every difference counts.
	Near float64 `yaml:"near,omitempty" doc:"how far from the median, as a share of it, a latency counts as the median; 0: every difference counts"`

	// Outlier is how many times what its endpoint, or the median, takes an answer may count
	// as; 0 or 1 to 1000. Default 3, which cuts off 5 % of exponential times, and most of the
	// variance of those with a heavy tail (rogue-requests: within 2 % of least-requests, with 4
	// within 4 %); 0: it counts as its time. Not with peak, which
	// sees every latency.
	Outlier float64 `yaml:"outlier,omitempty" doc:"how many times what its endpoint or the median takes an answer counts as at most; 0: as its time. Not with peak"`

	// Penalty is the least that a failure counts as, 0 to 1h; 25 times what answers of the
	// fastest quarter take where that is more, up to 15 times the penalty. Default 1s: with 5s,
	// as in linkerd's load biaser, full servers that refuse now and then are avoided for too
	// long. 0: a failure counts as its time.
	Penalty time.Duration `yaml:"penalty,omitempty" doc:"the least that a failure counts as; 0: it counts as its time"`

	// Aside has an endpoint that failed stand aside until it has answered well: for ten
	// times what an answer takes, twice as long each time it fails again, and for the
	// penalty at most, or where it gave no answer at all. Default true. Without effect where
	// there is no penalty.
	Aside bool `yaml:"aside,omitempty" doc:"whether an endpoint that failed stands aside until it has answered well, for at most the penalty at a time"`

	// Peak takes a latency above the estimate for the new estimate, as Finagle does.
	// Default false.
	Peak bool `yaml:"peak,omitempty" doc:"whether a latency above the estimate replaces it at once"`

	// Age takes an endpoint that owes two answers, or more, for at least as slow as it has
	// owed them without giving any, beyond the grace. One that is owed may be a long one.
	// Default true.
	Age bool `yaml:"age,omitempty" doc:"whether an endpoint that owes two answers is at least as slow as it has owed them for, beyond the grace"`

	// Grace is how many times what it takes an endpoint may owe answers for before that
	// counts, 0 to 1000. Default 4: of exponential times one in 150 is longer than five
	// times the mean, where the silence begins to outweigh the latency.
	Grace float64 `yaml:"grace,omitempty" doc:"how many times what it takes an endpoint may owe an answer for before its age counts"`

	// Drift lets an estimate that is not confirmed drift to the median. Default true.
	Drift bool `yaml:"drift,omitempty" doc:"whether an estimate that is not confirmed drifts to the median"`

	// Explore is after how long an endpoint that nobody has asked, and that has nothing
	// pending, gets one request whatever it is taken for; longer where that would be more
	// than one request in 200; 0 to 1h. Default 0: never, since drift brings it back.
	Explore time.Duration `yaml:"explore,omitempty" doc:"after how long an endpoint that was not asked gets one request, whatever it is taken for; 0: never"`

	// Seed takes a new endpoint for as fast as the median, and gives it one request at a
	// time until it has answered. For one decay after it has come (back) to the others it is taken
	// for no faster: of what it is given at once, the quick ones are answered first. Default true.
	Seed bool `yaml:"seed,omitempty" doc:"whether a new endpoint gets one request at a time until it has answered, and is taken for no faster than the median for one decay"`

	// SlowStart is how long an endpoint that comes (back) into use is made to look slower
	// than it is, ten times at first; 0 to 1h. Default 0: what it is made to look, it
	// looks by itself when it is cold.
	SlowStart time.Duration `yaml:"slow_start,omitempty" doc:"how long an endpoint that comes (back) into use is made to look slower than it is; 0: not at all"`

	// Classes compares a latency with those of the same route, where several routes share
	// the pool: an endpoint that happened to get slow requests does not look slow. The
	// sixteenth route and those after it count as one. Not with reported. Default false.
	Classes bool `yaml:"classes,omitempty" doc:"whether latencies are compared route by route, where several share the pool"`

	// ScanUpTo is the number of endpoints up to which all of them are compared instead
	// of some drawn, as long as that takes no more than a hundredth of a core, 0 to
	// 100000. Default 1000. Only for strategies that draw (p2c-*).
	ScanUpTo int `yaml:"scan_up_to,omitempty" doc:"number of endpoints up to which all are compared, while that takes no more than a hundredth of a core; 0: always drawn"`

	// MostChoices is how many endpoints are drawn at most at a time, where many are slow or
	// there is time for it: choices to 16. Where that meets nobody that is well, since most are
	// slow, it is done anew, up to three times. Default 16. Only for strategies that draw (p2c-*).
	MostChoices int `yaml:"most_choices,omitempty" doc:"endpoints drawn at most at a time, where many are slow or there is time for it; equal to choices: always so many"`

	// Trust decides whether the strategy falls back to round robin while its signal is
	// thin or flat. Default true.
	Trust bool `yaml:"trust,omitempty" doc:"whether the strategy falls back to round robin while its latencies are too few, or all alike"`
}

// defaultGuards are what the lab has found best; adaptive/README.md has the table.
func defaultGuards() Guards {
	return Guards{
		Samples: 10, Near: 0.1, Outlier: 3, Penalty: time.Second, Aside: true, Age: true, Grace: 4, Drift: true, Seed: true,
		ScanUpTo: 1000, MostChoices: maxChoices, Trust: true,
	}
}

// derive gives what is not mentioned the defaults d.
func (g *Guards) derive(d Guards, has func(string) bool) {
	for name, take := range map[string]func(){
		"samples":      func() { g.Samples = d.Samples },
		"near":         func() { g.Near = d.Near },
		"outlier":      func() { g.Outlier = d.Outlier },
		"penalty":      func() { g.Penalty = d.Penalty },
		"aside":        func() { g.Aside = d.Aside },
		"peak":         func() { g.Peak = d.Peak },
		"age":          func() { g.Age = d.Age },
		"grace":        func() { g.Grace = d.Grace },
		"drift":        func() { g.Drift = d.Drift },
		"explore":      func() { g.Explore = d.Explore },
		"seed":         func() { g.Seed = d.Seed },
		"slow_start":   func() { g.SlowStart = d.SlowStart },
		"classes":      func() { g.Classes = d.Classes },
		"scan_up_to":   func() { g.ScanUpTo = d.ScanUpTo },
		"most_choices": func() { g.MostChoices = d.MostChoices },
		"trust":        func() { g.Trust = d.Trust },
	} {
		if !has(name) {
			take()
		}
	}
}

// validate reports what is wrong with the guards of a strategy.
func (g *Guards) validate(s *Strategy, report strict.Report) {
	if !s.Estimates() {
		if *g != (Guards{}) {
			report("", "%s does not estimate latency and has no settings for that", s.Name)
		}
		return
	}
	between(report, "samples", g.Samples, 0, 10_000)
	between(report, "near", g.Near, 0, 0.99)
	if g.Outlier != 0 {
		between(report, "outlier", g.Outlier, 1, 1000)
	}
	within(report, "penalty", g.Penalty, 0, time.Hour)
	between(report, "grace", g.Grace, 0, 1000)
	if g.Classes && s.Reported {
		report("classes", "does not go with reported")
	}
	within(report, "explore", g.Explore, 0, time.Hour)
	within(report, "slow_start", g.SlowStart, 0, time.Hour)
	if s.Draws() {
		between(report, "scan_up_to", g.ScanUpTo, 0, 100_000)
		between(report, "most_choices", g.MostChoices, s.Choices, maxChoices)
		return
	}
	if g.ScanUpTo != 0 {
		report("scan_up_to", "%s does not draw endpoints and has no scan_up_to", s.Name)
	}
	if g.MostChoices != 0 {
		report("most_choices", "%s does not draw endpoints and has no most_choices", s.Name)
	}
}
