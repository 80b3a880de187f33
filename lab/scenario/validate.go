package scenario

import (
	"fmt"
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/config/strict"
)

// MaxRequests is the most requests that a trial may plan: enough for any question,
// and a mistyped rate does not eat the machine.
const MaxRequests = 100_000_000

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
	s.Client.validate(report.At("client"))
	if s.Proxies < 1 || s.Proxies > 1000 {
		report("proxies", "%d: expected 1 to 1000", s.Proxies)
	}
	if s.Objective.Latency <= 0 {
		report("objective.latency", "%v: expected above 0", s.Objective.Latency)
	}
	if !(s.Objective.Share > 0 && s.Objective.Share <= 1) {
		report("objective.share", "%v: expected above 0 and at most 1", s.Objective.Share)
	}
	oneOf(report, "metric", s.Metric, Metrics...)
	// Subjects are read over the proxy's settings. What is wrong with those is said
	// once, here, and not once more for each subject.
	base := *s
	s.Proxy.Validate(func(path, format string, args ...any) {
		base.Proxy = config.DefaultPolicies()
		report.At("proxy")(path, format, args...)
	})
	s.Servers.validate(report.At("servers"))
	s.validateClasses(report)
	s.Network.validate(s, report.At("network"))
	s.validateArrivals(report)
	for i := range s.Faults {
		s.Faults[i].validate(s, report.At(fmt.Sprintf("faults[%d]", i)))
	}
	if len(s.Subjects) == 0 {
		report("subjects", "expected at least one")
	}
	base.validateSubjects(report, "subjects", s.Subjects)
	base.validateSubjects(report, "expect.wins", s.Expect.Wins)
	base.validateSubjects(report, "expect.loses", s.Expect.Loses)
}

func (s *Scenario) validateSubjects(report strict.Report, path string, subjects []string) {
	for i, text := range subjects {
		if _, err := s.Subject(text); err != nil {
			report(fmt.Sprintf(path+"[%d]", i), "%v", err)
		}
	}
}

// validateSim reports what only real HTTP can play. What else is wrong with a subject has
// been said.
func (s *Scenario) validateSim(report strict.Report) {
	for i, text := range s.Subjects {
		if subject, err := s.Subject(text); err == nil && subject.Peer != nil {
			report(fmt.Sprintf("subjects[%d]", i), "%s is another proxy, which is played over real HTTP only (set live.subjects)", text)
		}
	}
}

// validateLive reports what only the simulator can play.
func (s *Scenario) validateLive(report strict.Report) {
	if s.Proxies != 1 {
		report("proxies", "%d: expected 1 in the live size (set live.proxies to 1)", s.Proxies)
	}
	if s.Arrivals.Law == Closed {
		report("arrivals.law", "clients wait for their answers only in the simulator (set live.arrivals, with null for clients and think)")
	}
	if !s.Network.Nil() || s.Network.ProbeLoss > 0 {
		report("network", "the live size has the loopback interface only (set live.network to null)")
	}
	if s.Client.Retries > 0 {
		report("client.retries", "%d: clients try again only in the simulator (set live.client.retries to 0)", s.Client.Retries)
	}
	if s.Servers.Reports.Enabled {
		report("servers.reports", "servers report their load only in the simulator (set live.servers.reports to null)")
	}
	for i, f := range s.Faults {
		if slices.Contains([]string{Drain, Remove, Restart}, f.Kind) {
			report(fmt.Sprintf("faults[%d].kind", i), "a fault of kind %s is played only in the simulator (set live.faults)", f.Kind)
		}
	}
	const most = 10 * time.Minute
	if s.Duration > most {
		report("duration", "%v: expected at most %v in the live size (set live.duration)", s.Duration, most)
	}
}
