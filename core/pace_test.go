package core_test

import (
	"math"
	"testing"

	"github.com/evenkeel/evenkeel/core"
)

// How often members are asked is a mean over ten seconds, or over the time that there has
// been; what comes between two looks that are due is not taken for a rate.
func TestPace(t *testing.T) {
	p, l, _ := surveyed(t, "a", "b", "c", "d")
	grown := 5*math.Exp(-1.0/3) + 30*(1-math.Exp(-1.0/3))
	left := grown*math.Exp(-0.3/3.300000002) + 1/0.3*(1-math.Exp(-0.3/3.300000002))
	last := left*math.Exp(-2) + 0.05*(1-math.Exp(-2))
	steps := []struct {
		what     string
		at       core.Instant
		change   []string // the members from then on, where they are others
		attempts int      // then, all of them at the first member
		rate     float64  // a second, that the survey tells then
		members  float64  // that share it
	}{
		{"nothing is known", 0, nil, 3, 0, 0},
		{"nothing is known at once", 1, []string{"a", "b", "c", "d"}, 1, 0, 0},
		{"nor a moment before the next look", 50*ms - 1, []string{"a", "b", "c", "d"}, 1, 0, 0},
		{"the first rate is the mean", sec, nil, 5, 5, 4},
		{"it stays", 2 * sec, nil, 30, 5, 4},
		{"a third of the time weighs a third", 3 * sec, nil, 10, grown, 4},
		{"a look at once is no rate", 3*sec + 1, []string{"a", "b", "c", "d"}, 1000, grown, 4},
		{"those who leave take theirs with them", 3*sec + 2, []string{"b", "c", "d"}, 1, grown, 4},
		{"what is left goes on, and a tenth weighs a tenth", 3*sec + 2 + 300*ms, nil, 1, left, 3},
		{"after ten seconds, a time constant is ten", 23*sec + 2 + 300*ms, nil, 1, last, 3},
	}
	for _, s := range steps {
		if s.change != nil {
			update(t, p.Router, endpoints(s.change...)...)
		}
		before := len(l.heard)
		p.begin(t, s.at)
		for range s.attempts - 1 {
			p.begin(t, s.at)
		}
		if len(l.heard) != before+1 {
			t.Fatalf("%s: got %d looks, want 1", s.what, len(l.heard)-before)
		}
		if got := l.heard[before].Rate; math.Abs(got-s.rate) > 1e-6*s.rate {
			t.Errorf("%s: rate: got %v a second, want %v", s.what, got, s.rate)
		}
		interval := 0.0
		if s.rate > 0 {
			interval = s.members / s.rate
		}
		if got := p.View().Pool.Interval(); math.Abs(got-interval) > 1e-6*interval {
			t.Errorf("%s: interval: got %v s, want %v s", s.what, got, interval)
		}
	}
}

// Who is drained is not asked, and has no part of the attempts.
func TestPaceOfTheDrained(t *testing.T) {
	p, _, _ := surveyed(t, "a", "b", "c", "d")
	es := endpoints("a", "b", "c", "d")
	es[2].Weight, es[3].Weight = 0, 0
	update(t, p.Router, es...)
	for i := range 11 {
		p.begin(t, core.Instant(i)*sec)
	}
	if got := p.View().Pool.Interval(); math.Abs(got-2) > 1e-9 {
		t.Errorf("interval of two at one a second: got %v s, want 2 s", got)
	}
}

// What a survey makes of the latencies: suspects are at least twice as slow as the fastest
// quarter, and the spread is over all.
func TestSuspectsAndSpread(t *testing.T) {
	keys := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	for name, c := range map[string]struct {
		latencies      []float64 // 0: not fresh
		suspects       int
		spread, median float64
	}{
		"none":                          {[]float64{}, 0, 0, 0},
		"one":                           {[]float64{3}, 0, 0, 3},
		"two":                           {[]float64{3, 12}, 1, 4, 12},
		"equal":                         {[]float64{2, 2, 2, 2}, 0, 1, 2},
		"twice as slow is one":          {[]float64{2, 2, 2, 4}, 1, 2, 2},
		"just less is none":             {[]float64{2, 2, 2, 3.999}, 0, 1.9995, 2},
		"one of eight is not a quarter": {[]float64{1, 2, 2, 2, 2, 2, 3, 8}, 1, 8, 2},
		"five of eight":                 {[]float64{1, 1, 1, 5, 5, 5, 5, 5}, 5, 5, 5},
		"of nothing":                    {[]float64{0.5, 0.5, 0, 0, 2}, 1, 4, 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			p, l, e := surveyed(t, keys...)
			for i, x := range c.latencies {
				*e[keys[i]] = fixed{latency: x, fresh: x > 0}
			}
			p.begin(t, 0)
			s := l.heard[0]
			if s.Suspects != c.suspects || math.Abs(s.Spread-c.spread) > 1e-12 || s.Median != c.median {
				t.Errorf("got %d suspects, spread %v, median %v, want %d, %v, %v", s.Suspects, s.Spread, s.Median, c.suspects, c.spread, c.median)
			}
		})
	}
}

// A view without members surveys to nothing, and to no number that is not one.
func TestSurveyOfNobody(t *testing.T) {
	l := &listener{}
	p := newPool(t, core.Config{Picker: l})
	for i := range 3 {
		var lease core.Lease
		if p.Begin(core.Instant(i)*sec, &core.Ask{}, &lease) {
			t.Fatal("begin: got a lease of nobody")
		}
	}
	for _, s := range l.heard {
		if s.Members != 0 || s.Median != 0 || s.Spread != 0 || s.Suspects != 0 || s.Rate != 0 || s.HighCost != 0 {
			t.Errorf("survey of nobody: got %+v", s)
		}
	}
	if got := p.View().Pool.Interval(); got != 0 || len(l.heard) != 3 {
		t.Errorf("interval: got %v after %d looks, want 0 after 3", got, len(l.heard))
	}
}

// A member is known when it has a latency, however old, or a fresh one of nothing.
func TestKnown(t *testing.T) {
	p, l, e := surveyed(t, "a", "b", "c")
	*e["a"] = fixed{latency: 5}
	*e["b"] = fixed{fresh: true}
	p.begin(t, 0)
	if s := l.heard[0]; s.Known != 2 || s.Fresh != 1 {
		t.Errorf("got %d known and %d fresh, want 2 and 1", s.Known, s.Fresh)
	}
}

// Where nobody may be asked for a while, there is no time between two attempts: it is not
// known, and not infinite.
func TestPaceOfNone(t *testing.T) {
	p, l, _ := surveyed(t, "a")
	p.gates["a"].verdict = core.Barred
	for at := range core.Instant(3) {
		if p.Begin(at*sec, &core.Ask{}, new(core.Lease)) {
			t.Fatal("got a lease, want none")
		}
	}
	if len(l.heard) != 3 || l.heard[2].Rate != 0 || l.heard[2].Pending != 0 || p.View().Pool.Interval() != 0 {
		t.Errorf("got %d looks, the last %+v, and an interval of %v s; want 3, and 0", len(l.heard), l.heard[len(l.heard)-1], p.View().Pool.Interval())
	}
}
