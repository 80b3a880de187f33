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
	"fmt"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Driver plays single trials. It tells each request as it ends, in any order, so that a
// trial takes no more memory than what is under way. Of the header it returns what it has
// counted (decisions, generator, inside, void, unstable); the rest is the experiment's.
type Driver interface {
	Name() string // record.Sim or record.Live
	Play(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (record.Header, error)
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

// Watch is told what happens to a planned trial.
type Watch struct {
	// Begin is told before each try, with the header as far as it is known then, and
	// returns who is told that try's requests as they end.
	Begin func(record.Header) (each func(record.Request), err error)
	// Void is told why a try is void, before the next one; nil for nobody.
	Void func(why string)
}

// Play plays one planned trial and returns its header; a void one is played again, up to
// MaxTries times, and then returned as void.
func Play(ctx context.Context, d Driver, s *scenario.Scenario, p Plan, w Watch) (record.Header, error) {
	for try := 1; ; try++ {
		h, err := playOnce(ctx, d, s, p, w)
		if err != nil {
			return record.Header{}, fmt.Errorf("%s, %s, block %d: %w", s.Name, p.Subject.Name, p.Block, err)
		}
		if h.Void == "" || try == MaxTries {
			return h, nil
		}
		if w.Void != nil {
			w.Void(h.Void)
		}
	}
}

func playOnce(ctx context.Context, d Driver, s *scenario.Scenario, p Plan, w Watch) (record.Header, error) {
	h := describe(d, s, p)
	each, err := w.Begin(h)
	if err != nil {
		return h, err
	}
	var l ledger
	counted, err := d.Play(ctx, s, p.Subject, p.Seed, func(r record.Request) {
		l.enter(r)
		each(r)
	})
	if err != nil {
		return h, err
	}
	h.Decisions, h.Generator, h.Void, h.Unstable = counted.Decisions, counted.Generator, counted.Void, counted.Unstable
	h.Inside = counted.Inside
	if h.Void != "" {
		return h, nil // of a void trial requests may well be missing
	}
	return h, l.check(s, &h)
}

// describe is the header as far as the experiment knows it.
func describe(d Driver, s *scenario.Scenario, p Plan) record.Header {
	h := record.Header{
		Version: record.Version, Scenario: s.Name, Sum: record.Sum(s.Text), Set: s.Set, Driver: d.Name(), Subject: p.Subject.Name,
		Seed: p.Seed, Block: p.Block, Order: p.Order,
		Duration: s.Duration, WarmUp: s.WarmUp, ClientTimeout: s.Client.Timeout,
		Objective: record.Objective{Latency: s.Objective.Latency, Share: s.Objective.Share}, Metric: s.Metric,
		Faults: []record.Fault{},
	}
	for i := range s.Servers.Count {
		h.Endpoints = append(h.Endpoints, s.ServerName(i))
	}
	for _, f := range s.Faults {
		to := f.To
		if to == 0 {
			to = s.Duration
		}
		h.Faults = append(h.Faults, record.Fault{
			Kind: f.Kind, Servers: s.Befalls(&f), From: core.Instant(f.From), To: core.Instant(to), Note: f.String(),
		})
	}
	return h
}
