package scenario_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// with is a scenario with these arrivals: ten servers with four slots at 10 ms, which can
// do 4000 requests a second, and ten seconds.
func with(arrivals string) string {
	return "version: 1\nname: x\nmodels: x\nduration: 10s\nwarm_up: 0s\narrivals: " + arrivals + "\n"
}

func TestArrivalsParse(t *testing.T) {
	for text, want := range map[string]scenario.Arrivals{
		"{law: mmpp, load: 0.5, burst: {factor: 5, on: 200ms, off: 1.8s}}": {
			Law: scenario.MMPP, Load: 0.5, Burst: scenario.Burst{Factor: 5, On: 200 * time.Millisecond, Off: 1800 * time.Millisecond}},
		"{law: mmpp, rate: 5, burst: {factor: 1, on: 1ms, off: 1ms}}": {
			Law: scenario.MMPP, Rate: 5, Burst: scenario.Burst{Factor: 1, On: time.Millisecond, Off: time.Millisecond}},
		"{law: trace, file: a.txt, speed: 2}": {Law: scenario.Trace, File: "a.txt", Speed: 2},
		"{law: trace, file: a.txt}":           {Law: scenario.Trace, File: "a.txt"},
		"{law: closed, clients: 150, think: 500ms}": {
			Law: scenario.Closed, Clients: 150, Think: scenario.Think{Mean: 500 * time.Millisecond}},
		"{law: closed, clients: 1000000, think: 0s}": {Law: scenario.Closed, Clients: 1_000_000},
		"{law: closed, clients: 1}":                  {Law: scenario.Closed, Clients: 1},
		"{law: closed, clients: 150, think: {law: constant, mean: 24h}}": {
			Law: scenario.Closed, Clients: 150, Think: scenario.Think{Law: "constant", Mean: 24 * time.Hour}},
		"{phases: [{for: 1s, load: 0}, {for: 2s, rate: 0}, {for: 3s, load: 1.2, ramp: true}]}": {
			Law: scenario.Poisson, Phases: []scenario.Phase{
				{For: time.Second, Load: new(0.0)}, {For: 2 * time.Second, Rate: new(0.0)}, {For: 3 * time.Second, Load: new(1.2), Ramp: true}}},
		"{law: constant, load: 1, wave: {amplitude: 1, period: 100ms}}": {
			Law: scenario.Constant, Load: 1, Wave: scenario.Wave{Amplitude: 1, Period: 100 * time.Millisecond}},
		"{load: 1, wave: {amplitude: 0, period: 20s}}": {
			Law: scenario.Poisson, Load: 1, Wave: scenario.Wave{Period: 20 * time.Second}},
	} {
		if diff := cmp.Diff(want, parse(t, with(text), scenario.Sim).Arrivals); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestArrivalErrors(t *testing.T) {
	many := strings.Repeat("{for: 1s, load: 1}, ", 1001)
	for _, c := range []struct{ arrivals, want string }{
		{"{law: clsed, clients: 0, wave: {amplitude: 2, period: 1s}}", `6:17: arrivals.law: unknown law "clsed": did you mean "closed"?`},
		{"{law: poison, load: -1}", "6:17: arrivals.law: unknown law \"poison\": did you mean \"poisson\"?\n6:31: arrivals.load: -1: expected above 0"},
		{"{load: 1, rate: 1, phases: [{for: 1s, load: 1}]}", `6:11: arrivals: load, rate, phases are given: expected one of them`},
		{"{wave: {amplitude: 0.1, period: 1s}}", `6:11: arrivals: expected load (a share of the capacity), rate (a second) or phases`},
		{"{load: 1, rate: 1}", `6:11: arrivals: both load and rate are given: expected one of them`},
		{"{rate: -1}", `6:18: arrivals.rate: -1: expected above 0`},
		{"{load: 1, burst: {factor: 5, on: 1s, off: 1s}}", `6:28: arrivals.burst: arrivals of law poisson have no burst`},
		{"{load: 1, file: x}", `6:27: arrivals.file: arrivals of law poisson have no file`},
		{"{load: 1, speed: 2}", `6:28: arrivals.speed: arrivals of law poisson have no speed`},
		{"{law: constant, load: 1, clients: 5, think: 1s}", "6:45: arrivals.clients: arrivals of law constant have no clients\n6:55: arrivals.think: arrivals of law constant have no think"},
		{"{law: trace, file: x, load: 1}", `6:39: arrivals.load: arrivals of law trace have no load`},
		{"{law: trace, file: x, rate: 1}", `6:39: arrivals.rate: arrivals of law trace have no rate`},
		{"{law: trace, file: x, phases: [{for: 1s, load: 1}]}", `6:41: arrivals.phases: arrivals of law trace have no phases`},
		{"{law: trace, file: x, wave: {amplitude: 0.1, period: 1s}}", `6:39: arrivals.wave: arrivals of law trace have no wave`},
		{"{law: trace}", `6:11: arrivals.file: : expected the file with the instants`},
		{"{law: trace, file: x, speed: -2}", `6:40: arrivals.speed: -2: expected above 0`},
		{"{law: closed, clients: 1, load: 1}", `6:43: arrivals.load: arrivals of law closed have no load`},
		{"{law: closed}", `6:11: arrivals.clients: 0: expected 1 to 1000000`},
		{"{law: closed, clients: 1000001}", `6:34: arrivals.clients: 1000001: expected 1 to 1000000`},
		{"{law: closed, clients: -1}", `6:34: arrivals.clients: -1: expected 1 to 1000000`},
		{"{law: closed, clients: 1, think: -1s}", `6:44: arrivals.think.mean: -1s: expected 0 to 24h0m0s`},
		{"{law: closed, clients: 1, think: 25h}", `6:44: arrivals.think.mean: 25h0m0s: expected 0 to 24h0m0s`},
		{"{law: closed, clients: 1, think: {law: pareto, mean: 1s}}", `6:50: arrivals.think.law: pareto: expected exponential or constant`},
		{"{law: mmpp, load: 1}", "6:11: arrivals.burst.factor: 0: expected at least 1\n6:11: arrivals.burst.on: 0s: expected at least 1ms\n6:11: arrivals.burst.off: 0s: expected at least 1ms"},
		{"{law: mmpp, load: 1, burst: {factor: 0.5, on: 1s, off: 1s}}", `6:48: arrivals.burst.factor: 0.5: expected at least 1`},
		{"{law: mmpp, load: 1, burst: {factor: 5, on: 1us, off: 1s}}", `6:55: arrivals.burst.on: 1µs: expected at least 1ms`},
		{"{law: mmpp, load: 1, burst: {factor: 5, on: 1s, off: -1s}}", `6:64: arrivals.burst.off: -1s: expected at least 1ms`},
		{"{law: mmpp, rate: 1, burst: {factor: 5, on: 1ms, off: 1ms}}\nduration: 1h", `6:39: arrivals.burst: 2ms: expected at least 3.6ms for on and off together`},
		{"{load: 1, wave: {amplitude: 1.1, period: 1s}}", `6:39: arrivals.wave.amplitude: 1.1: expected 0 to 1: a share of the rate`},
		{"{load: 1, wave: {amplitude: -0.1, period: 1s}}", `6:39: arrivals.wave.amplitude: -0.1: expected 0 to 1: a share of the rate`},
		{"{load: 1, wave: {amplitude: 1}}", `6:27: arrivals.wave.period: 0s: expected at least 1ms`},
		{"{load: 1, wave: {amplitude: 1, period: 900us}}\nduration: 1s", `6:50: arrivals.wave.period: 900µs: expected at least 1ms`},
		{"{rate: 1, wave: {amplitude: 1, period: 100ms}}\nduration: 1h", `6:50: arrivals.wave.period: 100ms: expected at least 360ms`},
		{"{phases: [{for: 1s, load: 1, ramp: true}]}", `6:46: arrivals.phases[0].ramp: there is no phase before the first one from which it could go on`},
		{"{phases: [{load: 1}]}", `6:21: arrivals.phases[0].for: 0s: expected above 0`},
		{"{phases: [{for: 1s}, {for: 1s, load: 1, rate: 1}]}", "6:21: arrivals.phases[0]: expected load or rate, one of them; 0 is nobody\n6:32: arrivals.phases[1]: expected load or rate, one of them; 0 is nobody\n"},
		{"{phases: [{for: 1s, load: -1}, {for: 1s, rate: -2}]}", "6:37: arrivals.phases[0].load: -1: expected at least 0\n6:58: arrivals.phases[1].rate: -2: expected at least 0"},
		{"{phases: [{for: 1s, load: 0}, {for: 1s, rate: 0}]}", `6:20: arrivals.phases: nobody arrives in any of them: expected one with a load or a rate above 0`},
		{"{phases: [" + many + "]}", `6:20: arrivals.phases: 1001: expected at most 1000`},
		{"{phases: [{for: 1s, rate: 1}, {for: 1s, rate: 1e8, ramp: true}]}", `6:11: arrivals: 850000002 requests in all: expected at most 100000000`},
	} {
		// A key that stands twice counts as it stands first.
		text := with(c.arrivals)
		if strings.Contains(c.arrivals, "\nduration") {
			text = strings.Replace(text, "duration: 10s\n", "", 1)
			c.want = strings.ReplaceAll(c.want, "6:", "5:")
		}
		_, err := scenario.Parse("f", []byte(text), scenario.Sim)
		got := ""
		if err != nil {
			got = strings.ReplaceAll("\n"+err.Error(), "\nf:", "\n")[1:]
		}
		if diff := cmp.Diff(strings.TrimSpace(c.want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.arrivals, diff)
		}
	}
}

// Clients that wait for their answers are for the simulator: a live block says otherwise,
// or there is none.
func TestClosedLive(t *testing.T) {
	text := with("{law: closed, clients: 5, think: 1s}")
	parse(t, text, scenario.Sim)
	for _, size := range []scenario.Size{scenario.Sim, scenario.Live} {
		_, err := scenario.Parse("f", []byte(text+"live: {duration: 5s}"), size)
		if err == nil || !strings.Contains(err.Error(), "f:6:17: arrivals.law: clients wait for their answers only in the simulator") {
			t.Errorf("size %d: got %v", size, err)
		}
	}
	live := parse(t, text+"live: {arrivals: {law: poisson, load: 0.1, clients: null, think: null}}", scenario.Live)
	if diff := cmp.Diff(scenario.Arrivals{Law: scenario.Poisson, Load: 0.1}, live.Arrivals); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is offered in all, and at most, by hand: 4000 a second is all that the servers can.
func TestOffered(t *testing.T) {
	for _, c := range []struct {
		arrivals  string
		rate, max float64 // max as a share of the capacity
	}{
		{"{load: 0.5}", 2000, 0.5},
		{"{rate: 500}", 500, 0.125},
		{"{phases: [{for: 4s, load: 0.5}, {for: 1s, rate: 8000}]}", 0.4*2000 + 0.6*8000, 2},
		{"{phases: [{for: 5s, load: 0}, {for: 5s, load: 1, ramp: true}]}", 1000, 0.995}, // in the middle of the last step
		{"{phases: [{for: 5s, load: 1}, {for: 5s, load: 0, ramp: true}, {for: 1s, load: 9}]}", 3000, 1},
		{"{phases: [{for: 20s, load: 0.5}, {for: 1s, load: 9}]}", 2000, 0.5},
		{"{phases: [{for: 5s, load: 0}, {for: 10s, load: 1, ramp: true}]}", 500, 0.495}, // half of it
		{"{load: 0.5, wave: {amplitude: 0.4, period: 5s}}", 2000, 0.5 * (1 + 0.4*math.Sin(0.49*math.Pi))},
		// Half a wave: the mean of a sine's positive half is 2/π, of its fifty steps
		// 1/(50·sin(π/100)).
		{"{load: 0.5, wave: {amplitude: 1, period: 20s}}", 2000 * (1 + 1/(50*math.Sin(math.Pi/100))), 0.5 * (1 + math.Sin(0.49*math.Pi))},
		{"{law: mmpp, load: 0.5, burst: {factor: 9, on: 1s, off: 3s}}", 2000, 0.5},
	} {
		s := parse(t, with(c.arrivals), scenario.Sim)
		for name, x := range map[string][2]float64{
			"rate":            {s.Rate(), c.rate},
			"offered":         {s.Offered(), c.rate / 4000},
			"offered at most": {s.MaxOffered(), c.max},
		} {
			if math.Abs(x[0]-x[1]) > 1e-9*x[1] {
				t.Errorf("%s: %s: got %v, want %v", c.arrivals, name, x[0], x[1])
			}
		}
	}
}

// Arrivals at equal intervals of the integral: they stand where it says, to the
// nanosecond where it is a matter of rounding.
func TestConstantPhases(t *testing.T) {
	s := parse(t, with("{law: constant, phases: [{for: 1s, rate: 0}, {for: 1s, rate: 4}, {for: 3s, rate: 0}, {for: 2500ms, rate: 2}, {for: 1s, rate: 1}]}"), scenario.Sim)
	var got []float64
	for _, at := range schedule(s, 1) {
		got = append(got, math.Round(at.Seconds()*1e6)/1e6)
	}
	// Number 9 comes at the end of the phase with 2 a second, with the first of the next.
	want := []float64{1, 1.25, 1.5, 1.75, 5, 5.5, 6, 6.5, 7, 7.5, 8.5, 9.5}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// A ramp from 0 to 100 a second over 10 s: number n at √(n/5) s; a step's change is
	// at most 1 a second, within 0.1 s.
	s = parse(t, with("{law: constant, phases: [{for: 1ns, rate: 0}, {for: 10s, rate: 100, ramp: true}]}"), scenario.Sim)
	ramp := schedule(s, 1)
	if len(ramp) != 500 {
		t.Errorf("ramp: %d requests, want 500", len(ramp))
	}
	for n, at := range ramp {
		if before := 5 * at.Seconds() * at.Seconds(); math.Abs(before-float64(n)) > 0.05 {
			t.Errorf("ramp: number %d comes at %v s, number %v by the integral", n, at.Seconds(), before)
		}
	}

	// A wave: by t there are 100·(t + 0.5·(1-cos(2πt/5))·5/2π) of them.
	s = parse(t, with("{law: constant, rate: 100, wave: {amplitude: 0.5, period: 5s}}"), scenario.Sim)
	wave := schedule(s, 1)
	if len(wave) != 1000 {
		t.Errorf("wave: %d requests, want 1000", len(wave))
	}
	for n, at := range wave {
		if before := 100 * (at.Seconds() + 0.5*(1-math.Cos(2*math.Pi*at.Seconds()/5))*5/(2*math.Pi)); math.Abs(before-float64(n)) > 0.05 {
			t.Errorf("wave: number %d comes at %v s, number %v by the integral", n, at.Seconds(), before)
		}
	}
}

// Invariants of a changing rate: the instants ascend and lie within the trial; a longer
// trial begins with the shorter one; the same seed draws the same, another one does not.
func TestChangingInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := []string{
			"{phases: [{for: 300ms, load: 0.1}, {for: 1s, load: 0}, {for: 500ms, load: 0.2, ramp: true}]}",
			"{rate: 500, wave: {amplitude: 1, period: 700ms}}",
			"{law: mmpp, rate: 500, burst: {factor: 10, on: 20ms, off: 100ms}}",
			"{law: mmpp, phases: [{for: 1s, rate: 500}, {for: 1s, rate: 0, ramp: true}], wave: {amplitude: 0.5, period: 300ms}, burst: {factor: 10, on: 20ms, off: 100ms}}",
		}
		text := rapid.SampledFrom(texts).Draw(t, "arrivals")
		s, err := scenario.Parse("f", []byte(with(text)), scenario.Sim)
		if err != nil {
			t.Fatal(err)
		}
		seed := rapid.Uint64().Draw(t, "seed")
		s.Duration = time.Duration(rapid.Int64Range(int64(300*time.Millisecond), int64(4*time.Second)).Draw(t, "duration"))
		all := schedule(s, seed)
		if !slices.IsSorted(all) || len(all) == 0 || all[0] < 0 || all[len(all)-1] >= core.Instant(s.Duration) {
			t.Fatalf("not ascending within %v: %v", s.Duration, all)
		}
		if again := schedule(s, seed); !slices.Equal(all, again) {
			t.Fatalf("again: got %v, want %v", again, all)
		}
		if slices.Equal(all, schedule(s, seed+1)) {
			t.Fatalf("another seed: the same schedule")
		}
		s.Duration *= 2
		if longer := schedule(s, seed); !slices.Equal(all, longer[:min(len(all), len(longer))]) {
			t.Fatalf("twice as long: got %v, want it to begin with %v", longer, all)
		}
	})
}

