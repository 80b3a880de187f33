package config

import (
	"cmp"
	"fmt"
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

const (
	maxWeight   = 1000
	maxProbes   = 63        // what a half-open breaker counts (core/breaker)
	maxAttempts = 4         // as many as a request remembers where it has been
	maxCount    = 1_000_000 // of anything that is counted: beyond it is a typing error
	maxRate     = 1e9       // a second: one each nanosecond, the resolution of time
	day         = 24 * time.Hour
)

// validate reports everything that decoding cannot know to be wrong.
func (f *File) validate(report strict.Report) {
	if f.Version != Version {
		report("version", "expected %d, the only version there is, found %d", Version, f.Version)
	}
	if len(f.Listeners) == 0 {
		report("listeners", "expected at least one listener")
	}
	if len(f.Pools) == 0 {
		report("pools", "expected at least one pool")
	}
	f.validateListeners(report)
	f.Admin.validate(report.At("admin"))
	f.Drain.validate(report.At("drain"))
	oneOf(report, "log.level", "level", f.Log.Level, levels)
	f.validatePools(report)
	f.validateRoutes(report)
	for i, p := range f.TrustedProxies {
		if p != p.Masked() {
			report(fmt.Sprintf("trusted_proxies[%d]", i), "%s has bits set beyond its length: expected %s", p, p.Masked())
		}
	}
}

func (f *File) validatePools(report strict.Report) {
	names := map[string]int{}
	for i := range f.Pools {
		p := &f.Pools[i]
		at := report.At(fmt.Sprintf("pools[%d]", i))
		checkName(at, "name", p.Name)
		if first, dup := names[p.Name]; dup {
			at("name", "%q is the name of pools[%d] already", p.Name, first)
		} else {
			names[p.Name] = i
		}
		p.validateEndpoints(at)
		p.Upstream.validate(at)
		p.validateReach(at)
		p.Validate(at)
	}
}

func (p *Pool) validateEndpoints(report strict.Report) {
	if len(p.Endpoints) == 0 {
		report("endpoints", "expected at least one endpoint")
	}
	keys := map[string]int{}
	for i, e := range p.Endpoints {
		path := fmt.Sprintf("endpoints[%d]", i)
		between(report, path+".weight", e.Weight, 0, maxWeight)
		if !checkURL(report, path+".url", e.URL) {
			continue
		}
		if first, dup := keys[e.Key()]; dup {
			report(path+".url", "%q: %s is the address of endpoints[%d] already", e.URL, e.Key(), first)
		} else {
			keys[e.Key()] = i
		}
	}
}

// Validate reports every policy that cannot work, by its path from p. For use
// elsewhere than at the top of a document, pass a Report made by
// [strict.Report.At].
func (p *Policies) Validate(report strict.Report) {
	p.Strategy.Validate(report.At("strategy"))
	if !(p.PanicThreshold >= 0 && p.PanicThreshold <= 1) {
		report("panic_threshold", "expected a share from 0 to 1, found %v", p.PanicThreshold)
	}
	p.Breaker.Validate(report.At("breaker"))
	p.Timeouts.Validate(report.At("timeouts"))
	p.Retries.Validate(report.At("retries"))
	if p.Hedge != nil {
		p.Hedge.Validate(report.At("hedge"))
	}
	if p.Health != nil {
		p.Health.Validate(report.At("health"))
	}
	if p.Reports != nil {
		p.Reports.Validate(report.At("reports"))
	}
	p.validateLimits(report)
}

// Validate reports what is wrong with the strategy, by paths from s.
func (s *Strategy) Validate(report strict.Report) {
	if !oneOf(report, "name", "strategy", s.Name, Strategies) {
		return
	}
	if s.Estimates() {
		within(report, "decay", s.Decay, time.Millisecond, day)
	} else if s.Decay != 0 {
		report("decay", "%s does not estimate latency and has no decay", s.Name)
	}
	s.Guards.validate(s, report)
	s.ByReports.validate(s, report)
	if s.Draws() {
		between(report, "choices", s.Choices, 2, maxChoices)
	} else if s.Choices != 0 {
		report("choices", "%s does not draw endpoints and has no choices: only p2c-* have", s.Name)
	}
	if s.Bounds() {
		checkKey(report, "key", s.Key)
		between(report, "load_factor", s.LoadFactor, 1, maxLoadFactor)
		return
	}
	if s.Key != "" {
		report("key", "%s has no key to choose: only consistent-hash has", s.Name)
	}
	if s.LoadFactor != 0 {
		report("load_factor", "%s does not bound loads and has no load_factor: only consistent-hash has", s.Name)
	}
}

// Validate reports what is wrong with the breaker, by paths from b. The settings
// of a breaker that is off are checked too: it may be turned on.
func (b *Breaker) Validate(report strict.Report) {
	between(report, "consecutive_failures", b.ConsecutiveFailures, 1, maxCount)
	ratio(report, "failure_ratio", b.FailureRatio)
	if b.SlowCall != 0 {
		within(report, "slow_call", b.SlowCall, time.Millisecond, day)
	}
	ratio(report, "slow_ratio", b.SlowRatio)
	b.Weights.Validate(report.At("weights"))
	between(report, "jitter", b.Jitter, 0, 1)
	within(report, "window", b.Window, time.Second, time.Hour) // the memory of a member grows with it
	between(report, "min_requests", b.MinRequests, 1, maxCount)
	within(report, "probe_timeout", b.ProbeTimeout, time.Millisecond, day)
	between(report, "half_open_requests", b.HalfOpenRequests, 1, maxProbes)
	if !within(report, "open_for", b.OpenFor, time.Millisecond, day) {
		return
	}
	if within(report, "max_open_for", b.MaxOpenFor, time.Millisecond, day) && b.MaxOpenFor < b.OpenFor {
		report("max_open_for", "expected at least open_for (%v), found %v", b.OpenFor, b.MaxOpenFor)
	}
}

// Validate reports what is wrong with the timeouts, by paths from t.
func (t *Timeouts) Validate(report strict.Report) {
	notNegative(report, "total", t.Total)
	notNegative(report, "idle", t.Idle)
	for _, part := range []struct {
		name  string
		value time.Duration
	}{{"connect", t.Connect}, {"response_header", t.ResponseHeader}} {
		notNegative(report, part.name, part.value)
		if t.Total > 0 && part.value > t.Total {
			report(part.name, "expected at most total (%v), found %v", t.Total, part.value)
		}
	}
}

// Validate reports what is wrong with the retries, by paths from r.
func (r *Retries) Validate(report strict.Report) {
	between(report, "attempts", r.Attempts, 1, maxAttempts)
	ratio(report, "budget_ratio", r.BudgetRatio)
	notNegative(report, "hung_after", r.HungAfter)
	between(report, "budget_min_per_second", r.BudgetMinPerSecond, 0, maxCount)
}

func within(report strict.Report, path string, d, low, high time.Duration) bool {
	if d < low || d > high {
		report(path, "expected a duration from %v to %v, found %v", low, high, d)
		return false
	}
	return true
}

func positive(report strict.Report, path string, d time.Duration) {
	if d <= 0 {
		report(path, "expected a duration above 0, found %v", d)
	}
}

func notNegative(report strict.Report, path string, d time.Duration) {
	if d < 0 {
		report(path, "expected a duration, or 0 for none, found %v", d)
	}
}

func ratio(report strict.Report, path string, r float64) {
	if !(r > 0 && r <= 1) {
		report(path, "expected a share above 0, at most 1, found %v", r)
	}
}

func between[T cmp.Ordered](report strict.Report, path string, n, low, high T) {
	if !(n >= low && n <= high) {
		report(path, "expected a number from %v to %v, found %v", low, high, n)
	}
}
