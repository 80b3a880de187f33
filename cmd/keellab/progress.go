package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/evenkeel/evenkeel/lab/stat"
)

// progress is one line about how far an experiment is: rewritten in place on a
// terminal, elsewhere said again every now and then. Safe for concurrent use.
type progress struct {
	w        io.Writer
	terminal bool
	driver   string
	total    int
	began    time.Time

	mu       sync.Mutex
	finished int
	label    string
	said     time.Time
}

// now and then, where there is no terminal.
const nowAndThen = 10 * time.Second

func newProgress(w io.Writer, driver string, total int) *progress {
	p := &progress{w: w, driver: driver, total: total, began: time.Now()}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// begin tells that a trial has begun, done that one has ended.
func (p *progress) begin(label string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.label = label
	p.print()
}

func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finished++
	p.print()
}

// say puts a line of its own.
func (p *progress) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintln(p.w, line)
}

// end ends the line.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.w, "%s: %d of %d trials in %.1f s\n", p.driver, p.finished, p.total, time.Since(p.began).Seconds())
}

func (p *progress) clear() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func (p *progress) print() {
	line := fmt.Sprintf("%s: %d of %d, %.0f s: %s", p.driver, p.finished, p.total, time.Since(p.began).Seconds(), p.label)
	switch {
	case p.terminal:
		fmt.Fprintf(p.w, "\r%s\x1b[K", line)
	case time.Since(p.said) > nowAndThen:
		p.said = time.Now()
		fmt.Fprintln(p.w, line)
	}
}

// printSummary prints the medians over the trials, and the verdicts.
func printSummary(w io.Writer, summary stat.Summary) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "scenario\tdriver\tsubject\ttrials\tp50 ms\tp99 ms\terrors %\tadaptive %\tmetric\tratio\tverdict\t")
	for _, s := range summary.Scenarios {
		for _, subject := range s.Subjects {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d%s\t", s.Scenario, s.Driver, subject.Name, len(subject.Trials), unstable(subject.Trials))
			if m := subject.Median; m != nil {
				fmt.Fprintf(t, "%s\t%s\t%.3f\t%s\t", ms(m.Latency.P50), ms(m.Latency.P99), 100*m.ErrorRatio, adaptive(&m.Modes))
			} else {
				fmt.Fprint(t, "void\t\t\t\t")
			}
			fmt.Fprintln(t, verdict(&s, subject.Name))
		}
	}
	t.Flush()
}

// adaptive is the share of the decisions that were made so, in hundredths; a dash where they
// are not known, as those of another proxy.
func adaptive(m *stat.Modes) string {
	if m.Adaptive+m.Fallback+m.Panic == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100*m.Adaptive)
}

// verdict are the last cells of a subject's row: metric, ratio and verdict; of the baseline
// that it is one.
func verdict(s *stat.Scenario, subject string) string {
	for i := range s.Verdicts {
		switch v := &s.Verdicts[i]; subject {
		case v.Subject:
			return fmt.Sprintf("%s\t%s\t%s\t", v.Metric, ratio(v.Metric, &v.Effect), v.Verdict)
		case v.Baseline:
			return fmt.Sprintf("%s\t\tbaseline\t", v.Metric)
		}
	}
	return "\t\t\t"
}

// unstable says how many of the trials have no steady state; empty for none.
func unstable(trials []stat.TrialSummary) string {
	n := 0
	for _, t := range trials {
		if t.Unstable != "" {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d unstable)", n)
}

// ms is seconds as milliseconds; a dash for what the sample is too small for.
func ms(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f", 1000**seconds)
}
