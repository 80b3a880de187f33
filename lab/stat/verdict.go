package stat

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
)

// Verdicts, in the order in which they are asked for.
const (
	Tie       = "TIE" // shown to be equivalent, not merely not shown to differ
	Win       = "WIN"
	Loss      = "LOSS"
	Undecided = "UNDECIDED"
)

// Rule says by what rule verdicts were given. Baseline and Margin may be chosen.
type Rule struct {
	// Baseline is the subject that the others are held against; in a scenario without it
	// the first subject that is no reference is.
	Baseline string `json:"baseline"`
	// Margin is how far two subjects may be apart and still be called equal, as a share:
	// 0.02 is 2 %, ratios from 1/1.02 to 1.02.
	Margin float64 `json:"margin"`
	Alpha  float64 `json:"alpha"`
	Method string  `json:"method"`
}

// The defaults of a Rule. 2 % is what the most careful reading of a pilot could tell apart
// (lab.md §8), and less than anybody would change a strategy for.
const (
	DefaultBaseline = "round-robin"
	DefaultMargin   = 0.02
)

// ErrorMargin is the margin where errors are compared, as a share of the requests: a tenth
// of a point.
const ErrorMargin = 0.001

// method says in a line what Judge does.
const method = "sign-flip permutation test of paired log ratios, interval by its inversion; Holm within a scenario, Benjamini-Hochberg over all"

// NewRule returns a rule with a baseline and a margin; empty and 0 are the defaults.
func NewRule(baseline string, margin float64) Rule {
	if baseline == "" {
		baseline = DefaultBaseline
	}
	if margin == 0 {
		margin = DefaultMargin
	}
	return Rule{baseline, margin, Alpha, method}
}

// Effect is how a subject does against another, over the blocks in which both have the
// metric. Below 1, and below 0, the subject is better.
type Effect struct {
	// Ratio is the geometric mean over the blocks of subject over baseline, or of
	// baseline over subject for a metric of which more is better (Metric.Inverse). For
	// the error ratio it is that of the means, nil where the baseline has no errors.
	Ratio *float64 `json:"ratio"`
	// CI95 is its 95 % interval, nil where there are too few blocks for one. For the
	// error ratio it is that of the difference, as a share of the baseline's mean.
	CI95 *[2]float64 `json:"ci95"`
	P    float64     `json:"p"` // two-sided, of this comparison alone
	// Blocks is how many blocks were compared.
	Blocks int `json:"blocks"`
	// Better is the share of them in which the subject did better, halves for equals:
	// the effect as a chance. 1 is always, 0.5 as often as not.
	Better float64    `json:"better"`
	Errors Difference `json:"errors"`
}

// Difference is by how much more of a subject's requests fail than of the baseline's, as a
// share of the requests: 0.01 is one point.
type Difference struct {
	Share float64     `json:"share"` // the mean over the blocks
	CI95  *[2]float64 `json:"ci95"`  // nil where there are too few blocks
}

// Verdict is a comparison of one subject with a baseline.
type Verdict struct {
	Baseline string `json:"baseline"`
	Subject  string `json:"subject"`
	Metric   Metric `json:"metric"`
	Effect
	// PAdjusted is P adjusted for the other comparisons in the scenario (Holm).
	PAdjusted float64 `json:"p_adjusted"`
	// Discovery is the share of false ones expected among all comparisons of the summary
	// that are at least as significant (Benjamini and Hochberg).
	Discovery float64 `json:"q"`
	Verdict   string  `json:"verdict"`
	// Why says why nothing could be decided, where that is known beforehand.
	Why string `json:"why,omitempty"`
}

// Distance is how far a subject is from the reference: the ratio of its metric to that of
// the oracle, with no verdict.
type Distance struct {
	Reference string `json:"reference"`
	Subject   string `json:"subject"`
	Metric    Metric `json:"metric"`
	Effect
}

// oracle is the clairvoyant reference.
const oracle = "oracle"

// Reference reports whether a subject is shown only to compare with: it wins nothing.
func Reference(name string) bool {
	return name == oracle || strings.HasPrefix(name, oracle+"{")
}

