package scenario

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/config/strict"
	"github.com/evenkeel/evenkeel/lab/model"
)

// MaxRequests is the most requests that a trial may plan: enough for any question,
// and a mistyped rate does not eat the machine.
const MaxRequests = 100_000_000

// MaxServers is the most servers that a scenario may have.
const MaxServers = 100_000

// validate reports everything that makes the scenario impossible.
func (s *Scenario) validate(report strict.Report) {
	if s.Version != 1 {
		report("version", "version %d: expected 1", s.Version)
	}
	if s.Name == "" {
		report("name", "expected a name")
	}
	if s.Duration <= 0 {
		report("duration", "%v: expected above 0", s.Duration)
	}
	if s.WarmUp < 0 || s.WarmUp >= s.Duration {
		report("warm_up", "%v: expected at least 0 and less than the duration, %v", s.WarmUp, s.Duration)
	}
	if s.Client.Timeout <= 0 {
		report("client.timeout", "%v: expected above 0", s.Client.Timeout)
	}
	if s.Client.Retries != 0 {
		report("client.retries", "%d: only 0 is played so far; the proxy's own retries are set under proxy.retries", s.Client.Retries)
	}
	if s.Proxies < 1 || s.Proxies > 1000 {
		report("proxies", "%d: expected 1 to 1000", s.Proxies)
	}
	if s.Objective.Latency <= 0 {
		report("objective.latency", "%v: expected above 0", s.Objective.Latency)
	}
	if !(s.Objective.Share > 0 && s.Objective.Share <= 1) {
		report("objective.share", "%v: expected above 0 and at most 1", s.Objective.Share)
	}
	// Subjects are read over the proxy's settings. What is wrong with those is said
	// once, here, and not once more for each subject.
	base := *s
	s.Proxy.Validate(func(path, format string, args ...any) {
		base.Proxy = config.DefaultPolicies()
		report.At("proxy")(path, format, args...)
	})
	s.validateServers(report)
	s.validateArrivals(report)
	for i := range s.Faults {
		s.validateFault(report.At(fmt.Sprintf("faults[%d]", i)), &s.Faults[i])
	}
	if len(s.Subjects) == 0 {
		report("subjects", "expected at least one")
	}
	base.validateSubjects(report, "subjects", s.Subjects)
	base.validateSubjects(report, "expect.wins", s.Expect.Wins)
	base.validateSubjects(report, "expect.loses", s.Expect.Loses)
}

func (s *Scenario) validateServers(report strict.Report) {
	v := s.Servers
	if v.Count < 1 || v.Count > MaxServers {
		report("servers.count", "%d: expected 1 to %d", v.Count, MaxServers)
	}
	if v.Slots < 1 {
		report("servers.slots", "%d: expected at least 1", v.Slots)
	}
	if v.Queue < 0 {
		report("servers.queue", "%d: expected at least 0", v.Queue)
	}
	if !slices.Contains(model.Laws, v.Service.Law) {
		report("servers.service.law", "%s", strict.Unknown("law", v.Service.Law, model.Laws))
	} else if _, err := v.Service.law(); err != nil {
		report("servers.service", "%v", err)
	}
}

func (s *Scenario) validateArrivals(report strict.Report) {
	a := s.Arrivals
	laws := []string{"poisson", "constant"}
	if !slices.Contains(laws, a.Law) {
		report("arrivals.law", "%s", strict.Unknown("law", a.Law, laws))
	}
	positive := func(x float64) bool { return x > 0 && !math.IsInf(x, 1) }
	switch {
	case a.Load != 0 && a.Rate != 0:
		report("arrivals", "both load and rate are given: expected one of them")
	case a.Load == 0 && a.Rate == 0:
		report("arrivals", "expected load (a share of the capacity) or rate (a second)")
	case a.Load != 0 && !positive(a.Load):
		report("arrivals.load", "%v: expected above 0", a.Load)
	case a.Rate != 0 && !positive(a.Rate):
		report("arrivals.rate", "%v: expected above 0", a.Rate)
	case s.Servers.Service.Mean > 0 && s.Rate()*s.Duration.Seconds() > MaxRequests:
		report("arrivals", "%.0f requests in all: expected at most %d", s.Rate()*s.Duration.Seconds(), MaxRequests)
	}
}

