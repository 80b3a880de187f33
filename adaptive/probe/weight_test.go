package probe

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// The periods differ, so that one cannot be taken for another (grpc-go once did).
var weighing = WeightSettings{Penalty: 2, Blackout: 10 * time.Second, Expiration: 60 * time.Second, Update: time.Second}

func newWeighted(t testing.TB, n int) *rig {
	return newRig(t, n, NewWeighted(weighing), func(m *core.Member) core.Estimator { return NewWeight(m, weighing) })
}

func (r *rig) reports(i int, l core.LoadReport) {
	r.member(i).Estimator().Answered(r.now, answered(time.Millisecond, l))
}

func TestWeight(t *testing.T) {
	r := newWeighted(t, 1)
	w := r.member(0).Estimator().(*Weight)
	look := func(want float64) {
		t.Helper()
		if got, ok := w.At(r.now); ok != (want > 0) || ok && math.Abs(got-want) > 1e-9 {
			t.Errorf("at %v: got %v, %v, want %v", time.Duration(r.now), got, ok, want)
		}
	}
	look(0)
	for _, nothing := range []core.LoadReport{{}, load(5, 0, 1, 100, 0), load(5, -1, 1, 100, 0), load(5, 0.5, 1, 0, 0), load(5, 0.5, 1, -1, 0)} {
		r.reports(0, nothing)
	}
	r.now = 10 * sec
	look(0)
	r.reports(0, load(-1, 0.5, -1, 100, 10)) // 100 / (0.5 + 0.1·2)
	r.now = 20*sec - 1
	look(0)
	r.now = 20 * sec
	look(100 / 0.7)
	r.reports(0, load(-1, 0.25, -1, 100, -1))
	look(400)
	r.reports(0, load(-1, 0, -1, 100, -1)) // empty: as if it had not come
	look(400)
	r.now = 80*sec - 1
	look(400)
	r.now = 80 * sec
	look(0)
	r.reports(0, load(-1, 0.5, -1, 100, 0)) // the blackout begins anew
	r.now = 90*sec - 1
	look(0)
	r.now = 90 * sec
	look(200)
	r.member(0).Return(r.now)
	look(0)
	r.now = 100 * sec
	look(200)
	r.reports(0, load(-1, 1e-300, -1, 1e300, 0))
	look(mostWeight)
	r.reports(0, load(-1, 1, -1, 1e-200, 1e200))
	look(leastWeight)
}

// Turns by two reported weights and their mean; by the configured ones while fewer than two
// are known; nobody's who is drained.
func TestWeighted(t *testing.T) {
	r := newWeighted(t, 4)
	r.endpoints[3].Weight = 0
	r.endpoints[0].Weight = 2
	r.update()
	counts := func(mode core.Mode, want ...int) {
		t.Helper()
		got := make([]int, 4)
		for range 600 {
			key, c := r.taken()
			got[key[0]-'0']++
			if c.Mode != mode {
				t.Fatalf("at %v: got %v, want %v", time.Duration(r.now), c.Mode, mode)
			}
		}
		for i := range got {
			if math.Abs(float64(got[i]-want[i])) > 4 { // no member is ever 3.36 turns off, nor is where it begins
				t.Errorf("at %v: got %v, want %v", time.Duration(r.now), got, want)
				return
			}
		}
	}
	counts(core.Fallback, 300, 150, 150, 0)
	r.reports(0, load(-1, 0.5, -1, 50, 0)) // 100
	r.now = 10 * sec
	counts(core.Fallback, 300, 150, 150, 0)
	r.reports(0, load(-1, 0.5, -1, 50, 0))
	r.reports(1, load(-1, 0.1, -1, 30, 0)) // 300
	r.reports(3, load(-1, 0.1, -1, 900, 0))
	r.now = 20 * sec
	counts(core.Adaptive, 100, 300, 200, 0)
	r.reports(0, load(-1, 0.1, -1, 30, 0))
	r.now += sec - 1
	counts(core.Adaptive, 100, 300, 200, 0) // the schedule is not due
	r.now += 100 * ms                       // the next look at the pool
	counts(core.Adaptive, 200, 200, 200, 0)
	r.endpoints[1].Weight = 0
	r.update() // one of the two goes: too few
	counts(core.Fallback, 400, 0, 200, 0)
}
