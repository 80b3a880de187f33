package scenario

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
)

// Fault kinds.
const (
	Slow       = "slow"       // work takes Factor times as long
	Flip       = "flip"       // each Every anew: slow with chance Share, else not
	Pause      = "pause"      // all work stops
	Antagonist = "antagonist" // a neighbour that comes and goes takes Share of the capacity
	Crowding   = "crowding"   // work takes longer the more requests are there
	ColdCache  = "cold-cache" // a share of the requests, falling to nothing, takes Factor times as long
	Error      = "error"      // requests are answered with Code after Latency
	Hang       = "hang"       // requests are taken in and never answered
	Refused    = "refused"    // the server is down: connections are refused, what is under way breaks
	Reset      = "reset"      // connections break after Latency, before the answer
	Drain      = "drain"      // the proxies are told to send nothing new
	Remove     = "remove"     // the proxies are told that it is gone, and later that there is a new one
	Restart    = "restart"    // proxies are replaced by new ones that have learned nothing yet
)

// FaultKinds are the kinds of faults.
var FaultKinds = []string{Slow, Flip, Pause, Antagonist, Crowding, ColdCache, Error, Hang, Refused, Reset, Drain, Remove, Restart}

// Shapes are the shapes of a slow fault.
var Shapes = []string{"step", "ramp", "decay"}

// Fault is something that befalls servers, or proxies, for a time.
type Fault struct {
	Kind    string        `yaml:"kind,required" enum:"slow,flip,pause,antagonist,crowding,cold-cache,error,hang,refused,reset,drain,remove,restart" doc:"slow: work takes factor times as long; flip: each every anew, slow by factor with chance share; pause: work stops; antagonist: a neighbour that comes and goes takes a share of the capacity; crowding: work takes longer by slope for each other request that is there; cold-cache: a share of the requests, falling to nothing, takes factor times as long; error: answered with code after latency, without work; hang: never answered; refused: the server is down; reset: the connection breaks after latency; drain: the proxies are told to send nothing new; remove: the proxies are told that it is gone, and after it that a new one is there; restart: proxies forget what they have learned."`
	Servers []int         `yaml:"servers" doc:"Whom it befalls: numbers from 0; left out: everybody."`
	Zone    int           `yaml:"zone,omitempty" doc:"Instead of servers: all in this zone (see network.zones)."`
	Proxies []int         `yaml:"proxies,omitempty" doc:"restart: which proxies, numbers from 0; left out: all."`
	From    time.Duration `yaml:"from" doc:"When it begins."`
	To      time.Duration `yaml:"to,omitempty" doc:"When it ends; left out: with the trial."`

	Batch   int           `yaml:"batch,omitempty" doc:"It befalls so many at a time, in the order in which they stand in servers..."`
	Stagger time.Duration `yaml:"stagger,omitempty" doc:"... each batch so much later than the one before it; from and to are those of the first."`

	Factor float64 `yaml:"factor,omitempty" doc:"slow, flip, cold-cache: how many times as long work takes."`
	Shape  string  `yaml:"shape,omitempty" enum:"step,ramp,decay" doc:"slow: step (default): at once; ramp: growing evenly from nothing at from; decay: falling evenly to nothing at to."`
	Slope  float64 `yaml:"slope,omitempty" doc:"crowding: how much longer work takes for each other request in the server as it begins; 0.1: by a tenth."`

	Every      time.Duration `yaml:"every,omitempty" doc:"flip: how often; others (not antagonist, cold-cache, a slope): it comes and goes, so often (with for)."`
	For        time.Duration `yaml:"for,omitempty" doc:"With every (not flip): how long it lasts each time."`
	Correlated bool          `yaml:"correlated,omitempty" doc:"With every (not flip): all servers at the same time; otherwise each at its own."`
	Share      float64       `yaml:"share,omitempty" doc:"flip: chance of being slow; antagonist: share of the capacity that it takes; cold-cache: share of the requests that it has to fetch at first; error, hang, reset: share of the requests that it meets (left out: all)."`
	On         time.Duration `yaml:"on,omitempty" doc:"antagonist: how long it stays, in the mean."`
	Off        time.Duration `yaml:"off,omitempty" doc:"antagonist: how long it is away, in the mean."`

	Code    int           `yaml:"code,omitempty" doc:"error: the status, 500 to 599, or 429."`
	Latency time.Duration `yaml:"latency,omitempty" doc:"error, reset: how long it takes."`
}

// String says what the fault does, for people.
func (f Fault) String() string {
	text := f.what()
	if f.Every > 0 && f.Kind != Flip {
		text += fmt.Sprintf(" for %v each %v", f.For, f.Every)
		if f.Correlated {
			text += ", all together"
		}
	}
	if f.Stagger > 0 {
		text += fmt.Sprintf(", %d at a time, %v apart", max(f.Batch, 1), f.Stagger)
	}
	return text
}

