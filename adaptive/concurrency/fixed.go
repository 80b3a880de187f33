package concurrency

import (
	"fmt"

	"github.com/evenkeel/evenkeel/core"
)

// Fixed is a core.Limiter whose limit stays. Safe for concurrent use.
type Fixed struct{ limit int }

// NewFixed returns a limit of at least 1.
func NewFixed(limit int) (*Fixed, error) {
	if limit < 1 {
		return nil, fmt.Errorf("concurrency: limit %d: expected at least 1", limit)
	}
	return &Fixed{limit}, nil
}

// Limit implements core.Limiter.
func (f *Fixed) Limit() int { return f.limit }

// Learn implements core.Limiter: there is nothing to learn.
func (f *Fixed) Learn(core.Instant, core.Sample, int) {}

// State implements core.Limiter.
func (f *Fixed) State() core.LimiterState { return core.NewLimiterState(float64(f.limit)) }
