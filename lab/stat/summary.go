package stat

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/evenkeel/evenkeel/lab/record"
)

// Version is the version of summary.json.
const Version = 1

// Summary is the content of summary.json.
type Summary struct {
	Version   int        `json:"version"`
	Scenarios []Scenario `json:"scenarios"`
}

// Scenario is what one driver made of one scenario.
type Scenario struct {
	Scenario string `json:"scenario"`
	Driver   string `json:"driver"`
	// Seed is that of the first block; the caller may put the experiment's seed in
	// its place.
	Seed     uint64    `json:"seed"`
	Subjects []Subject `json:"subjects"`
	Verdicts []Verdict `json:"verdicts"`
}

// Subject is one subject's trials, by block, and what they have in the middle.
type Subject struct {
	Name   string         `json:"name"`
	Trials []TrialSummary `json:"trials"`
	// Median has, figure by figure, the median over the trials that are not void; a
	// figure that none of them carries is nil, and so is Median when all are void.
	Median *Figures `json:"median"`
}

// Verdicts.
const (
	Win       = "WIN"
	Loss      = "LOSS"
	Tie       = "TIE" // shown to be equivalent, not merely not shown to differ
	Undecided = "UNDECIDED"
)

// Verdict is a comparison of one subject with a baseline.
type Verdict struct {
	Baseline  string     `json:"baseline"`
	Subject   string     `json:"subject"`
	Metric    string     `json:"metric"`
	Ratio     float64    `json:"ratio"` // subject over baseline: below 1 is better
	CI95      [2]float64 `json:"ci95"`
	PAdjusted float64    `json:"p_adjusted"`
	Verdict   string     `json:"verdict"`
}

// Summarise summarises the trials of one scenario and driver, with the subjects in
// the given order; subjects that order does not name follow by name, names in
// order without a trial are left out. It is an error if the trials are of
// different scenarios or drivers, if a subject has two trials of one block, or if
// trials of one block have different seeds.
func Summarise(trials []*record.Trial, order []string) (Scenario, error) {
	digests, err := Digests(trials)
	if err != nil {
		return Scenario{}, err
	}
	return SummariseDigests(digests, order)
}

// SummariseDigests is Summarise for trials that have been digested already.
func SummariseDigests(digests []Digest, order []string) (Scenario, error) {
	if len(digests) == 0 {
		return Scenario{}, errors.New("stat: no trials to summarise")
	}
	list := slices.Clone(digests)
	slices.SortStableFunc(list, func(a, b Digest) int {
		return cmp.Or(
			cmp.Compare(place(order, a.Header.Subject), place(order, b.Header.Subject)),
			cmp.Compare(a.Header.Subject, b.Header.Subject),
			cmp.Compare(a.Header.Block, b.Header.Block),
		)
	})
	if err := consistent(list); err != nil {
		return Scenario{}, err
	}
	first := slices.MinFunc(list, func(a, b Digest) int { return cmp.Compare(a.Header.Block, b.Header.Block) })
	s := Scenario{
		Scenario: first.Header.Scenario,
		Driver:   first.Header.Driver,
		Seed:     first.Header.Seed,
		Subjects: []Subject{},
		Verdicts: []Verdict{},
	}
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].Header.Subject == list[0].Header.Subject {
			n++
		}
		s.Subjects = append(s.Subjects, subject(list[:n]))
		list = list[n:]
	}
	return s, nil
}

// place is the index of a subject in order; those that are not named come last.
func place(order []string, subject string) int {
	if i := slices.Index(order, subject); i >= 0 {
		return i
	}
	return len(order)
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
	var figures []Figures
	for _, d := range digests {
		s.Trials = append(s.Trials, d.Summary)
		if d.Summary.Void == "" {
			figures = append(figures, d.Summary.Figures)
		}
	}
	if len(figures) > 0 {
		s.Median = new(medianFigures(figures))
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
	var values [][]float64
	for t := range of {
		for _, s := range of[t].Shares {
			i, ok := at[s.Endpoint]
			if !ok {
				i = len(shares)
				at[s.Endpoint] = i
				shares = append(shares, Share{Endpoint: s.Endpoint})
				values = append(values, make([]float64, len(of)))
			}
			values[i][t] += s.Share
		}
	}
	for i := range shares {
		shares[i].Share = median(values[i])
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
