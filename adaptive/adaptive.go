// Package adaptive is the one assembly: it builds a [core.Router] from settings. The
// proxy and the simulator both build theirs here and nowhere else, so that what the
// lab compares is what ships.
package adaptive

import (
	"fmt"

	"github.com/evenkeel/evenkeel/adaptive/concurrency"
	"github.com/evenkeel/evenkeel/adaptive/ewma"
	"github.com/evenkeel/evenkeel/adaptive/fallback"
	"github.com/evenkeel/evenkeel/adaptive/p2c"
	"github.com/evenkeel/evenkeel/adaptive/probe"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/health"
	"github.com/evenkeel/evenkeel/core/pick"
)

// strategy is how a name is built.
type strategy struct {
	picker func(config.Strategy) core.Picker
	// latency says that the strategy goes by estimated latency: its members get
	// an estimator, and the quality of the signal counts.
	latency bool
}

// strategies is the catalogue; its names are config.Strategies.
var strategies = map[string]strategy{
	"round-robin":          {picker: func(config.Strategy) core.Picker { return &pick.RoundRobin{} }},
	"weighted-round-robin": {picker: func(config.Strategy) core.Picker { return &pick.WeightedRoundRobin{} }},
	"random":               {picker: func(config.Strategy) core.Picker { return pick.Random{} }},
	"least-requests":       {picker: func(config.Strategy) core.Picker { return pick.LeastRequests() }},
	"p2c-least-requests":   {picker: leastOfDrawn},
	"consistent-hash":      {picker: func(s config.Strategy) core.Picker { return &pick.Hash{Factor: s.LoadFactor} }},
	"ip-hash":              {picker: func(config.Strategy) core.Picker { return &pick.Hash{} }},
	"ewma":                 {picker: func(config.Strategy) core.Picker { return p2c.NewScan() }, latency: true},
	"p2c-ewma":             {picker: drawn, latency: true},

	"orca-weighted-round-robin": {picker: func(s config.Strategy) core.Picker { return probe.NewWeighted(weighing(s)) }},
	"c3":                        {picker: func(config.Strategy) core.Picker { return probe.NewCubicScan() }},
	"prequal":                   {picker: func(s config.Strategy) core.Picker { return probe.NewHotCold(hotCold(s)) }},
}

// drawn is the picker that draws some and compares their costs.
func drawn(s config.Strategy) core.Picker {
	return p2c.New(p2c.Settings{Choices: s.Choices, MostChoices: s.MostChoices, ScanUpTo: s.ScanUpTo})
}

// estimation are the settings of the estimators of one pool.
func estimation(s config.Strategy) ewma.Settings {
	return ewma.Settings{
		Decay: s.Decay, Samples: s.Samples, Near: s.Near, Outlier: s.Outlier, Penalty: s.Penalty, Aside: s.Aside, Peak: s.Peak,
		Age: s.Age, Grace: s.Grace, Drift: s.Drift, Explore: s.Explore, Seed: s.Seed, Ramp: s.SlowStart,
	}
}

// Build returns a router over an empty pool with the given policies, which are
// expected to be valid (see config.Policies.Validate); what is not is an error.
func Build(p config.Policies, d core.Driver) (*core.Router, error) {
	s, ok := strategies[p.Strategy.Name]
	if !ok {
		return nil, fmt.Errorf("adaptive: unknown strategy %q", p.Strategy.Name)
	}
	own := s.picker(p.Strategy)
	c := core.Config{
		Driver: d,
		Picker: fallback.New(own, s.latency && p.Strategy.Trust, p.PanicThreshold),
		Policy: policy(p),
	}
	if h, ok := own.(*probe.HotCold); ok {
		c.LoadProber = h
		if d.ProbeDue != nil {
			h.OnDue(d.ProbeDue)
		}
	}
	if err := limit(&c, p); err != nil {
		return nil, err
	}
	var checks *health.Checks
	if h := p.Health; h != nil {
		var err error
		if checks, err = health.New(health.Settings{Interval: h.Interval, Rise: h.Rise, Fall: h.Fall}); err != nil {
			return nil, err
		}
		c.Prober = checks
	}
	var err error
	if c.Equip, err = equip(p, d, checks); err != nil {
		return nil, err
	}
	return core.NewRouter(c), nil
}

// policy is what requests to the pool may do.
func policy(p config.Policies) core.Policy {
	c := core.Policy{
		Attempts:     p.Retries.Attempts,
		AnswerWithin: p.Timeouts.ResponseHeader,
		Total:        p.Timeouts.Total,
		Budget:       core.NewBudget(p.Retries.BudgetRatio, p.Retries.BudgetMinPerSecond),
	}
	if after := p.Retries.HungAfter; after > 0 {
		c.Hung = core.NewHung(after)
	}
	if h := p.Hedge; h != nil {
		c.Hedge = core.NewHedge(h.AfterPercentile, h.MinDelay, h.MaxRatio)
	}
	return c
}

// equip returns what makes the gates and the estimator of a new member. No checks are nil.
func equip(p config.Policies, d core.Driver, checks *health.Checks) (func(*core.Member) core.Parts, error) {
	if e := p.EndpointConcurrency; e != nil {
		if _, err := newLimiter(*e, d.Source); err != nil {
			return nil, err
		}
	}
	breakers, err := newBreakers(p.Breaker, d.Source)
	if err != nil {
		return nil, err
	}
	estimator := estimatorOf(p.Strategy)
	return func(m *core.Member) core.Parts {
		var parts core.Parts
		if checks != nil {
			parts.Gates = append(parts.Gates, checks.Gate(m))
		}
		if breakers != nil {
			parts.Gates = append(parts.Gates, breakers.of(m))
		}
		if e := p.EndpointConcurrency; e != nil {
			l, err := newLimiter(*e, d.Source)
			if err != nil {
				panic("adaptive: settings that were valid are not: " + err.Error())
			}
			parts.Gates = append(parts.Gates, concurrency.NewGate(l, e.DryRun))
		}
		if estimator != nil {
			parts.Estimator = estimator(m)
		}
		return parts
	}, nil
}
