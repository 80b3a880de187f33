package stat

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// played is a subject whose trials have these values of the metric, block by block; NaN
// stands for one that a trial does not carry.
func played(name string, metric Metric, values ...float64) Subject {
	s := Subject{Name: name}
	for block, v := range values {
		t := TrialSummary{Seed: 100 + uint64(block), Block: block}
		t.Requests, t.WithinObjective = 1000, 0.5
		if !math.IsNaN(v) {
			switch metric {
			case GoodputRPS:
				t.GoodputRPS = v
			case ErrorRatio:
				t.ErrorRatio = v
			case P50:
				t.Latency.P50 = &v
			case P90:
				t.Latency.P90 = &v
			case P99:
				t.Latency.P99 = &v
			case P999:
				t.Latency.P999 = &v
			case Mean:
				t.Latency.Mean = &v
			}
		}
		s.Trials = append(s.Trials, t)
	}
	return s
}

// judged judges one scenario.
func judged(metric Metric, rule Rule, subjects ...Subject) Scenario {
	s := Summary{Scenarios: []Scenario{{Scenario: "s", Driver: "sim", Metric: metric, Subjects: subjects}}}
	Judge(&s, rule)
	return s.Scenarios[0]
}

// times are values around a centre, each by its own factor.
func times(centre float64, factors ...float64) []float64 {
	for i := range factors {
		factors[i] *= centre
	}
	return factors
}

func TestVerdicts(t *testing.T) {
	base := func(metric Metric) Subject {
		return played("round-robin", metric, 1, 2, 1, 2, 1, 2, 1, 2)
	}
	nan := math.NaN()
	for _, c := range []struct {
		name    string
		metric  Metric
		subject []float64
		ratio   float64
		verdict string
		blocks  int
		why     string
	}{
		{"half in every block", P99, []float64{0.5, 1, 0.5, 1, 0.5, 1, 0.5, 1}, 0.5, Win, 8, ""},
		{"twice", P50, []float64{2, 4, 2, 4, 2, 4, 2, 4}, 2, Loss, 8, ""},
		{"the same", Mean, []float64{1, 2, 1, 2, 1, 2, 1, 2}, 1, Tie, 8, ""},
		// Every block is worse, by less than anybody cares about: equal comes first.
		{"1 % more, surely", P999, times(1.01, 1, 2, 1, 2, 1, 2, 1, 2), 1.01, Tie, 8, ""},
		{"3 % more, surely", P99, times(1.03, 1, 2, 1, 2, 1, 2, 1, 2), 1.03, Loss, 8, ""},
		{"now this, now that", P90, []float64{2, 1, 2, 1, 2, 1, 2, 1}, 1, Undecided, 8, ""},
		{"half in five blocks", P99, []float64{0.5, 1, 0.5, 1, 0.5}, 0.5, Undecided, 5, "5 blocks: with 1 comparison p is never below 0.062"},
		{"half in six", P99, []float64{0.5, 1, 0.5, 1, 0.5, 1}, 0.5, Win, 6, ""},
		{"half in two", P99, []float64{0.5, 1}, 0.5, Undecided, 2, "2 blocks: with 1 comparison p is never below 0.5"},
		{"half, not always known", P99, []float64{0.5, nan, 0.5, 1, 0.5, 1, 0.5, 1}, 0.5, Win, 7, ""},
		{"never known", P99, []float64{nan, nan}, 0, Undecided, 0, "there is no block in which both have the p99"},
		{"a latency of nothing is none", P99, []float64{0, 1, 0.5, 1, 0.5, 1, 0.5, 1}, 0.5, Win, 7, ""},
		// Of goodput more is better: half of it is a ratio of 2.
		{"half the goodput", GoodputRPS, []float64{0.5, 1, 0.5, 1, 0.5, 1, 0.5, 1}, 2, Loss, 8, ""},
		{"twice the goodput", GoodputRPS, []float64{2, 4, 2, 4, 2, 4, 2, 4}, 0.5, Win, 8, ""},
		// None at all is half of one success: of the baseline's 500 that is a thousandth.
		{"no goodput", GoodputRPS, []float64{0, 0, 0, 0, 0, 0, 0, 0}, 1000, Loss, 8, ""},
	} {
		s := judged(c.metric, NewRule("", 0), base(c.metric), played("x", c.metric, c.subject...))
		if len(s.Verdicts) != 1 {
			t.Fatalf("%s: got %d verdicts", c.name, len(s.Verdicts))
		}
		v := s.Verdicts[0]
		if v.Verdict != c.verdict || v.Blocks != c.blocks || v.Why != c.why || v.Metric != c.metric || v.Baseline != "round-robin" || v.Subject != "x" {
			t.Errorf("%s: got %+v, want %s over %d blocks, %q", c.name, v, c.verdict, c.blocks, c.why)
		}
		switch {
		case c.blocks == 0:
			if v.Ratio != nil || v.CI95 != nil || v.PAdjusted != 1 {
				t.Errorf("%s: got %+v of nothing", c.name, v)
			}
		case math.Abs(*v.Ratio-c.ratio) > 1e-9*c.ratio:
			t.Errorf("%s: ratio %v, want %v", c.name, *v.Ratio, c.ratio)
		case (v.CI95 != nil) != (c.blocks >= 6):
			t.Errorf("%s: interval %v of %d blocks", c.name, v.CI95, c.blocks)
		}
	}
}

