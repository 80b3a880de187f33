package probe

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// says are reports of the first members of a rig, from one answer each after 40 ms.
type says []core.LoadReport

func (s says) tell(r *rig) {
	for i, said := range s {
		r.member(i).Estimator().Answered(r.now, answered(40*time.Millisecond, said))
	}
}

// Who says nothing is taken to be as loaded as those who say something are in the middle, by
// the weights, and so is in the end who has stopped; neither is taken to be idle.
func TestSilenceIsNotIdleness(t *testing.T) {
	cubic := CubicSettings{Proxies: 1, Smoothing: 1}
	nothing := core.LoadReport{}
	for name, c := range map[string]struct {
		estimator func(*core.Member) core.Estimator
		memory    time.Duration
		says      says    // the third is of weight 2, and so is the fourth, which says nothing
		unknown   float64 // what it costs, per weight
		idle      float64 // and when nobody reports
	}{
		// What is answered here was never pending, so that 13 in flight are 14 of others.
		"counts": {
			func(m *core.Member) core.Estimator { return NewCounts(m) }, Memory,
			says{load(2, -1, -1, -1, -1), load(90, -1, -1, -1, -1), load(13, -1, -1, -1, -1), nothing}, (1 + 2*7) / 2.0, 0.5,
		},
		"strain": {
			func(m *core.Member) core.Estimator { return NewStrain(m, told{}) }, strainMemory,
			says{load(-1, 0.2, -1, -1, -1), load(-1, 5, -1, -1, -1), load(-1, 0.6, -1, -1, -1), nothing}, 0.25 * 1.6 / 2, 0.25 / 2,
		},
		"cubic": { // 1/μ is a quarter of R where it is reported, and all of it where nobody does
			func(m *core.Member) core.Estimator { return NewCubic(m, cubic) }, Memory,
			says{load(2, -1, 0.01, -1, -1), load(90, -1, 0.01, -1, -1), load(14, -1, 0.01, -1, -1), nothing}, 0.03 + 0.01*7.5*7.5*7.5, 0.04 / 8,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 4, NewCubicScan(), c.estimator)
			r.endpoints[2].Weight, r.endpoints[3].Weight = 2, 2
			r.update()
			cost := func(i int) float64 {
				r.now += sec / 10 // another look is due, and somebody looks
				r.taken()
				return score(r.member(i), r.now)
			}
			near := func(what string, got, want float64) {
				t.Helper()
				if math.Abs(got-want) > 1e-6*want {
					t.Errorf("%s: got %v, want %v", what, got, want)
				}
			}
			c.says.tell(r)
			r.now += sec / 10
			r.taken()
			c.says.tell(r)
			near("one that says nothing", score(r.member(3), r.now), c.unknown)

			for range 200 { // all go on answering, and only the second to report
				r.now += core.Instant(c.memory) / 10
				says{nothing, c.says[1], nothing, nothing}.tell(r)
				r.taken()
			}
			near("one that has stopped to report", cost(0), cost(1))
			for range 20 {
				r.now += core.Instant(c.memory)
				says{nothing, nothing, nothing, nothing}.tell(r)
				r.taken()
			}
			near("nobody reports any more", cost(3), c.idle)
		})
	}
}

// An answer to a probe that says nothing is as others are in the middle, or as busy as this
// proxy knows it to be; where none that says something is at hand, nothing is gone by.
func TestHotColdSilence(t *testing.T) {
	r, p := newHotCold(t, 100, still())
	silent := func(i int, says core.LoadReport) {
		t.Helper()
		p.Probed(r.member(i), r.now, says, true)
	}
	mode := func(what string, want core.Mode) {
		t.Helper()
		if _, c := r.taken(); c.Mode != want {
			t.Errorf("%s: got %v, want %v", what, c.Mode, want)
		}
	}
	silent(1, core.LoadReport{})
	silent(2, core.LoadReport{})
	if n := len(p.state.pool); n != 0 {
		t.Errorf("nobody says anything: got %d answers, want none", n)
	}
	r.endpoints[4].Weight = 2
	r.update()
	r.tell(p, 3, 2, 0.25)
	r.tell(p, 4, 16, 0.5) // 8 and 0.25 by its weight
	r.tell(p, 5, 4, 1)
	silent(6, core.LoadReport{})
	silent(7, load(-1, 0.5, 0.125, -1, -1))
	silent(8, load(9, -1, -1, -1, -1)) // of 2, 4, 8 and 9 the half is 4, too
	silent(9, core.LoadReport{})
	want := []entry{{inFlight: 4, latency: 0.25}, {inFlight: 4, latency: 0.125}, {inFlight: 9, latency: 0.25, said: true}, {inFlight: 4, latency: 0.25}}
	for i, w := range want {
		e := p.state.pool[3+i]
		if e.inFlight != w.inFlight || e.latency != w.latency || e.said != w.said {
			t.Errorf("%s: got %v in flight, %v s, said %t; want %v, %v, %t", e.member.Key, e.inFlight, e.latency, e.said, w.inFlight, w.latency, w.said)
		}
	}
	if n := p.state.recent.count; n != 4 {
		t.Errorf("%d numbers in flight are gone by, want the 4 that were said", n)
	}
	mode("some say something", core.Adaptive)
	r.now += sec + 1
	silent(6, core.LoadReport{})
	silent(9, core.LoadReport{})
	mode("of late nobody does", core.Fallback)
	r.tell(p, 3, 2, 0.25)
	mode("one does again", core.Adaptive)
}
