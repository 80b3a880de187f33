package config

import (
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Hedge sends a second attempt of a request that is not answered for unusually long, to
// another endpoint; the first good answer is delivered, and the other attempt given up.
// Only safe methods (GET, HEAD, OPTIONS) without a body are hedged, and only
// requests that have not been tried again for another reason.
type Hedge struct {
	// AfterPercentile is the share of first attempts, 0.5 to 0.999, that are answered
	// sooner than a request is hedged: the pool's own, over the last five to ten
	// seconds. Default 0.95, as in "The Tail at Scale" (Dean and Barroso, CACM 2013),
	// where it took the 99.9th percentile of a thousand reads from 1800 ms to 74 ms
	// for 2 % more requests.
	AfterPercentile float64 `yaml:"after_percentile" doc:"share of first attempts that are answered sooner than a request is hedged, 0.5 to 0.999"`

	// MinDelay is the least time before a request is hedged, 1ms to 1h. Default 10ms:
	// below that, what an endpoint's neighbour saves is lost in the noise.
	MinDelay time.Duration `yaml:"min_delay" doc:"least time before a request is hedged"`

	// MaxRatio is the number of hedges allowed for each request of the last ten
	// seconds, above 0 to 1. Default 0.05: what the percentile comes to; when the
	// whole pool slows down, all would be late, and this is all that is added.
	MaxRatio float64 `yaml:"max_ratio" doc:"hedges allowed for each request, above 0 to 1"`
}

// Defaults sets every field.
func (h *Hedge) Defaults() {
	*h = Hedge{AfterPercentile: 0.95, MinDelay: 10 * time.Millisecond, MaxRatio: 0.05}
}

// Validate reports what is wrong with the hedging, by paths from h.
func (h *Hedge) Validate(report strict.Report) {
	between(report, "after_percentile", h.AfterPercentile, 0.5, 0.999)
	within(report, "min_delay", h.MinDelay, time.Millisecond, time.Hour)
	ratio(report, "max_ratio", h.MaxRatio)
}
