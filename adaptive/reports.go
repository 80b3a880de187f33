package adaptive

import (
	"time"

	"github.com/evenkeel/evenkeel/adaptive/ewma"
	"github.com/evenkeel/evenkeel/adaptive/probe"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/pick"
)

// estimatorOf is what makes the estimators of a strategy's members; nil when they need
// none.
func estimatorOf(s config.Strategy) func(*core.Member) core.Estimator {
	switch {
	case s.Estimates():
		settings := estimation(s)
		switch {
		case s.Reported:
			return func(m *core.Member) core.Estimator { return probe.NewStrain(m, ewma.New(m, &settings)) }
		case s.Classes:
			classes := new(ewma.Classes)
			return func(m *core.Member) core.Estimator { return classes.Estimator(m, &settings) }
		}
		return func(m *core.Member) core.Estimator { return ewma.New(m, &settings) }
	case s.Reported:
		return func(m *core.Member) core.Estimator { return probe.NewCounts(m) }
	case s.Name == "orca-weighted-round-robin":
		settings := weighing(s)
		return func(m *core.Member) core.Estimator { return probe.NewWeight(m, settings) }
	case s.Name == "c3":
		settings := probe.CubicSettings{Proxies: float64(s.Proxies), Smoothing: s.Smoothing, Penalty: c3Penalty}
		return func(m *core.Member) core.Estimator { return probe.NewCubic(m, settings) }
	case s.Name == "prequal":
		settings := hotCold(s)
		return func(*core.Member) core.Estimator { return probe.NewTemper(settings) }
	}
	return nil
}

// c3Penalty is the least that a failure counts as, as with the strategies that estimate
// latency.
const c3Penalty = 5 * time.Second

// leastOfDrawn compares what is pending at some that are drawn, or what is in flight there
// by all that is known.
func leastOfDrawn(s config.Strategy) core.Picker {
	if s.Reported {
		return probe.NewChoices(s.Choices)
	}
	return pick.NewChoices(s.Choices, pick.Load)
}

func weighing(s config.Strategy) probe.WeightSettings {
	return probe.WeightSettings{Penalty: s.ErrorPenalty, Blackout: s.Blackout, Expiration: s.Expiration, Update: s.Update}
}

func hotCold(s config.Strategy) probe.HotColdSettings {
	return probe.HotColdSettings{
		Pool: s.ProbePool, Rate: s.ProbeRate, Limit: s.ProbeLimit, Remove: s.RemoveRate, Age: s.ProbeAge, Idle: s.ProbeIdle,
		Quantile: s.HotQuantile, Aversion: s.Aversion,
	}
}
