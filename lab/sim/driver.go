package sim

import (
	"context"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Driver plays trials in virtual time. The zero value is ready.
type Driver struct {
	// Watch has it look inside the proxies, too (record.Header.Inside): the same requests,
	// a little slower.
	Watch bool
}

// Name implements trial.Driver.
func (Driver) Name() string { return record.Sim }

// Play implements trial.Driver: one trial of a subject, with everything random drawn
// from the seed. Requests are told as they end.
func (d Driver) Play(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (record.Header, error) {
	out, err := run(ctx, s, subject, seed, d.Watch, each)
	return record.Header{Decisions: out.Decisions, Unstable: out.Unstable, Inside: out.Inside}, err
}
