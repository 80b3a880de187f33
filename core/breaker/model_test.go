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
	run               int
	seconds           map[int64][2]int // outcomes, failures
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
	return min(m.OpenFor<<m.streak, m.MaxOpenFor)
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
		m.run, m.seconds = 0, map[int64][2]int{}
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

func (m *model) learn(p modelPermit, now core.Instant, o core.Outcome) {
	switch {
	case p.generation != m.generation:
	case o == core.Abandoned:
		if p.probe {
			m.probes--
		}
	case m.state == core.Closed:
		m.count(now, o)
	case o.Failed():
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

func (m *model) count(now core.Instant, o core.Outcome) {
	second := int64(now / sec)
	n := m.seconds[second]
	n[0]++
	if !o.Failed() {
		m.run, m.seconds[second] = 0, n
		return
	}
	n[1]++
	m.seconds[second] = n
	if o != core.Throttled {
		m.run++
	}
	var total, failed int
	for s, n := range m.seconds {
		if s > second-int64(m.Window/time.Second) {
			total, failed = total+n[0], failed+n[1]
		}
	}
	if m.ConsecutiveFailures > 0 && m.run >= m.ConsecutiveFailures ||
		m.FailureRatio > 0 && total >= m.MinRequests && float64(failed) >= m.FailureRatio*float64(total) {
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

// held is a permit of both, and what its answer said.
type held struct {
	real     core.Permit
	model    modelPermit
	answered bool
	said     core.Outcome
}

// Invariants: whatever comes in whatever order, the breaker does what the model does:
// the same verdicts, states and turns; and a half-open one never has more probes out
// than its quota.
func TestBreakerAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{seconds: map[int64][2]int{}, Settings: breaker.Settings{
			ConsecutiveFailures: rapid.IntRange(0, 3).Draw(t, "run"),
			FailureRatio:        rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "ratio"),
			Window:              3 * time.Second,
			MinRequests:         rapid.IntRange(1, 5).Draw(t, "volume"),
			OpenFor:             time.Second,
			MaxOpenFor:          rapid.SampledFrom([]time.Duration{time.Second, 3 * time.Second, 8 * time.Second}).Draw(t, "longest"),
			Quota:               rapid.IntRange(1, 3).Draw(t, "quota"),
			ProbeTimeout:        700 * time.Millisecond,
		}}
		var turns []string
		b, err := breaker.New(m.Settings, func(now core.Instant, from, to core.State) {
			turns = append(turns, fmt.Sprintf("%v %v>%v", now.Sub(0), from, to))
		})
		if err != nil {
			t.Fatal(err)
		}
		now := core.Instant(0)
		var out []*held
		outcome := rapid.SampledFrom([]core.Outcome{core.Success, core.Success, core.ServerError, core.ServerError, core.Throttled, core.Abandoned})
		draw := func(t *rapid.T) (int, *held) {
			if len(out) == 0 {
				t.Skip("no permit is out")
			}
			i := rapid.IntRange(0, len(out)-1).Draw(t, "whose")
			return i, out[i]
		}
		t.Repeat(map[string]func(*rapid.T){
			"advance": func(t *rapid.T) {
				now = now.Add(rapid.SampledFrom([]time.Duration{1, 100, 350, 1000, 5000}).Draw(t, "ms") * time.Millisecond)
			},
			"acquire": func(t *rapid.T) {
				forced := rapid.IntRange(0, 3).Draw(t, "forced") == 0
				real, ok := b.Acquire(now, forced)
				want, wantOK := m.acquire(now, forced)
				if ok != wantOK {
					t.Fatalf("acquire at %v, forced %v: got %v, want %v", now.Sub(0), forced, ok, wantOK)
				}
				if ok {
					out = append(out, &held{real: real, model: want})
				}
			},
			"answer": func(t *rapid.T) {
				_, h := draw(t)
				if h.answered {
					t.Skip("it has answered")
				}
				h.answered, h.said = true, rapid.SampledFrom([]core.Outcome{core.Success, core.ServerError}).Draw(t, "outcome")
				b.Answered(h.real, now, core.Sample{Outcome: h.said})
				m.learn(h.model, now, h.said)
			},
			"settle": func(t *rapid.T) {
				i, h := draw(t)
				out = slices.Delete(out, i, i+1)
				o := outcome.Draw(t, "outcome")
				told := h.answered && o == h.said
				b.Settle(h.real, now, core.Sample{Outcome: o, Told: told})
				if !told {
					m.learn(h.model, now, o)
				}
			},
			"release": func(t *rapid.T) {
				i, h := draw(t)
				if h.answered {
					t.Skip("it was used")
				}
				out = slices.Delete(out, i, i+1)
				b.Release(h.real, now)
				m.learn(h.model, now, core.Abandoned)
			},
			"": func(t *rapid.T) {
				if got, want := b.Peek(now), m.peek(now); got != want {
					t.Fatalf("verdict at %v: got %v, want %v", now.Sub(0), got, want)
				}
				if got, want := b.State(now), m.stateAt(now); got != want {
					t.Fatalf("state at %v: got %v, want %v", now.Sub(0), got, want)
				}
				if diff := cmp.Diff(m.turns, turns); diff != "" {
					t.Fatalf("turns (-want +got):\n%s", diff)
				}
				probes := 0
				for _, h := range out {
					if h.model.probe && h.model.generation == m.generation {
						probes++
					}
				}
				if m.state == core.HalfOpen && probes > m.Quota {
					t.Fatalf("probes out: got %d, want at most %d", probes, m.Quota)
				}
			},
		})
	})
}