// A baseline without any goodput is beaten by half of a success, too; where nobody has any,
// they are equal. Equal blocks count half as better.
func TestNoGoodput(t *testing.T) {
	none := []float64{0, 0, 0, 0, 0, 0}
	some := []float64{3, 3, 3, 3, 3, 3}
	for _, c := range []struct {
		base, with    []float64
		ratio, better float64
		verdict       string
	}{{none, some, 0.001, 1, Win}, {some, none, 1000, 0, Loss}, {none, none, 1, 0.5, Tie}, {some, some, 1, 0.5, Tie}} {
		v := judged(GoodputRPS, NewRule("", 0), played("round-robin", GoodputRPS, c.base...), played("x", GoodputRPS, c.with...)).Verdicts[0]
		if v.Verdict != c.verdict || math.Abs(*v.Ratio/c.ratio-1) > 1e-9 || v.Better != c.better {
			t.Errorf("%v and %v: got %+v, want %s by %v, better in %v", c.base, c.with, v, c.verdict, c.ratio, c.better)
		}
	}
}

// Errors are compared by their differences: of nothing there is no ratio.
func TestVerdictsOnErrors(t *testing.T) {
	none := []float64{0, 0, 0, 0, 0, 0}
	for _, c := range []struct {
		name       string
		base, with []float64
		share      float64
		verdict    string
	}{
		{"none and none", none, none, 0, Tie},
		{"none and a twentieth of a point", none, []float64{5e-4, 5e-4, 5e-4, 5e-4, 5e-4, 5e-4}, 5e-4, Tie},
		{"none and a few", none, []float64{0.01, 0.02, 0.01, 0.02, 0.01, 0.02}, 0.015, Loss},
		{"a few and none", []float64{0.01, 0.02, 0.01, 0.02, 0.01, 0.02}, none, -0.015, Win},
		{"now these, now those", []float64{0, 0.02, 0, 0.02, 0, 0.02}, []float64{0.02, 0, 0.02, 0, 0.02, 0}, 0, Undecided},
	} {
		v := judged(ErrorRatio, NewRule("", 0), played("round-robin", ErrorRatio, c.base...), played("x", ErrorRatio, c.with...)).Verdicts[0]
		if v.Verdict != c.verdict || math.Abs(v.Errors.Share-c.share) > 1e-12 || v.Errors.CI95 == nil {
			t.Errorf("%s: got %+v, want %s with a share of %v", c.name, v, c.verdict, c.share)
		}
		if hasRatio := v.Ratio != nil; hasRatio != (c.base[0]+c.base[1] > 0) {
			t.Errorf("%s: ratio %v", c.name, v.Ratio)
		} else if hasRatio && ((v.CI95[0] <= 1 && v.CI95[1] >= 1) != (c.verdict == Undecided) || math.Abs(*v.Ratio-1-v.Errors.Share/meanOf(c.base)) > 1e-12) {
			t.Errorf("%s: ratio %v, interval %v", c.name, *v.Ratio, *v.CI95)
		}
	}
	// Errors stand beside every other comparison, over the same blocks.
	base, x := played("round-robin", P99, 1, 1, 1, 1, 1, 1, math.NaN()), played("x", P99, 1, 1, 1, 1, 1, 1, 1)
	for i := range x.Trials {
		x.Trials[i].ErrorRatio = 0.01 * float64(i+1)
	}
	got := judged(P99, NewRule("", 0), base, x).Verdicts[0].Errors
	if want := (Difference{0.035, &[2]float64{0.01, 0.06}}); !cmp.Equal(got, want, nearly) {
		t.Errorf("errors beside the p99: got %+v, want %+v", got, want)
	}
}

var nearly = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a)) })

