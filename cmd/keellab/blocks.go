package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/stat"
	"github.com/evenkeel/evenkeel/lab/trial"
)

// playBlocks plays the blocks that were asked for, and more of those scenarios whose
// intervals are to be narrower. It returns the digests by scenario, sorted, also of an
// experiment that did not come to its end.
func (e *experiment) playBlocks(ctx context.Context) (map[string][]stat.Digest, error) {
	digests, err := e.resumed()
	if err != nil {
		return nil, err
	}
	played, wanted := make(map[string]int), make(map[string]int)
	for _, s := range e.scenarios {
		wanted[s.Name] = e.blocks
	}
	for {
		jobs := e.jobs(played, wanted, digests)
		if len(jobs) == 0 {
			return digests, nil
		}
		err := e.playAll(ctx, jobs, newProgress(e.call.Stderr, e.driver.Name(), len(jobs)), digests)
		for _, s := range e.scenarios {
			e.sort(s, digests[s.Name])
			if err != nil {
				continue
			}
			played[s.Name] = wanted[s.Name]
			wanted[s.Name], err = e.enough(played[s.Name], digests[s.Name])
		}
		if err != nil {
			return digests, err
		}
	}
}

// jobs are the trials of the blocks from those that were played up to those wanted, but for
// those of which there are digests. Where there is a deadline the first blocks of all
// scenarios come first, so that it does not fall on the last scenarios alone.
func (e *experiment) jobs(played, wanted map[string]int, have map[string][]stat.Digest) (jobs []job) {
	for _, s := range e.scenarios {
		for _, p := range e.plan(s, wanted[s.Name]) {
			if p.Block >= played[s.Name] && !slices.ContainsFunc(have[s.Name], of(p)) {
				jobs = append(jobs, job{s, p})
			}
		}
	}
	if e.within > 0 {
		slices.SortStableFunc(jobs, func(a, b job) int { return cmp.Compare(a.plan.Block, b.plan.Block) })
	}
	return jobs
}

// plan are the trials of a scenario's first blocks.
func (e *experiment) plan(s *scenario.Scenario, blocks int) []trial.Plan {
	seed := s.Seed
	if e.seed != nil {
		seed = *e.seed
	}
	return trial.Blocks(seed, e.subjects[s.Name], blocks)
}

// of tells whether a digest is of the planned trial.
func of(p trial.Plan) func(stat.Digest) bool {
	return func(d stat.Digest) bool {
		return d.Header.Subject == p.Subject.Name && d.Header.Block == p.Block && d.Header.Seed == p.Seed
	}
}

// save writes the digests of a scenario's trials so far.
func (e *experiment) save(s *scenario.Scenario, digests []stat.Digest) error {
	sorted := slices.Clone(digests)
	e.sort(s, sorted)
	return stat.WriteDigests(e.out, sorted)
}

// enough is how many blocks of a scenario there should be.
func (e *experiment) enough(blocks int, digests []stat.Digest) (int, error) {
	if e.more.HalfWidth <= 0 {
		return blocks, nil
	}
	one, err := stat.Summarise(digests)
	if err != nil {
		return 0, err
	}
	summary := stat.Summary{Scenarios: []stat.Scenario{one}}
	stat.Judge(&summary, stat.NewRule(e.judge.baseline, e.judge.margin))
	return e.more.Next(blocks, &summary.Scenarios[0]), nil
}

// sort puts the digests of a scenario's trials in order, the subjects in theirs.
func (e *experiment) sort(s *scenario.Scenario, digests []stat.Digest) {
	var order []string
	for _, subject := range e.subjects[s.Name] {
		order = append(order, subject.Name)
	}
	stat.Sort(digests, order)
}
