package config

import (
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Transfer says how slowly a client may send the body of its request, and take its
// answer. It is a leaky bucket of time: what the client moves earns the time that it
// takes at MinBytesPerSecond, up to Stall, and waiting for it spends that. So it may stop
// for as long as Stall, and is never slower than the rate for longer. Time in which there
// is nothing to wait for, because an endpoint is silent, costs nothing: a quiet stream
// may be quiet for ever.
type Transfer struct {
	// Stall is how long a client may move nothing, 0 or 1ms and more. Default 20s, as in
	// Apache's mod_reqtimeout (body=20,MinRate=500). 0 means no limit, and no rate
	// either.
	Stall time.Duration `yaml:"stall" doc:"how long a client may send nothing of a body, or take nothing of an answer, that it is waited for; 0 means no limit"`

	// MinBytesPerSecond is the slowest that a client may be in the long run, in bytes a
	// second, 1 to 1000000000. Default 500, as in mod_reqtimeout: a hundredth of a poor
	// mobile connection.
	MinBytesPerSecond int `yaml:"min_bytes_per_second" doc:"slowest that a client may send a body or take an answer in the long run, bytes a second"`
}

var defaultTransfer = Transfer{Stall: 20 * time.Second, MinBytesPerSecond: 500}

// Validate reports what is wrong with the settings, by paths from t.
func (t *Transfer) Validate(report strict.Report) {
	if t.Stall != 0 {
		within(report, "stall", t.Stall, time.Millisecond, day)
	}
	between(report, "min_bytes_per_second", t.MinBytesPerSecond, 1, int(maxRate))
}

// maxBody bounds a bound on bodies: a terabyte is a typing error.
const maxBody = 1 << 40

// checkBody reports what is no bound on the size of a body.
func checkBody(report strict.Report, path string, n int64) {
	between(report, path, n, 0, maxBody)
}
