package report

import (
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// verdict is one of a subject against round robin over ten blocks.
func verdict(subject, word string, ratio float64) stat.Verdict {
	return stat.Verdict{
		Baseline: "round-robin", Subject: subject, Metric: stat.P99, Verdict: word, PAdjusted: 0.0039, Discovery: 0.005,
		Effect: stat.Effect{Ratio: &ratio, CI95: &[2]float64{0.9 * ratio, 1.1 * ratio}, P: 0.002, Blocks: 10, Better: 0.9},
	}
}

// decided is a report of three scenarios with verdicts of every kind.
func decided() Input {
	rule := stat.NewRule("", 0.03)
	errors := stat.Verdict{Baseline: "round-robin", Subject: "a", Metric: stat.ErrorRatio, Verdict: stat.Win,
		PAdjusted: 0.01, Discovery: 0.06, Effect: stat.Effect{Blocks: 8, Better: 1, Errors: stat.Difference{Share: -0.012, CI95: &[2]float64{-0.02, -0.004}}}}
	nothing := stat.Verdict{Baseline: "round-robin", Subject: "b", Metric: stat.ErrorRatio, Verdict: stat.Undecided, PAdjusted: 1, Discovery: 1,
		Why: "there is no block in which both have the error_ratio"}
	few := verdict("b", stat.Undecided, 0.5)
	few.Baseline = "a"
	few.CI95, few.Blocks, few.Why, few.Metric = nil, 2, "2 blocks: with 1 comparison p is never below 0.5", stat.GoodputRPS
	far, close := verdict("b", "", 1.5), verdict("a", "", 1.08)
	return Input{Summary: stat.Summary{Rule: &rule, Scenarios: []stat.Scenario{
		{Scenario: "one", Driver: record.Sim, Metric: stat.P99,
			Verdicts: []stat.Verdict{verdict("a", stat.Win, 0.512), verdict("b", stat.Loss, 12.5), verdict("only{here=1}", stat.Tie, 1)},
			Distances: []stat.Distance{
				{Reference: oracle, Subject: "b", Metric: stat.P99, Effect: far.Effect}, {Reference: oracle, Subject: "a", Metric: stat.P99, Effect: close.Effect}}},
		{Scenario: "two", Driver: record.Sim, Metric: stat.ErrorRatio, Verdicts: []stat.Verdict{errors, nothing}},
		{Scenario: "three", Driver: record.Live, Metric: stat.GoodputRPS, Verdicts: []stat.Verdict{few}},
		{Scenario: "four", Driver: record.Live, Metric: stat.P99, Verdicts: []stat.Verdict{verdict("a", stat.Tie, 1)}},
		{Scenario: "none", Driver: record.Live, Metric: stat.P99},
	}}}
}

func TestVerdictsAreShown(t *testing.T) {
	in := decided()
	in.Provenance = &Provenance{}
	dir := t.TempDir()
	if err := Write(dir, in); err != nil {
		t.Fatal(err)
	}
	text := read(t, dir, MarkdownFile)
	at := -1
	for _, want := range []string{
		"7 comparisons: 1 LOSS, 2 WIN, 2 TIE, 2 UNDECIDED; 1 of them with a question mark.",
		"TIE: the whole interval is within 3 %; else WIN or LOSS: the adjusted p is below 0.05; else UNDECIDED.",
		"- **LOSS** b in one (simulated): 12.5, 11.2 to 13.8 by the p99 against round-robin\n",
		"| scenario | by | a | b | closest to the oracle | other subjects |\n",
		"| one (simulated) | p99 | WIN 0.512 (0.461 to 0.563) | LOSS 12.5 (11.2 to 13.8) | 1.080 a | only{here=1}: TIE 1.000, 0.900 to 1.100 |\n",
		"| two (simulated) | errors | WIN? -1.20 points (-2.00 to -0.40) | UNDECIDED |  |  |\n",
		"| three (live) | goodput (against a) | baseline | UNDECIDED 0.500 |  |  |\n",
		"## Overview",
		"### Verdicts",
		"| a | round-robin | p99 | 0.512 | 0.461 to 0.563 | 90.0 % (of 10 blocks) | 0 | 0.0039 (q 0.0050) | **WIN** |\n",
		"### Distance from the oracle",
		"| a | p99 | 1.080 | 0.972 to 1.188 |\n",
		"| a | round-robin | errors | -1.20 points | -2.00 to -0.40 | 100 % (of 8 blocks) | -1.20 points (-2.00 to -0.40) | 0.0100 (q 0.0600) | **WIN?** |\n",
		"| b | round-robin | errors | – | – | – | – | – | UNDECIDED (there is no block in which both have the error\\_ratio) |\n",
		"| b | a | goodput | 0.500 | – | 90.0 % (of 2 blocks) | 0 | 0.0039 (q 0.0050) | UNDECIDED (2 blocks: with 1 comparison p is never below 0.5) |\n",
	} {
		next := strings.Index(text, want)
		if next < 0 {
			t.Errorf("report.md does not say %q", want)
		} else if next < at {
			t.Errorf("report.md says %q too early", want)
		}
		at = max(at, next)
	}
	page := read(t, dir, HTMLFile)
	for _, want := range []string{`class="win">WIN 0.512<small>0.461 to 0.563</small>`, `class="loss">LOSS 12.5`, `class="best win">WIN`, `class="reference">baseline`,
		`<td class="lines ">`, `<small class="line tie">only{here=1}: TIE`, "baseline round-robin, margin 0.03, alpha 0.05: sign-flip permutation test"} {
		if !strings.Contains(page, want) {
			t.Errorf("report.html does not say %q", want)
		}
	}
	if strings.Index(page, "<h2>Verdicts</h2>") > strings.Index(page, "<h2>Overview</h2>") {
		t.Error("report.html has the verdicts below the overview")
	}
	if p, err := ReadProvenance(dir); err != nil || p.Verdicts == nil || *p.Verdicts != *in.Summary.Rule {
		t.Errorf("provenance %+v, %v: want the rule", p, err)
	}
	if in.Provenance.Verdicts != nil {
		t.Error("the caller's provenance has changed")
	}
	// Without verdicts nothing is said of any.
	plain := t.TempDir()
	unjudged := input(t)
	unjudged.Summary.Rule = nil
	for i := range unjudged.Summary.Scenarios {
		unjudged.Summary.Scenarios[i].Verdicts, unjudged.Summary.Scenarios[i].Distances = nil, nil
	}
	if err := Write(plain, unjudged); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(read(t, plain, MarkdownFile), "## Verdicts") || strings.Contains(read(t, plain, HTMLFile), "<h2>Verdicts</h2>") {
		t.Error("a report without verdicts has a section for them")
	}
}

// In a report of one scenario every subject has a column; and one scenario in two drivers
// is still one.
func TestColumns(t *testing.T) {
	in := decided()
	for _, c := range []struct {
		scenarios []stat.Scenario
		want      string
	}{
		{in.Summary.Scenarios[:1], "a b only{here=1}"},
		{[]stat.Scenario{in.Summary.Scenarios[0], in.Summary.Scenarios[0]}, "a b only{here=1}"},
		{in.Summary.Scenarios, "a b"},
		{nil, ""},
	} {
		if got := strings.Join(columns(sections(Input{Summary: stat.Summary{Scenarios: c.scenarios}})), " "); got != c.want {
			t.Errorf("%d scenarios: got %q, want %q", len(c.scenarios), got, c.want)
		}
	}
}

func TestRatioFigure(t *testing.T) {
	for v, want := range map[float64]string{0.0123: "0.012", 0.00123: "0.0012", 0: "0.000", 0.03: "0.030", 0.5: "0.500", 1.0204: "1.020", 9.99: "9.990", 12.34: "12.3", 1234: "1234"} {
		if got := ratioFigure(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}
