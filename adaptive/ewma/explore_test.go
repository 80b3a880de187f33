package ewma_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/adaptive/ewma"
	"github.com/evenkeel/evenkeel/core"
)

// exploring is a rig whose members are free after a second alone.
func exploring(t testing.TB, keys ...string) *rig {
	t.Helper()
	return rigWith(t, with(func(s *ewma.Settings) { s.Explore = time.Second }), keys...)
}

// A member that nobody has asked for long is free for one attempt, and measured anew from
// each attempt and from each return.
func TestExplore(t *testing.T) {
	r := exploring(t, "a")
	m := r.member(0)
	free := func(what string, at core.Instant, want bool) {
		t.Helper()
		cost := m.Cost(at)
		if (cost == 0) != want {
			t.Errorf("%s: costs %v, want free %v", what, cost, want)
		}
		if p, _ := m.Explain(at); p.Cost != cost {
			t.Errorf("%s: explained as %v, costs %v", what, p.Cost, cost)
		}
	}
	r.answer(t, 10*sec+100*ms, 0, 100*time.Millisecond, ok) // asked at 10 s
	free("a second after it was asked", 11*sec, false)
	free("and a little later", 11*sec+1, true)
	l := r.begin(t, 11*sec+1, 0)
	free("asked, at once", 11*sec+1, false)
	free("pending, long after", 3600*sec, false)
	l.Settle(20*sec, core.Sample{Outcome: core.Abandoned})
	// By now an attempt a second is known of.
	free("not asked for 200 times as long as usual", 211*sec, false)
	free("and a little later", 211*sec+ms, true)
	m.Return(300 * sec)
	free("not come back for as long", 500*sec, false)
	free("and a little later", 500*sec+ms, true)
}

// What has never answered is no exception: it has been left alone since it came.
func TestExploreNew(t *testing.T) {
	r := exploring(t, "a", "new")
	r.answer(t, 500*ms, 0, 100*time.Millisecond, ok)
	r.begin(t, 600*ms, 0).Settle(600*ms, core.Sample{Outcome: core.Abandoned})
	// One attempt in 0.2 s at two members makes 0.4 s each, of which 200 are 80 s.
	m := r.member(1)
	exactly(t, "before", m.Cost(80*sec-ms), 0.1)
	if p, _ := m.Explain(80*sec + ms); m.Cost(80*sec+ms) != 0 || p.Cost != 0 {
		t.Errorf("later: costs %v, explained as %v, want 0", m.Cost(80*sec+ms), p.Cost)
	}
	r.begin(t, 80*sec+ms, 1)
	if got := m.Cost(200 * sec); got < 1e6 {
		t.Errorf("asked, and without an answer: costs %v, want far more than the others", got)
	}
}

// Without the setting nobody is ever free.
func TestExploreOff(t *testing.T) {
	r := newRig(t, "a")
	r.answer(t, sec, 0, 100*time.Millisecond, ok)
	exactly(t, "an hour later", r.member(0).Cost(3600*sec), 0.1)
}

// However often the pool is asked, a member that is taken only where it is free gets one of
// the attempts now and then, and of 200 that would be its equal part no more than one.
func TestExploreSparingly(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		members := rapid.IntRange(2, 5).Draw(rt, "members")
		every := time.Duration(rapid.Int64Range(1e6, 60e6).Draw(rt, "every"))
		attempts := rapid.IntRange(1, 20_000).Draw(rt, "attempts")
		r := exploring(t, []string{"a", "b", "c", "d", "e"}[:members]...)
		spent := make([]int, members)
		now := core.Instant(0)
		for range attempts {
			now = now.Add(every)
			r.direct.slot = 0
			for slot := 1; slot < members; slot++ {
				if r.member(slot).Cost(now) == 0 {
					r.direct.slot = slot
				}
			}
			spent[r.direct.slot]++
			var l core.Lease
			if !r.Begin(now, &core.Ask{}, &l) {
				rt.Fatal("begin: got no lease")
			}
			l.Settle(now, core.Sample{Outcome: core.Overtaken})
		}
		apart := max(time.Second.Seconds(), 200*float64(members)*every.Seconds())
		for slot := 1; slot < members; slot++ {
			most := now.Sub(0).Seconds() / apart
			if got := float64(spent[slot]); got > 1.01*most+1 || got < 0.99*most-float64(members)*every.Seconds()/apart-1 {
				rt.Fatalf("member %d of %d, asked every %v: got %v of %d attempts, want about %v", slot, members, every, got, attempts, most)
			}
		}
	})
}
