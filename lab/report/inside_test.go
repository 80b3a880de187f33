package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// insideOf is what might have been seen inside a trial of play: everything at once.
func insideOf(h *record.Header) *record.Inside {
	in := record.NewInside(h.Duration, len(h.Endpoints))
	n := record.BinCount(h.Duration, in.Bin)
	row := func(f func(i int) float64) []float64 {
		list := make([]float64, n)
		for i := range list {
			list[i] = f(i)
		}
		return list
	}
	for e := range in.Pending {
		in.Pending[e] = row(func(i int) float64 { return float64(1 + (i+e)%3) })
	}
	faulty := func(i int) bool { return i >= n/3 && i < 2*n/3 }
	in.Open[0] = row(func(i int) float64 { return map[bool]float64{true: 1}[faulty(i) && i%10 > 0] })
	in.HalfOpen[0] = row(func(i int) float64 { return map[bool]float64{true: 1}[faulty(i) && i%10 == 0] })
	in.Limiter = &record.LimiterOverTime{
		Limit: row(func(i int) float64 { return 20 + float64(i%4) }), InFlight: row(func(i int) float64 { return 12 }), Waiting: row(func(i int) float64 { return float64(i % 2) }),
	}
	in.Rejected = make([]uint64, n)
	in.Rejected[n/2] = 3
	counts := make([]uint64, n)
	thin := make([]uint64, n)
	for i := range counts {
		counts[i], thin[i] = 100, uint64(10*(i%2))
	}
	in.Decisions = []record.DecisionsOverTime{{Mode: "adaptive", Reason: "none", Counts: counts}, {Mode: "fallback", Reason: "signal-thin", Counts: thin}}
	return in
}

// figuresIn are the panels of a kind in a page.
func figuresIn(page, kind string) (list []string) {
	for _, part := range strings.Split(page, `<figure class="p-`+kind+`">`)[1:] {
		text, _, _ := strings.Cut(part, "</figure>")
		list = append(list, text)
	}
	return list
}

// What was seen inside is shown for the subjects of whom it was seen, and only there.
func TestInsideIsShown(t *testing.T) {
	seen, blind := play("s", record.Sim, "seen", 0, 100, 9, 1), play("s", record.Sim, "blind", 0, 100, 9, 1)
	seen.Header.Inside = insideOf(&seen.Header)
	digests, sc := digest(t, []string{"seen", "blind"}, seen, blind)
	dir := t.TempDir()
	if err := Write(dir, Input{Summary: stat.Summary{Scenarios: []stat.Scenario{sc}}, Digests: digests}); err != nil {
		t.Fatal(err)
	}
	page := read(t, dir, HTMLFile)
	for kind, want := range map[string]struct {
		panels int
		has    []string
	}{
		"heat":     {1, []string{`class="heat6"`, `class="heat2"`}},
		"pending":  {1, []string{`class="curve l-f0"`, `class="range"`, `class="curve sound"`, "<title>s0</title>"}},
		"limit":    {1, []string{`class="curve limit"`, `class="flight"`, `class="waiting"`, `class="fail"`}},
		"modes":    {1, []string{`class="m-adaptive"`, `class="m-thin"`}},
		"breakers": {1, []string{`class="open"`, `class="half"`, ">s0</text>"}},
		"fail":     {2, nil},
		"late":     {0, nil},
	} {
		panels := figuresIn(page, kind)
		if len(panels) != want.panels {
			t.Errorf("%s: %d panels, want %d", kind, len(panels), want.panels)
			continue
		}
		for _, mark := range want.has {
			if !strings.Contains(panels[0], mark) {
				t.Errorf("%s: there is no %s", kind, mark)
			}
		}
		if has := strings.Contains(page, `id="show-`+kind+`"`); has != (want.panels > 0) {
			t.Errorf("%s: a box for it: %t", kind, has)
		}
	}
	for _, want := range []string{"block 0 with seed 10", "breaker open", "fallback: signal-thin", "in flight"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "</i>panic<") {
		t.Error("a mode that never was has a key")
	}
}

// A live report has the generator's lateness, and the simulated trials beside.
func TestLiveBesideSimulated(t *testing.T) {
	var digests []stat.Digest
	for block := range 2 {
		live, sim := play("s", record.Live, "x", block, 100, 9, 1), play("s", record.Sim, "x", block, 100, 9, 1)
		live.Header.Generator = &record.Generator{}
		for i := range live.Requests {
			r := &live.Requests[i]
			r.Sent = r.Planned.Add(100 * time.Microsecond)
			r.Done += r.Done - r.Planned // twice as slow as simulated
		}
		of, _ := digest(t, nil, live)
		twin, _ := digest(t, nil, sim)
		of[0].Beside(twin[0])
		digests = append(digests, of[0])
	}
	sc, err := stat.Summarise(digests)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := Write(dir, Input{Summary: stat.Summary{Scenarios: []stat.Scenario{sc}}, Digests: digests}); err != nil {
		t.Fatal(err)
	}
	page, text := read(t, dir, HTMLFile), read(t, dir, MarkdownFile)
	for _, want := range []string{`class="curve twin low"`, `class="curve twin c0"`, "the same simulated", `id="show-late"`} {
		if !strings.Contains(page, want) {
			t.Errorf("report.html has no %s", want)
		}
	}
	if !strings.Contains(text, "| x | **0.50") || !strings.Contains(text, "| s | **0.50") || !strings.Contains(text, "simulated 7.") {
		t.Errorf("report.md does not say that they agree by half:\n%s", text)
	}
	if panels := figuresIn(page, "late"); len(panels) != 1 || !strings.Contains(panels[0], "100 µs") {
		t.Errorf("%d panels of lateness, want one with 100 µs on its axis", len(panels))
	}
}