// The counts of a Poisson process whose rate changes are Poisson's in each part: mean and
// variance are the integral. Five standard deviations.
func TestPoissonPhases(t *testing.T) {
	s := parse(t, with("{phases: [{for: 2s, rate: 1000}, {for: 4s, rate: 3000, ramp: true}, {for: 4s, rate: 0}]}"), scenario.Sim)
	counts := [5]float64{}
	const seeds = 20
	for seed := range uint64(seeds) {
		for _, at := range schedule(s, seed) {
			counts[at/core.Instant(2*time.Second)]++
		}
	}
	for i, want := range []float64{2000, 3000, 5000, 0, 0} { // the ramp: 1000 to 2000 to 3000
		want *= seeds
		if math.Abs(counts[i]-want) > 5*math.Sqrt(want) {
			t.Errorf("from %d s: %v requests, want %v ± %.0f", 2*i, counts[i], want, 5*math.Sqrt(want))
		}
	}
}

// The schema names the laws that there are.
func TestSchemaLaws(t *testing.T) {
	text, err := scenario.Schema()
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		Enum       []string
		Properties map[string]*schema
	}
	var all schema
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		"arrivals.law": scenario.ArrivalLaws, "servers.service.law": model.Laws,
	} {
		at := &all
		for step := range strings.SplitSeq(path, ".") {
			at = at.Properties[step]
		}
		if diff := cmp.Diff(want, at.Enum); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// Drawing the next instant allocates nothing, whatever the rate does.
func TestNextAllocates(t *testing.T) {
	for _, text := range []string{"{rate: 1e5}", "{rate: 1e5, wave: {amplitude: 1, period: 1s}}"} {
		stream := parse(t, with(text), scenario.Sim).Stream(scenario.NewChance(1))
		if got := testing.AllocsPerRun(100_000, func() { stream.Next() }); got != 0 {
			t.Errorf("%s: %v allocations", text, got)
		}
	}
}

// BenchmarkStream draws the instants of a trial that is too long to end.
func BenchmarkStream(b *testing.B) {
	for _, c := range []struct {
		name     string
		arrivals scenario.Arrivals
		d        time.Duration
	}{
		{"poisson", scenario.Arrivals{Law: scenario.Poisson, Rate: 1000}, 1 << 62},
		{"constant", scenario.Arrivals{Law: scenario.Constant, Rate: 1000}, 1 << 62},
		{"wave", scenario.Arrivals{Law: scenario.Poisson, Rate: 1000, Wave: scenario.Wave{Amplitude: 0.5, Period: 1000 * time.Second}}, 1e7 * time.Second},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := scenario.Default()
			s.Arrivals, s.Duration = c.arrivals, c.d
			stream := s.Stream(scenario.NewChance(1))
			b.ReportAllocs()
			for b.Loop() {
				stream.Next()
			}
		})
	}
	b.Run(fmt.Sprintf("pieces/n=%d", 10_000), func(b *testing.B) {
		s := scenario.Default()
		s.Arrivals = scenario.Arrivals{Law: scenario.Poisson, Rate: 1000, Wave: scenario.Wave{Amplitude: 0.5, Period: 600 * time.Millisecond}}
		b.ReportAllocs()
		for b.Loop() {
			s.Stream(scenario.NewChance(1))
		}
	})
}
