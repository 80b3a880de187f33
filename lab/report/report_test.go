package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/stat"
	"github.com/google/go-cmp/cmp"
)

// oracle is the name of the reference.
const oracle = "oracle"

var update = flag.Bool("update", false, "rewrite the golden files")

// play makes a trial of a toy: six endpoints, the first one `slow` times slower
// while the fault is on, of which the subject still sends it `keep` of its share.
func play(scenario, driver, subject string, block, rate int, slow, keep float64) *record.Trial {
	rng := rand.New(rand.NewPCG(uint64(block), 1))
	t := &record.Trial{Header: record.Header{
		Scenario: scenario, Driver: driver, Subject: subject, Seed: uint64(10 + block), Block: block,
		Duration: 30 * time.Second, WarmUp: 3 * time.Second, ClientTimeout: 2 * time.Second,
		Objective: record.Objective{Latency: 100 * time.Millisecond, Share: 0.99},
		Endpoints: []string{"s0", "s1", "s2", "s3", "s4", "s5"},
		Faults:    []record.Fault{{Kind: "slow", Servers: []int{0}, From: 10e9, To: 20e9, Note: fmt.Sprintf("%gx slower", slow)}},
		Decisions: []record.Decisions{{Mode: "adaptive", Reason: "none", Count: 900}, {Mode: "fallback", Reason: "signal-thin", Count: 100}},
	}}
	for i := range 30 * rate {
		at := core.Instant(i) * core.Instant(time.Second) / core.Instant(rate)
		r := record.Request{Seq: int64(i), Planned: at, Sent: at, Endpoint: rng.IntN(6), Attempts: 1, Code: 200}
		took := rng.ExpFloat64() * 0.010
		if on := at >= 10e9 && at < 20e9; on && r.Endpoint == 0 {
			if rng.Float64() > keep {
				r.Endpoint = 1 + rng.IntN(5)
			} else {
				took *= slow
			}
		}
		if took > 0.4 {
			r.Code = 504
		}
		r.Done = at + core.Instant(took*1e9)
		t.Requests = append(t.Requests, r)
	}
	return t
}

// digest digests trials, the subjects in the given order, and summarises them.
func digest(t testing.TB, order []string, trials ...*record.Trial) ([]stat.Digest, stat.Scenario) {
	t.Helper()
	var list []stat.Digest
	for _, trial := range trials {
		d, err := stat.NewDigester(trial.Header)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range trial.Requests {
			d.Add(r)
		}
		done, err := d.Digest(trial.Header)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, done)
	}
	stat.Sort(list, order)
	sc, err := stat.Summarise(list)
	if err != nil {
		t.Fatal(err)
	}
	return list, sc
}

// input is a report of two scenarios in two drivers, with a void trial and a
// subject that has no other.
func input(t testing.TB) Input {
	t.Helper()
	var in Input
	add := func(order []string, trials ...*record.Trial) {
		digests, sc := digest(t, order, trials...)
		in.Summary.Scenarios = append(in.Summary.Scenarios, sc)
		in.Digests = append(in.Digests, digests...)
	}
	order := []string{"round-robin", "p2c-ewma{decay=5s}", oracle}
	void := play("one-slow", record.Sim, "p2c-ewma{decay=5s}", 2, 200, 9, 1)
	void.Header.Void = "clock went backwards"
	add(order,
		play("one-slow", record.Sim, "round-robin", 0, 200, 12, 1),
		play("one-slow", record.Sim, "round-robin", 1, 200, 12, 1),
		play("one-slow", record.Sim, "p2c-ewma{decay=5s}", 0, 200, 12, 0.2),
		play("one-slow", record.Sim, "p2c-ewma{decay=5s}", 1, 200, 12, 0.2),
		void,
		play("one-slow", record.Sim, oracle, 0, 200, 1, 0.5),
	)
	live := play("one-slow", record.Live, "round-robin", 0, 20, 12, 1)
	live.Header.Generator = &record.Generator{
		LatenessP50: 40 * time.Microsecond, LatenessP99: 1300 * time.Microsecond, LatenessMax: 9 * time.Millisecond,
		PeakInFlight: 7, MeanInFlight: 0.4, LittleInFlight: 0.41, GCPauses: 2 * time.Millisecond,
	}
	lost := play("one-slow", record.Live, "haproxy-leastconn", 0, 20, 12, 1)
	lost.Header.Void = "the proxy did not start"
	add(order, live, lost)
	in.Notes = []Notes{{
		Scenario: "one-slow", Models: "One of six endpoints is slower for ten seconds.", Source: "lab.md §5.3",
		Wins: []string{"p2c-ewma"}, Loses: []string{"round-robin"},
	}}
	stat.Judge(&in.Summary, stat.NewRule("", 0))
	return in
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := write(path, []byte(got)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update rewrites it:\n%s", path, diff)
	}
}

