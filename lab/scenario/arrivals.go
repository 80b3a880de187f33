package scenario

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Laws of arrivals.
const (
	Poisson  = "poisson"  // memoryless
	Constant = "constant" // at equal intervals
	MMPP     = "mmpp"     // poisson in bursts: a Poisson process modulated by a Markov chain of two states
	Trace    = "trace"    // at the instants that stand in a file
	Closed   = "closed"   // each of so many clients waits for its answer before it asks again
)

// ArrivalLaws are the laws of arrivals.
var ArrivalLaws = []string{Poisson, Constant, MMPP, Trace, Closed}

// Arrivals says when requests arrive: by a law, at a rate or at a share of what the
// servers can do, which may change over time; at the instants of a trace; or when
// clients have got their answers. A setting that the law does not have is 0.
type Arrivals struct {
	Law  string  `yaml:"law" enum:"poisson,constant,mmpp,trace,closed" doc:"poisson: memoryless; constant: at equal intervals; mmpp: memoryless in bursts; trace: at the instants in a file; closed: clients that wait for their answers (only in the simulator)."`
	Load float64 `yaml:"load,omitempty" doc:"Offered load as a share of the nominal capacity (count x slots / mean service time). Instead of rate."`
	Rate float64 `yaml:"rate,omitempty" doc:"Requests a second. Instead of load."`

	Phases []Phase `yaml:"phases,omitempty" doc:"Loads or rates one after the other, instead of a single one; that of the last phase stays."`
	Wave   Wave    `yaml:"wave,omitempty" doc:"poisson, constant, mmpp: a sine over the rate."`
	Burst  Burst   `yaml:"burst,omitempty" doc:"mmpp: the bursts."`

	File  string  `yaml:"file,omitempty" doc:"trace: a text file, relative to the folder of this one, with an instant in seconds a line; a line with # in front is a comment, and the first other line may be a heading; or vegeta's results (gob, csv, json): when each was sent, from the first on."`
	Speed float64 `yaml:"speed,omitempty" doc:"trace: how many times as fast it is played; left out: 1."`

	Clients int   `yaml:"clients,omitempty" doc:"closed: how many clients there are."`
	Think   Think `yaml:"think,omitempty" doc:"closed: how long a client waits after an answer before it asks again."`

	// Instants are what stands in the file, from the beginning of the trial and
	// ascending: there when [Load] has read it.
	Instants []time.Duration
}

// Phase is a time with a load or a rate, one of the two; 0 is nobody.
type Phase struct {
	For  time.Duration `yaml:"for" doc:"How long it is."`
	Load *float64      `yaml:"load,omitempty" doc:"Offered load as a share of the nominal capacity. Instead of rate."`
	Rate *float64      `yaml:"rate,omitempty" doc:"Requests a second. Instead of load."`
	Ramp bool          `yaml:"ramp,omitempty" doc:"The rate goes evenly from that of the phase before to this one, in a hundred steps."`
}

// Wave is a sine over the rate: at t it is 1 + Amplitude·sin(2πt/Period) times as high.
// The zero value is none.
type Wave struct {
	Amplitude float64       `yaml:"amplitude" doc:"Its height, as a share of the rate: 0 to 1."`
	Period    time.Duration `yaml:"period" doc:"How long one wave is; it is cut into a hundred steps."`
}

// Burst says how the rate of an MMPP changes. What is between the bursts is so much below
// the mean rate that the mean is kept.
type Burst struct {
	Factor float64       `yaml:"factor" doc:"How many times as high as between the bursts the rate is during one: at least 1."`
	On     time.Duration `yaml:"on" doc:"How long a burst is, in the mean of an exponential time."`
	Off    time.Duration `yaml:"off" doc:"How long there is none, in the mean of an exponential time."`
}

// Think is how long a client waits between an answer and its next request. The zero
// value is not at all.
type Think struct {
	Law  string        `yaml:"law,omitempty" enum:"exponential,constant" doc:"exponential (default): memoryless; constant: always the mean."`
	Mean time.Duration `yaml:"mean,scalar" doc:"Its mean; 0 is not at all."`
}

// Draw draws such a time at the key, which is one of [Chance.Think].
func (t Think) Draw(key core.Key) time.Duration {
	if t.Law == "constant" {
		return t.Mean
	}
	return time.Duration(-float64(t.Mean) * math.Log(key.Float64()))
}

// Think is the key of the time that a client, numbered from 0, thinks after its answer
// number turn, numbered from 1. The key of turn 0 draws when it begins.
func (c Chance) Think(client, turn uint64) core.Key {
	return c.key.At(streamThink).At(client).At(turn)
}

// First is when a client of a closed loop sends its first request. The clients begin
// spread evenly over a mean round of theirs (thinking, and being served), so that they
// do not all come at once. A client sends no more from the end of the duration on.
func (s *Scenario) First(c Chance, client uint64) core.Instant {
	round := s.Arrivals.Think.Mean + s.meanService()
	key := c.Think(client, 0)
	return core.Instant(key.Float64() * float64(round))
}

// Limits of what arrivals may be set to: enough for any question, and a mistyped number
// does not eat the machine. The rate of a trial is held in memory, piece by piece.
const (
	MaxClients = 1_000_000
	MaxPhases  = 1000

	maxThink   = 24 * time.Hour
	maxPeriods = 10_000    // of a wave, in a trial
	maxBursts  = 1_000_000 // expected in a trial
)

// rated are the laws that have a rate.
const rated = "poisson constant mmpp"