func (f Fault) what() string {
	some := ""
	if f.Share > 0 && f.Share < 1 {
		some = fmt.Sprintf(" %.4g%% of the requests", 100*f.Share)
	}
	switch f.Kind {
	case Flip:
		return fmt.Sprintf("each %v anew %gx slower with chance %g", f.Every, f.Factor, f.Share)
	case Pause:
		return "stops"
	case Antagonist:
		return fmt.Sprintf("a neighbour takes %.4g%% for %v in %v", 100*f.Share, f.On, f.On+f.Off)
	case Crowding:
		return fmt.Sprintf("slower by %g%% for each other request", 100*f.Slope)
	case ColdCache:
		return fmt.Sprintf("%.4g%% of the requests, falling to nothing, %gx slower", 100*f.Share, f.Factor)
	case Error:
		return fmt.Sprintf("answers%s %d after %v", some, f.Code, f.Latency)
	case Hang:
		return "never answers" + some
	case Refused:
		return "down"
	case Reset:
		return fmt.Sprintf("breaks off%s after %v", some, f.Latency)
	case Drain:
		return "drained"
	case Remove:
		return "removed"
	case Restart:
		if len(f.Proxies) == 0 {
			return "all proxies restart"
		}
		return fmt.Sprintf("proxies %s restart", strings.Trim(fmt.Sprint(f.Proxies), "[]"))
	}
	switch f.Shape {
	case "ramp":
		return fmt.Sprintf("growing to %gx slower", f.Factor)
	case "decay":
		return fmt.Sprintf("falling from %gx slower", f.Factor)
	}
	return fmt.Sprintf("%gx slower", f.Factor)
}

// Befalls are the servers that a fault befalls, in order.
func (s *Scenario) Befalls(f *Fault) []int {
	if f.Kind == Restart {
		return []int{}
	}
	if len(f.Servers) > 0 {
		return f.Servers
	}
	var all []int
	for i := range s.Servers.Count {
		if f.Zone == 0 || s.Network.Zone(i) == f.Zone {
			all = append(all, i)
		}
	}
	return all
}

// place is that of a server among those that a fault befalls; below zero when it is not
// one of them.
func (s *Scenario) place(f *Fault, server int) int {
	switch {
	case len(f.Servers) > 0:
		return slices.Index(f.Servers, server)
	case f.Zone == 0:
		return server
	case s.Network.Zone(server) == f.Zone:
		return server / s.Network.Zones
	}
	return -1
}

// span is a stretch of time, from before to.
type span struct{ from, to time.Duration }

// end is when nothing of a trial is left for sure: everything random is drawn up to here.
func (s *Scenario) end() time.Duration {
	last := s.Duration
	for range s.Client.Retries + 1 {
		last += s.Client.Timeout + 2*s.Client.Backoff
		if last > 2*s.Duration {
			break // long enough for faults that come and go
		}
	}
	return last
}

// forever is the end of a fault that has none.
const forever = time.Duration(core.Never)

// stretch is when the fault holds for the server at this place among those that it
// befalls, all in all.
func (f *Fault) stretch(place int) span {
	later := f.Stagger * time.Duration(place/max(f.Batch, 1))
	s := span{f.From + later, forever}
	if f.To > 0 {
		s.to = f.To + later
	}
	return s
}

// spans is when the fault holds, for a fault that may come and go: of those, the first
// begins somewhere within the first Every, all servers' at the same instant or each
// server's at its own.
func (f *Fault) spans(all span, key, own core.Key, end time.Duration) []span {
	if f.Every == 0 {
		return []span{all}
	}
	k := own
	if f.Correlated {
		k = key
	}
	var spans []span
	to := min(all.to, end)
	for from := all.from + time.Duration(k.Float64()*float64(f.Every)); from < to; from += f.Every {
		spans = append(spans, span{from, min(from+f.For, all.to)})
	}
	return spans
}

// effects are a fault's effects on a server. What is random about them is drawn at keys of
// the fault, the server and its epochs, before the run: no strategy changes it.
func (s *Scenario) effects(fault, server int, c Chance) []model.Effect {
	f := &s.Faults[fault]
	place := s.place(f, server)
	if place < 0 {
		return nil
	}
	key := c.key.At(streamFaults).At(uint64(fault))
	own := key.At(uint64(server))
	all := f.stretch(place)
	until := span{all.from, min(all.to, s.end())}
	switch {
	case f.Kind == Flip:
		return f.flips(own, until)
	case f.Kind == Antagonist:
		return f.visits(own, until)
	case f.Kind == ColdCache, f.Shape == "ramp", f.Shape == "decay":
		if f.To > 0 {
			until = all // it keeps its steepness though the trial ends before it
		}
		return f.slope(until, uint64(fault))
	case f.Kind == Drain, f.Kind == Remove, f.Kind == Restart:
		return nil // see Changes
	}
	var effects []model.Effect
	for _, when := range f.spans(all, key, own, s.end()) {
		e := f.effect(uint64(fault))
		e.From, e.To = core.Instant(when.from), core.Instant(when.to)
		effects = append(effects, e)
	}
	return effects
}

