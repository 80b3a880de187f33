package concurrency

import (
	"fmt"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// aimd is additive increase, multiplicative decrease (Chiu and Jain, 1989; the
// constants are those of Netflix's AIMDLimit): a full window without a drop adds 1, a
// drop takes a tenth. It sees no queue, only that something was too much.
type aimd struct{ timeout float64 }

// NewAIMD returns a limiter by additive increase and multiplicative decrease. An
// answer that takes longer than the timeout counts as a drop; 0 for none.
func NewAIMD(s Settings, timeout time.Duration) (*Limiter, error) {
	if timeout < 0 {
		return nil, fmt.Errorf("concurrency: timeout %v: expected none below 0", timeout)
	}
	return newLimiter(s, aimd{timeout.Seconds()})
}

func (a aimd) update(limit float64, w *window, state *core.LimiterState) float64 {
	state.Recent = w.latency()
	if !w.bound(limit) {
		return limit
	}
	return limit + 1
}

func (aimd) dropped(limit float64) float64 { return limit * backoff }

func (a aimd) late(seconds float64) bool { return a.timeout > 0 && seconds > a.timeout }
