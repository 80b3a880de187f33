package certify

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/theory"
)

// unit is the mean service time of every case, so that times are in units of it.
const unit = time.Millisecond

// Case is a system with a theory.
type Case struct {
	Name     string
	Subject  string
	Requests int     // per seed, to be measured
	WarmUp   float64 // in units of the mean service time: until the start is forgotten
	Figures  []Figure
	scenario func() *scenario.Scenario
}

// Figure is what is compared, in units of the mean service time where it is a time.
type Figure struct {
	Name   string
	Theory float64
	Margin float64
	of     func(*tally) float64
}

func mean(law theory.Law) Figure {
	return Figure{"mean response time", law.Mean, MeanMargin, func(t *tally) float64 { return t.mean() }}
}

func p99(law theory.Law) Figure {
	return Figure{"p99 response time", law.Quantile(0.99), P99Margin, func(t *tally) float64 { return t.p99() }}
}

func refused(share float64) Figure {
	return Figure{"share refused", share, MeanMargin, func(t *tally) float64 { return t.refused() }}
}

// system is a scenario without anything that theory does not know: no timeouts, no
// breakers, no retries.
func system(count, slots, queue int, service scenario.Service, load float64) func() *scenario.Scenario {
	service.Mean = unit
	return func() *scenario.Scenario {
		s := scenario.Default()
		s.Name = "certify"
		s.Servers = scenario.Servers{Count: count, Slots: slots, Queue: queue, Service: service}
		s.Arrivals.Load = load
		s.Client.Timeout = 1000 * time.Hour
		s.Proxy.Breaker.Enabled = false
		s.Proxy.Retries.Attempts = 1
		s.Proxy.PanicThreshold = 0
		s.Proxy.Timeouts.Connect, s.Proxy.Timeouts.ResponseHeader, s.Proxy.Timeouts.Total = 0, 0, 0
		return &s
	}
}

// sharing is a system of one server that works on all requests at once.
func sharing(cores int, service scenario.Service, load float64) func() *scenario.Scenario {
	one := system(1, cores, endless, service, load)
	return func() *scenario.Scenario {
		s := one()
		s.Servers.Discipline = scenario.Sharing
		return s
	}
}

// distant is a system at some distance from its proxy.
func distant(delay float64, system func() *scenario.Scenario) func() *scenario.Scenario {
	return func() *scenario.Scenario {
		s := system()
		s.Network.Delay = time.Duration(delay * float64(unit))
		return s
	}
}

// endless is room in a queue that is never used up.
const endless = 1 << 40

// Laws of service.
var (
	memoryless = scenario.Service{Law: "exponential"}
	constant   = scenario.Service{Law: "constant"}
	// rayleigh is Weibull's law of shape 2, with a tail lighter than the exponential one:
	// C² = 4/π - 1.
	rayleigh = scenario.Service{Law: "weibull", Shape: 2}
)

func lognormal(cv float64) scenario.Service { return scenario.Service{Law: "lognormal", CV: cv} }

// Requests measured per seed, by how much a figure varies from seed to seed: at a load of
// 0.8 the mean of an M/M/1 queue's response times over N requests has a standard error of
// 9/√N of itself (Daley, 1968: variance ρ(2+5ρ-4ρ²+ρ³)/(1-ρ)⁴/N in units), which over ten
// seeds of large makes an interval of ±0.3 %.
const (
	large  = 4_000_000
	middle = 3_000_000
	small  = 1_500_000
)

// settled is a warm-up after which the start is forgotten, in units: the relaxation time
// 1/(1-√ρ)² of an M/M/1 queue is 90 at a load of 0.8.
const settled = 1000

// Cases are all systems, at loads up to 0.8.
func Cases() []Case {
	return slices.Concat(queues(), shares(), bounded(), fleets())
}