// Judge gives the verdicts and distances of a summary, in place of those that are there.
// It is a function of the trials' figures and the rule.
//
// In each scenario the subjects but the references are held against the baseline by the
// scenario's metric, block by block; void trials, and blocks in which a trial does not
// carry the metric, are left out of the pair that they are missing in. A verdict is
//
//	TIE        if the whole interval lies within the margin,
//	WIN, LOSS  else, if p adjusted for the scenario's comparisons is below Alpha,
//	UNDECIDED  else.
//
// So it is never more than the blocks can bear: of n blocks the least p is 2/2^n, and
// below six there is neither an interval nor a significant p.
func Judge(s *Summary, rule Rule) {
	s.Rule = &rule
	var all []*Verdict
	var p []float64
	var judging sync.WaitGroup
	for i := range s.Scenarios {
		judging.Go(func() { s.Scenarios[i].judge(rule) })
	}
	judging.Wait()
	for i := range s.Scenarios {
		sc := &s.Scenarios[i]
		for j := range sc.Verdicts {
			if v := &sc.Verdicts[j]; v.Blocks > 0 {
				all, p = append(all, v), append(p, v.P)
			}
		}
	}
	for i, q := range benjaminiHochberg(p) {
		all[i].Discovery = q
	}
}

func (s *Scenario) judge(rule Rule) {
	s.Verdicts, s.Distances = []Verdict{}, nil
	metric := s.metric()
	if s.Agreement != nil {
		s.Agreement.Ratios = []SideRatio{}
	}
	contenders := slices.DeleteFunc(slices.Clone(s.Subjects), func(x Subject) bool { return Reference(x.Name) })
	at := slices.IndexFunc(contenders, func(x Subject) bool { return x.Name == rule.Baseline })
	if at < 0 {
		at = 0
	}
	var p []float64
	var least []float64
	for i := range contenders {
		if i == at {
			continue
		}
		effect, estimate := compare(metric, pairs(&contenders[at], &contenders[i]))
		s.Verdicts = append(s.Verdicts, Verdict{
			Baseline: contenders[at].Name, Subject: contenders[i].Name, Metric: metric, Effect: effect,
			PAdjusted: 1, Discovery: 1, Verdict: Undecided,
		})
		s.Agreement.foretell(metric, &contenders[at], &contenders[i], effect)
		if effect.Blocks > 0 {
			p, least = append(p, estimate.P), append(least, estimate.Least)
		}
	}
	adjusted := holm(p)
	for i, n := 0, 0; i < len(s.Verdicts); i++ {
		v := &s.Verdicts[i]
		if v.Blocks == 0 {
			v.Why = fmt.Sprintf("there is no block in which both have the %s", metric)
			continue
		}
		v.PAdjusted = adjusted[n]
		v.decide(rule, least[n]*float64(len(p)), len(p))
		n++
	}
	if at := slices.IndexFunc(s.Subjects, func(x Subject) bool { return Reference(x.Name) }); at >= 0 {
		for i := range contenders {
			effect, _ := compare(metric, pairs(&s.Subjects[at], &contenders[i]))
			s.Distances = append(s.Distances, Distance{s.Subjects[at].Name, contenders[i].Name, metric, effect})
		}
	}
}

// metric is what the scenario is about.
func (s *Scenario) metric() Metric {
	if !s.Metric.Valid() {
		return DefaultMetric
	}
	return s.Metric
}

// decide gives the verdict. least is the smallest adjusted p that so many blocks can give
// when each of the comparisons gives its smallest.
func (v *Verdict) decide(rule Rule, least float64, comparisons int) {
	switch interval, margin := v.interval(rule.Margin); {
	case interval != nil && interval[0] >= -margin && interval[1] <= margin:
		v.Verdict = Tie
	case v.PAdjusted < Alpha && v.worse():
		v.Verdict = Loss
	case v.PAdjusted < Alpha:
		v.Verdict = Win
	case least >= Alpha:
		v.Why = fmt.Sprintf("%s: with %s p is never below %.2g", count(v.Blocks, "block"), count(comparisons, "comparison"), min(least, 1))
	}
}

