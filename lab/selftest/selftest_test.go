package selftest

import (
	"bytes"
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/evenkeel/evenkeel/lab/stat"
)

// quarter is what is played in CI: a quarter of what `keellab selftest` plays.
const quarter = 50

func results(t *testing.T, cases []Case, o Options) []Result {
	t.Helper()
	o.Parallel, o.Seed = runtime.GOMAXPROCS(0), 1
	list, err := Run(t.Context(), cases, o)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Whatever changes in the simulator draws other experiments: a level of 1 % in each of many
// cases would be missed too often by chance alone.
func TestPromises(t *testing.T) {
	for _, r := range results(t, Cases(), Options{Experiments: quarter, Level: 0.001}) {
		if !r.OK() {
			t.Errorf("%s: %d false verdicts in %d experiments, at most %d; %d of %d intervals cover, at least %d",
				r.Case.Name, r.False, r.Experiments, r.MostFalse, r.Covered, r.Intervals, r.LeastCovered)
		}
		if r.Experiments != quarter*r.Case.Scale || r.Intervals == 0 || r.Blocks < 10 || r.Blocks > 30 {
			t.Errorf("%s: got %+v", r.Case.Name, r)
		}
	}
}

// cheap are the cases that are drawn.
func cheap(t *testing.T, names ...string) (some []Case) {
	t.Helper()
	for _, c := range synthetic() {
		for _, name := range names {
			if c.Name == name {
				some = append(some, c)
			}
		}
	}
	return some
}

// Faults in the statistics, of a kind that is easily made, are found.
func TestFaultsAreFound(t *testing.T) {
	for name, judge := range map[string]func(*stat.Summary, stat.Rule){
		"p is not adjusted": func(s *stat.Summary, rule stat.Rule) {
			stat.Judge(s, rule)
			for i := range s.Scenarios[0].Verdicts {
				if v := &s.Scenarios[0].Verdicts[i]; v.Verdict == stat.Undecided && v.P < stat.Alpha {
					v.Verdict = stat.Win
				}
			}
		},
		"intervals a third too narrow": func(s *stat.Summary, rule stat.Rule) {
			stat.Judge(s, rule)
			for i := range s.Scenarios[0].Verdicts {
				if v := &s.Scenarios[0].Verdicts[i]; v.CI95 != nil {
					for j, end := range v.CI95 {
						v.CI95[j] = *v.Ratio * math.Pow(end / *v.Ratio, 2.0/3)
					}
				}
			}
		},
		"winners for losers": func(s *stat.Summary, rule stat.Rule) {
			stat.Judge(s, rule)
			for i := range s.Scenarios[0].Verdicts {
				if v := &s.Scenarios[0].Verdicts[i]; v.Verdict == stat.Loss {
					v.Verdict = stat.Win
				}
			}
		},
	} {
		wrong := false
		for _, r := range results(t, cheap(t, "drawn, normal", "drawn, heavy tails, twenty blocks"), Options{Experiments: quarter, Judge: judge}) {
			wrong = wrong || !r.OK()
		}
		if !wrong {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestRepeats(t *testing.T) {
	cases := append(simulated()[:1], synthetic()[0])
	first, again := results(t, cases, Options{Experiments: 3}), results(t, cases, Options{Experiments: 3})
	if diff := cmp.Diff(first, again, cmpopts.IgnoreFields(Result{}, "Case")); diff != "" {
		t.Errorf("(-first +again):\n%s", diff)
	}
	// Copies of a subject differ, and in nothing but chance.
	a, err := play(t.Context(), system(1), "random", 5, 0)
	b, err2 := play(t.Context(), system(1), "random", 5, 1)
	if err != nil || err2 != nil || a.Requests != b.Requests || *a.Latency.Mean == *b.Latency.Mean {
		t.Errorf("two copies: %d and %d requests, means %v and %v; %v, %v", a.Requests, b.Requests, *a.Latency.Mean, *b.Latency.Mean, err, err2)
	}
}

// The limits are those of the binomial distribution: of 400 at 5 % the 99 % quantile is 31,
// P(X <= 30) = 0.9876 and P(X <= 31) = 0.9926.
func TestMost(t *testing.T) {
	for _, c := range []struct{ n, want int }{{400, 31}, {1, 1}, {0, 0}} {
		if got := most(c.n, DefaultLevel); got != c.want {
			t.Errorf("of %d: got %d, want %d", c.n, got, c.want)
		}
	}
}

func TestPrint(t *testing.T) {
	aa, known, skewed := Case{Name: "aa", True: 1, Promised: true}, Case{Name: "known", True: 1.25, Promised: true}, Case{Name: "skewed", True: 1.1}
	var b bytes.Buffer
	Print(&b, []Result{
		{Case: &aa, Experiments: 200, False: 21, MostFalse: 18, Verdicts: map[string]int{stat.Tie: 150, stat.Undecided: 29, stat.Win: 21}, Blocks: 12.25},
		{Case: &known, Intervals: 200, Covered: 190, LeastCovered: 182, Blocks: 9},
		{Case: &skewed, Intervals: 100, Covered: 50, LeastCovered: 90, Blocks: 9},
	})
	for _, want := range []string{
		"| aa | 200 | 12.2 | 21: 10.5 % | 18 | 75.0 % | 14.5 % | **MISS** |\n",
		"| known | 1.25 | 200 | 9.0 | 95.0 % | 91.0 % | 0 | ok |\n",
		"| skewed | 1.1 | 100 | 9.0 | 50.0 % | 90.0 % | 0 | not promised |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got\n%swant %s", &b, want)
		}
	}
}

// A trial that cannot be played ends it.
func TestErrors(t *testing.T) {
	c := synthetic()[0]
	broken := errors.New("broken")
	c.play = func(context.Context, uint64, int, int) (stat.TrialSummary, error) { return stat.TrialSummary{}, broken }
	if _, err := Run(t.Context(), []Case{c}, Options{Experiments: 5, Parallel: 2}); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}
