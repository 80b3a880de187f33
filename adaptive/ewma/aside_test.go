package ewma_test

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive/ewma"
	"github.com/evenkeel/evenkeel/core"
)

// aside is classic with members that stand aside.
var aside = with(func(s *ewma.Settings) { s.Aside = true })

var (
	refused = core.Sample{Outcome: core.ServerError}
	cut     = core.Sample{Outcome: core.Reset}
)

// known is a rig of five whose members take 30 ms, and whose median is known.
func known(t testing.TB, s ewma.Settings) *rig {
	t.Helper()
	r := rigWith(t, s, "a", "b", "c", "d", "e")
	for slot := range 5 {
		r.answer(t, sec, slot, 30*time.Millisecond, ok)
	}
	r.begin(t, sec, 1).Settle(sec, core.Sample{Outcome: core.Abandoned})
	return r
}

// standsFor expects a member to stand aside for so many seconds, to within five ticks, which are
// rounded up.
func standsFor(t testing.TB, what string, m *core.Member, now core.Instant, want float64) {
	t.Helper()
	p, _ := m.Explain(now)
	if math.Abs(p.Aside-want) > 5*tick.Sub(0).Seconds() {
		t.Errorf("%s: stands aside for %v s, want %v s", what, p.Aside, want)
	}
}

// How long a member stands aside, of those that take 30 ms: for 300 ms at first.
func TestAside(t *testing.T) {
	later := func(o core.Outcome, d time.Duration) core.Sample { return core.Sample{Outcome: o, RetryAfter: d} }
	type step struct {
		at     core.Instant // when it ends
		took   core.Instant
		sample core.Sample
	}
	for name, c := range map[string]struct {
		steps []step
		want  float64 // seconds, at the end of the last one
	}{
		"a refusal":                     {[]step{{2 * sec, ms, refused}}, 0.3},
		"throttled":                     {[]step{{2 * sec, ms, later(core.Throttled, 0)}}, 0.3},
		"until later":                   {[]step{{2 * sec, ms, later(core.Throttled, time.Minute)}}, 60},
		"within bounds":                 {[]step{{2 * sec, ms, later(core.Throttled, time.Hour)}}, 300},
		"or no sooner":                  {[]step{{2 * sec, ms, later(core.Throttled, time.Millisecond)}}, 0.3},
		"no connection":                 {[]step{{2 * sec, ms, core.Sample{Outcome: core.ConnectFailure}}}, 5},
		"cut off":                       {[]step{{2 * sec, ms, cut}}, 5},
		"no answer":                     {[]step{{2 * sec, ms, core.Sample{Outcome: core.Timeout}}}, 5},
		"a client's mistake":            {[]step{{2 * sec, 10 * ms, core.Sample{Outcome: core.ClientError}}}, 0},
		"abandoned":                     {[]step{{2 * sec, ms, core.Sample{Outcome: core.Abandoned}}}, 0},
		"overtaken":                     {[]step{{2 * sec, ms, core.Sample{Outcome: core.Overtaken}}}, 0},
		"again, at once":                {[]step{{2 * sec, ms, refused}, {2*sec + 100*ms, ms, refused}}, 0.3},
		"just before half":              {[]step{{2 * sec, ms, refused}, {2*sec + 147*ms, ms, refused}}, 0.3},
		"at half":                       {[]step{{2 * sec, ms, refused}, {2*sec + 154*ms, ms, refused}}, 0.6},
		"of earlier":                    {[]step{{2 * sec, ms, refused}, {2*sec + 155*ms, 20 * ms, refused}}, 0.3},
		"afterwards":                    {[]step{{2 * sec, ms, refused}, {3 * sec, ms, refused}}, 0.6},
		"and again":                     {[]step{{2 * sec, ms, refused}, {3 * sec, ms, refused}, {4 * sec, ms, refused}}, 1.2},
		"the penalty at most":           {[]step{{2 * sec, ms, refused}, {2500 * ms, ms, refused}, {3 * sec, ms, refused}, {4 * sec, ms, refused}, {6 * sec, ms, refused}, {9 * sec, ms, refused}}, 5},
		"it has answered since":         {[]step{{2 * sec, ms, refused}, {3 * sec, 10 * ms, ok}, {4 * sec, ms, refused}}, 0.3},
		"never sooner":                  {[]step{{2 * sec, ms, later(core.Throttled, 9*time.Second)}, {3 * sec, ms, refused}}, 8},
		"it answers":                    {[]step{{2 * sec, ms, cut}, {3 * sec, 10 * ms, ok}}, 0},
		"a client's fault is an answer": {[]step{{2 * sec, ms, refused}, {2*sec + 10*ms, 10 * ms, core.Sample{Outcome: core.ClientError}}}, 0},
		"who left has had none":         {[]step{{2 * sec, ms, refused}, {2*sec + 100*ms, 10 * ms, core.Sample{Outcome: core.Abandoned}}}, 0.2},
		"nor who was overtaken":         {[]step{{2 * sec, ms, refused}, {2*sec + 100*ms, 10 * ms, core.Sample{Outcome: core.Overtaken}}}, 0.2},
	} {
		r := known(t, aside)
		var last core.Instant
		for _, s := range c.steps {
			l := r.begin(t, s.at-s.took, 0)
			if s.sample.Outcome == core.Success || s.sample.Outcome == core.ServerError || s.sample.Outcome == core.ClientError {
				l.Answered(s.at, s.sample)
			}
			l.Settle(s.at, s.sample)
			last = s.at
		}
		span := time.Duration(c.want * 1e9)
		standsFor(t, name, r.member(0), last, c.want)
		standsFor(t, name+", at half", r.member(0), last.Add(span/2), c.want/2)
		standsFor(t, name+", in the end", r.member(0), last.Add(span), 0)
		standsFor(t, name+", later", r.member(0), last.Add(2*span), 0)
		standsFor(t, name+", after 39 days", r.member(0), last.Add(3<<30<<20), 0) // of the 52 that ticks can tell
	}
}