func read(t testing.TB, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestGolden(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, input(t)); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.md", read(t, dir, MarkdownFile))
	for _, kind := range kinds {
		golden(t, "one-slow.sim"+kind, read(t, dir, FigureFolder, "one-slow.sim"+kind))
	}
}

// Every figure that report.md shows is there, is XML, and the other way round.
func TestFigures(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, FigureFolder, "old.sim.timeline.svg")
	kept := filepath.Join(dir, FigureFolder, "mine.svg")
	for _, path := range []string{stale, kept} {
		if err := write(path, []byte("<svg/>")); err != nil {
			t.Fatal(err)
		}
	}
	if err := Write(dir, input(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a stale figure is still there: %v", err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("somebody else's figure is gone: %v", err)
	}
	shown := regexp.MustCompile(`\]\(figures/([^)]*)\)`).FindAllStringSubmatch(read(t, dir, MarkdownFile), -1)
	if len(shown) != 7 {
		t.Errorf("report.md shows %d figures, want three for either driver, and the one comparison there is", len(shown))
	}
	for _, m := range shown {
		dec := xml.NewDecoder(strings.NewReader(read(t, dir, FigureFolder, m[1])))
		for {
			if _, err := dec.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Errorf("%s: %v", m[1], err)
				break
			}
		}
	}
}

// report.html loads nothing from anywhere and runs nothing.
func TestHTMLIsSelfContained(t *testing.T) {
	in := input(t)
	in.Provenance = &Provenance{}
	in.Provenance.Add(NewRun([]string{"keellab", "sim"}, time.Now(), time.Now()))
	dir := t.TempDir()
	if err := Write(dir, in); err != nil {
		t.Fatal(err)
	}
	if p, err := ReadProvenance(dir); err != nil || len(p.Runs) != 1 {
		t.Errorf("provenance beside it: %+v, %v", p, err)
	}
	page := read(t, dir, HTMLFile)
	for _, bad := range []string{"http://", "https://", "<script", "<link", "@import", "url(", " src="} {
		if strings.Contains(page, bad) {
			t.Errorf("report.html contains %q", bad)
		}
	}
	for _, want := range []string{"simulated (virtual time)", ">live<", "clock went backwards", "How to read this", "Load generator", "keellab sim"} {
		if !strings.Contains(page, want) {
			t.Errorf("report.html does not say %q", want)
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("the id %q is there twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(` href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("a link leads to #%s, which is not there", m[1])
		}
	}
}

// Names come from scenario files and command lines: none of them is markup.
func TestEscapes(t *testing.T) {
	const evil = `<b onload="x">&'|*_` + "`[x](y)"
	trial := play(evil, record.Sim, evil, 0, 100, 5, 1)
	trial.Header.Endpoints[0] = evil
	trial.Header.Faults[0].Kind, trial.Header.Faults[0].Note = evil, evil
	trial.Header.Void = evil
	sound := play(evil, record.Sim, evil, 1, 100, 5, 1)
	sound.Header.Endpoints[0], sound.Header.Unstable = evil, evil
	digests, sc := digest(t, nil, trial, sound)
	p := &Provenance{}
	p.Add(NewRun([]string{evil}, time.Now(), time.Now()))
	dir := t.TempDir()
	err := Write(dir, Input{
		Summary: stat.Summary{Scenarios: []stat.Scenario{sc}}, Digests: digests, Provenance: p,
		Notes: []Notes{{Scenario: evil, Models: evil, Source: evil, Wins: []string{evil}, Text: evil}},
	})
	if err != nil {
		t.Fatal(err)
	}
	figures, err := filepath.Glob(filepath.Join(dir, FigureFolder, "*.svg"))
	if err != nil || len(figures) != 3 {
		t.Fatalf("figures %v, %v; want three", figures, err)
	}
	for _, path := range append(figures, filepath.Join(dir, HTMLFile), filepath.Join(dir, MarkdownFile)) {
		if text := read(t, path); strings.Contains(text, "<b on") || strings.Contains(text, `onload="x"`) && strings.HasSuffix(path, "l") {
			t.Errorf("%s contains the name as markup", filepath.Base(path))
		}
	}
	for _, line := range strings.Split(read(t, dir, MarkdownFile), "\n") {
		if strings.Contains(line, "[x](y)") {
			t.Errorf("report.md contains the name as a link: %s", line)
		}
	}
}

// Neither trials nor scenarios nor anything else has to be there.
func TestSparse(t *testing.T) {
	full := input(t)
	for name, in := range map[string]Input{
		"nothing":    {},
		"no digests": {Summary: full.Summary},
		"no median":  {Summary: stat.Summary{Scenarios: []stat.Scenario{{Scenario: "s", Driver: "sim", Subjects: []stat.Subject{{Name: "x"}}}}}},
		"no requests": func() Input {
			trial := play("s", record.Sim, "x", 0, 100, 1, 1)
			trial.Requests = nil
			digests, sc := digest(t, nil, trial)
			return Input{Summary: stat.Summary{Scenarios: []stat.Scenario{sc}}, Digests: digests}
		}(),
	} {
		dir := t.TempDir()
		if err := Write(dir, in); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, file := range []string{HTMLFile, MarkdownFile} {
			if text := read(t, dir, file); strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
				t.Errorf("%s: %s has a number that is none", name, file)
			}
		}
	}
}

