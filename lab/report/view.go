package report

import (
	"slices"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// Input is what a report is made of.
type Input struct {
	Summary stat.Summary
	// Digests are of the trials behind the summary, in any order. A scenario without
	// any has tables and no pictures.
	Digests []stat.Digest
	// Notes say what the scenarios are about, one for each that has something to say.
	Notes []Notes
	// Provenance is shown at the end of report.html and written to provenance.json;
	// nil for none.
	Provenance *Provenance
}

// Notes is what a scenario says of itself.
type Notes struct {
	Scenario string
	Models   string   // what it models
	Source   string   // where it was seen
	Wins     []string // subjects that its author expects to win
	Loses    []string // and to lose
	Text     string   // anything else
}

// section is one scenario as one driver played it.
type section struct {
	*stat.Scenario
	ID       string
	Notes    Notes
	Header   *record.Header // of the first trial that is there; nil when none is
	Subjects []subject
	groups   []stat.Group // of endpoints
	bands    []band
	rule     *stat.Rule // of the verdicts; nil for none
}

// subject is one subject of a section.
type subject struct {
	stat.Subject
	index    int // its place, and so its colour, in the section
	curve    []stat.CurvePoint
	timeline stat.Timeline
	// Of the same trials simulated, beside live ones; empty without.
	twinCurve []stat.CurvePoint
	twin      stat.Timeline
	seen      *stat.Digest // the trial that was looked into; nil for none
}

// sections puts the parts of the input together, in the summary's order.
func sections(in Input) []section {
	var list []section
	for i := range in.Summary.Scenarios {
		sc := &in.Summary.Scenarios[i]
		s := section{Scenario: sc, ID: record.Safe(sc.Scenario) + "." + record.Safe(sc.Driver), rule: in.Summary.Rule}
		s.Notes.Scenario = sc.Scenario
		if at := slices.IndexFunc(in.Notes, func(n Notes) bool { return n.Scenario == sc.Scenario }); at >= 0 {
			s.Notes = in.Notes[at]
		}
		for j, sub := range sc.Subjects {
			of := digestsOf(in.Digests, sc, sub.Name)
			for k := range of {
				if h := &of[k].Header; s.Header == nil || h.Block < s.Header.Block {
					s.Header = h
				}
			}
			s.Subjects = append(s.Subjects, subject{
				Subject: sub, index: j, curve: stat.MedianCurve(of), timeline: stat.MedianTimeline(of),
				twinCurve: stat.MedianCurve(stat.Twins(of)), twin: stat.MedianTimeline(stat.Twins(of)), seen: looked(of),
			})
		}
		if s.Header != nil {
			s.groups, _ = stat.Groups(s.Header)
			s.bands = bands(s.groups)
		}
		list = append(list, s)
	}
	return list
}

func digestsOf(all []stat.Digest, sc *stat.Scenario, subject string) []stat.Digest {
	var of []stat.Digest
	for i := range all {
		if h := &all[i].Header; h.Scenario == sc.Scenario && h.Driver == sc.Driver && h.Subject == subject {
			of = append(of, all[i])
		}
	}
	slices.SortStableFunc(of, func(a, b stat.Digest) int { return a.Header.Block - b.Header.Block })
	return of
}

// driver says in words what kind of time passed.
func driver(name string) string {
	switch name {
	case record.Sim:
		return "simulated (virtual time)"
	case record.Live:
		return "live"
	}
	return name
}

// trials counts a section's trials, as the largest number that a subject has,
// and the void ones over all subjects.
func (s *section) trials() (most, void int) {
	for _, sub := range s.Subjects {
		most = max(most, len(sub.Trials))
		for _, t := range sub.Trials {
			if t.Void != "" {
				void++
			}
		}
	}
	return most, void
}

// names lists every subject of the report in the order of first appearance.
func names(list []section) []string {
	var names []string
	for _, s := range list {
		for _, sub := range s.Subjects {
			if !slices.Contains(names, sub.Name) {
				names = append(names, sub.Name)
			}
		}
	}
	return names
}

// p99 is a subject's median 99th percentile, nil when it has none.
func (s *subject) p99() *float64 {
	if s.Median == nil {
		return nil
	}
	return s.Median.Latency.P99
}

// eligible reports whether a subject may be called best: the reference may not, and
// neither may one with trials that have no steady state.
func (s *subject) eligible() bool { return !stat.Reference(s.Name) && s.unstable() == 0 }

// best is the lowest median p99 among the eligible subjects; nil when fewer than two
// compete.
func (s *section) best() *float64 {
	var best *float64
	competing := 0
	for i := range s.Subjects {
		sub := &s.Subjects[i]
		v := sub.p99()
		if v == nil || stat.Reference(sub.Name) {
			continue
		}
		competing++
		if !sub.eligible() {
			continue
		}
		if best == nil || *v < *best {
			best = v
		}
	}
	if competing < 2 {
		return nil
	}
	return best
}
