package scenario

import (
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Client is how the clients behave.
type Client struct {
	Timeout time.Duration `yaml:"timeout" doc:"A client gives a try up after this; a failed request counts as at least this long."`
	Retries int           `yaml:"retries" doc:"How often a client tries again when a try fails or takes too long (only in the simulator; the proxy's own retries are set under proxy.retries)."`
	Budget  float64       `yaml:"budget,omitempty" doc:"Retries that all clients together may make for each request that they make; left out: no bound."`
	Backoff time.Duration `yaml:"backoff,omitempty" doc:"How long a client waits before it tries again, in the mean: drawn evenly from nothing to twice this."`
}

// maxRetries of a client, and the longest time that it waits.
const (
	maxRetries = 100
	maxWait    = 24 * time.Hour
)

func (c *Client) validate(report strict.Report) {
	if c.Timeout <= 0 {
		report("timeout", "%v: expected above 0", c.Timeout)
	}
	if c.Timeout > maxWait {
		report("timeout", "%v: expected at most %v", c.Timeout, maxWait)
	}
	if c.Retries < 0 || c.Retries > maxRetries {
		report("retries", "%d: expected 0 to %d", c.Retries, maxRetries)
	}
	if !(c.Budget >= 0 && c.Budget <= maxRetries) {
		report("budget", "%v: expected 0 to %d", c.Budget, maxRetries)
	}
	if c.Backoff < 0 || c.Backoff > maxWait {
		report("backoff", "%v: expected 0 to %v", c.Backoff, maxWait)
	}
}
