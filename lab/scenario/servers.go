package scenario

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config/strict"
	"github.com/evenkeel/evenkeel/lab/model"
)

// Disciplines of servers.
const (
	Queueing = "fifo"    // a slot for each request worked on, first in, first out
	Sharing  = "sharing" // all at once, sharing the cores
)

// What a server does with a request for whose answer nobody waits any more.
const (
	Finish = "finish" // works it off: it does not notice
	Cancel = "cancel" // drops it
)

// Servers are the simulated backends.
type Servers struct {
	Count      int     `yaml:"count" doc:"How many."`
	Slots      int     `yaml:"slots" doc:"Requests that a server works on at once; with sharing its cores."`
	Queue      int     `yaml:"queue" doc:"Requests for which there is room beyond the slots; more are refused with 503."`
	Discipline string  `yaml:"discipline" enum:"fifo,sharing" doc:"fifo: each slot works on one request, the others wait for their turn; sharing: all requests taken in are worked on at once and share the slots evenly, each getting one at most."`
	Service    Service `yaml:"service" doc:"How long a request takes at nominal speed."`
	Speed      Speed   `yaml:"speed,omitempty" doc:"How the servers differ in speed, always."`
	Abandoned  string  `yaml:"abandoned" enum:"finish,cancel" doc:"What becomes of work for which nobody waits any more (the client has left, the proxy has given the attempt up). finish: it is done all the same; cancel: it is dropped."`
	Reports    Reports `yaml:"reports,omitempty" doc:"What the servers say of their own load (only in the simulator)."`
}

// Speed is how servers differ in speed from the outset.
type Speed struct {
	Spread       float64 `yaml:"spread,omitempty" doc:"The fastest over the slowest: speeds are drawn evenly on a logarithmic scale."`
	SlowShare    float64 `yaml:"slow_share,omitempty" doc:"This share of the servers, the first ones, is slower."`
	SlowFactor   float64 `yaml:"slow_factor,omitempty" doc:"How many times slower they are."`
	KeepCapacity bool    `yaml:"keep_capacity,omitempty" doc:"The speeds are scaled so that the capacity is that of equal servers at nominal speed."`
}

// Reports are what servers say of their own load: requests in flight, utilization, and
// their mean latency of late, with each answer and with each answer to a health check, as
// with ORCA.
type Reports struct {
	Enabled bool    `yaml:"enabled,omitempty" doc:"Whether they do."`
	Loss    float64 `yaml:"loss,omitempty" doc:"Share of the reports that are lost."`
	Silent  float64 `yaml:"silent,omitempty" doc:"Share of the servers, the last ones, that never report."`
}

// Class is a kind of requests.
type Class struct {
	Name    string  `yaml:"name,required" doc:"What it is called."`
	Share   float64 `yaml:"share,required" doc:"Its share of the requests; relative to the other classes."`
	Service Service `yaml:"service" doc:"How long such a request takes at nominal speed."`
}

// MaxServers is the most servers that a scenario may have, MaxClasses the most classes.
const (
	MaxServers = 100_000
	MaxClasses = 100
)

func (v *Servers) validate(report strict.Report) {
	if v.Count < 1 || v.Count > MaxServers {
		report("count", "%d: expected 1 to %d", v.Count, MaxServers)
	}
	if v.Slots < 1 {
		report("slots", "%d: expected at least 1", v.Slots)
	}
	if v.Queue < 0 {
		report("queue", "%d: expected at least 0", v.Queue)
	}
	oneOf(report, "discipline", v.Discipline, Queueing, Sharing)
	oneOf(report, "abandoned", v.Abandoned, Finish, Cancel)
	v.Service.validate(report.At("service"))
	v.Speed.validate(report.At("speed"))
	shareOf(report, "reports.loss", v.Reports.Loss)
	if v.Reports.Loss > 0 && !v.Reports.Enabled {
		report("reports.loss", "%v: there are no reports to lose (set servers.reports.enabled)", v.Reports.Loss)
	}
	shareOf(report, "reports.silent", v.Reports.Silent)
	if v.Reports.Silent > 0 && !v.Reports.Enabled {
		report("reports.silent", "%v: no server reports (set servers.reports.enabled)", v.Reports.Silent)
	}
}

// Report tells whether a server says what its load is.
func (v *Servers) Report(server int) bool {
	silent := math.Round(v.Reports.Silent * float64(v.Count))
	return v.Reports.Enabled && server < v.Count-int(silent)
}

func (v *Speed) validate(report strict.Report) {
	if v.Spread != 0 && !(v.Spread >= 1 && v.Spread <= 1e6) {
		report("spread", "%v: expected 1 to 1000000", v.Spread)
	}
	shareOf(report, "slow_share", v.SlowShare)
	if v.SlowFactor != 0 && !(v.SlowFactor >= 1e-6 && v.SlowFactor <= 1e6) {
		report("slow_factor", "%v: expected 0.000001 to 1000000", v.SlowFactor)
	}
	if (v.SlowShare != 0) != (v.SlowFactor != 0) {
		report("", "slow_share and slow_factor: expected both or neither")
	}
}

