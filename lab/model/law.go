package model

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Params describe a law of times. A parameter that the law does not have is 0.
type Params struct {
	Kind string        // one of Laws
	Mean time.Duration // above 0; for empirical 0 leaves the times as they are
	// CV is the coefficient of variation (standard deviation over mean) of lognormal;
	// for normal that of the bell curve before it is cut off at 0.
	CV float64
	// Shape of weibull: below 1 its tail is heavier than the exponential's, above 1
	// lighter.
	Shape float64
	// Alpha is the tail index of pareto, Spread its longest time over its shortest.
	Alpha, Spread float64
	// Share of the times of bimodal are Factor times as long as the others.
	Share, Factor float64
	// Times are what empirical draws from, each as often as the others: at least one,
	// ascending, none below 0 and not all 0. They are kept, not copied.
	Times []time.Duration
}

// Laws are the names of the laws.
var Laws = []string{"constant", "exponential", "lognormal", "normal", "weibull", "pareto", "bimodal", "empirical"}

// Law is a distribution of times. Each draw takes exactly one number from its key and
// turns it by the inverse of the distribution function, so that the same key draws
// the same quantile whatever the law or its mean: experiments stay paired. A small
// number draws a long time.
type Law struct {
	mean float64 // nanoseconds
	unit float64 // nanoseconds: the mean, but for empirical
	// exceeded is the time, in units, that is exceeded with probability p.
	exceeded func(p float64) float64
}

// NewLaw returns the law with the given parameters; what cannot be is an error that says
// what was expected.
func NewLaw(p Params) (Law, error) {
	l := Law{mean: float64(p.Mean), unit: float64(p.Mean)}
	if p.Mean < 0 || p.Mean == 0 && p.Kind != "empirical" {
		return l, fmt.Errorf("law %s: mean %v: expected above 0", p.Kind, p.Mean)
	}
	if err := p.check(); err != nil {
		return l, err
	}
	switch p.Kind {
	case "constant":
		l.exceeded = func(float64) float64 { return 1 }
	case "exponential":
		l.exceeded = func(p float64) float64 { return -math.Log(p) }
	case "lognormal":
		l.exceeded = lognormal(p.CV)
	case "normal":
		l.exceeded = cutNormal(p.CV)
	case "weibull":
		scale, power := 1/math.Gamma(1+1/p.Shape), 1/p.Shape
		l.exceeded = func(p float64) float64 { return scale * math.Pow(-math.Log(p), power) }
	case "pareto":
		l.exceeded = boundedPareto(p.Alpha, p.Spread)
	case "bimodal":
		short := 1 / (1 - p.Share + p.Share*p.Factor)
		share, long := p.Share, p.Factor*short
		l.exceeded = func(p float64) float64 {
			if p < share {
				return long
			}
			return short
		}
	case "empirical":
		l.mean, l.unit = scale(p.Times, p.Mean)
		l.exceeded = empirical(p.Times)
	}
	return l, nil
}

// check reports a parameter that the law does not have, or that cannot be.
func (p Params) check() error {
	above := func(limit float64) func(float64) bool {
		return func(x float64) bool { return x > limit && !math.IsInf(x, 1) }
	}
	needs := map[string]map[string]func(float64) bool{
		"constant":    {},
		"exponential": {},
		"lognormal":   {"cv": above(0)},
		"normal":      {"cv": above(0)},
		"weibull":     {"shape": func(x float64) bool { return x >= 0.1 && above(0)(x) }},
		"pareto":      {"alpha": above(0), "spread": above(1)},
		"bimodal":     {"share": func(x float64) bool { return x > 0 && x < 1 }, "factor": above(1)},
		"empirical":   {},
	}[p.Kind]
	if needs == nil {
		return fmt.Errorf("unknown law %q", p.Kind)
	}
	for _, given := range []struct {
		name  string
		value float64
		want  string
	}{
		{"cv", p.CV, "above 0"}, {"shape", p.Shape, "at least 0.1"}, {"alpha", p.Alpha, "above 0"},
		{"spread", p.Spread, "above 1"}, {"share", p.Share, "above 0 and below 1"}, {"factor", p.Factor, "above 1"},
	} {
		fits := needs[given.name]
		switch {
		case fits == nil && given.value != 0:
			return fmt.Errorf("law %s: it has no %s; leave it out", p.Kind, given.name)
		case fits != nil && !fits(given.value):
			return fmt.Errorf("law %s: %s %v: expected %s", p.Kind, given.name, given.value, given.want)
		}
	}
	return p.checkTimes()
}

