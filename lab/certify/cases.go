package certify

import (
	"fmt"
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
func system(count, slots, queue int, law string, cv, load float64) func() *scenario.Scenario {
	return func() *scenario.Scenario {
		s := scenario.Default()
		s.Name = "certify"
		s.Servers = scenario.Servers{
			Count: count, Slots: slots, Queue: queue,
			Service: scenario.Service{Law: law, Mean: unit, CV: cv},
		}
		s.Arrivals.Load = load
		s.Client.Timeout = 1000 * time.Hour
		s.Proxy.Breaker.Enabled = false
		s.Proxy.Retries.Attempts = 1
		s.Proxy.PanicThreshold = 0
		s.Proxy.Timeouts.Connect, s.Proxy.Timeouts.ResponseHeader, s.Proxy.Timeouts.Total = 0, 0, 0
		return &s
	}
}

// endless is room in a queue that is never used up.
const endless = 1 << 40

// Cases are all systems, at loads up to 0.8.
func Cases() []Case {
	const (
		mm    = "exponential"
		many  = 10_000 // servers, for what holds as their number grows
		large = 4_000_000
	)
	var cases []Case
	for _, load := range []float64{0.5, 0.8} {
		law := theory.MM1(load, 1)
		cases = append(cases, Case{fmt.Sprintf("M/M/1 at %g", load), "round-robin", large, 1000,
			[]Figure{mean(law), p99(law)}, system(1, 1, endless, mm, 0, load)})
	}
	for _, k := range []int{4, 16} {
		law := theory.MMk(k, 0.8*float64(k), 1)
		cases = append(cases, Case{fmt.Sprintf("M/M/%d at 0.8", k), "round-robin", large, 1000,
			[]Figure{mean(law), p99(law)}, system(1, k, endless, mm, 0, 0.8)})
	}
	cases = append(cases,
		Case{"M/D/1 at 0.8 (Pollaczek-Khinchine)", "round-robin", large, 1000,
			[]Figure{mean(theory.MG1(0.8, 1, 0))}, system(1, 1, endless, "constant", 0, 0.8)},
		Case{"M/G/1 at 0.8, lognormal, C² = 0.25", "round-robin", large, 1000,
			[]Figure{mean(theory.MG1(0.8, 1, 0.25))}, system(1, 1, endless, "lognormal", 0.5, 0.8)},
	)
	share, accepted := theory.MM1K(0.8, 1, 5)
	cases = append(cases,
		Case{"M/M/1/5 at 0.8", "round-robin", large, 1000,
			[]Figure{mean(accepted), refused(share)}, system(1, 1, 4, mm, 0, 0.8)},
		Case{"Erlang B: 10 in flight, 8 erlangs", "round-robin+fixed{limit=10}", large, 1000,
			[]Figure{refused(theory.ErlangB(10, 8))}, system(10, 10, 0, mm, 0, 0.08)},
		Case{"Erlang B with lognormal service, C² = 4", "round-robin+fixed{limit=10}", large, 1000,
			[]Figure{refused(theory.ErlangB(10, 8))}, system(10, 10, 0, "lognormal", 2, 0.08)},
	)
	dealt := theory.EnM1(10, 0.8, 1)
	cases = append(cases, Case{"E10/M/1 at 0.8: round robin over 10", "round-robin", large, 1000,
		[]Figure{mean(dealt), p99(dealt)}, system(10, 1, endless, mm, 0, 0.8)})
	for _, d := range []int{2, 3} {
		law := theory.Supermarket(d, 0.8, 1)
		cases = append(cases, Case{fmt.Sprintf("supermarket, d = %d, n = %d, at 0.8", d, many),
			fmt.Sprintf("p2c-least-requests{choices=%d}", d), large / 2, 50,
			[]Figure{mean(law), p99(law)}, system(many, 1, endless, mm, 0, 0.8)})
	}
	return cases
}
