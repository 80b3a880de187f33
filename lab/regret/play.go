package regret

import (
	"context"
	"fmt"
	"math/bits"
	"sync"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/sim"
	"github.com/evenkeel/evenkeel/lab/stat"
	"github.com/evenkeel/evenkeel/lab/trial"
)

// Trial is what is compared of a trial.
type Trial struct {
	// P99 is that of the response times, in seconds, where a request that failed counts
	// at no less than the client's timeout; above 0.
	P99 float64
	// Errors is the share of the requests that did not succeed, 0 to 1.
	Errors float64
	// Unstable says that more came in than could be served.
	Unstable bool
	// Course is a hash of who answered what, and when: two subjects with the same one
	// have played exactly the same.
	Course uint64
}

// Player plays one trial. It is called from several goroutines.
type Player func(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64) (Trial, error)

// Simulate is the Player in virtual time.
func Simulate(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64) (Trial, error) {
	var digester *stat.Digester
	var course course
	h, err := trial.Play(ctx, sim.Driver{}, s, trial.Plan{Subject: subject, Seed: seed}, trial.Watch{
		Begin: func(h record.Header) (each func(record.Request), err error) {
			if digester, err = stat.NewDigester(h); err != nil {
				return nil, err
			}
			return func(r record.Request) {
				digester.Add(r)
				course.add(r)
			}, nil
		},
	})
	if err != nil {
		return Trial{}, err
	}
	d, err := digester.Digest(h)
	if err != nil {
		return Trial{}, err
	}
	f := &d.Summary.Figures
	if f.Latency.P99 == nil {
		return Trial{}, TooFewError{s.Name, subject.Name, f.Requests}
	}
	return Trial{P99: *f.Latency.P99, Errors: f.ErrorRatio, Unstable: d.Summary.Unstable != "", Course: uint64(course)}, nil
}

// TooFewError is a trial that is too small to be compared. It is the scenario's fault, and
// the others' rows are measured all the same.
type TooFewError struct {
	Scenario, Subject string
	Requests          int // that were counted
}

func (e TooFewError) Error() string {
	return fmt.Sprintf("%s, %s: %d requests in a trial are too few for a p99: expected some 400 or more (a longer duration, a higher rate)", e.Scenario, e.Subject, e.Requests)
}

// course hashes requests as they end: FNV-1a (Fowler, Noll and Vo) by words instead of
// bytes, turned after each so that what is in the high bits gets into the low ones.
type course uint64

func (c *course) add(r record.Request) {
	for _, word := range [...]uint64{uint64(r.Seq), uint64(r.Endpoint), uint64(r.Done)} {
		*c = course(bits.RotateLeft64((uint64(*c)^word)*0x100000001b3, 31))
	}
}

// series are the trials of one scenario, by subject: that of place i has the seed of the
// experiment's block first+i, whoever plays it, so that the trials of two subjects at the
// same place are a pair.
type series struct {
	scenario *scenario.Scenario
	seed     uint64
	first    int
	lab      *lab
	played   map[string][]Trial
}

// lab plays trials, so many at once.
type lab struct {
	play  Player
	cores chan struct{}
}

func newLab(o *Options) *lab {
	return &lab{o.Play, make(chan struct{}, o.Parallel)}
}

func (l *lab) series(s *scenario.Scenario, seed uint64, first int) *series {
	return &series{scenario: s, seed: seed, first: first, lab: l, played: map[string][]Trial{}}
}

// extend plays what is missing for each of the subjects to have n trials.
func (s *series) extend(ctx context.Context, n int, subjects ...scenario.Subject) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for _, subject := range subjects {
		trials := s.played[subject.Name]
		from := len(trials)
		if from >= n {
			continue
		}
		trials = append(trials, make([]Trial, n-from)...)
		s.played[subject.Name] = trials
		for i := from; i < n; i++ {
			all.Go(func() {
				s.lab.cores <- struct{}{}
				defer func() { <-s.lab.cores }()
				if ctx.Err() != nil {
					return
				}
				var err error
				if trials[i], err = s.lab.play(ctx, s.scenario, subject, scenario.BlockSeed(s.seed, s.first+i)); err != nil {
					cancel(err)
				}
			})
		}
	}
	all.Wait()
	return context.Cause(ctx)
}

// ratio is that of the p99 of a subject to that of another, on the first n seeds, which
// both have played.
func (s *series) ratio(n int, of, to scenario.Subject) Ratio {
	pairs := make([][2]float64, n)
	for i := range pairs {
		pairs[i] = [2]float64{s.played[of.Name][i].P99, s.played[to.Name][i].P99}
	}
	return ratioOf(pairs)
}
