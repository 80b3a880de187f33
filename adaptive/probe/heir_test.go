package probe

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// What an estimator knows of a member goes on in another of its kind, and in none of another
// kind.
func TestInherit(t *testing.T) {
	report := answered(20*time.Millisecond, load(7, 0.5, 0.005, 100, 0))
	failure := core.Sample{Outcome: core.Reset, FirstAnswer: -1}
	weights := WeightSettings{Blackout: time.Second, Expiration: time.Minute, Update: time.Second}
	cubic := CubicSettings{Proxies: 1, Smoothing: 0.5}
	for name, c := range map[string]struct {
		estimator func(*core.Member) core.Estimator
		learned   core.Sample
		knows     func(e core.Estimator, now core.Instant) float64
	}{
		"cubic": {func(m *core.Member) core.Estimator { return NewCubic(m, cubic) }, report,
			func(e core.Estimator, now core.Instant) float64 { return e.Cost(now) }},
		"weight": {func(m *core.Member) core.Estimator { return NewWeight(m, weights) }, report,
			func(e core.Estimator, now core.Instant) float64 { return at(e, now) }},
		"counts": {func(m *core.Member) core.Estimator { return NewCounts(m) }, report,
			func(e core.Estimator, now core.Instant) float64 { return e.Cost(now) }},
		"temper": {func(m *core.Member) core.Estimator { return NewTemper(HotColdSettings{Aversion: time.Minute}) }, failure,
			sulks},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 3, NewChoices(2), c.estimator)
			old, next, stranger := r.member(0).Estimator(), r.member(1).Estimator(), r.member(2).Estimator()
			old.Answered(r.now, c.learned)
			r.now = r.now.Add(2 * time.Second) // what was learned has an age
			next.(core.Heir).Inherit(r.now, old)
			stranger.(core.Heir).Inherit(r.now, &heir{})
			want, got, anew := c.knows(old, r.now), c.knows(next, r.now), c.knows(stranger, r.now)
			if math.Abs(got-want) > 1e-9*want {
				t.Errorf("the heir: got %v, want %v", got, want)
			}
			if anew == want {
				t.Errorf("of a stranger: got %v, want something else", anew)
			}
		})
	}
}

// at is the weight that an estimator says, 0 for none.
func at(e core.Estimator, now core.Instant) float64 {
	x, _ := e.(*Weight).At(now)
	return x
}

// sulks is until when an estimator is out of favour, and until when after one more failure.
func sulks(e core.Estimator, now core.Instant) float64 {
	t := e.(*Temper)
	before := float64(t.until.load())
	t.Answered(now, core.Sample{Outcome: core.Reset, FirstAnswer: -1})
	return before + float64(t.until.load())
}