// What a member is to stand aside for is waited for: it costs so much at least. Without a
// penalty, or where it is switched off, nobody stands aside.
func TestAsideCosts(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*ewma.Settings)
		want   float64 // seconds; the estimate is the mean of 30 ms and 5 s, or 1 ms
	}{
		"as it is":        {func(*ewma.Settings) {}, 5},
		"without":         {func(s *ewma.Settings) { s.Aside = false }, 2.515},
		"with no penalty": {func(s *ewma.Settings) { s.Penalty = 0 }, 0.0155},
	} {
		r := known(t, with(func(s *ewma.Settings) { s.Aside = true; c.change(s) }))
		r.answer(t, sec+100*ms, 0, time.Millisecond, cut)
		if got := r.member(0).Cost(sec + 100*ms); math.Abs(got-c.want) > 0.01*c.want {
			t.Errorf("%s: costs %v s, want %v s", name, got, c.want)
		}
	}
}

// Who has failed before anybody's latency is known stands aside for the penalty.
func TestAsideBeforeAnAnswer(t *testing.T) {
	r := rigWith(t, aside, "a", "b")
	r.answer(t, sec, 0, time.Millisecond, refused)
	standsFor(t, "who was refused", r.member(0), sec, 5)
	standsFor(t, "who was never asked", r.member(1), sec, 0)
}

// Who stands aside goes on to do so, and for longer the next time.
func TestAsideIsInherited(t *testing.T) {
	old, next := known(t, aside), known(t, aside)
	old.answer(t, 2*sec, 0, time.Millisecond, refused)
	next.Inherit(2*sec, old.Router)
	standsFor(t, "inherited", next.member(0), 2*sec+100*ms, 0.2)
	next.answer(t, 2*sec+200*ms, 0, time.Millisecond, refused)
	standsFor(t, "refused again", next.member(0), 2*sec+200*ms, 0.6)
}
