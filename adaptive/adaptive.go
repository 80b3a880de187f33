// Package adaptive is the one assembly: it builds a [core.Router] from settings. The
// proxy and the simulator both build theirs here and nowhere else, so that what the
// lab compares is what ships.
package adaptive

import (
	"fmt"

	"github.com/evenkeel/evenkeel/adaptive/ewma"
	"github.com/evenkeel/evenkeel/adaptive/fallback"
	"github.com/evenkeel/evenkeel/adaptive/p2c"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/breaker"
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
	"round-robin":        {picker: func(config.Strategy) core.Picker { return &pick.RoundRobin{} }},
	"random":             {picker: func(config.Strategy) core.Picker { return pick.Random{} }},
	"least-requests":     {picker: func(config.Strategy) core.Picker { return pick.LeastRequests() }},
	"p2c-least-requests": {picker: func(s config.Strategy) core.Picker { return pick.NewChoices(s.Choices, pick.Load) }},
	"p2c-ewma":           {picker: func(s config.Strategy) core.Picker { return p2c.New(s.Choices) }, latency: true},
}

// Build returns a router over an empty pool with the given policies, which are
// expected to be valid (see config.Policies.Validate); what is not is an error.
func Build(p config.Policies, d core.Driver) (*core.Router, error) {
	s, ok := strategies[p.Strategy.Name]
	if !ok {
		return nil, fmt.Errorf("adaptive: unknown strategy %q", p.Strategy.Name)
	}
	settings := breakerSettings(p.Breaker)
	if p.Breaker.Enabled {
		if err := settings.Validate(); err != nil {
			return nil, err
		}
	}
	c := core.Config{
		Driver: d,
		Picker: fallback.New(s.picker(p.Strategy), s.latency, p.PanicThreshold),
		Policy: core.Policy{
			Attempts:     p.Retries.Attempts,
			AnswerWithin: p.Timeouts.ResponseHeader,
			Total:        p.Timeouts.Total,
			Budget:       core.NewBudget(p.Retries.BudgetRatio, p.Retries.BudgetMinPerSecond),
		},
	}
	if l := p.Concurrency; l != nil {
		c.Admission = core.NewAdmission(l.Limit, l.Queue, l.MaxWait)
	}
	var checks *health.Checks
	if h := p.Health; h != nil {
		var err error
		if checks, err = health.New(health.Settings{Interval: h.Interval, Rise: h.Rise, Fall: h.Fall}); err != nil {
			return nil, err
		}
		c.Prober = checks
	}
	c.Equip = func(m *core.Member) core.Parts {
		var parts core.Parts
		if checks != nil {
			parts.Gates = append(parts.Gates, checks.Gate(m))
		}
		if p.Breaker.Enabled {
			b, err := breaker.New(settings, m.Turned)
			if err != nil {
				panic("adaptive: settings that were valid are not: " + err.Error())
			}
			parts.Gates = append(parts.Gates, b)
		}
		if s.latency {
			parts.Estimator = ewma.New(m, p.Strategy.Decay)
		}
		return parts
	}
	return core.NewRouter(c), nil
}

func breakerSettings(b config.Breaker) breaker.Settings {
	return breaker.Settings{
		ConsecutiveFailures: b.ConsecutiveFailures,
		FailureRatio:        b.FailureRatio,
		Window:              b.Window,
		MinRequests:         b.MinRequests,
		OpenFor:             b.OpenFor,
		MaxOpenFor:          b.MaxOpenFor,
		Quota:               b.HalfOpenRequests,
		ProbeTimeout:        b.ProbeTimeout,
	}
}
