package scenario

import (
	"fmt"
	"math"
	"slices"
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
	if len(f.Servers) == 0 {
		report("servers", "expected at least one server")
	}
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
	switch f.Kind {
	case Slow:
		if !(f.Factor > 0) || math.IsInf(f.Factor, 1) {
			report("factor", "%v: expected above 0: how many times as long work takes", f.Factor)
		}
		if f.Code != 0 || f.Latency != 0 {
			report("", "a slow fault has no code and no latency")
		}
	case Error:
		if f.Code < 500 || f.Code > 599 {
			report("code", "%d: expected 500 to 599", f.Code)
		}
		if f.Latency < 0 {
			report("latency", "%v: expected at least 0", f.Latency)
		}
		if f.Factor != 0 {
			report("factor", "an error fault has no factor")
		}
	default:
		report("kind", "%s", strict.Unknown("fault", f.Kind, FaultKinds))
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
