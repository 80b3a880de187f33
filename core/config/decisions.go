package config

import "github.com/evenkeel/evenkeel/core/config/strict"

// Decisions are what is told of why endpoints were chosen: of a few sampled requests, to
// whoever asks the admin listener, and of a single one, to the client that asks for it.
type Decisions struct {
	// Sample keeps the decisions of one in so many requests, by chance and at most one
	// request a millisecond, 0 to 1000000; 0 keeps none. Default 1000: what that costs
	// cannot be measured.
	Sample int `yaml:"sample" doc:"the decisions of one in so many requests are kept, for /api/v1/decisions; 0: none"`

	// Keep is how many decisions are kept of each pool, 1 to 1000; one takes up to 2
	// KiB. Default 64.
	Keep int `yaml:"keep" doc:"how many decisions are kept of each pool, 1 to 1000"`

	// Header says whose requests with the header X-Evenkeel-Explain: 1 are answered
	// with X-Evenkeel-Decision, which tells the addresses of endpoints and how they
	// fare. "trusted" (the default): those of trusted_proxies, of which there are none
	// by default; "loopback": those of this machine as well; "off": nobody's.
	Header string `yaml:"header" enum:"off,trusted,loopback" doc:"whose requests with X-Evenkeel-Explain: 1 are answered with X-Evenkeel-Decision: off, nobody's; trusted, those of trusted_proxies; loopback, those of this machine as well"`
}

// The values of Decisions.Header.
const (
	HeaderOff      = "off"
	HeaderTrusted  = "trusted"
	HeaderLoopback = "loopback"
)

var explainHeaders = []string{HeaderOff, HeaderTrusted, HeaderLoopback}

var defaultDecisions = Decisions{Sample: 1000, Keep: 64, Header: HeaderTrusted}

// Validate reports what is wrong with the settings, by paths from d.
func (d *Decisions) Validate(report strict.Report) {
	between(report, "sample", d.Sample, 0, maxCount)
	between(report, "keep", d.Keep, 1, 1000)
	oneOf(report, "header", "value", d.Header, explainHeaders)
}
