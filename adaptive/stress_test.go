package adaptive_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
)

// books are an observer's: of all members that there ever were, and their attempts.
type books struct {
	mu               sync.Mutex
	members          []*core.Member
	picked, finished atomic.Int64
}

func (b *books) observe(m *core.Member) core.Observer {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members = append(b.members, m)
	return b
}

func (b *books) Picked(*core.Member, core.Instant, core.Choice)            { b.picked.Add(1) }
func (b *books) Finished(*core.Member, core.Instant, core.Sample)          { b.finished.Add(1) }
func (b *books) Turned(*core.Member, core.Instant, core.State, core.State) {}

// storm is a router whose pool changes all the time, with everything that a pool can have.
type storm struct {
	*core.Router
	clock atomic.Int64
}

// now is 50 µs after the last time that somebody asked: there are looks at the pool.
func (s *storm) now() core.Instant { return core.Instant(s.clock.Add(50_000)) }

// sample is what an attempt comes to by chance, with a report that need not be true.
func sample(src rand.Source, outcomes ...core.Outcome) core.Sample {
	x := src.Uint64()
	what := []float64{-1, 0, 0.5, 3, math.MaxFloat64}
	return core.Sample{
		Outcome: outcomes[x%uint64(len(outcomes))],
		Load: core.LoadReport{
			Known: x&64 != 0, InFlight: what[x>>8%5], Utilization: what[x>>16%5], Latency: what[x>>24%5], Rate: what[x>>32%5], Errors: what[x>>40%5],
		},
	}
}

// request takes a request to its end by chance, with its retries and its hedge.
func (s *storm) request(q *core.Request, src rand.Source) {
	q.Reset()
	q.Ask.Key, q.Ask.Class, q.Ask.Priority = src.Uint64(), uint8(src.Uint64()%4), uint8(src.Uint64()%4)
	var away []int
	for a := q.Start(s.now(), s.Router, true); ; {
		switch a.Do {
		case core.Try:
			away = append(away, a.Attempt)
		case core.Deliver:
			q.Finished(s.now(), a.Attempt, sample(src, core.Success, core.Reset, core.Abandoned))
			return
		case core.GiveUp:
			return
		}
		if len(away) == 0 || src.Uint64()%16 == 0 {
			q.Abandon(s.now())
			return
		}
		if src.Uint64()%4 == 0 {
			a = q.Hedge(s.now())
			continue
		}
		i := int(src.Uint64() % uint64(len(away)))
		attempt := away[i]
		away = append(away[:i], away[i+1:]...)
		switch src.Uint64() % 8 {
		case 0:
			a = q.Failed(s.now(), attempt, sample(src, core.Timeout, core.ConnectFailure, core.Reset))
		case 1:
			a = q.Answered(s.now(), attempt, sample(src, core.ServerError, core.Throttled), true)
		default:
			a = q.Answered(s.now(), attempt, sample(src, core.Success, core.ClientError), false)
		}
	}
}

// churn changes the pool: members come and go, are drained and come back, and at times there
// is nobody.
func (s *storm) churn(t *testing.T, src rand.Source) {
	var es []core.Endpoint
	for i := range src.Uint64() % 7 {
		if w := src.Uint64() % 4; w > 0 {
			es = append(es, core.Endpoint{Key: fmt.Sprint(i), Weight: float64(w - 1)})
		}
	}
	if err := s.Update(s.now(), es); err != nil {
		t.Error(err)
	}
}

// probe answers what the strategy asks for, if it does.
func (s *storm) probe(src rand.Source) {
	p := s.LoadProber()
	if p == nil {
		return
	}
	if m, ok := p.Next(s.now(), src); ok {
		p.Probed(m, s.now(), sample(src, core.Success).Load, src.Uint64()%8 > 0)
	}
}

// Whatever the strategy: while the pool changes, breakers open, limits move, requests are
// hedged, tried again, turned away and left, and endpoints report nonsense, everything that
// was leased is settled once, and nothing is pending in the end.
func TestNothingIsPendingAfterAStorm(t *testing.T) {
	const goroutines, rounds = 3, 4000
	strategiesOf(t, func(t *testing.T, p config.Policies) {
		p.Retries.Attempts, p.Retries.HungAfter = 3, time.Millisecond
		p.Breaker.OpenFor, p.Breaker.MaxOpenFor, p.Breaker.HalfOpenRequests = time.Millisecond, 4*time.Millisecond, 2
		p.Breaker.ProbeTimeout = time.Millisecond
		p.Hedge = &config.Hedge{AfterPercentile: 0.5, MinDelay: time.Millisecond, MaxRatio: 1}
		pool, each, shed := config.NewConcurrency("gradient2"), config.NewConcurrency("aimd"), config.NewShed("accept-ratio")
		each.Initial = 2
		p.Concurrency, p.EndpointConcurrency, p.Shed = &pool, &each, &shed
		var b books
		r, err := adaptive.Build(p, core.Driver{Source: runtimeSource{}, Observe: b.observe})
		if err != nil {
			t.Fatal(err)
		}
		s := &storm{Router: r}
		var load sync.WaitGroup
		for g := range goroutines {
			load.Go(func() {
				src := rand.NewPCG(7, uint64(g))
				var q core.Request
				for i := range rounds {
					if i%20 == 0 {
						s.churn(t, src)
					}
					s.request(&q, src)
					s.probe(src)
				}
			})
		}
		load.Wait()
		if b.picked.Load() == 0 || b.picked.Load() != b.finished.Load() {
			t.Errorf("got %d attempts, and %d that have ended; want some, and as many", b.picked.Load(), b.finished.Load())
		}
		for _, m := range b.members {
			if got := m.Pending(); got != 0 {
				t.Errorf("pending at a member %s: got %d, want 0", m.Key, got)
			}
		}
		if got := r.View().Pool.Pending(); got != 0 {
			t.Errorf("pending in the pool: got %d, want 0", got)
		}
		if in, waiting := r.Admission().InFlight(); in != 0 || waiting != 0 {
			t.Errorf("admitted: got %d, and %d waiting; want none", in, waiting)
		}
	})
}