// The spread between trials is drawn where there is any.
func TestSpread(t *testing.T) {
	for blocks, want := range map[int]bool{1: false, 3: true} {
		var trials []*record.Trial
		for block := range blocks {
			trials = append(trials, play("s", record.Sim, "x", block, 100, 9, 1))
		}
		digests, sc := digest(t, nil, trials...)
		dir := t.TempDir()
		if err := Write(dir, Input{Summary: stat.Summary{Scenarios: []stat.Scenario{sc}}, Digests: digests}); err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(read(t, dir, FigureFolder, "s.sim.percentiles.svg"), `class="spread c0"`); has != want {
			t.Errorf("%d blocks: a spread %t, want %t", blocks, has, want)
		}
	}
}

// The figure of the comparisons has a dot for each block, whatever the metric.
func TestPaired(t *testing.T) {
	for _, metric := range []string{"", "error_ratio", "goodput_rps"} {
		var trials []*record.Trial
		for block := range 7 {
			a, b := play("s", record.Sim, "a", block, 100, 60, 1), play("s", record.Sim, "b", block, 100, 60, 0.3)
			a.Header.Metric, b.Header.Metric = metric, metric
			trials = append(trials, a, b)
		}
		digests, sc := digest(t, []string{"a", "b"}, trials...)
		in := Input{Summary: stat.Summary{Scenarios: []stat.Scenario{sc}}, Digests: digests}
		stat.Judge(&in.Summary, stat.NewRule("a", 0))
		dir := t.TempDir()
		if err := Write(dir, in); err != nil {
			t.Fatal(err)
		}
		svg := read(t, dir, FigureFolder, "s.sim.paired.svg")
		if n := strings.Count(svg, `class="block"`); n != 7 {
			t.Errorf("%q: %d dots, want 7", metric, n)
		}
		if !strings.Contains(svg, `class="interval v-win"`) || !strings.Contains(svg, ">WIN ") || strings.Contains(svg, "NaN") {
			t.Errorf("%q: the interval of the WIN is not to be seen:\n%s", metric, svg)
		}
		if !strings.Contains(read(t, dir, HTMLFile), "Block by block") {
			t.Errorf("%q: report.html has no such figure", metric)
		}
	}
}

func TestRecoveryIsShown(t *testing.T) {
	for name, c := range map[string]struct {
		n       int
		seconds *float64
		text    string
		sub     string
	}{
		"none":    {0, nil, none, ""},
		"never":   {1, nil, "never", ""},
		"at once": {1, new(0.0), "at once", ""},
		"later":   {3, new(2.5), "2.50 s", "the longest of 3"},
	} {
		if got := recoveryCell(c.n, c.seconds, "never"); got.Text != c.text || got.Sub != c.sub {
			t.Errorf("%s: %+v", name, got)
		}
	}
	digests, sc := digest(t, nil, play("s", record.Sim, "x", 0, 100, 60, 1))
	dir := t.TempDir()
	if err := Write(dir, Input{Summary: stat.Summary{Scenarios: []stat.Scenario{sc}}, Digests: digests}); err != nil {
		t.Fatal(err)
	}
	if text := read(t, dir, MarkdownFile); !strings.Contains(text, "| x | not before it is over | at once |") {
		t.Errorf("report.md does not tell of the recovery:\n%s", text)
	}
}

func TestReplay(t *testing.T) {
	s := section{Scenario: &stat.Scenario{Scenario: "it's", Driver: record.Sim, Seed: 7, Set: []string{"faults=[]"}}}
	for _, name := range []string{"a{b=1,c=2}", "x"} {
		s.Subjects = append(s.Subjects, subject{Subject: stat.Subject{Name: name, Trials: make([]stat.TrialSummary, 3)}})
	}
	if got, want := s.replay(), `keellab sim 'it'\''s' --subjects 'a{b=1,c=2},x' --seeds 3 --seed 7 --set 'faults=[]'`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.Driver, s.Set, s.Scenario.Scenario = record.Live, nil, "calm"
	if got, want := s.replay(), `keellab run calm --subjects 'a{b=1,c=2},x' --blocks 3 --seed 7`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The page stays small: what grows is binned.
func TestSize(t *testing.T) {
	trial := play("s", record.Sim, "x", 0, 3000, 9, 0.5)
	trial.Header.Inside = insideOf(&trial.Header)
	digests, sc := digest(t, nil, trial)
	dir := t.TempDir()
	if err := Write(dir, Input{Summary: stat.Summary{Scenarios: []stat.Scenario{sc}}, Digests: digests}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, HTMLFile))
	if err != nil {
		t.Fatal(err)
	}
	if size := fmt.Sprint(info.Size()); info.Size() > 100_000 {
		t.Errorf("report.html of one subject has %s bytes", size)
	}
}

// Of many endpoints that share a figure, what is pending is shown for one of them.
func TestPendingOfGroups(t *testing.T) {
	trial := play("s", record.Sim, "x", 0, 100, 9, 1)
	trial.Header.Endpoints = nil
	for i := range 100 {
		trial.Header.Endpoints = append(trial.Header.Endpoints, fmt.Sprintf("e%d", i))
	}
	trial.Header.Inside = insideOf(&trial.Header)
	digests, sc := digest(t, nil, trial)
	dir := t.TempDir()
	if err := Write(dir, Input{Summary: stat.Summary{Scenarios: []stat.Scenario{sc}}, Digests: digests}); err != nil {
		t.Fatal(err)
	}
	panels := figuresIn(read(t, dir, HTMLFile), "pending")
	if len(panels) != 1 || !strings.Contains(panels[0], ">1</text>") || strings.Contains(panels[0], "0</text>") {
		t.Errorf("one to three are pending at an endpoint, and the axis says otherwise: %q", panels)
	}
}
