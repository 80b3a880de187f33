package ewma

import "github.com/evenkeel/evenkeel/core"

// Explain implements core.Explained.
func (e *Estimator) Explain(now core.Instant) core.CostParts {
	estimate, idle, samples := unpack(e.word.Load(), now)
	p := core.CostParts{Median: e.member.Pool().MedianLatency(), Aside: e.stands.aside(now), Ramp: e.ramp(now), Strain: 1}
	if samples == 0 {
		p.Cost = e.Cost(now)
		return p
	}
	p.Known, p.Estimate, p.Idle = true, estimate, idle
	p.Fresh = idle < freshFor*e.memory()
	p.Latency, _ = e.takenFor(now)
	p.Silence = max(e.late(now, p.Latency), 0)
	if !e.neglected(now) {
		p.Cost = max(p.Latency, p.Silence, p.Aside) * float64(e.member.Pending()+1) / p.Ramp
	}
	return p
}
