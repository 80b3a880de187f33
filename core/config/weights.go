package config

import "github.com/evenkeel/evenkeel/core/config/strict"

// Weights say how much an outcome is held against an endpoint by its breaker, 0 to 1,
// counted in twentieths. What weighs more than 0 is a failure: it counts for so much in a
// row and in the share of failures, and fails a probe. A client error that weighs 0 is a
// success; another outcome that weighs 0 teaches nothing. What the client abandoned never
// does.
type Weights struct {
	// Connect is a connection that was not made, Timeout an attempt whose time was
	// over, Reset a connection that broke before the end of the answer. Default 1:
	// nobody was served.
	Connect float64 `yaml:"connect" doc:"weight of a connection that was not made, 0 to 1"`
	Timeout float64 `yaml:"timeout" doc:"weight of an attempt that took too long, 0 to 1"`
	Reset   float64 `yaml:"reset" doc:"weight of a connection that broke before the end of the answer, 0 to 1"`

	// ServerError is an answer of 500 to 599, throttling aside. Default 1.
	ServerError float64 `yaml:"server_error" doc:"weight of an answer of 500 to 599, throttling aside, 0 to 1"`

	// Throttled is a 429, or a 503 with Retry-After. Default 0.25: an endpoint that
	// asks for less is alive, and taking it out moves its load to the others; but one
	// that has refused twenty in a row serves nobody. (Linkerd counts these in the
	// share of failures, and not in a row.)
	Throttled float64 `yaml:"throttled" doc:"weight of a 429, or a 503 with Retry-After, 0 to 1"`

	// Overtaken is an attempt that was called off because one that began later, as its
	// hedge or because it was taken for hung, was answered first. Default 0.25: of an
	// endpoint that is well these are few and far between, but one that never answers
	// would not be found otherwise, since its attempts do not come to time out.
	Overtaken float64 `yaml:"overtaken" doc:"weight of an attempt that was called off because one beside it, which began later, was answered first, 0 to 1"`

	// ClientError is an answer of 400 to 499 other than 429. Default 0: the endpoint
	// did its work. More is for a pool whose endpoints answer 404 when they have lost
	// what they serve.
	ClientError float64 `yaml:"client_error" doc:"weight of an answer of 400 to 499 other than 429, 0 to 1"`
}

// Defaults sets every field.
func (w *Weights) Defaults() {
	*w = Weights{Connect: 1, Timeout: 1, Reset: 1, ServerError: 1, Throttled: 0.25, Overtaken: 0.25}
}

// Validate reports what is wrong with the weights, by paths from w.
func (w *Weights) Validate(report strict.Report) {
	for _, one := range []struct {
		name   string
		weight float64
	}{
		{"connect", w.Connect}, {"timeout", w.Timeout}, {"reset", w.Reset}, {"server_error", w.ServerError},
		{"throttled", w.Throttled}, {"overtaken", w.Overtaken}, {"client_error", w.ClientError},
	} {
		between(report, one.name, one.weight, 0, 1)
	}
}
