// Package trial is the experiment: which trials are played, in which order, and which
// of them count.
//
// The design is randomised complete blocks: in each block every subject is played
// once, in an order drawn from the block's seed. The trials of a block share the seed
// and with it the arrivals and the demands (common random numbers), so that subjects
// are compared on the same work.
package trial

import (
	"context"
	"errors"
	"fmt"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Driver plays single trials. Of the record's header it fills in what it has counted
// (decisions, generator, void); the rest is the experiment's.
type Driver interface {
	Name() string // record.Sim or record.Live
	Play(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64) (*record.Trial, error)
}

// Plan is one trial to be played.
type Plan struct {
	Subject scenario.Subject
	Seed    uint64
	Block   int
	Order   int // place in the block
}

// Blocks plans an experiment of so many blocks: the subjects, each once per block, in
// the seeded order of the block.
func Blocks(seed uint64, subjects []scenario.Subject, blocks int) []Plan {
	var plans []Plan
	for b := range blocks {
		s := scenario.BlockSeed(seed, b)
		for place, i := range shuffled(len(subjects), scenario.NewChance(s).Order()) {
			plans = append(plans, Plan{Subject: subjects[i], Seed: s, Block: b, Order: place})
		}
	}
	return plans
}

// shuffled returns the numbers below n in random order (Fisher and Yates).
func shuffled(n int, key core.Key) []int {
	order := make([]int, n)
	for i := range order {
		j := int(key.Float64() * float64(i+1))
		order[i] = order[j]
		order[j] = i
	}
	return order
}

// MaxTries is how often a trial that turns out void is played.
const MaxTries = 3

// Play plays one planned trial and returns its record; a void one is played again, up
// to MaxTries times, and then returned as void. retried is told before each further
// try; nil for nobody.
func Play(ctx context.Context, d Driver, s *scenario.Scenario, p Plan, retried func(why string)) (*record.Trial, error) {
	for try := 1; ; try++ {
		t, err := d.Play(ctx, s, p.Subject, p.Seed)
		if err != nil {
			return nil, fmt.Errorf("%s, %s, block %d: %w", s.Name, p.Subject.Name, p.Block, err)
		}
		describe(&t.Header, d, s, p)
		if t.Header.Void == "" {
			// Of a void trial requests may well be missing.
			if err := check(t, s); err != nil {
				return nil, fmt.Errorf("%s, %s, block %d: %w", s.Name, p.Subject.Name, p.Block, err)
			}
			return t, nil
		}
		if try == MaxTries {
			return t, nil
		}
		if retried != nil {
			retried(t.Header.Void)
		}
	}
}

// describe fills in what the experiment knows.
func describe(h *record.Header, d Driver, s *scenario.Scenario, p Plan) {
	h.Version = record.Version
	h.Scenario, h.Driver, h.Subject = s.Name, d.Name(), p.Subject.Name
	h.Seed, h.Block, h.Order = p.Seed, p.Block, p.Order
	h.Duration, h.WarmUp, h.ClientTimeout = s.Duration, s.WarmUp, s.Client.Timeout
	h.Objective = record.Objective{Latency: s.Objective.Latency, Share: s.Objective.Share}
	for i := range s.Servers.Count {
		h.Endpoints = append(h.Endpoints, s.ServerName(i))
	}
	h.Faults = []record.Fault{}
	for _, f := range s.Faults {
		to := f.To
		if to == 0 {
			to = s.Duration
		}
		h.Faults = append(h.Faults, record.Fault{
			Kind: f.Kind, Servers: f.Befalls(s.Servers.Count), From: core.Instant(f.From), To: core.Instant(to), Note: f.String(),
		})
	}
}

// errLost is what a driver's bug looks like.
var errLost = errors.New("the records are not those of the schedule")

// check holds the record against the schedule: every planned request is there, once,
// at its instant. (Lateness makes no difference to what was planned.)
func check(t *record.Trial, s *scenario.Scenario) error {
	i := 0
	for at := range s.Schedule(scenario.NewChance(t.Header.Seed)) {
		if i >= len(t.Requests) {
			return fmt.Errorf("%w: request %d is missing", errLost, i)
		}
		if r := t.Requests[i]; r.Seq != int64(i) || r.Planned != at || r.Done < r.Planned {
			return fmt.Errorf("%w: request %d, planned for %v, is recorded as %+v", errLost, i, at.Seconds(), r)
		}
		i++
	}
	if i != len(t.Requests) {
		return fmt.Errorf("%w: %d requests instead of %d", errLost, len(t.Requests), i)
	}
	if i == 0 || t.Requests[i-1].Planned < core.Instant(s.WarmUp) {
		return errors.New("no request arrives after the warm-up: there is nothing to measure (raise the rate or the duration)")
	}
	return nil
}