// The family is the subjects but the baseline and the references.
func TestFamily(t *testing.T) {
	// Six blocks, all of them better: p is 1/32 for each, and three of them together are
	// not below 0.05.
	better := []float64{0.5, 0.4, 0.5, 0.4, 0.5, 0.4}
	one := []float64{1, 1, 1, 1, 1, 1}
	subjects := []Subject{played("round-robin", P99, one...), played("a", P99, better...), played("oracle", P99, better...),
		played("oracle{lead=1s}", P99, better...)}
	s := judged(P99, NewRule("", 0), subjects...)
	if len(s.Verdicts) != 1 || s.Verdicts[0].Verdict != Win || s.Verdicts[0].PAdjusted != s.Verdicts[0].P {
		t.Errorf("one subject and two references: got %+v", s.Verdicts)
	}
	if len(s.Distances) != 2 || s.Distances[0].Subject != "round-robin" || s.Distances[0].Reference != "oracle" || *s.Distances[1].Ratio != 1 {
		t.Errorf("distances %+v, want those of round-robin and a from the oracle", s.Distances)
	}
	s = judged(P99, NewRule("", 0), append(subjects, played("b", P99, better...))...)
	for _, v := range s.Verdicts {
		if v.Verdict != Undecided || v.PAdjusted != 2*v.P || v.Why != "6 blocks: with 2 comparisons p is never below 0.062" {
			t.Errorf("two subjects, six blocks: got %+v", v)
		}
	}
	// The baseline is whoever is named, or stands first.
	for rule, want := range map[string]string{"b": "b", "": "round-robin", "nobody": "round-robin"} {
		if got := judged(P99, NewRule(rule, 0), append(subjects, played("b", P99, better...))...).Verdicts[0].Baseline; got != want {
			t.Errorf("baseline %q: got %s, want %s", rule, got, want)
		}
	}
	if s := judged(P99, NewRule("", 0), played("oracle", P99, one...), played("b", P99, one...)); len(s.Verdicts) != 0 || len(s.Distances) != 1 {
		t.Errorf("nobody to compare: got %+v", s.Verdicts)
	}
	if s := judged(P99, NewRule("", 0), played("oracle", P99, one...)); len(s.Verdicts) != 0 || s.Distances != nil {
		t.Errorf("the reference alone: got %+v", s)
	}
}

// Void trials, and blocks that only one of two has played, make no pair.
func TestVoidMakesNoPair(t *testing.T) {
	base := played("round-robin", P99, 1, 1, 1, 1, 1, 1, 1, 1)
	x := played("x", P99, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 70, 0.5)
	x.Trials[6].Void = "noise"
	base.Trials = base.Trials[:7]
	v := judged(P99, NewRule("", 0), base, x).Verdicts[0]
	if v.Blocks != 6 || *v.Ratio != 0.5 || v.Better != 1 {
		t.Errorf("got %+v, want six blocks", v)
	}
}

func TestMargin(t *testing.T) {
	base, x := played("round-robin", P99, 1, 1, 1, 1, 1, 1), played("x", P99, 1.05, 1.05, 1.05, 1.05, 1.05, 1.05)
	for margin, want := range map[float64]string{0: Loss, 0.049: Loss, 0.05: Tie, 0.1: Tie} {
		if v := judged(P99, NewRule("", margin), base, x).Verdicts[0]; v.Verdict != want {
			t.Errorf("margin %v: got %s, want %s", margin, v.Verdict, want)
		}
		// The same margin on the other side.
		if v := judged(P99, NewRule("x", margin), base, x).Verdicts[0]; (v.Verdict == Tie) != (want == Tie) {
			t.Errorf("margin %v, the other way round: got %s", margin, v.Verdict)
		}
	}
}

// False discoveries are counted over all scenarios.
func TestDiscovery(t *testing.T) {
	one := []float64{1, 1, 1, 1, 1, 1, 1}
	better, mixed := []float64{0.5, 0.4, 0.5, 0.4, 0.5, 0.4, 0.3}, []float64{0.5, 2, 0.5, 2, 0.4, 2.5, 1}
	var s Summary
	for i, x := range [][]float64{better, mixed, mixed, mixed} {
		s.Scenarios = append(s.Scenarios, Scenario{Scenario: fmt.Sprint(i), Metric: P99, Subjects: []Subject{
			played("round-robin", P99, one...), played("x", P99, x...), played("void", P99)}})
	}
	Judge(&s, NewRule("", 0))
	v := s.Scenarios[0].Verdicts
	if v[0].P != 2.0/128 || math.Abs(v[0].Discovery-4*v[0].P) > 1e-15 || v[0].PAdjusted != v[0].P {
		t.Errorf("got %+v, want q of four times p, p itself adjusted for nothing", v[0])
	}
	if v[1].Blocks != 0 || v[1].Discovery != 1 {
		t.Errorf("nothing to compare: got %+v", v[1])
	}
	if s.Rule == nil || s.Rule.Margin != DefaultMargin || s.Rule.Alpha != Alpha || s.Rule.Method == "" {
		t.Errorf("rule %+v", s.Rule)
	}
}

