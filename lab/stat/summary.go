package stat

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Version is the version of summary.json.
const Version = 1

// Summary is the content of summary.json.
type Summary struct {
	Version int `json:"version"`
	// Rule is that of the verdicts; nil before there are any.
	Rule      *Rule      `json:"rule,omitempty"`
	Scenarios []Scenario `json:"scenarios"`
}

// Scenario is what one driver made of one scenario.
type Scenario struct {
	Scenario string `json:"scenario"`
	// Set is what was set in place of the scenario's own, as PATH=VALUE.
	Set    []string `json:"set,omitempty"`
	Driver string   `json:"driver"`
	// Seed is that of the first block; the caller may put the experiment's seed in
	// its place.
	Seed uint64 `json:"seed"`
	// Metric is what the subjects are compared by.
	Metric   Metric    `json:"metric"`
	Subjects []Subject `json:"subjects"`
	// Verdicts and Distances are Judge's: of the subjects but the baseline and the
	// references, and from the reference if there is one.
	Verdicts  []Verdict  `json:"verdicts"`
	Distances []Distance `json:"distances,omitempty"`
	// Agreement is that of a live scenario with the same one simulated; nil where it was not.
	Agreement *Agreement `json:"agreement,omitempty"`
}

// Subject is one subject's trials, by block, and what they have in the middle.
type Subject struct {
	Name   string         `json:"name"`
	Trials []TrialSummary `json:"trials"`
	// Median has, figure by figure, the median over the trials that are not void; a
	// figure that none of them carries is nil, and so is Median when all are void.
	Median *Figures `json:"median"`
	// Simulated is the same of TrialSummary.Simulated; nil where there is none.
	Simulated *Figures `json:"simulated,omitempty"`
}

// Sort sorts digests of one scenario and driver by subject and block, the subjects in
// the given order; those that it does not name follow by name.
func Sort(digests []Digest, order []string) {
	slices.SortStableFunc(digests, func(a, b Digest) int {
		return cmp.Or(
			cmp.Compare(place(order, a.Header.Subject), place(order, b.Header.Subject)),
			cmp.Compare(a.Header.Subject, b.Header.Subject),
			cmp.Compare(a.Header.Block, b.Header.Block),
		)
	})
}

// place is the index of a subject in order; those that are not named come last.
func place(order []string, subject string) int {
	if i := slices.Index(order, subject); i >= 0 {
		return i
	}
	return len(order)
}

// Summarise summarises the trials of one scenario and driver, which must be sorted
// (Sort). It is an error if there are none, if they are of different scenarios or
// drivers, if a subject has two trials of one block, or if trials of one block have
// different seeds.
func Summarise(sorted []Digest) (Scenario, error) {
	if len(sorted) == 0 {
		return Scenario{}, errors.New("stat: no trials to summarise")
	}
	if err := consistent(sorted); err != nil {
		return Scenario{}, err
	}
	first := slices.MinFunc(sorted, func(a, b Digest) int { return cmp.Compare(a.Header.Block, b.Header.Block) })
	s := Scenario{
		Scenario: first.Header.Scenario,
		Set:      first.Header.Set,
		Driver:   first.Header.Driver,
		Seed:     first.Header.Seed,
		Metric:   cmp.Or(Metric(first.Header.Metric), DefaultMetric),
		Subjects: []Subject{},
		Verdicts: []Verdict{},
	}
	for rest := sorted; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Header.Subject == rest[0].Header.Subject {
			n++
		}
		s.Subjects = append(s.Subjects, subject(rest[:n]))
		rest = rest[n:]
	}
	s.Agreement = agreement(s.Subjects)
	return s, nil
}

// consistent looks for trials that cannot be of one experiment, in a list sorted
// by subject and block.
func consistent(list []Digest) error {
	seeds := make(map[int]uint64) // by block
	for i := range list {
		h := &list[i].Header
		if first := &list[0].Header; h.Scenario != first.Scenario || h.Driver != first.Driver {
			return fmt.Errorf("stat: trials of %s (%s) and of %s (%s) do not make one summary",
				first.Scenario, first.Driver, h.Scenario, h.Driver)
		}
		if i > 0 && h.Subject == list[i-1].Header.Subject && h.Block == list[i-1].Header.Block {
			return fmt.Errorf("stat: %s has two trials of %s in block %d", h.Scenario, h.Subject, h.Block)
		}
		if seed, ok := seeds[h.Block]; ok && seed != h.Seed {
			return fmt.Errorf("stat: block %d of %s has the seeds %d and %d", h.Block, h.Scenario, seed, h.Seed)
		}
		seeds[h.Block] = h.Seed
	}
	return nil
}

