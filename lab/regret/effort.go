package regret

import (
	"context"
	"math"

	"github.com/evenkeel/evenkeel/lab/scenario"
)

// effort is how many seeds are played in one scenario.
type effort struct {
	choose    int // to choose the best on
	first     int // before the first look at the interval
	most      int // to measure on
	precision float64
}

const (
	// firstSeeds is how many seeds are played before the first look. Each further look
	// is at half as many more: with many looks, or with a first one at few seeds, it
	// would be too often that the interval is caught when it happens to be narrow, and
	// it would have the truth in it less often than it says.
	firstSeeds = 10

	// fullTrial is up to how many requests a trial has the seeds that were asked for. Of
	// larger ones there are fewer in proportion, down to the least below: the variance
	// of a percentile falls as the number of requests grows, while the cost of a trial
	// grows with it.
	fullTrial   = 100_000
	leastChoose = 2
	leastFirst  = 5
	leastMost   = 10
)

// effort is what a scenario is worth.
func (o *Options) effort(s *scenario.Scenario) effort {
	part := 1.0
	if requests := s.Rate() * s.Duration.Seconds(); requests > fullTrial {
		part = fullTrial / requests
	}
	of := func(n, least int) int { return max(int(math.Ceil(part*float64(n))), min(n, least)) }
	e := effort{choose: of(o.Choose, leastChoose), most: of(o.MostSeeds, leastMost), precision: o.Precision}
	e.first = min(of(firstSeeds, leastFirst), e.most)
	return e
}

// compare plays two subjects until the interval of their ratio is narrow enough, or there are as many
// seeds as there may be.
func (s *series) compare(ctx context.Context, e effort, of, to scenario.Subject) (Ratio, error) {
	for n := e.first; ; n = min(n+n/2, e.most) {
		if err := s.extend(ctx, n, of, to); err != nil {
			return Ratio{}, err
		}
		if r := s.ratio(n, of, to); n == e.most || r.HalfWidth() <= e.precision {
			return r, nil
		}
	}
}
