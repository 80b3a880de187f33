package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// markdown is report.md.
func markdown(list []section, rule *stat.Rule) string {
	var b strings.Builder
	b.WriteString("# What the laboratory found\n\n")
	b.WriteString(md(headline(list)) + "\n\n")
	if text := simulated(list); text != "" {
		b.WriteString(md(text) + "\n\n")
	}
	b.WriteString("The same with all its pictures in one file: [report.html](report.html). " +
		"When, where and from which sources: [provenance.json](provenance.json).\n\n")
	if text := tally(list); text != "" {
		b.WriteString("## Verdicts\n\n" + md(text) + " " + md(ruleText(rule)) + "\n\n")
		for _, line := range losses(list) {
			b.WriteString("- **LOSS** " + md(line) + "\n")
		}
		b.WriteString("\n")
		writeTable(&b, matrix(list, rule))
	}
	if t := sides(list); len(t.Rows) > 0 {
		b.WriteString("## Live and simulated\n\n" + md(sidesNote) + "\n\n")
		writeTable(&b, t)
	}
	b.WriteString("## Overview\n\n" + md(overviewNote) + "\n\n")
	writeTable(&b, overview(list))
	for i := range list {
		list[i].markdown(&b)
	}
	b.WriteString("## How to read this\n\n")
	for _, t := range guide {
		fmt.Fprintf(&b, "- **%s.** %s\n", md(t.Name), md(t.Text))
	}
	return b.String()
}

func (s *section) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "## %s, %s\n\n", md(s.Scenario.Scenario), md(driver(s.Driver)))
	for _, line := range s.about() {
		fmt.Fprintf(b, "%s\n\n", md(line))
	}
	fmt.Fprintf(b, "Again: <code>%s</code>\n\n", md(s.replay()))
	warnings := s.warnings()
	for _, w := range warnings {
		fmt.Fprintf(b, "- **%s:** %s\n", w.Kind, md(w.Text))
	}
	if len(warnings) > 0 {
		b.WriteString("\n")
	}
	files := s.files()
	for _, t := range s.tables() {
		if len(t.Rows) == 0 {
			continue
		}
		fmt.Fprintf(b, "### %s\n\n", t.Title)
		writeTable(b, t.table)
	}
	for _, f := range files {
		fmt.Fprintf(b, "![%s](%s/%s.svg)\n\n", md(f.title), FigureFolder, f.id)
	}
}

// writeTable writes a table with the name on the left and figures on the right.
func writeTable(b *strings.Builder, t table) {
	if len(t.Rows) == 0 {
		return
	}
	b.WriteString("|")
	for _, h := range t.Head {
		b.WriteString(" " + md(h) + " |")
	}
	b.WriteString("\n|")
	for i := range t.Head {
		if i == 0 || t.Text {
			b.WriteString(" :-- |")
		} else {
			b.WriteString(" --: |")
		}
	}
	b.WriteString("\n")
	for _, row := range t.Rows {
		b.WriteString("|")
		for _, c := range row {
			text := md(c.Text)
			if c.Strong {
				text = "**" + text + "**"
			}
			if c.Sub != "" {
				text += " (" + md(c.Sub) + ")"
			}
			for i, line := range c.Lines {
				if i > 0 {
					text += "<br>"
				}
				text += md(line.Text)
			}
			b.WriteString(" " + text + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

// md makes any text safe inside a line or a cell of Markdown.
func md(s string) string {
	return markup.Replace(strings.Join(strings.Fields(s), " "))
}

var markup = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`, "#", `\#`, "~", `\~`, "!", `\!`,
	"<", "&lt;", ">", "&gt;", "&", "&amp;",
)

// sidesNote stands above what compares live results with simulated ones.
const sidesNote = "Each live trial was simulated, too: the same size, seed, arrivals and demands. The agreement is 1 where the " +
	"percentiles are equal, and 0.9 where one is 11 % off on average; beside it the comparisons, and what the simulator made of them."

// overviewNote stands above the overview.
const overviewNote = "Median p99 of the response time per scenario and subject, and the share of requests that failed where any did. " +
	"The lowest is emphasised. This describes the trials; whether subjects differ is what verdicts say."

// headline says what was run.
func headline(list []section) string {
	var sim, live, trials, void, unstable int
	for i := range list {
		s := &list[i]
		switch s.Driver {
		case record.Sim:
			sim++
		case record.Live:
			live++
		}
		for _, sub := range s.Subjects {
			trials += len(sub.Trials)
			void += len(sub.voids())
		}
		unstable += s.unstable()
	}
	var parts []string
	if sim > 0 {
		parts = append(parts, count(sim, "scenario")+" simulated (virtual time)")
	}
	if live > 0 {
		parts = append(parts, count(live, "scenario")+" live (real HTTP)")
	}
	if len(parts) == 0 {
		return "Nothing was run."
	}
	text := strings.Join(parts, " and ") + ": " + count(len(names(list)), "subject") + ", " + count(trials, "trial")
	if m := marks(void, unstable); m != "" {
		text += " (" + m + ")"
	}
	return text + "."
}

// simulated says what a simulated figure is; empty when there is none.
func simulated(list []section) string {
	if !slices.ContainsFunc(list, func(s section) bool { return s.Driver == record.Sim }) {
		return ""
	}
	return "What is marked as simulated was not measured on a machine: it is the shipped balancing code in virtual time, " +
		"against simulated servers and distances, without the time that the proxy itself takes."
}

// about are the lines that introduce a section.
func (s *section) about() []string {
	var lines []string
	if s.Notes.Models != "" {
		lines = append(lines, s.Notes.Models)
	}
	if s.Notes.Text != "" {
		lines = append(lines, s.Notes.Text)
	}
	var facts []string
	if len(s.Set) > 0 {
		facts = append(facts, "set: "+strings.Join(s.Set, ", "))
	}
	if h := s.Header; h != nil {
		facts = append(facts, count(len(h.Endpoints), "endpoint"), span(h.Duration)+" of which "+span(h.WarmUp)+" warm-up",
			"client timeout "+span(h.ClientTimeout))
		if h.Objective.Latency > 0 {
			facts = append(facts, fmt.Sprintf("objective %s for %s", span(h.Objective.Latency), percentTick(h.Objective.Share)))
		}
	}
	facts = append(facts, fmt.Sprintf("seed %d", s.Seed))
	if len(s.Notes.Wins) > 0 {
		facts = append(facts, "expected to win: "+strings.Join(s.Notes.Wins, ", "))
	}
	if len(s.Notes.Loses) > 0 {
		facts = append(facts, "expected to lose: "+strings.Join(s.Notes.Loses, ", "))
	}
	if s.Notes.Source != "" {
		facts = append(facts, "source: "+s.Notes.Source)
	}
	return append(lines, strings.Join(facts, " · "))
}

// titled is a table under a heading.
type titled struct {
	Title string
	table
}

// tables are the tables of a section, in order; some may be empty.
func (s *section) tables() []titled {
	return []titled{
		{"Verdicts", s.verdicts()},
		{"Response time", s.latencies()},
		{"Recovery", s.recoveries()},
		{"Distance from the oracle", s.distances()},
		{"Decisions and traffic", s.decisions()},
		{"Faults", s.faultTable()},
		{"Live and simulated", s.agreements()},
		{"Comparisons, live and simulated", s.foretold()},
		{"Load generator, worst trial", s.generators()},
	}
}
