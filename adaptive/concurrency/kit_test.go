package concurrency_test

import (
	"container/heap"
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive/concurrency"
	"github.com/evenkeel/evenkeel/core"
)

const (
	ms  = core.Instant(time.Millisecond)
	sec = core.Instant(time.Second)
)

// standard are the settings of the defaults, from another limit.
func standard(initial int) concurrency.Settings {
	return concurrency.Settings{Initial: initial, Floor: 1, Ceiling: 1000, Window: 100 * time.Millisecond, Samples: 10}
}

// must is the limiter.
func must(l *concurrency.Limiter, err error) *concurrency.Limiter {
	if err != nil {
		panic(err)
	}
	return l
}

// The limiters with their default constants.
func aimd(initial int) *concurrency.Limiter {
	return must(concurrency.NewAIMD(standard(initial), 5*time.Second))
}
func vegas(initial int) *concurrency.Limiter {
	key := core.NewKey(1)
	return must(concurrency.NewVegas(standard(initial), &key))
}
func gradient2(initial int) *concurrency.Limiter {
	return must(concurrency.NewGradient2(standard(initial), 1.5, 4))
}
func correlated(initial int) *concurrency.Limiter {
	s := standard(initial)
	s.Samples = 50
	return must(concurrency.NewCorrelated(s, 0.9))
}

var moving = map[string]func(initial int) *concurrency.Limiter{
	"aimd": aimd, "vegas": vegas, "gradient2": gradient2, "correlated": correlated,
}

// answered is the sample of a success after d.
func answered(d time.Duration) core.Sample {
	return core.Sample{Outcome: core.Success, FirstAnswer: d, Total: d}
}

// dropped is the sample of an attempt that timed out after d.
func dropped(d time.Duration) core.Sample {
	return core.Sample{Outcome: core.Timeout, FirstAnswer: -1, Total: d}
}

// flight is one on its way through the service.
type flight struct {
	began, end core.Instant
	inFlight   int
	class      uint8
}

type flights []flight

func (f flights) Len() int           { return len(f) }
func (f flights) Less(i, j int) bool { return f[i].end < f[j].end }
func (f flights) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)        { *f = append(*f, x.(flight)) }
func (f *flights) Pop() any {
	last := len(*f) - 1
	x := (*f)[last]
	*f = (*f)[:last]
	return x
}

// service is some servers behind one first-in first-out queue, in virtual time, with
// a limiter in front.
type service struct {
	limiter core.Limiter
	free    []core.Instant                   // when each server is idle
	takes   func(core.Instant) time.Duration // of one server, for one
	class   uint8                            // of what is taken in
	now     core.Instant
	out     flights
	done    int
	refused int
}

func newService(l core.Limiter, servers int, takes time.Duration) *service {
	return &service{limiter: l, free: make([]core.Instant, servers), takes: func(core.Instant) time.Duration { return takes }}
}

// begin takes one in.
func (s *service) begin() {
	first := 0
	for i, at := range s.free {
		if at < s.free[first] {
			first = i
		}
	}
	end := max(s.now, s.free[first]).Add(s.takes(s.now))
	s.free[first] = end
	heap.Push(&s.out, flight{s.now, end, len(s.out) + 1, s.class})
}

// end ends the next one, if that is by until, and has the limiter learn of it.
func (s *service) end(until core.Instant) bool {
	if len(s.out) == 0 || s.out[0].end > until {
		return false
	}
	f := heap.Pop(&s.out).(flight)
	s.now = f.end
	s.done++
	sample := answered(f.end.Sub(f.began))
	if c, ok := s.limiter.(core.ClassedLimiter); ok {
		c.LearnOf(f.class, s.now, sample, f.inFlight)
	} else {
		s.limiter.Learn(s.now, sample, f.inFlight)
	}
	return true
}

// saturate has as many in flight as the limiter lets in, always, until then.
func (s *service) saturate(until core.Instant) {
	for {
		for len(s.out) < s.limiter.Limit() {
			s.begin()
		}
		if !s.end(until) {
			s.now = until
			return
		}
	}
}

// arrive has requests come by themselves, perSecond of them with exponential gaps,
// until then; who finds the limit reached is refused.
func (s *service) arrive(until core.Instant, perSecond float64, key *core.Key) {
	for next := s.now; ; {
		next = next.Add(time.Duration(-math.Log(key.Float64()) / perSecond * 1e9))
		if next > until {
			break
		}
		for s.end(next) {
		}
		s.now = next
		if len(s.out) < s.limiter.Limit() {
			s.begin()
		} else {
			s.refused++
		}
	}
	for s.end(until) {
	}
	s.now = until
}

// wantLimit checks that the limit lies in a band.
func wantLimit(t *testing.T, when string, l core.Limiter, low, high int) {
	t.Helper()
	if got := l.Limit(); got < low || got > high {
		t.Errorf("%s: got a limit of %d, want %d to %d; state %+v", when, got, low, high, l.State())
	}
}