func (p Params) checkTimes() error {
	n := len(p.Times)
	switch {
	case p.Kind != "empirical" && n > 0:
		return fmt.Errorf("law %s: it has no times; leave them out", p.Kind)
	case p.Kind != "empirical":
		return nil
	case n == 0:
		return fmt.Errorf("law empirical: no times: expected at least one")
	case !slices.IsSorted(p.Times):
		return fmt.Errorf("law empirical: the times do not ascend")
	case p.Times[0] < 0 || p.Times[n-1] == 0:
		return fmt.Errorf("law empirical: times from %v to %v: expected none below 0, and not all 0", p.Times[0], p.Times[n-1])
	}
	return nil
}

// lognormal: with sigma² = ln(1+cv²) and mu = -sigma²/2 the mean is 1.
func lognormal(cv float64) func(float64) float64 {
	variance := math.Log1p(cv * cv)
	mu, sigma := -variance/2, math.Sqrt(variance)
	return func(p float64) float64 { return math.Exp(mu + sigma*normalExceeded(p)) }
}

// cutNormal: a normal variable of mean 1 and standard deviation cv, given that it is
// above 0, and scaled so that its mean is 1 again:
//
//	E[X | X > 0] = 1 + cv·phi(1/cv)/Phi(1/cv)
func cutNormal(cv float64) func(float64) float64 {
	z := 1 / cv
	above := math.Erfc(-z/math.Sqrt2) / 2
	density := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
	mean := 1 + cv*density/above
	return func(p float64) float64 { return max(0, 1+cv*normalExceeded(p*above)) / mean }
}

// boundedPareto: with r = 1/spread and shortest time L, P(X > x) follows from
// F(x) = (1 - (L/x)^a)/(1 - r^a), and
//
//	E[X] = L·a/(a-1)·(1 - r^(a-1))/(1 - r^a),  or  L·ln(spread)/(1 - r) for a = 1
func boundedPareto(alpha, spread float64) func(float64) float64 {
	r := 1 / spread
	within := 1 - math.Pow(r, alpha)
	mean := math.Log(spread) / within
	if alpha != 1 {
		mean = alpha / (alpha - 1) * (1 - math.Pow(r, alpha-1)) / within
	}
	return func(p float64) float64 { return math.Pow(1-(1-p)*within, -1/alpha) / mean }
}

// empirical: of n ascending times the one at place ceil((1-p)·n), counted from 1: the
// inverse of their distribution function at 1-p.
func empirical(times []time.Duration) func(float64) float64 {
	n := len(times)
	return func(p float64) float64 {
		return float64(times[n-1-int(p*float64(n))]) // p is below 1, and by 2^-53 so is the product below n
	}
}

// scale is the mean of an empirical law, and what its times are multiplied with for it.
// The mean 0 leaves them as they are.
func scale(times []time.Duration, mean time.Duration) (scaled, factor float64) {
	own := 0.0
	for _, t := range times {
		own += float64(t)
	}
	own /= float64(len(times))
	if mean == 0 {
		return own, 1
	}
	return float64(mean), float64(mean) / own
}

// normalExceeded is what a standard normal variable exceeds with probability p.
func normalExceeded(p float64) float64 { return math.Sqrt2 * math.Erfinv(1-2*p) }

// Mean is the law's mean, rounded down.
func (l Law) Mean() time.Duration { return time.Duration(l.mean) }

// Draw draws a time at the key.
func (l Law) Draw(key core.Key) time.Duration {
	return duration(l.unit * l.exceeded(key.Float64()))
}

// duration is so many nanoseconds as a time: the longest there is if that is more.
func duration(nanoseconds float64) time.Duration {
	if nanoseconds < math.MaxInt64 {
		return time.Duration(nanoseconds)
	}
	return math.MaxInt64
}
