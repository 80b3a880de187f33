package stat

import (
	"fmt"
	"slices"
)

// Change is what became of a subject in a scenario between two results: the earlier is the
// baseline of its Effect, the later is held against it.
type Change struct {
	Scenario, Driver, Subject string
	Metric                    Metric
	Effect
	// Paired says that trials of the same seeds were compared, seed by seed. Else the
	// samples were compared as they are, by ranks.
	Paired bool
	// PAdjusted and Discovery are as in a Verdict; the family is the scenario's changes.
	PAdjusted, Discovery float64
	// Worse says that the change is beyond the margin and significant, alone and among
	// all that were compared.
	Worse bool
	// Why says why nothing can be significant, where that is known beforehand.
	Why string
}

// Compare compares the subjects that both of each two scenarios have, by the metric and by
// the share of failures; references are left out. The later is worse when it is by more
// than the margin, a share as in a Rule (errors: by more than ErrorMargin), when p adjusted
// within the scenario (Holm) is below Alpha, and so is the share of false discoveries over
// everything that was compared.
func Compare(scenarios [][2]*Scenario, margin float64) []Change {
	var all []Change
	for _, s := range scenarios {
		all = append(all, changes(s[0], s[1])...)
	}
	var p []float64
	var of []*Change
	for i := range all {
		if c := &all[i]; c.Blocks > 0 {
			p, of = append(p, c.P), append(of, c)
		}
	}
	for i, q := range benjaminiHochberg(p) {
		c := of[i]
		c.Discovery = q
		c.Worse = c.PAdjusted < Alpha && q < Alpha && c.beyond(margin)
	}
	return all
}

// beyond reports whether a change is for the worse and larger than the margin.
func (c *Change) beyond(margin float64) bool {
	if !c.Metric.Ratios() {
		return c.Errors.Share > ErrorMargin
	}
	return *c.Ratio > 1+margin
}

// changes compares one scenario.
func changes(a, b *Scenario) []Change {
	var list []Change
	var p, least []float64
	for i := range b.Subjects {
		later := &b.Subjects[i]
		at := slices.IndexFunc(a.Subjects, func(s Subject) bool { return s.Name == later.Name })
		if at < 0 || Reference(later.Name) {
			continue
		}
		metrics := []Metric{b.metric()}
		if metrics[0] != ErrorRatio {
			metrics = append(metrics, ErrorRatio)
		}
		for _, m := range metrics {
			c := Change{Scenario: b.Scenario, Driver: b.Driver, Subject: later.Name, Metric: m, PAdjusted: 1, Discovery: 1}
			e := c.compare(&a.Subjects[at], later)
			if c.Blocks > 0 {
				p, least = append(p, e.P), append(least, e.Least)
			}
			list = append(list, c)
		}
	}
	adjusted := holm(p)
	for i, n := 0, 0; i < len(list); i++ {
		c := &list[i]
		if c.Blocks == 0 {
			c.Why = fmt.Sprintf("no two trials with the %s", c.Metric)
			continue
		}
		c.PAdjusted = adjusted[n]
		if p := least[n] * float64(len(p)); p >= Alpha {
			c.Why = fmt.Sprintf("%s: with %s p is never below %.2g", count(c.Blocks, "trial"), count(len(adjusted), "comparison"), min(p, 1))
		}
		n++
	}
	return list
}

// compare compares trials of the same seeds if that is most of them, else the samples.
func (c *Change) compare(a, b *Subject) Estimate {
	x, y := sound(a), sound(b)
	var pairs [][2]*Figures
	for _, t := range y {
		if at := slices.IndexFunc(x, func(o *TrialSummary) bool { return o.Seed == t.Seed }); at >= 0 {
			pairs = append(pairs, [2]*Figures{&x[at].Figures, &t.Figures})
		}
	}
	if c.Paired = len(pairs) > 0 && 2*len(pairs) >= min(len(x), len(y)); c.Paired {
		var e Estimate
		c.Effect, e = compare(c.Metric, pairs)
		return e
	}
	return c.samples(x, y)
}

// samples compares two samples without pairs.
func (c *Change) samples(x, y []*TrialSummary) Estimate {
	half := 1.0
	for _, t := range slices.Concat(x, y) {
		if t.GoodputRPS > 0 {
			half = halfSuccess(&t.Figures)
			break
		}
	}
	values := func(trials []*TrialSummary, m Metric) (list []float64) {
		for _, t := range trials {
			if v, ok := m.value(&t.Figures, half); ok {
				list = append(list, v)
			}
		}
		return list
	}
	before, after := values(x, c.Metric), values(y, c.Metric)
	e := rankSum(before, after)
	c.Effect = Effect{P: e.P, Blocks: e.N}
	if e.N == 0 {
		return e
	}
	for _, a := range before {
		for _, b := range after {
			switch {
			case b < a:
				c.Better++
			case b == a:
				c.Better += 0.5
			}
		}
	}
	c.Better /= float64(len(before) * len(after))
	ofErrors := [2][]float64{values(x, ErrorRatio), values(y, ErrorRatio)}
	c.Errors = differenceOf(rankSum(ofErrors[0], ofErrors[1]))
	c.describe(c.Metric, e, meanOf(ofErrors[0]))
	return e
}

// sound are a subject's trials that are not void.
func sound(s *Subject) (list []*TrialSummary) {
	for i := range s.Trials {
		if s.Trials[i].Void == "" {
			list = append(list, &s.Trials[i])
		}
	}
	return list
}
