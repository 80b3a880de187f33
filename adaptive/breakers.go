package adaptive

import (
	"math/rand/v2"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/breaker"
	"github.com/evenkeel/evenkeel/core/config"
)

// breakers makes the breakers of one router's members.
type breakers struct {
	settings breaker.Settings
	// chance is where their jitter comes from: one draw makes it the router's own, and
	// from there it is keyed, so that members that come later change nothing for the
	// others.
	chance core.Key
}

// newBreakers returns what makes the breakers; nil when there are to be none.
func newBreakers(b config.Breaker, src rand.Source) (*breakers, error) {
	if !b.Enabled {
		return nil, nil
	}
	settings := breakerSettings(b)
	if err := settings.Validate(); err != nil {
		return nil, err
	}
	return &breakers{settings: settings, chance: core.NewKey(src.Uint64())}, nil
}

// of makes the breaker of a new member.
func (b *breakers) of(m *core.Member) core.Gate {
	gate, err := breaker.New(b.settings, b.chance.At(core.Hash(m.Key)), m.Turned)
	if err != nil {
		panic("adaptive: settings that were valid are not: " + err.Error())
	}
	return gate
}

func breakerSettings(b config.Breaker) breaker.Settings {
	return breaker.Settings{
		ConsecutiveFailures: b.ConsecutiveFailures,
		FailureRatio:        b.FailureRatio,
		SlowCall:            b.SlowCall,
		SlowRatio:           b.SlowRatio,
		Window:              b.Window,
		MinRequests:         b.MinRequests,
		Weights: breaker.Weights{
			core.ConnectFailure: b.Weights.Connect,
			core.Timeout:        b.Weights.Timeout,
			core.Reset:          b.Weights.Reset,
			core.ServerError:    b.Weights.ServerError,
			core.Throttled:      b.Weights.Throttled,
			core.Overtaken:      b.Weights.Overtaken,
			core.ClientError:    b.Weights.ClientError,
		},
		OpenFor:      b.OpenFor,
		MaxOpenFor:   b.MaxOpenFor,
		Jitter:       b.Jitter,
		Quota:        b.HalfOpenRequests,
		ProbeTimeout: b.ProbeTimeout,
	}
}