// subject puts one subject's trials together.
func subject(digests []Digest) Subject {
	s := Subject{Name: digests[0].Header.Subject}
	var figures, simulated []Figures
	for _, d := range digests {
		s.Trials = append(s.Trials, d.Summary)
		if d.Summary.Void != "" {
			continue
		}
		figures = append(figures, d.Summary.Figures)
		if f := d.Summary.Simulated; f != nil {
			simulated = append(simulated, *f)
		}
	}
	if len(figures) > 0 {
		s.Median = new(medianFigures(figures))
	}
	if len(simulated) > 0 {
		s.Simulated = new(medianFigures(simulated))
	}
	return s
}

// medianFigures takes the median of each figure. A median number of requests
// between two numbers is rounded.
func medianFigures(of []Figures) Figures {
	pick := func(f func(*Figures) float64) float64 {
		values := make([]float64, len(of))
		for i := range of {
			values[i] = f(&of[i])
		}
		return median(values)
	}
	latency := func(f func(*Figures) Latency) Latency {
		values := make([]Latency, len(of))
		for i := range of {
			values[i] = f(&of[i])
		}
		return medianLatency(values)
	}
	m := Figures{
		Requests:        int(math.Round(pick(func(f *Figures) float64 { return float64(f.Requests) }))),
		ErrorRatio:      pick(func(f *Figures) float64 { return f.ErrorRatio }),
		GoodputRPS:      pick(func(f *Figures) float64 { return f.GoodputRPS }),
		WithinObjective: pick(func(f *Figures) float64 { return f.WithinObjective }),
		Modes: Modes{
			Adaptive: pick(func(f *Figures) float64 { return f.Modes.Adaptive }),
			Fallback: pick(func(f *Figures) float64 { return f.Modes.Fallback }),
			Panic:    pick(func(f *Figures) float64 { return f.Modes.Panic }),
		},
		Latency:   latency(func(f *Figures) Latency { return f.Latency }),
		LatencyOK: latency(func(f *Figures) Latency { return f.LatencyOK }),
		Shares:    medianShares(of),
		Reasons:   medianReasons(of),
		Recovery:  medianRecovery(of),
	}
	if of[0].Service != nil { // the trials have one driver: all of them or none
		m.Service = new(latency(func(f *Figures) Latency { return *f.Service }))
	}
	return m
}

// medianShares takes the median per endpoint, by name, in the order in which the
// trials first name them. A trial that does not name an endpoint sent it nothing.
func medianShares(of []Figures) []Share {
	at := make(map[string]int)
	shares := []Share{}
	var values, least, most [][]float64
	for t := range of {
		for _, s := range of[t].Shares {
			i, ok := at[s.Endpoint]
			if !ok {
				i = len(shares)
				at[s.Endpoint] = i
				shares = append(shares, Share{Endpoint: s.Endpoint, Members: s.Members})
				values = append(values, make([]float64, len(of)))
				least, most = append(least, nil), append(most, nil)
			}
			values[i][t] += s.Share
			if s.Least != nil && s.Most != nil {
				least[i], most[i] = append(least[i], *s.Least), append(most[i], *s.Most)
			}
		}
	}
	for i := range shares {
		shares[i].Share = median(values[i])
		if least[i] != nil {
			shares[i].Least, shares[i].Most = new(median(least[i])), new(median(most[i]))
		}
	}
	return shares
}

// medianReasons takes the median per mode and reason, sorted by them. A trial
// without a reason has a share of 0 of it.
func medianReasons(of []Figures) []Reason {
	type key struct{ mode, reason string }
	values := make(map[key][]float64)
	reasons := []Reason{}
	for t := range of {
		for _, r := range of[t].Reasons {
			k := key{r.Mode, r.Reason}
			if values[k] == nil {
				values[k] = make([]float64, len(of))
				reasons = append(reasons, Reason{Mode: r.Mode, Reason: r.Reason})
			}
			values[k][t] += r.Share
		}
	}
	for i, r := range reasons {
		reasons[i].Share = median(values[key{r.Mode, r.Reason}])
	}
	slices.SortFunc(reasons, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(a.Mode, b.Mode), cmp.Compare(a.Reason, b.Reason))
	})
	return reasons
}
