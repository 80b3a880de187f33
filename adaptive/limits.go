package adaptive

import (
	"fmt"
	"math/rand/v2"

	"github.com/evenkeel/evenkeel/adaptive/concurrency"
	"github.com/evenkeel/evenkeel/adaptive/shed"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
)

// newLimiter makes the limiter that the settings name.
func newLimiter(c config.Concurrency, src rand.Source) (core.Limiter, error) {
	s := concurrency.Settings{Initial: c.Initial, Floor: c.Min, Ceiling: c.Max, Window: c.Window, Samples: c.Samples}
	switch c.Name {
	case "fixed":
		return concurrency.NewFixed(c.Limit)
	case "aimd":
		return concurrency.NewAIMD(s, c.Timeout)
	case "vegas":
		return concurrency.NewVegas(s, src)
	case "gradient2":
		return concurrency.NewGradient2(s, c.Tolerance, c.Headroom)
	case "correlated":
		return concurrency.NewCorrelated(s, c.Quantile)
	}
	return nil, fmt.Errorf("adaptive: unknown limiter %q", c.Name)
}

// limit puts the limits of the pool as a whole into c: admission and shedding.
func limit(c *core.Config, p config.Policies) error {
	var patience core.Patience
	var err error
	if s := p.Shed; s != nil {
		switch s.Name {
		case "codel":
			patience, err = shed.NewCoDel(s.Target, s.Interval)
		case "accept-ratio":
			c.Shedder, err = shed.NewAcceptRatio(s.K, s.Window, s.MaxRatio)
		default:
			err = fmt.Errorf("adaptive: unknown shedder %q", s.Name)
		}
	}
	l := p.Concurrency
	if err != nil || l == nil {
		return err
	}
	limiter, err := newLimiter(*l, c.Source)
	if err != nil {
		return err
	}
	if moving, ok := limiter.(*concurrency.Limiter); ok && l.Name != "aimd" { // that sees timeouts alone
		limiter = concurrency.NewClassed(moving)
	}
	c.Admission = core.NewAdmission(core.AdmissionSettings{
		Limiter: limiter, Room: l.Queue, MaxWait: l.MaxWait, Patience: patience, DryRun: l.DryRun,
	})
	return nil
}