func (s *Scenario) validateFault(report strict.Report, f *Fault) {
	for i, server := range f.Servers {
		path := fmt.Sprintf("servers[%d]", i)
		switch {
		case s.Servers.Count < 1: // reported
		case server < 0 || server >= s.Servers.Count:
			report(path, "server %d does not exist: expected 0 to %d", server, s.Servers.Count-1)
		case slices.Contains(f.Servers[:i], server):
			report(path, "server %d stands twice", server)
		}
	}
	if f.From < 0 {
		report("from", "%v: expected at least 0", f.From)
	}
	if f.To != 0 && f.To <= f.From {
		report("to", "%v: expected after from, %v", f.To, f.From)
	}
	if !slices.Contains(FaultKinds, f.Kind) {
		report("kind", "%s", strict.Unknown("fault", f.Kind, FaultKinds))
		return
	}
	f.validateSettings(report)
}

// least is the shortest time between two changes of a fault: a timeline has a place for
// each.
const least = time.Millisecond

// validateSettings checks each setting: that the kind has it, and that it can be.
func (f *Fault) validateSettings(report strict.Report) {
	above := func(x float64) bool { return x > 0 && !math.IsInf(x, 1) }
	for _, setting := range []struct {
		name  string
		value any
		given bool
		of    string // the kinds that have it
		fits  bool
		want  string
	}{
		{"factor", f.Factor, f.Factor != 0, "slow flip", above(f.Factor), "above 0: how many times as long work takes"},
		{"shape", f.Shape, f.Shape != "", "slow", f.Shape == "" || slices.Contains(Shapes, f.Shape), "step, ramp or decay"},
		{"every", f.Every, f.Every != 0, "flip pause", f.Every >= least, "at least " + least.String()},
		{"for", f.For, f.For != 0, "pause", f.For >= least && f.For < f.Every, "at least " + least.String() + " and less than every"},
		{"correlated", f.Correlated, f.Correlated, "pause", true, ""},
		{"share", f.Share, f.Share != 0, "flip antagonist", f.Share > 0 && f.Share <= 1 && (f.Kind != Antagonist || f.Share < 1), "above 0 and below 1"},
		{"on", f.On, f.On != 0, "antagonist", f.On >= least, "at least " + least.String()},
		{"off", f.Off, f.Off != 0, "antagonist", f.Off >= least, "at least " + least.String()},
		{"code", f.Code, f.Code != 0, "error", f.Code >= 500 && f.Code <= 599, "500 to 599"},
		{"latency", f.Latency, f.Latency != 0, "error", f.Latency >= 0, "at least 0"},
	} {
		has := slices.Contains(strings.Fields(setting.of), f.Kind)
		switch {
		case !has && setting.given:
			report(setting.name, "a fault of kind %s has no %s", f.Kind, setting.name)
		case has && !setting.fits:
			report(setting.name, "%v: expected %s", setting.value, setting.want)
		}
	}
}

func (s *Scenario) validateSubjects(report strict.Report, path string, subjects []string) {
	for i, text := range subjects {
		if _, err := s.Subject(text); err != nil {
			report(fmt.Sprintf(path+"[%d]", i), "%v", err)
		}
	}
}

// validateLive reports what only the simulator can play.
func (s *Scenario) validateLive(report strict.Report) {
	if s.Proxies != 1 {
		report("proxies", "%d: expected 1 in the live size (set live.proxies to 1)", s.Proxies)
	}
	const most = 10 * time.Minute
	if s.Duration > most {
		report("duration", "%v: expected at most %v in the live size (set live.duration)", s.Duration, most)
	}
}