func (s *Scenario) validateClasses(report strict.Report) {
	if len(s.Classes) > MaxClasses {
		report("classes", "%d classes: expected at most %d", len(s.Classes), MaxClasses)
	}
	for i := range s.Classes {
		c := &s.Classes[i]
		at := report.At(fmt.Sprintf("classes[%d]", i))
		if c.Name == "" {
			at("name", "expected a name")
		}
		if !(c.Share > 0 && !math.IsInf(c.Share, 1)) {
			at("share", "%v: expected above 0", c.Share)
		}
		c.Service.validate(at.At("service"))
	}
}

// meanService is the mean service time of a request of any class; 0 where it hangs on a
// file that has not been read.
func (s *Scenario) meanService() time.Duration {
	if len(s.Classes) == 0 {
		return s.Servers.Service.mean()
	}
	sum, shares := 0.0, 0.0
	for i := range s.Classes {
		mean := s.Classes[i].Service.mean()
		if mean == 0 {
			return 0
		}
		sum += s.Classes[i].Share * float64(mean)
		shares += s.Classes[i].Share
	}
	return time.Duration(sum / shares)
}

// power is what the servers together are worth in servers of nominal speed, in the mean
// over the seeds.
func (v *Servers) power() float64 {
	if v.Speed.KeepCapacity {
		return float64(v.Count)
	}
	power := float64(v.Count)
	if x := v.Speed.Spread; x > 1 {
		// The mean of e^u for u even from -ln(x)/2 to ln(x)/2.
		power *= (math.Sqrt(x) - 1/math.Sqrt(x)) / math.Log(x)
	}
	if v.Speed.SlowFactor > 0 {
		slow := float64(v.slow()) / float64(v.Count)
		power *= 1 - slow + slow/v.Speed.SlowFactor
	}
	return power
}

// slow is how many servers are slow from the outset.
func (v *Servers) slow() int { return int(math.Round(v.Speed.SlowShare * float64(v.Count))) }

// speed is that of a server before the capacity is kept.
func (v *Servers) speed(server int, c Chance) float64 {
	speed := 1.0
	if v.Speed.Spread > 1 {
		k := c.key.At(streamSpeed).At(uint64(server))
		speed = math.Pow(v.Speed.Spread, k.Float64()-0.5)
	}
	if server < v.slow() {
		speed /= v.Speed.SlowFactor
	}
	return speed
}

// Speeds are the servers' speeds in a trial, relative to nominal.
func (s *Scenario) Speeds(c Chance) []float64 {
	speeds := make([]float64, s.Servers.Count)
	sum := 0.0
	for i := range speeds {
		speeds[i] = s.Servers.speed(i, c)
		sum += speeds[i]
	}
	if s.Servers.Speed.KeepCapacity {
		for i := range speeds {
			speeds[i] *= float64(len(speeds)) / sum
		}
	}
	return speeds
}

// Fleet makes the servers of a trial, idle, each with its timeline of faults.
func (s *Scenario) Fleet(c Chance) []*model.Server {
	speeds := s.Speeds(c)
	servers := make([]*model.Server, len(speeds))
	for i := range servers {
		servers[i] = s.server(i, speeds[i], c)
	}
	return servers
}

// Server makes one of them; Fleet is quicker for all.
func (s *Scenario) Server(index int, c Chance) *model.Server {
	return s.server(index, s.Speeds(c)[index], c)
}

func (s *Scenario) server(index int, speed float64, c Chance) *model.Server {
	var effects []model.Effect
	if speed != 1 {
		effects = append(effects, model.Effect{From: math.MinInt64, To: core.Never, Speed: speed})
	}
	for i := range s.Faults {
		effects = append(effects, s.effects(i, index, c)...)
	}
	server := model.New(model.Settings{
		Slots: s.Servers.Slots, Room: s.Servers.Queue, Sharing: s.Servers.Discipline == Sharing,
	}, model.NewTimeline(effects))
	if s.Servers.Report(index) {
		server.Measure()
	}
	return server
}

// Cancels tells that work is dropped for whose answer nobody waits any more.
func (s *Scenario) Cancels() bool { return s.Servers.Abandoned == Cancel }

// ServerName is the name of a server in records and reports.
func (s *Scenario) ServerName(index int) string {
	width := len(strconv.Itoa(s.Servers.Count - 1))
	return fmt.Sprintf("server-%0*d", width, index)
}

// Demands says how much work each request is, and of which class.
type Demands struct {
	class  core.Key
	work   core.Key
	laws   []model.Law
	shares []float64 // cumulative, the last one 1
}

// Demands of a trial: those of a request are the same wherever it is sent, and however
// often.
func (s *Scenario) Demands(c Chance) Demands {
	d := Demands{class: c.key.At(streamClass), work: c.key.At(streamDemand)}
	if len(s.Classes) == 0 {
		d.laws = []model.Law{s.Servers.Service.must()}
		return d
	}
	total := 0.0
	for i := range s.Classes {
		total += s.Classes[i].Share
	}
	sum := 0.0
	for i := range s.Classes {
		sum += s.Classes[i].Share
		d.laws = append(d.laws, s.Classes[i].Service.must())
		d.shares = append(d.shares, sum/total)
	}
	return d
}

// Of is the class of a request and its work at nominal speed.
func (d *Demands) Of(request uint64) (class int, work time.Duration) {
	if d.shares != nil {
		k := d.class.At(request)
		x := k.Float64()
		for class < len(d.shares)-1 && x >= d.shares[class] {
			class++
		}
	}
	return class, d.laws[class].Draw(d.work.At(request))
}
