package model

import (
	"fmt"
	"math"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Law is a distribution of times. Each draw takes exactly one number from its key and
// turns it by the inverse of the distribution function, so that the same key draws
// the same quantile whatever the law or its mean: experiments stay paired.
type Law struct {
	kind  string
	mean  float64 // nanoseconds
	mu    float64 // lognormal: mean and
	sigma float64 // standard deviation of the logarithm
}

// Laws are the names of the laws.
var Laws = []string{"constant", "exponential", "lognormal"}

// NewLaw returns the law of that name with a mean above 0. cv is the coefficient of
// variation (standard deviation over mean), above 0, of the lognormal law; the others
// have theirs and take 0.
func NewLaw(kind string, mean time.Duration, cv float64) (Law, error) {
	l := Law{kind: kind, mean: float64(mean)}
	if mean <= 0 {
		return l, fmt.Errorf("law %s: mean %v: expected above 0", kind, mean)
	}
	switch kind {
	case "constant", "exponential":
		if cv != 0 {
			return l, fmt.Errorf("law %s: it has its own coefficient of variation; leave cv out", kind)
		}
	case "lognormal":
		if !(cv > 0) || math.IsInf(cv, 1) {
			return l, fmt.Errorf("law lognormal: cv %v: expected above 0", cv)
		}
		// A lognormal variable has mean exp(mu + sigma²/2) and cv² = exp(sigma²) - 1.
		variance := math.Log1p(cv * cv)
		l.sigma = math.Sqrt(variance)
		l.mu = math.Log(l.mean) - variance/2
	default:
		return l, fmt.Errorf("unknown law %q", kind)
	}
	return l, nil
}

// Mean is the law's mean.
func (l Law) Mean() time.Duration { return time.Duration(l.mean) }

// Draw draws a time at the key.
func (l Law) Draw(key core.Key) time.Duration {
	switch l.kind {
	case "exponential":
		return duration(-l.mean * math.Log(key.Float64()))
	case "lognormal":
		// A small number draws a long time, as above.
		normal := math.Sqrt2 * math.Erfinv(1-2*key.Float64())
		return duration(math.Exp(l.mu + l.sigma*normal))
	}
	return time.Duration(l.mean)
}

// duration is so many nanoseconds as a time: the longest there is if that is more.
func duration(nanoseconds float64) time.Duration {
	if nanoseconds < math.MaxInt64 {
		return time.Duration(nanoseconds)
	}
	return math.MaxInt64
}