// A verdict and the figures in it never contradict each other.
func TestVerdictProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blocks := rapid.IntRange(0, 14).Draw(t, "blocks")
		value := rapid.Float64Range(0.5, 2)
		subjects := []Subject{played("round-robin", P99, rapid.SliceOfN(value, blocks, blocks).Draw(t, "base")...)}
		for i := range rapid.IntRange(1, 4).Draw(t, "subjects") {
			shift := rapid.SampledFrom([]float64{0.3, 0.99, 1, 1.01, 4}).Draw(t, "shift")
			subjects = append(subjects, played(fmt.Sprint(i), P99, times(shift, rapid.SliceOfN(value, blocks, blocks).Draw(t, "x")...)...))
		}
		margin := rapid.Float64Range(0.01, 0.5).Draw(t, "margin")
		for _, v := range judged(P99, NewRule("", margin), subjects...).Verdicts {
			decided := v.Verdict != Undecided
			switch {
			case decided && (v.Blocks < 6 || v.CI95 == nil || v.Why != ""):
				t.Fatalf("decided without the blocks for it: %+v", v)
			case v.PAdjusted < v.P || v.Blocks > 0 && v.P < math.Ldexp(2, -v.Blocks):
				t.Fatalf("p too small: %+v", v)
			case (v.Verdict == Win || v.Verdict == Loss) && (v.PAdjusted >= Alpha || v.CI95[0] <= 1 && v.CI95[1] >= 1):
				t.Fatalf("an interval that says otherwise: %+v", v)
			case v.Verdict == Win && *v.Ratio >= 1 || v.Verdict == Loss && *v.Ratio <= 1:
				t.Fatalf("the wrong side: %+v", v)
			case v.Verdict == Tie && (v.CI95[1] > (1+margin)*(1+1e-9) || v.CI95[0] < (1-1e-9)/(1+margin)):
				t.Fatalf("equal beyond the margin: %+v", v)
			case decided != (v.Verdict == Tie || v.PAdjusted < Alpha):
				t.Fatalf("undecided without need: %+v", v)
			}
		}
	})
}

// matrix is a summary of so many scenarios, subjects and blocks.
func matrix(scenarios, subjects, blocks int) *Summary {
	rng := rand.New(rand.NewPCG(1, 2))
	s := new(Summary)
	for i := range scenarios {
		sc := Scenario{Scenario: fmt.Sprintf("s%d", i), Driver: "sim", Metric: P99}
		for j := range subjects {
			values := make([]float64, blocks)
			for k := range values {
				values[k] = math.Exp(0.1 * rng.NormFloat64())
			}
			name := fmt.Sprintf("x%d", j)
			switch j {
			case 0:
				name = "round-robin"
			case subjects - 1:
				name = "oracle"
			}
			sc.Subjects = append(sc.Subjects, played(name, P99, values...))
			for k := range sc.Subjects[j].Trials {
				sc.Subjects[j].Trials[k].ErrorRatio = 0.01 * rng.Float64()
			}
		}
		s.Scenarios = append(s.Scenarios, sc)
	}
	return s
}

// The same trials give the same bytes, in whatever order they stand, and judging again
// changes nothing.
func TestJudgeRepeats(t *testing.T) {
	for _, blocks := range []int{12, 25} {
		first, again := matrix(3, 4, blocks), matrix(3, 4, blocks)
		for i := range again.Scenarios {
			for _, s := range again.Scenarios[i].Subjects {
				slices.Reverse(s.Trials)
			}
		}
		Judge(first, NewRule("", 0))
		Judge(again, NewRule("", 0))
		Judge(again, NewRule("", 0))
		for i := range again.Scenarios {
			for _, s := range again.Scenarios[i].Subjects {
				slices.Reverse(s.Trials)
			}
		}
		var a, b bytes.Buffer
		if first.Encode(&a) != nil || again.Encode(&b) != nil || a.String() != b.String() {
			t.Errorf("%d blocks: (-first +again):\n%s", blocks, cmp.Diff(a.String(), b.String()))
		}
		if !strings.Contains(a.String(), `"p_adjusted":`) || !strings.Contains(a.String(), `"ci95":[`) || !strings.Contains(a.String(), `"rule":`) {
			t.Errorf("what the contract asks for is missing: %.2000s", a.String())
		}
	}
}

// Thirty scenarios, six subjects beside baseline and oracle, twenty blocks.
func BenchmarkJudge(b *testing.B) {
	s := matrix(30, 8, 20)
	for b.Loop() {
		Judge(s, NewRule("", 0))
	}
}