// interval is what is held against the margin, on the scale on which 0 is equal, with the
// margin on that scale.
func (v *Verdict) interval(margin float64) (*[2]float64, float64) {
	if !v.Metric.Ratios() {
		return v.Errors.CI95, ErrorMargin
	}
	if v.CI95 == nil {
		return nil, 0
	}
	// A hair's breadth for what rounding does to an end that lies on the margin.
	return &[2]float64{math.Log(v.CI95[0]), math.Log(v.CI95[1])}, math.Log1p(margin) + 1e-12
}

// worse reports on which side of equal the subject is.
func (v *Verdict) worse() bool {
	if !v.Metric.Ratios() {
		return v.Errors.Share > 0
	}
	return *v.Ratio > 1
}

// Ratios are what the blocks say one by one, in their order: subject over baseline by the
// scenario's metric, as in an Effect; differences where the metric is one of them.
func (s *Scenario) Ratios(baseline, subject string) []float64 {
	at := func(name string) int {
		return slices.IndexFunc(s.Subjects, func(x Subject) bool { return x.Name == name })
	}
	b, x := at(baseline), at(subject)
	if b < 0 || x < 0 {
		return nil
	}
	metric := s.metric()
	var list []float64
	for _, p := range pairs(&s.Subjects[b], &s.Subjects[x]) {
		if d, ok := metric.pair(p[0], p[1]); ok {
			if metric.Ratios() {
				d = math.Exp(d)
			}
			list = append(list, d)
		}
	}
	return list
}

// pairs are the figures of two subjects, block by block, without the void ones.
func pairs(baseline, subject *Subject) [][2]*Figures {
	of := make(map[int]*Figures)
	for i := range baseline.Trials {
		if t := &baseline.Trials[i]; t.Void == "" {
			of[t.Block] = &t.Figures
		}
	}
	var list [][2]*Figures
	for i := range subject.Trials {
		t := &subject.Trials[i]
		if b := of[t.Block]; b != nil && t.Void == "" {
			list = append(list, [2]*Figures{b, &t.Figures})
		}
	}
	return list
}

// compare tests what pairs of trials say by a metric, and by their errors.
func compare(metric Metric, pairs [][2]*Figures) (Effect, Estimate) {
	var d, errors []float64
	sum := 0.0 // of the baseline's errors
	better := 0.0
	for _, p := range pairs {
		x, ok := metric.pair(p[0], p[1])
		if !ok {
			continue
		}
		d, errors = append(d, x), append(errors, p[1].ErrorRatio-p[0].ErrorRatio)
		sum += p[0].ErrorRatio
		switch {
		case x < 0:
			better++
		case x == 0:
			better += 0.5
		}
	}
	e := signFlip(d)
	effect := Effect{P: e.P, Blocks: len(d)}
	if len(d) == 0 {
		return effect, e
	}
	effect.Better = better / float64(len(d))
	effect.Errors = differenceOf(signFlip(errors))
	effect.describe(metric, e, sum/float64(len(d)))
	return effect, e
}

// describe puts an estimate into the words of the metric; errors is the baseline's mean
// error ratio.
func (e *Effect) describe(metric Metric, of Estimate, errors float64) {
	ratio := math.Exp
	if !metric.Ratios() {
		if errors == 0 {
			return
		}
		ratio = func(difference float64) float64 { return max(0, 1+difference/errors) }
	}
	e.Ratio = new(ratio(of.Point))
	if !math.IsInf(of.Low, 0) && !math.IsInf(of.High, 0) {
		e.CI95 = &[2]float64{ratio(of.Low), ratio(of.High)}
	}
}

func differenceOf(e Estimate) Difference {
	d := Difference{Share: e.Point}
	if !math.IsInf(e.Low, 0) && !math.IsInf(e.High, 0) {
		d.CI95 = &[2]float64{e.Low, e.High}
	}
	return d
}

// count writes a number of things: "1 block", "3 blocks".
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