// effect is what a fault does while it holds.
func (f *Fault) effect(place uint64) model.Effect {
	e := model.Effect{Paused: f.Kind == Pause, Crowding: f.Slope}
	if f.Kind == Slow {
		e.Speed = 1 / f.Factor
	}
	e.Trouble = model.Trouble{Share: f.Share, Place: place, Code: f.Code, Latency: f.Latency}
	switch f.Kind {
	case Error:
		e.Fate = model.Fail
	case Hang:
		e.Fate = model.Hang
	case Refused:
		e.Fate = model.Refuse
	case Reset:
		e.Fate = model.Break
	}
	return e
}

// steps is how many steps a slope has.
const steps = 100

// slope is a fault that changes evenly, in steps, each as it is in its middle: a factor, or
// the share of a cold cache, which falls.
func (f *Fault) slope(s span, place uint64) []model.Effect {
	var effects []model.Effect
	for i := range steps {
		part := (float64(i) + 0.5) / steps
		if f.Shape != "ramp" {
			part = 1 - part
		}
		e := model.Effect{
			From: core.Instant(s.step(i)),
			To:   core.Instant(s.step(i + 1)),
		}
		if f.Kind == ColdCache {
			e.Trouble = model.Trouble{Fate: model.Miss, Share: f.Share * part, Place: place, Factor: f.Factor}
		} else {
			e.Speed = 1 / (1 + (f.Factor-1)*part)
		}
		effects = append(effects, e)
	}
	return effects
}

// step is where step i of a slope begins, and the one before it ends. It is divided first,
// so that no time is too long to be multiplied.
func (s span) step(i int) time.Duration {
	long := s.to - s.from
	return s.from + long/steps*time.Duration(i) + long%steps*time.Duration(i)/steps
}

func (f *Fault) flips(own core.Key, s span) []model.Effect {
	var effects []model.Effect
	for epoch := uint64(0); ; epoch++ {
		from := s.from + time.Duration(epoch)*f.Every
		if from >= s.to {
			return effects
		}
		if k := own.At(epoch); k.Float64() < f.Share {
			effects = append(effects, model.Effect{From: core.Instant(from), To: core.Instant(min(from+f.Every, s.to)), Speed: 1 / f.Factor})
		}
	}
}

// visits alternate: away, there, away, ..., for times that are exponential.
func (f *Fault) visits(own core.Key, s span) []model.Effect {
	var effects []model.Effect
	at := float64(s.from)
	for visit := uint64(0); ; visit++ {
		away, there := own.At(2*visit), own.At(2*visit+1)
		from := at - float64(f.Off)*math.Log(away.Float64())
		at = from - float64(f.On)*math.Log(there.Float64())
		if from >= float64(s.to) {
			return effects
		}
		effects = append(effects, model.Effect{
			From: core.Instant(from), To: core.Instant(min(at, float64(s.to))), Speed: 1 - f.Share,
		})
	}
}

// Lucky tells that there are faults which meet only some requests.
func (s *Scenario) Lucky() bool {
	return slices.ContainsFunc(s.Faults, func(f Fault) bool {
		return f.Kind == ColdCache || slices.Contains([]string{Error, Hang, Reset}, f.Kind) && f.Share > 0 && f.Share < 1
	})
}

// Change is something that proxies are told of, or that befalls a proxy.
type Change struct {
	At   core.Instant
	Kind string // Drain, Remove or Restart
	// Number of the server, or of the proxy that restarts.
	Number int
	Over   bool // the end of a Drain or Remove
}

// Changes are all changes of a trial, in the order of time; of those at the same instant
// the ends come first. What has no end has none here either.
func (s *Scenario) Changes(c Chance) []Change {
	var changes []Change
	for i := range s.Faults {
		f := &s.Faults[i]
		key := c.key.At(streamFaults).At(uint64(i))
		switch f.Kind {
		case Restart:
			for place, proxy := range all(f.Proxies, s.Proxies) {
				changes = append(changes, Change{At: core.Instant(f.stretch(place).from), Kind: f.Kind, Number: proxy})
			}
		case Drain, Remove:
			for place, server := range s.Befalls(f) {
				for _, when := range f.spans(f.stretch(place), key, key.At(uint64(server)), s.end()) {
					changes = append(changes, Change{At: core.Instant(when.from), Kind: f.Kind, Number: server})
					if when.to < forever {
						changes = append(changes, Change{At: core.Instant(when.to), Kind: f.Kind, Number: server, Over: true})
					}
				}
			}
		}
	}
	slices.SortStableFunc(changes, func(a, b Change) int {
		switch {
		case a.At != b.At:
			return cmp.Compare(a.At, b.At)
		case a.Over == b.Over:
			return 0
		case a.Over:
			return -1
		}
		return 1
	})
	return changes
}

// all is a list that means all below count when it is empty.
func all(list []int, count int) []int {
	if len(list) > 0 {
		return list
	}
	list = make([]int, count)
	for i := range list {
		list[i] = i
	}
	return list
}
