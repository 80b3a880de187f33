package breaker_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/breaker"
)

// model is the breaker written down in plain fields, as its documentation has it.
type model struct {
	breaker.Settings
	state             core.State
	until             core.Instant // the end of open, or of the probes' time
	generation        int
	streak            int // times opened in a row
	probes, successes int
	chance            core.Key
	run               int              // twentieths
	seconds           map[int64][3]int // outcomes, twentieths of failures, slow ones
	turns             []string
}

type modelPermit struct {
	generation int
	probe      bool
}

// effective is the state with the time that has passed taken in.
func (m *model) effective(now core.Instant) core.State {
	switch m.state {
	case core.Open:
		if now >= m.until {
			return core.HalfOpen
		}
	case core.HalfOpen:
		if m.overdue(now) && now < m.until.Add(m.openFor()) {
			return core.Open
		}
	}
	return m.state
}

func (m *model) overdue(now core.Instant) bool {
	return m.state == core.HalfOpen && m.probes > m.successes && now >= m.until
}

func (m *model) openFor() time.Duration {
	d := min(m.OpenFor<<m.streak, m.MaxOpenFor)
	draw := m.chance.At(uint64(m.generation % 1024))
	return (d - time.Duration(m.Jitter*draw.Float64()*float64(d))).Truncate(time.Millisecond)
}

// turn goes to another state, or to a new round of the same.
func (m *model) turn(now core.Instant, to core.State) {
	if m.state != to {
		m.turns = append(m.turns, fmt.Sprintf("%v %v>%v", now.Sub(0), m.state, to))
	}
	switch to {
	case core.Closed:
		m.streak, m.until = 0, 0
	case core.Open:
		m.until = now.Add(m.openFor())
		m.streak = min(m.streak+1, 15)
	case core.HalfOpen:
		if m.state == core.HalfOpen {
			m.streak = min(m.streak+1, 15)
		}
		m.until = now.Add(m.ProbeTimeout)
	}
	if to != core.HalfOpen {
		m.run, m.seconds = 0, map[int64][3]int{}
	}
	m.state, m.probes, m.successes = to, 0, 0
	m.generation++
}

func (m *model) acquire(now core.Instant, forced bool) (modelPermit, bool) {
	switch m.effective(now) {
	case core.Closed:
		return modelPermit{m.generation, false}, true
	case core.HalfOpen:
		if m.state == core.Open || m.overdue(now) {
			m.turn(now, core.HalfOpen)
		}
		if m.probes < m.Quota {
			if now >= m.until {
				m.until = now.Add(m.ProbeTimeout)
			}
			m.probes++
			return modelPermit{m.generation, true}, true
		}
	}
	return modelPermit{m.generation, false}, forced
}

func (m *model) learn(p modelPermit, now core.Instant, l lesson) {
	weight := int(m.Weights[l.outcome] * 20)
	switch {
	case p.generation != m.generation:
	case l.outcome == core.Abandoned, weight == 0 && (l.outcome.Failed() || l.outcome == core.Overtaken):
		if p.probe {
			m.probes--
		}
	case m.state == core.Closed:
		m.count(now, weight, l.slow)
	case weight > 0 || l.slow:
		if p.probe {
			m.turn(now, core.Open)
		}
	default:
		if m.state == core.Open && m.Quota > 1 { // or this one closes it at once
			m.turn(now, core.HalfOpen)
		}
		if m.successes++; m.successes == m.Quota {
			m.turn(now, core.Closed)
		}
	}
}

func (m *model) count(now core.Instant, weight int, slow bool) {
	second := int64(now / sec)
	n := m.seconds[second]
	n[0]++
	n[1] += weight
	if slow {
		n[2]++
	}
	m.seconds[second] = n
	if m.run += weight; weight == 0 {
		m.run = 0
	}
	if weight == 0 && !slow {
		return // a success is no time to open
	}
	var total, failed, slowly int
	for s, n := range m.seconds {
		if s > second-int64(m.Window/time.Second) {
			total, failed, slowly = total+n[0], failed+n[1], slowly+n[2]
		}
	}
	enough := total >= m.MinRequests
	if m.ConsecutiveFailures > 0 && m.run >= 20*m.ConsecutiveFailures ||
		m.FailureRatio > 0 && enough && float64(failed) >= m.FailureRatio*20*float64(total) ||
		m.SlowCall > 0 && enough && float64(slowly) >= m.SlowRatio*float64(total) {
		m.turn(now, core.Open)
	}
}

func (m *model) peek(now core.Instant) core.Verdict {
	switch m.effective(now) {
	case core.Closed:
		return core.Ready
	case core.HalfOpen:
		if m.state == core.HalfOpen && m.probes >= m.Quota && !m.overdue(now) {
			return core.Barred
		}
		return core.Probing
	}
	return core.Barred
}