// queues are single servers, first in first out.
func queues() []Case {
	var cases []Case
	add := func(name string, requests int, play func() *scenario.Scenario, figures ...Figure) {
		cases = append(cases, Case{name, "round-robin", requests, settled, figures, play})
	}
	half, full := theory.MM1(0.5, 1), theory.MM1(0.8, 1)
	add("M/M/1 at 0.5", small, system(1, 1, endless, memoryless, 0.5), mean(half), p99(half))
	add("M/M/1 at 0.8", large, system(1, 1, endless, memoryless, 0.8), mean(full), p99(full))
	const delay = 3
	far := half.After(delay)
	add(fmt.Sprintf("M/M/1 at 0.5, at a distance of %d", delay), small,
		distant(delay, system(1, 1, endless, memoryless, 0.5)), mean(far), p99(far))
	four, many := theory.MMk(4, 3.2, 1), theory.MMk(16, 12.8, 1)
	add("M/M/4 at 0.8", middle, system(1, 4, endless, memoryless, 0.8), mean(four), p99(four))
	add("M/M/16 at 0.8", small, system(1, 16, endless, memoryless, 0.8), mean(many), p99(many))
	add("M/D/1 at 0.8 (Pollaczek-Khinchine)", middle, system(1, 1, endless, constant, 0.8), mean(theory.MG1(0.8, 1, 0)))
	add("M/G/1 at 0.8, lognormal, C² = 0.25", middle, system(1, 1, endless, lognormal(0.5), 0.8), mean(theory.MG1(0.8, 1, 0.25)))
	add("M/G/1 at 0.8, Weibull of shape 2", middle, system(1, 1, endless, rayleigh, 0.8), mean(theory.MG1(0.8, 1, 4/math.Pi-1)))
	return cases
}

// shares are single servers that work on all requests at once. The law of service makes
// no difference to their mean.
func shares() []Case {
	var cases []Case
	for _, c := range []struct {
		name    string
		service scenario.Service
	}{{"M/M/1", memoryless}, {"M/D/1", constant}, {"M/G/1 lognormal, C² = 1,", lognormal(1)}} {
		for _, load := range []float64{0.5, 0.8} {
			requests := small
			if load > 0.5 {
				requests = large
			}
			cases = append(cases, Case{fmt.Sprintf("%s shared, at %g", c.name, load), "round-robin", requests, settled,
				[]Figure{mean(theory.MG1PS(load, 1))}, sharing(1, c.service, load)})
		}
	}
	// As many are inside as with a queue: with memoryless service it makes no difference
	// to whom the work is done.
	return append(cases, Case{"M/M/4 shared, at 0.8", "round-robin", middle, settled,
		[]Figure{mean(theory.MMk(4, 3.2, 1))}, sharing(4, memoryless, 0.8)})
}

// bounded are systems that refuse what does not fit.
func bounded() []Case {
	share, accepted := theory.MM1K(0.8, 1, 5)
	blocked := refused(theory.ErlangB(10, 8))
	return []Case{
		{"M/M/1/5 at 0.8", "round-robin", small, settled,
			[]Figure{mean(accepted), refused(share)}, system(1, 1, 4, memoryless, 0.8)},
		{"Erlang B: 10 in flight, 8 erlangs", "round-robin+fixed{limit=10}", small, settled,
			[]Figure{blocked}, system(10, 10, 0, memoryless, 0.08)},
		{"Erlang B with lognormal service, C² = 4", "round-robin+fixed{limit=10}", middle, settled,
			[]Figure{blocked}, system(10, 10, 0, lognormal(2), 0.08)},
	}
}

// fleets are many servers behind a strategy that theory knows.
func fleets() []Case {
	dealt := theory.EnM1(10, 0.8, 1)
	cases := []Case{{"E10/M/1 at 0.8: round robin over 10", "round-robin", middle, settled,
		[]Figure{mean(dealt), p99(dealt)}, system(10, 1, endless, memoryless, 0.8)}}
	const many = 10_000 // servers, for what holds as their number grows
	for _, d := range []int{2, 3} {
		law := theory.Supermarket(d, 0.8, 1)
		cases = append(cases, Case{fmt.Sprintf("supermarket, d = %d, n = %d, at 0.8", d, many),
			fmt.Sprintf("p2c-least-requests{choices=%d}", d), small, 50,
			[]Figure{mean(law), p99(law)}, system(many, 1, endless, memoryless, 0.8)})
	}
	return cases
}
