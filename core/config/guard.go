package config

import "time"

// Breaker takes an endpoint that fails out of service (open) for a while, then
// lets single requests probe it (half-open) before it serves again (closed).
type Breaker struct {
	// Enabled turns the breaker on. Default true.
	Enabled bool `yaml:"enabled" doc:"whether the breaker is on"`

	// ConsecutiveFailures in a row open the breaker; at least 1. Default 5, as
	// in Envoy and Finagle: at an error rate of one in ten five in a row are one
	// in a hundred thousand, and a dead endpoint is found after five requests.
	ConsecutiveFailures int `yaml:"consecutive_failures" doc:"failures in a row that open the breaker, at least 1"`

	// FailureRatio is the share of failures within Window, above 0 to 1, that
	// opens the breaker. Default 0.5, as in Hystrix and resilience4j: less is
	// what retries are for.
	FailureRatio float64 `yaml:"failure_ratio" doc:"share of failures within the window that opens the breaker, above 0 to 1"`

	// SlowCall is the longest time to the first byte of an answer that is not slow, 0
	// (the default: none is slow) to 24h; the time that a client takes to send its
	// body counts. What failed without an answer was slow when it took longer.
	SlowCall time.Duration `yaml:"slow_call" doc:"an answer whose first byte takes longer than this is slow; 0: none is"`

	// SlowRatio is the share of slow answers within Window, above 0 to 1, that opens
	// the breaker; a probe that is slow has failed. Default 0.5, as FailureRatio.
	SlowRatio float64 `yaml:"slow_ratio" doc:"share of slow answers within the window that opens the breaker, above 0 to 1"`

	// Window is the time over which the shares are taken, 1s to 1h, in whole
	// seconds (more is rounded up). Default 10s, as in Hystrix and Linkerd.
	Window time.Duration `yaml:"window" doc:"time over which the shares of failures and of slow answers are taken"`

	// MinRequests within Window are needed before a share counts; at least 1.
	// Default 20, as in Hystrix: of fewer, half may fail by chance.
	MinRequests int `yaml:"min_requests" doc:"requests within the window before a share counts, at least 1"`

	// Weights say how much each outcome counts, in a row and in the share.
	Weights Weights `yaml:"weights" doc:"how much each outcome is held against the endpoint"`

	// OpenFor is how long the breaker stays open the first time; it doubles with
	// every probe that fails, up to MaxOpenFor. Default 1s: who retries loses nothing by
	// a probe that comes too early, and what is well again is wanted back. (Hystrix and
	// Finagle have 5s, where a probe that fails is a request that fails.)
	OpenFor time.Duration `yaml:"open_for" doc:"how long the breaker stays open the first time"`

	// MaxOpenFor bounds how long the breaker stays open; at least OpenFor,
	// at most 24h. Default 5s, or OpenFor if that is more: an endpoint that has recovered
	// is found within five seconds, two in the mean, however long it was away, for one
	// request in about four seconds that is tried twice. (Envoy and Finagle allow for 300s.)
	MaxOpenFor time.Duration `yaml:"max_open_for" doc:"how long the breaker stays open at most"`

	// Jitter is the largest share of its open time that chance takes off, 0 to 1.
	// Default 0.5, as in Finagle: an outage opens the breakers of all proxies
	// together, and without it they would also probe together.
	Jitter float64 `yaml:"jitter" doc:"largest share of its open time that chance takes off, 0 to 1"`

	// HalfOpenRequests is the number of requests let through to probe, 1 to
	// 63; all must succeed to close the breaker. Default 1, as in Finagle,
	// Linkerd and Hystrix: every probe is somebody's request.
	HalfOpenRequests int `yaml:"half_open_requests" doc:"requests let through to probe a half-open endpoint, 1 to 63"`

	// ProbeTimeout is how long a probe may go unanswered before it counts as
	// failed; 1ms to 24h. Default 10s, the default wait for a response head. A
	// breaker without it is stuck half-open by one hung probe.
	ProbeTimeout time.Duration `yaml:"probe_timeout" doc:"how long a probe may go unanswered before it counts as failed"`
}

// Defaults sets every field.
func (b *Breaker) Defaults() {
	*b = Breaker{
		Enabled:             true,
		ConsecutiveFailures: 5,
		FailureRatio:        0.5,
		SlowRatio:           0.5,
		Window:              10 * time.Second,
		MinRequests:         20,
		OpenFor:             time.Second,
		MaxOpenFor:          5 * time.Second,
		Jitter:              0.5,
		HalfOpenRequests:    1,
		ProbeTimeout:        10 * time.Second,
	}
	b.Weights.Defaults()
}

// Derive raises the default of MaxOpenFor to a longer OpenFor.
func (b *Breaker) Derive(has func(string) bool) {
	if !has("max_open_for") {
		b.MaxOpenFor = max(b.MaxOpenFor, b.OpenFor)
	}
}
