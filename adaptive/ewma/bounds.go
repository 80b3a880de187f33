package ewma

import (
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// bounds tells that what an attempt took is a lower bound of what its answer would have taken: it
// was given up before there was one.
func bounds(o core.Outcome) bool { return o == core.Overtaken || o == core.Abandoned }

// Waited implements core.Waiting: a lower bound, as of what was overtaken.
func (e *Estimator) Waited(now core.Instant, _ uint8, d time.Duration) {
	e.take(now, core.Abandoned, d.Seconds())
}