// A trial without a steady state counts, and says so wherever its figures stand.
func TestUnstableIsShown(t *testing.T) {
	const why = "offered load 1.20 of the capacity"
	var trials []*record.Trial
	for block := range 3 {
		p2c, robin := play("over", record.Sim, "p2c-ewma", block, 20, 5, 1), play("over", record.Sim, "round-robin", block, 20, 60, 1)
		if block > 0 {
			p2c.Header.Unstable = why
		}
		robin.Header.Unstable = "1000000 requests in flight after 12.3 s: stopped"
		trials = append(trials, p2c, robin)
	}
	trials[1].Header.Void = "noise" // that it is unstable, too, does not matter then
	digests, sc := digest(t, []string{"p2c-ewma", "round-robin"}, trials...)
	dir := t.TempDir()
	if err := Write(dir, Input{Summary: stat.Summary{Scenarios: []stat.Scenario{sc}}, Digests: digests}); err != nil {
		t.Fatal(err)
	}
	text := read(t, dir, MarkdownFile)
	for _, want := range []string{
		": 2 subjects, 6 trials (1 void, 4 unstable).\n",
		"| over (simulated) | 3 (1 void) |",
		"- **unstable:** p2c-ewma, 2 of 3 trials: " + why + " (block 1)\n- **unstable:** round-robin, 2 of 3 trials: 1000000 requests in flight after 12.3 s: stopped (block 1)\n",
		"- **void:** round-robin, block 0 (seed 10): noise\n",
		"| 3 (2 unstable) |", "| 3 (1 void, 2 unstable) |", "(unstable)", "unstable, errors",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("report.md does not say %q", want)
		}
	}
	if strings.Contains(text, " ms** ") || strings.Contains(text, " s** ") {
		t.Error("report.md calls an unstable subject best")
	}
	if page := read(t, dir, HTMLFile); !strings.Contains(page, `<span class="badge flag">unstable</span>`) || !strings.Contains(page, "<b>unstable</b> p2c-ewma, 2 of 3") {
		t.Error("report.html does not flag the scenario")
	}
	// A stable one is best, whatever the figures of the others.
	steady, twin := play("over", record.Sim, "steady", 0, 20, 200, 1), play("over", record.Sim, "twin", 0, 20, 200, 1)
	twin.Header.Unstable = why
	digests, sc = digest(t, []string{"p2c-ewma", "round-robin"}, append(trials, steady, twin)...)
	if err := Write(dir, Input{Summary: stat.Summary{Scenarios: []stat.Scenario{sc}}, Digests: digests}); err != nil {
		t.Fatal(err)
	}
	text = read(t, dir, MarkdownFile)
	if n := strings.Count(text, "**2.35 s**"); n != 2 || strings.Count(text, " s** ")+strings.Count(text, " ms** ") != n {
		t.Errorf("report.md emphasises the stable subject %d times, want it in both tables, and no other", n)
	}
	stable := t.TempDir()
	if err := Write(stable, input(t)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(read(t, stable, HTMLFile), "badge flag") {
		t.Error("a scenario without unstable trials is flagged")
	}
}