func (m *model) stateAt(now core.Instant) core.State {
	if m.overdue(now) {
		return core.Open
	}
	return m.state
}

// lesson is what an attempt teaches.
type lesson struct {
	outcome core.Outcome
	slow    bool
}

// both are a breaker and its model, and the permits that are out.
type both struct {
	*model
	real  *breaker.Breaker
	turns []string
	now   core.Instant
	out   []*held
}

// held is a permit of both, and what its answer said.
type held struct {
	real     core.Permit
	model    modelPermit
	answered bool
	said     core.Outcome
}

func newBoth(t rapid.TB, s breaker.Settings, chance core.Key) *both {
	b := &both{model: &model{Settings: s, chance: chance, seconds: map[int64][3]int{}}}
	var err error
	b.real, err = breaker.New(s, chance, func(now core.Instant, from, to core.State) {
		b.turns = append(b.turns, fmt.Sprintf("%v %v>%v", now.Sub(0), from, to))
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *both) acquire(t rapid.TB, forced bool) {
	real, ok := b.real.Acquire(b.now, forced)
	want, wantOK := b.model.acquire(b.now, forced)
	if ok != wantOK {
		t.Fatalf("acquire at %v, forced %v: got %v, want %v", b.now.Sub(0), forced, ok, wantOK)
	}
	if ok {
		b.out = append(b.out, &held{real: real, model: want})
	}
}

func (b *both) answer(h *held, l lesson) {
	h.answered, h.said = true, l.outcome
	b.real.Answered(h.real, b.now, core.Sample{Outcome: l.outcome, FirstAnswer: b.took(l), Total: b.took(l)})
	b.learn(h.model, b.now, l)
}

// took is how long an attempt took that was slow, or just not slow.
func (b *both) took(l lesson) time.Duration {
	if l.slow {
		return b.SlowCall + 1
	}
	return b.SlowCall
}

// settle settles the permit at i.
func (b *both) settle(i int, l lesson) {
	h := b.out[i]
	b.out = slices.Delete(b.out, i, i+1)
	s := core.Sample{Outcome: l.outcome, FirstAnswer: -1, Total: b.took(l)}
	if h.answered {
		s.FirstAnswer, s.Told = b.took(l), l.outcome == h.said
		l.slow = false // that was told at the answer
	}
	b.real.Settle(h.real, b.now, s)
	if !s.Told {
		b.learn(h.model, b.now, l)
	}
}

func (b *both) release(i int) {
	h := b.out[i]
	b.out = slices.Delete(b.out, i, i+1)
	b.real.Release(h.real, b.now)
	b.learn(h.model, b.now, lesson{outcome: core.Abandoned})
}

// check holds the breaker against its model.
func (b *both) check(t rapid.TB) {
	if got, want := b.real.Peek(b.now), b.peek(b.now); got != want {
		t.Fatalf("verdict at %v: got %v, want %v", b.now.Sub(0), got, want)
	}
	if got, want := b.real.State(b.now), b.stateAt(b.now); got != want {
		t.Fatalf("state at %v: got %v, want %v", b.now.Sub(0), got, want)
	}
	if !slices.Equal(b.model.turns, b.turns) {
		t.Fatalf("turns (-want +got):\n%s", cmp.Diff(b.model.turns, b.turns))
	}
	probes := 0
	for _, h := range b.out {
		if h.model.probe && h.model.generation == b.generation {
			probes++
		}
	}
	if b.state == core.HalfOpen && probes > b.Quota {
		t.Fatalf("probes out: got %d, want at most %d", probes, b.Quota)
	}
}

// Invariants: whatever comes in whatever order, the breaker does what the model does:
// the same verdicts, states and turns, at the same instants; and a half-open one never
// has more probes out than its quota.
func TestBreakerAgainstModel(t *testing.T) {
	outcome := rapid.Custom(func(t *rapid.T) lesson {
		l := lesson{outcome: rapid.SampledFrom([]core.Outcome{
			core.Success, core.Success, core.Success, core.ServerError, core.ServerError,
			core.Throttled, core.ClientError, core.Timeout, core.Abandoned,
		}).Draw(t, "outcome")}
		l.slow = l.outcome != core.Abandoned && rapid.IntRange(0, 3).Draw(t, "slow") == 0
		return l
	})
	rapid.Check(t, func(t *rapid.T) {
		s := breaker.Settings{
			ConsecutiveFailures: rapid.IntRange(0, 3).Draw(t, "run"),
			FailureRatio:        rapid.SampledFrom([]float64{0, 0.25, 0.5, 1}).Draw(t, "ratio"),
			SlowCall:            rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(t, "slow call"),
			SlowRatio:           rapid.SampledFrom([]float64{0.5, 1}).Draw(t, "slow ratio"),
			Window:              3 * time.Second,
			MinRequests:         rapid.IntRange(1, 5).Draw(t, "volume"),
			Weights:             breaker.DefaultWeights,
			OpenFor:             time.Second,
			MaxOpenFor:          rapid.SampledFrom([]time.Duration{time.Second, 3 * time.Second, 8 * time.Second}).Draw(t, "longest"),
			Jitter:              rapid.SampledFrom([]float64{0, 0.5, 0.9}).Draw(t, "jitter"),
			Quota:               rapid.IntRange(1, 3).Draw(t, "quota"),
			ProbeTimeout:        700 * time.Millisecond,
		}
		s.Weights[core.ClientError] = rapid.SampledFrom([]float64{0, 0.5}).Draw(t, "weight of a client error")
		s.Weights[core.Timeout] = rapid.SampledFrom([]float64{0, 1}).Draw(t, "weight of a timeout")
		s.Weights[core.Overtaken] = rapid.SampledFrom([]float64{0, 0.25}).Draw(t, "weight of an overtaken one")
		b := newBoth(t, s, core.NewKey(rapid.Uint64().Draw(t, "key")))
		any := func(t *rapid.T) int {
			if len(b.out) == 0 {
				t.Skip("no permit is out")
			}
			return rapid.IntRange(0, len(b.out)-1).Draw(t, "whose")
		}
		lessonOf := func(t *rapid.T) lesson {
			l := outcome.Draw(t, "lesson")
			l.slow = l.slow && s.SlowCall > 0
			return l
		}
		t.Repeat(map[string]func(*rapid.T){
			"advance": func(t *rapid.T) {
				b.now = b.now.Add(rapid.SampledFrom([]time.Duration{1, 100, 350, 1000, 5000}).Draw(t, "ms") * time.Millisecond)
			},
			"acquire": func(t *rapid.T) { b.acquire(t, rapid.IntRange(0, 3).Draw(t, "forced") == 0) },
			"answer": func(t *rapid.T) {
				h := b.out[any(t)]
				if h.answered {
					t.Skip("it has answered")
				}
				l := lessonOf(t)
				if l.outcome == core.Abandoned || l.outcome == core.Timeout {
					t.Skip("no answer says so")
				}
				b.answer(h, l)
			},
			"settle": func(t *rapid.T) { b.settle(any(t), lessonOf(t)) },
			"overtaken": func(t *rapid.T) {
				i := any(t)
				if b.out[i].answered {
					t.Skip("it was first")
				}
				b.settle(i, lesson{outcome: core.Overtaken})
			},
			"release": func(t *rapid.T) {
				i := any(t)
				if b.out[i].answered {
					t.Skip("it was used")
				}
				b.release(i)
			},
			"": func(t *rapid.T) { b.check(t) },
		})
	})
}

// Every sequence of few steps, at a breaker of the smallest settings: what random ones
// might miss.
func TestEverySequenceAgainstModel(t *testing.T) {
	steps := []func(b *both){
		func(b *both) { b.acquire(t, false) },
		func(b *both) { b.acquire(t, true) },
		func(b *both) { b.settle(0, lesson{outcome: core.Success}) },
		func(b *both) { b.settle(0, lesson{outcome: core.Success, slow: true}) },
		func(b *both) { b.settle(len(b.out)-1, lesson{outcome: core.ServerError}) },
		func(b *both) { b.settle(0, lesson{outcome: core.Abandoned}) },
		func(b *both) { b.settle(0, lesson{outcome: core.Overtaken}) },
		func(b *both) { b.now += sec },
	}
	const length = 6
	s := breaker.Settings{
		ConsecutiveFailures: 1, SlowCall: time.Second, SlowRatio: 1, Window: time.Second, MinRequests: 1,
		Weights: breaker.DefaultWeights, OpenFor: time.Second, MaxOpenFor: 2 * time.Second, Quota: 1, ProbeTimeout: time.Second,
	}
	count := 1
	for range length {
		count *= len(steps)
	}
	for n := range count {
		b := newBoth(t, s, core.Key{})
		// It has failed once already, so that six steps reach far.
		b.acquire(t, false)
		b.acquire(t, false)
		b.settle(0, lesson{outcome: core.ServerError})
		rest := n
		for range length {
			step := rest % len(steps)
			rest /= len(steps)
			if len(b.out) == 0 && step >= 2 && step < len(steps)-1 {
				break // there is nothing to settle
			}
			steps[step](b)
			b.check(t)
		}
	}
}
