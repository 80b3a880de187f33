package scenario

import (
	"fmt"
	"math"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
)

// Fault kinds.
const (
	Slow       = "slow"       // work takes Factor times as long
	Flip       = "flip"       // each Every anew: slow with chance Share, else not
	Pause      = "pause"      // all work stops for For, each Every
	Antagonist = "antagonist" // a neighbour that comes and goes takes Share of the capacity
	Error      = "error"      // every request is answered with Code after Latency
)

// FaultKinds are the kinds of faults.
var FaultKinds = []string{Slow, Flip, Pause, Antagonist, Error}

// Shapes are the shapes of a slow fault.
var Shapes = []string{"step", "ramp", "decay"}

// Fault is something that befalls servers for a time.
type Fault struct {
	Kind    string        `yaml:"kind,required" enum:"slow,flip,pause,antagonist,error" doc:"slow: work takes factor times as long; flip: each every anew, slow by factor with chance share; pause: work stops for a time, each every; antagonist: a neighbour that comes and goes takes a share of the capacity; error: answered with code after latency, without work."`
	Servers []int         `yaml:"servers" doc:"Whom it befalls: numbers from 0; left out: everybody."`
	From    time.Duration `yaml:"from" doc:"When it begins."`
	To      time.Duration `yaml:"to,omitempty" doc:"When it ends; left out: with the trial."`

	Factor float64 `yaml:"factor,omitempty" doc:"slow, flip: how many times as long work takes."`
	Shape  string  `yaml:"shape,omitempty" enum:"step,ramp,decay" doc:"slow: step (default): at once; ramp: growing evenly from nothing at from; decay: falling evenly to nothing at to."`

	Every      time.Duration `yaml:"every,omitempty" doc:"flip, pause: how often."`
	For        time.Duration `yaml:"for,omitempty" doc:"pause: how long each one is."`
	Correlated bool          `yaml:"correlated,omitempty" doc:"pause: all servers at the same time; otherwise each at its own."`
	Share      float64       `yaml:"share,omitempty" doc:"flip: chance of being slow; antagonist: share of the capacity that it takes."`
	On         time.Duration `yaml:"on,omitempty" doc:"antagonist: how long it stays, in the mean."`
	Off        time.Duration `yaml:"off,omitempty" doc:"antagonist: how long it is away, in the mean."`

	Code    int           `yaml:"code,omitempty" doc:"error: the status, 500 to 599."`
	Latency time.Duration `yaml:"latency,omitempty" doc:"error: how long the answer takes."`
}

// String says what the fault does, for people.
func (f Fault) String() string {
	switch f.Kind {
	case Flip:
		return fmt.Sprintf("each %v anew %gx slower with chance %g", f.Every, f.Factor, f.Share)
	case Pause:
		if f.Correlated {
			return fmt.Sprintf("stops for %v each %v, all together", f.For, f.Every)
		}
		return fmt.Sprintf("stops for %v each %v", f.For, f.Every)
	case Antagonist:
		return fmt.Sprintf("a neighbour takes %g%% for %v in %v", 100*f.Share, f.On, f.On+f.Off)
	case Error:
		return fmt.Sprintf("answers %d after %v", f.Code, f.Latency)
	}
	switch f.Shape {
	case "ramp":
		return fmt.Sprintf("growing to %gx slower", f.Factor)
	case "decay":
		return fmt.Sprintf("falling from %gx slower", f.Factor)
	}
	return fmt.Sprintf("%gx slower", f.Factor)
}

// Befalls are the servers that the fault befalls, of so many.
func (f Fault) Befalls(count int) []int {
	if len(f.Servers) > 0 {
		return f.Servers
	}
	all := make([]int, count)
	for i := range all {
		all[i] = i
	}
	return all
}

// effects are the fault's effects on one of its servers, until end at most. What is
// random about them is drawn at the key, from place to place of the server and of its
// epochs, before the run: no strategy changes it.
func (f Fault) effects(key core.Key, server int, end time.Duration) []model.Effect {
	to := f.To
	if to == 0 {
		to = end
	}
	own := key.At(uint64(server))
	switch f.Kind {
	case Flip:
		return f.flips(own, to)
	case Pause:
		return f.pauses(key, own, to)
	case Antagonist:
		return f.visits(own, to)
	case Slow:
		if f.Shape == "ramp" || f.Shape == "decay" {
			return f.slope(to)
		}
	}
	e := model.Effect{From: core.Instant(f.From), To: core.Never, Code: f.Code, Latency: f.Latency}
	if f.To > 0 {
		e.To = core.Instant(f.To)
	}
	if f.Factor > 0 {
		e.Speed = 1 / f.Factor
	}
	return []model.Effect{e}
}

// steps is how many steps a slope has.
const steps = 100

// slope is a factor that changes evenly, in steps, each as it is in its middle.
func (f Fault) slope(to time.Duration) []model.Effect {
	var effects []model.Effect
	for i := range steps {
		part := (float64(i) + 0.5) / steps
		if f.Shape == "decay" {
			part = 1 - part
		}
		effects = append(effects, model.Effect{
			From:  core.Instant(f.From + (to-f.From)*time.Duration(i)/steps),
			To:    core.Instant(f.From + (to-f.From)*time.Duration(i+1)/steps),
			Speed: 1 / (1 + (f.Factor-1)*part),
		})
	}
	return effects
}

func (f Fault) flips(own core.Key, to time.Duration) []model.Effect {
	var effects []model.Effect
	for epoch := uint64(0); ; epoch++ {
		from := f.From + time.Duration(epoch)*f.Every
		if from >= to {
			return effects
		}
		if k := own.At(epoch); k.Float64() < f.Share {
			effects = append(effects, model.Effect{From: core.Instant(from), To: core.Instant(min(from+f.Every, to)), Speed: 1 / f.Factor})
		}
	}
}

// pauses begin somewhere within the first Every: all servers' at the same instant, or
// each server's at its own.
func (f Fault) pauses(all, own core.Key, to time.Duration) []model.Effect {
	k := own
	if f.Correlated {
		k = all
	}
	var effects []model.Effect
	for from := f.From + time.Duration(k.Float64()*float64(f.Every)); from < to; from += f.Every {
		effects = append(effects, model.Effect{From: core.Instant(from), To: core.Instant(from + f.For), Paused: true})
	}
	return effects
}

// visits alternate: away, there, away, ..., for times that are exponential.
func (f Fault) visits(own core.Key, to time.Duration) []model.Effect {
	var effects []model.Effect
	at := float64(f.From)
	for visit := uint64(0); ; visit++ {
		away, there := own.At(2*visit), own.At(2*visit+1)
		from := at - float64(f.Off)*math.Log(away.Float64())
		at = from - float64(f.On)*math.Log(there.Float64())
		if from >= float64(to) {
			return effects
		}
		effects = append(effects, model.Effect{
			From: core.Instant(from), To: core.Instant(min(at, float64(to))), Speed: 1 - f.Share,
		})
	}
}
