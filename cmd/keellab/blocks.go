package main

import (
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/stat"
	"github.com/evenkeel/evenkeel/lab/trial"
)

// playBlocks plays the blocks that were asked for, and more of those scenarios whose
// intervals are to be narrower. It returns the digests by scenario, sorted, also of an
// experiment that did not come to its end.
func (e *experiment) playBlocks() (map[string][]stat.Digest, error) {
	digests := make(map[string][]stat.Digest)
	played, wanted := make(map[string]int), make(map[string]int)
	for _, s := range e.scenarios {
		wanted[s.Name] = e.blocks
	}
	for {
		jobs := e.jobs(played, wanted)
		if len(jobs) == 0 {
			return digests, nil
		}
		these, err := e.playAll(e.call.Context, jobs, newProgress(e.call.Stderr, e.driver.Name(), len(jobs)))
		for _, s := range e.scenarios {
			digests[s.Name] = append(digests[s.Name], these[s.Name]...)
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

// jobs are the trials of the blocks from those that were played up to those wanted.
func (e *experiment) jobs(played, wanted map[string]int) (jobs []job) {
	for _, s := range e.scenarios {
		seed := s.Seed
		if e.seed != nil {
			seed = *e.seed
		}
		for _, p := range trial.Blocks(seed, e.subjects[s.Name], wanted[s.Name]) {
			if p.Block >= played[s.Name] {
				jobs = append(jobs, job{s, p})
			}
		}
	}
	return jobs
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
