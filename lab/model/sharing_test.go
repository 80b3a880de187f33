package model

import (
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

func TestSharing(t *testing.T) {
	pause := []Effect{{From: at(10), To: at(20), Paused: true}}
	for _, c := range []struct {
		name        string
		cores, room int
		effects     []Effect
		arrivals    []arrival
		want        string
	}{
		{"alone", 1, 9, nil, []arrival{{0, 1, 5 * ms}}, "1 200 5ms\n"},
		{"two share one core", 1, 9, nil, []arrival{{0, 1, 4 * ms}, {0, 2, 2 * ms}}, "2 200 4ms\n1 200 6ms\n"},
		{"one comes later", 1, 9, nil, []arrival{{0, 1, 4 * ms}, {2, 2, 1 * ms}}, "2 200 4ms\n1 200 5ms\n"},
		{"none gets more than a core", 2, 9, nil, []arrival{{0, 1, 4 * ms}, {0, 2, 2 * ms}}, "2 200 2ms\n1 200 4ms\n"},
		{"four share two cores", 2, 9, nil,
			[]arrival{{0, 1, 1 * ms}, {0, 2, 2 * ms}, {0, 3, 2 * ms}, {0, 4, 4 * ms}},
			"1 200 2ms\n2 200 3.5ms\n3 200 3.5ms\n4 200 5.5ms\n"},
		{"no room beyond cores and queue", 1, 1, nil,
			[]arrival{{0, 1, 2 * ms}, {0, 2, 2 * ms}, {1, 3, 1 * ms}, {4, 4, 1 * ms}},
			"3 503 1ms\n1 200 4ms\n2 200 4ms\n4 200 5ms\n"},
		{"a job of no work ends at once", 1, 9, nil, []arrival{{0, 1, 2 * ms}, {1, 2, 0}}, "2 200 1ms\n1 200 2ms\n"},
		{"during a pause, too", 1, 9, pause, []arrival{{9, 1, 2 * ms}, {15, 2, 0}, {15, 3, 1 * ms}},
			"2 200 15ms\n1 200 22ms\n3 200 22ms\n"},
		{"a slow phase slows all", 2, 9, []Effect{{From: at(1), To: at(5), Speed: 0.5}},
			[]arrival{{0, 1, 2 * ms}, {0, 2, 4 * ms}}, "1 200 3ms\n2 200 6ms\n"},
		// After 33 ns each has got 9.9 ns of its 10. That is rounding, and who is to end with
		// another does so, and is not left behind for the pause that begins just then.
		{"two end together as a pause begins", 2, 9,
			[]Effect{{From: 0, To: core.Never, Speed: 0.3}, {From: 33, To: at(1), Paused: true}},
			[]arrival{{0, 1, 10}, {0, 2, 10}}, "1 200 33ns\n2 200 33ns\n"},
		{"unless it begins sooner", 2, 9,
			[]Effect{{From: 0, To: core.Never, Speed: 0.3}, {From: 32, To: at(1), Paused: true}},
			[]arrival{{0, 1, 10}, {0, 2, 10}}, "1 200 1.000001ms\n2 200 1.000001ms\n"},
		{"a crowd takes longer", 1, 9, []Effect{{From: at(0), To: at(9), Crowding: 0.5}},
			[]arrival{{0, 1, 2 * ms}, {0, 2, 2 * ms}, {9, 3, 2 * ms}},
			"1 200 4ms\n2 200 5ms\n3 200 11ms\n"},
	} {
		s := New(Settings{Slots: c.cores, Room: c.room, Sharing: true}, NewTimeline(c.effects))
		if diff := cmp.Diff(c.want, script(play(s, c.arrivals))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if err := s.Audit(at(1000)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Against the exact play, for any speeds, pauses and cancellations, before the trial and in
// it: with each work a few nanoseconds less nothing ends later than the server says, with
// as much more nothing sooner. (Ends are rounded down to whole nanoseconds, and more work of
// one never lets another end sooner; at a pause's beginning a nanosecond may decide about
// all of it, so that the ends themselves cannot be compared.)
func TestSharingAgainstFluid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		effects := drawSpeeds(t)
		cores := rapid.IntRange(1, 4).Draw(t, "cores")
		ops := drawOps(t, 10, false)
		until := core.Instant(time.Millisecond)

		s := New(Settings{Slots: cores, Room: 100, Sharing: true}, NewTimeline(effects))
		all := perform(s, ops, until)
		if err := s.Audit(until); err != nil {
			t.Fatal(err)
		}
		const off = 64 // speeds go up to 2^5, and so does the work that a nanosecond holds
		least, most := playFluid(effects, cores, ops, -off, until), playFluid(effects, cores, ops, off, until)
		got := map[uint64]core.Instant{}
		for _, d := range all {
			got[d.ID] = d.At
			if low := least[d.ID]; low == nil || rat(int64(d.At)+1).Cmp(low) < 0 {
				t.Fatalf("request %d ends at %d, with less work at %v", d.ID, d.At, decimal(low))
			}
		}
		for id, high := range most {
			if ended, ok := got[id]; !ok || rat(int64(ended)).Cmp(high) > 0 {
				t.Fatalf("request %d ends at %d (%t), with more work at %v", id, ended, ok, decimal(high))
			}
		}
	})
}

// The same at one steady speed, where nothing hangs on a nanosecond, with cancellations: no
// later, and sooner only by the nanosecond that each end, and each before it, is rounded by.
func TestSharingToTheNanosecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cores := rapid.IntRange(1, 4).Draw(t, "cores")
		ops := drawOps(t, 15, true)
		s := New(Settings{Slots: cores, Room: 100, Sharing: true}, NewTimeline(nil))
		got := map[uint64]core.Instant{}
		for _, d := range perform(s, ops, core.Never) {
			got[d.ID] = d.At
		}
		want := playFluid(nil, cores, ops, 0, core.Never)
		if len(got) != len(want) {
			t.Fatalf("%d end, want %d", len(got), len(want))
		}
		for id, exact := range want {
			late := new(big.Rat).Sub(rat(int64(got[id])), exact)
			if late.Cmp(big.NewRat(1, 1000)) > 0 || late.Cmp(rat(-int64(len(want)))) < 0 {
				t.Fatalf("request %d ends at %d, want %s", id, got[id], decimal(exact))
			}
		}
	})
}

func decimal(r *big.Rat) string {
	if r == nil {
		return "never"
	}
	return r.FloatString(3)
}

// drawSpeeds draws effects on the speed alone.
func drawSpeeds(t *rapid.T) []Effect {
	effects := drawFaults(t, false)
	for i := range effects {
		if effects[i].Fate != Served {
			effects[i].Trouble = Trouble{}
			effects[i].Paused = true
			effects[i].To = min(effects[i].To, effects[i].From+50_000)
		}
	}
	return effects
}