// validateArrivals reports what cannot be about the arrivals.
func (s *Scenario) validateArrivals(report strict.Report) {
	a, known, wrong := s.Arrivals, true, false
	note := func(path, format string, args ...any) {
		wrong = true
		report.At("arrivals")(path, format, args...)
	}
	if !slices.Contains(ArrivalLaws, a.Law) {
		known = false
		note("law", "%s", strict.Unknown("law", a.Law, ArrivalLaws))
	}
	for _, v := range s.arrivalSettings() {
		has := slices.Contains(strings.Fields(v.of), a.Law)
		switch {
		case known && !has && v.given:
			note(v.name, "arrivals of law %s have no %s", a.Law, v.name)
		case (has || v.given) && !v.fits: // of an unknown law what is given is looked at
			note(v.name, "%v: expected %s", v.value, v.want)
		}
	}
	for i := range a.Phases {
		a.Phases[i].validate(i, strict.Report(note).At(fmt.Sprintf("phases[%d]", i)))
	}
	if slices.Contains(strings.Fields(rated), a.Law) {
		a.validateRate(note)
	}
	if !wrong {
		s.validateTotal(report)
	}
}

// setting is one of the settings that some laws have.
type setting struct {
	name  string
	value any
	given bool
	of    string // the laws that have it
	fits  bool
	want  string
}

func (s *Scenario) arrivalSettings() []setting {
	a := s.Arrivals
	above := func(x float64) bool { return x > 0 }
	period := max(least, s.Duration/maxPeriods)
	cycle := max(2*least, s.Duration/maxBursts)
	waves := a.Wave != Wave{}
	return []setting{
		{"load", a.Load, a.Load != 0, rated, a.Load == 0 || above(a.Load), "above 0"},
		{"rate", a.Rate, a.Rate != 0, rated, a.Rate == 0 || above(a.Rate), "above 0"},
		{"phases", len(a.Phases), len(a.Phases) > 0, rated, len(a.Phases) <= MaxPhases, fmt.Sprintf("at most %d", MaxPhases)},
		{"wave", "", waves, rated, true, ""},
		{"wave.amplitude", a.Wave.Amplitude, false, rated, a.Wave.Amplitude >= 0 && a.Wave.Amplitude <= 1, "0 to 1: a share of the rate"},
		{"wave.period", a.Wave.Period, false, rated, !waves || a.Wave.Period >= period, "at least " + period.String()},
		{"burst", "", a.Burst != Burst{}, MMPP, true, ""},
		{"burst.factor", a.Burst.Factor, false, MMPP, a.Burst.Factor >= 1, "at least 1"},
		{"burst.on", a.Burst.On, false, MMPP, a.Burst.On >= least, "at least " + least.String()},
		{"burst.off", a.Burst.Off, false, MMPP, a.Burst.Off >= least, "at least " + least.String()},
		{"burst", a.Burst.On + a.Burst.Off, false, MMPP, a.Burst.On < least || a.Burst.Off < least || a.Burst.On+a.Burst.Off >= cycle,
			"at least " + cycle.String() + " for on and off together"},
		{"file", a.File, a.File != "", Trace, a.File != "", "the file with the instants"},
		{"speed", a.Speed, a.Speed != 0, Trace, a.Speed == 0 || above(a.Speed), "above 0"},
		{"clients", a.Clients, a.Clients != 0, Closed, a.Clients >= 1 && a.Clients <= MaxClients, fmt.Sprintf("1 to %d", MaxClients)},
		{"think", "", a.Think != Think{}, Closed, true, ""},
		{"think.law", a.Think.Law, false, Closed, slices.Contains([]string{"", "exponential", "constant"}, a.Think.Law), "exponential or constant"},
		{"think.mean", a.Think.Mean, false, Closed, a.Think.Mean >= 0 && a.Think.Mean <= maxThink, "0 to " + maxThink.String()},
	}
}

// validateRate reports when there is not exactly one of the ways to give the rate.
func (a *Arrivals) validateRate(report strict.Report) {
	var given []string
	for _, way := range []struct {
		name  string
		given bool
	}{{"load", a.Load != 0}, {"rate", a.Rate != 0}, {"phases", len(a.Phases) > 0}} {
		if way.given {
			given = append(given, way.name)
		}
	}
	switch {
	case len(given) == 0:
		report("", "expected load (a share of the capacity), rate (a second) or phases")
	case len(given) == 2:
		report("", "both %s are given: expected one of them", strings.Join(given, " and "))
	case len(given) > 2:
		report("", "%s are given: expected one of them", strings.Join(given, ", "))
	}
	somebody := func(p Phase) bool { return value(p.Load) != 0 || value(p.Rate) != 0 }
	if len(a.Phases) > 0 && !slices.ContainsFunc(a.Phases, somebody) {
		report("phases", "nobody arrives in any of them: expected one with a load or a rate above 0")
	}
}

func (p Phase) validate(index int, report strict.Report) {
	if p.For <= 0 {
		report("for", "%v: expected above 0", p.For)
	}
	if p.Ramp && index == 0 {
		report("ramp", "there is no phase before the first one from which it could go on")
	}
	if (p.Load == nil) == (p.Rate == nil) {
		report("", "expected load or rate, one of them; 0 is nobody")
	}
	if x := value(p.Load); x < 0 {
		report("load", "%v: expected at least 0", x)
	}
	if x := value(p.Rate); x < 0 {
		report("rate", "%v: expected at least 0", x)
	}
}

// validateTotal reports when there are more requests than a trial may plan. Where the
// rate hangs on a file that has not been read, there are none yet.
func (s *Scenario) validateTotal(report strict.Report) {
	if n := s.Rate() * s.Duration.Seconds(); n > MaxRequests {
		report("arrivals", "%.0f requests in all: expected at most %d", n, MaxRequests)
	}
}