// What is simulated is not taken for measured, and the other way round.
func TestSimulatedIsMarked(t *testing.T) {
	for driver, marked := range map[string]bool{record.Sim: true, record.Live: false} {
		digests, sc := digest(t, nil, play("s", driver, "x", 0, 20, 5, 1))
		dir := t.TempDir()
		if err := Write(dir, Input{Summary: stat.Summary{Scenarios: []stat.Scenario{sc}}, Digests: digests}); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{HTMLFile, MarkdownFile} {
			above, _, _ := strings.Cut(read(t, dir, file), "Overview")
			if strings.Contains(above, "was not measured on a machine") != marked || strings.Contains(above, "simulated (virtual time)") != marked {
				t.Errorf("%s: %s: what stands first says simulated: %t, want %t", driver, file, !marked, marked)
			}
		}
	}
}

// A thousand endpoints take no more room than a few.
func TestManyEndpoints(t *testing.T) {
	trial := play("large", record.Sim, "x", 0, 200, 5, 1)
	trial.Header.Endpoints = nil
	for i := range 1000 {
		trial.Header.Endpoints = append(trial.Header.Endpoints, fmt.Sprintf("server-%03d", i))
	}
	for i := range trial.Requests {
		trial.Requests[i].Endpoint = i % 1000
	}
	digests, sc := digest(t, nil, trial)
	dir := t.TempDir()
	if err := Write(dir, Input{Summary: stat.Summary{Scenarios: []stat.Scenario{sc}}, Digests: digests}); err != nil {
		t.Fatal(err)
	}
	text := read(t, dir, MarkdownFile)
	if want := "with faults (1 of 1000): 0.09 %; others 0.09 % to 0.11 % each"; !strings.Contains(text, want) {
		t.Errorf("report.md does not say %q", want)
	}
	if strings.Contains(read(t, dir, HTMLFile), "figure bars") {
		t.Error("report.html has a bar for many endpoints")
	}
	for file, most := range map[string]int{MarkdownFile: 10_000, HTMLFile: 60_000, "figures/large.sim.shares.svg": 10_000} {
		if page := read(t, dir, file); len(page) > most || strings.Contains(page, "server-500") {
			t.Errorf("%s has %d bytes, want at most %d and no endpoint but the faulty", file, len(page), most)
		}
	}
	if shares := sc.Subjects[0].Median.Shares; len(shares) != 2 {
		t.Errorf("the summary has %d shares, want 2", len(shares))
	}
	trial.Header.Faults[0].Servers = []int{0, 1, 2, 3, 4}
	digests, sc = digest(t, nil, trial)
	if err := Write(dir, Input{Summary: stat.Summary{Scenarios: []stat.Scenario{sc}}, Digests: digests}); err != nil {
		t.Fatal(err)
	}
	if want := "with faults (5 of 1000): 0.46 %;"; !strings.Contains(read(t, dir, MarkdownFile), want) {
		t.Errorf("report.md does not say %q", want)
	}
}

func TestProvenance(t *testing.T) {
	dir := t.TempDir()
	p, err := ReadProvenance(dir)
	if err != nil || len(p.Runs) != 0 {
		t.Fatalf("of an empty folder: %+v, %v", p, err)
	}
	start := time.Date(2030, 1, 2, 3, 4, 5, 0, time.FixedZone("x", 3600))
	p.Add(NewRun([]string{"keellab", "sim"}, start, start.Add(time.Minute)))
	p.Add(NewRun([]string{"keellab", "run"}, start.Add(time.Hour), start.Add(2*time.Hour)))
	if err := WriteProvenance(dir, p); err != nil {
		t.Fatal(err)
	}
	got, err := ReadProvenance(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("(-wrote +read):\n%s", diff)
	}
	if !got.Started.Equal(start) || !got.Finished.Equal(start.Add(2*time.Hour)) || len(got.Runs) != 2 {
		t.Errorf("%d runs from %v to %v", len(got.Runs), got.Started, got.Finished)
	}
	if m := got.Runs[0]; m.Machine.CPUs < 1 || m.Build.Go == "" {
		t.Errorf("run %+v does not say on what it ran", m)
	}
	const info = "processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\nprocessor\t: 1\nmodel name\t: Other\n"
	if got := cpuModel([]byte(info)); got != "Fast CPU @ 3 GHz" {
		t.Errorf("CPU model %q", got)
	}
	if got := cpuModel(bytes.Repeat([]byte("x"), 10)); got != "" {
		t.Errorf("CPU model %q of nonsense", got)
	}
}
