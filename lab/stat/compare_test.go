package stat

import (
	"math"
	"testing"
)

// reseeded are the same trials, of other seeds.
func reseeded(s Subject, by uint64) Subject {
	trials := s.Trials
	s.Trials = nil
	for _, t := range trials {
		t.Seed += by
		s.Trials = append(s.Trials, t)
	}
	return s
}

func TestCompare(t *testing.T) {
	before := []float64{1, 2, 1, 2, 1, 2, 1, 2, 1, 2}
	// 6 % more, as seen from seed to seed; the seeds differ by far more than that.
	after := times(1.06, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2)
	far := times(4, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2)
	for _, c := range []struct {
		name   string
		metric Metric
		a, b   []float64
		shift  uint64 // of the seeds
		margin float64
		ratio  float64
		worse  bool
		paired bool
	}{
		{"the same", P99, before, before, 0, 0.05, 1, false, true},
		{"the same, other seeds", P99, before, before, 1000, 0.05, 1, false, false},
		{"worse, in pairs", P99, before, after, 0, 0.05, 1.06, true, true},
		{"worse, within the margin", P99, before, after, 0, 0.07, 1.06, false, true},
		{"better", P99, after, before, 0, 0.05, 1 / 1.06, false, true},
		{"worse, and lost among the seeds", P99, before, after, 1000, 0.05, 1.06, false, false},
		{"far worse, other seeds", P99, before, far, 1000, 0.05, 4, true, false},
		{"six of ten seeds agree", P99, before, after, 4, 0.05, 1.06, false, true}, // too few pairs for two comparisons
		{"four agree", P99, before, after, 6, 0.05, 1.06, false, false},
		{"less goodput", GoodputRPS, far, before, 0, 0.05, 4, true, true},
		{"less goodput, other seeds", GoodputRPS, far, before, 1000, 0.05, 4, true, false},
		{"no goodput, other seeds", GoodputRPS, before, make([]float64, 10), 1000, 0.05, 1500, true, false},
	} {
		a := &Scenario{Scenario: "s", Driver: "sim", Metric: c.metric, Subjects: []Subject{played("x", c.metric, c.a...), played("gone", c.metric, c.a...)}}
		b := &Scenario{Scenario: "s", Driver: "sim", Metric: c.metric, Subjects: []Subject{
			reseeded(played("x", c.metric, c.b...), c.shift), played("new", c.metric, c.b...), played("oracle", c.metric, c.b...)}}
		a.Subjects = append(a.Subjects, played("oracle", c.metric, c.a...))
		got := Compare([][2]*Scenario{{a, b}}, c.margin)
		if len(got) != 2 || got[0].Subject != "x" || got[0].Metric != c.metric || got[1].Metric != ErrorRatio {
			t.Fatalf("%s: got %+v, want x by metric and errors", c.name, got)
		}
		x := got[0]
		tolerance := 1e-9
		if !c.paired {
			tolerance = 0.5 // the median of the pairs that can be made
		}
		if c.ratio == 1 && x.Better != 0.5 {
			t.Errorf("%s: better in %v, want half", c.name, x.Better)
		}
		if x.Worse != c.worse || x.Paired != c.paired || math.Abs(math.Log(*x.Ratio/c.ratio)) > tolerance || got[1].Worse {
			t.Errorf("%s: got %+v, want worse: %t, paired: %t", c.name, x, c.worse, c.paired)
		}
	}
}

// Failures are looked at whatever the metric, in shares.
func TestCompareErrors(t *testing.T) {
	with := func(share float64) *Scenario {
		s := played("x", P99, 1, 1, 1, 1, 1, 1, 1, 1)
		for i := range s.Trials {
			s.Trials[i].ErrorRatio = share
		}
		return &Scenario{Metric: P99, Subjects: []Subject{s}}
	}
	for share, want := range map[float64]bool{0: false, 0.0009: false, 0.002: true} {
		got := Compare([][2]*Scenario{{with(0), with(share)}}, 0.05)
		if got[0].Worse || got[1].Worse != want || got[1].Metric != ErrorRatio {
			t.Errorf("a share of %v: got %+v, want worse: %t", share, got, want)
		}
	}
	if got := Compare([][2]*Scenario{{with(0.5), with(0)}}, 0.05); got[1].Worse {
		t.Errorf("fewer errors: got %+v", got[1])
	}
	// Where errors are the metric they are compared once.
	a := &Scenario{Metric: ErrorRatio, Subjects: []Subject{played("x", ErrorRatio, 0, 0, 0, 0, 0, 0)}}
	if got := Compare([][2]*Scenario{{a, a}}, 0.05); len(got) != 1 {
		t.Errorf("errors as the metric: got %+v", got)
	}
}

// Among many comparisons one that would be significant alone is not.
func TestCompareManyScenarios(t *testing.T) {
	one, worse := []float64{1, 1, 1, 1, 1, 1, 1}, []float64{2, 2, 2, 2, 2, 2, 2}
	// Now better, now worse, and on the whole better by a little: p is 1/2.
	mixed := []float64{2, 0.5, 2, 0.5, 2, 0.5, 0.9}
	pair := func(b []float64) [2]*Scenario {
		return [2]*Scenario{{Metric: P99, Subjects: []Subject{played("x", P99, one...)}}, {Metric: P99, Subjects: []Subject{played("x", P99, b...)}}}
	}
	if got := Compare([][2]*Scenario{pair(worse)}, 0.05); !got[0].Worse || got[0].P != 1.0/64 {
		t.Errorf("alone: got %+v", got[0])
	}
	got := Compare([][2]*Scenario{pair(worse), pair(mixed), pair(mixed), pair(mixed)}, 0.05)
	if got[0].Worse || got[0].Discovery < Alpha || got[0].PAdjusted >= Alpha {
		t.Errorf("among four: got %+v, want p significant and q not", got[0])
	}
}

// Too few trials for anything to be significant say so.
func TestCompareTooFew(t *testing.T) {
	a := &Scenario{Metric: P99, Subjects: []Subject{played("x", P99, 1, 1, 1)}}
	b := &Scenario{Metric: P99, Subjects: []Subject{played("x", P99, 9, 9, math.NaN())}}
	got := Compare([][2]*Scenario{{a, b}}, 0.05)
	if got[0].Worse || got[0].Blocks != 2 || got[0].Why != "2 trials: with 2 comparisons p is never below 1" {
		t.Errorf("got %+v", got[0])
	}
	b.Subjects = []Subject{played("x", P99, math.NaN())}
	if got := Compare([][2]*Scenario{{a, b}}, 0.05); got[0].Blocks != 0 || got[0].Why != "no two trials with the p99" || got[0].Ratio != nil {
		t.Errorf("without the metric: got %+v", got[0])
	}
}
