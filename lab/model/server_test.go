package model

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

// arrival is a request that arrives.
type arrival struct {
	at     float64 // ms
	id     uint64
	demand time.Duration
}

// finish takes everything that has ended by now.
func finish(s *Server, now core.Instant) []Done {
	var all []Done
	for {
		d, ok := s.Finish(now)
		if !ok {
			return all
		}
		all = append(all, d)
	}
}

// play drives a server the way its drivers do: what ends at or before an arrival is
// taken out before it.
func play(s *Server, arrivals []arrival) []Done {
	var all []Done
	for _, a := range arrivals {
		all = append(all, finish(s, at(a.at))...)
		s.Arrive(at(a.at), Job{ID: a.id, Demand: a.demand})
	}
	return append(all, finish(s, core.Never)...)
}

// script writes endings as "id code ms" for comparison.
func script(all []Done) string {
	var b strings.Builder
	for _, d := range all {
		fmt.Fprintf(&b, "%d %d %v\n", d.ID, d.Code, time.Duration(d.At))
	}
	return b.String()
}

func TestServer(t *testing.T) {
	failing := []Effect{{From: at(10), To: at(20), Trouble: Trouble{Fate: Fail, Code: 500, Latency: 3 * ms}}}
	for _, c := range []struct {
		name        string
		slots, room int
		effects     []Effect
		arrivals    []arrival
		want        string
	}{
		{"one slot, in order", 1, 10, nil,
			[]arrival{{0, 1, 10 * ms}, {1, 2, 1 * ms}, {2, 3, 1 * ms}},
			"1 200 10ms\n2 200 11ms\n3 200 12ms\n"},
		{"two slots at once", 2, 10, nil,
			[]arrival{{0, 1, 10 * ms}, {0, 2, 4 * ms}, {1, 3, 2 * ms}, {1, 4, 2 * ms}},
			"2 200 4ms\n3 200 6ms\n4 200 8ms\n1 200 10ms\n"},
		{"idle in between", 1, 10, nil,
			[]arrival{{0, 1, 1 * ms}, {5, 2, 1 * ms}},
			"1 200 1ms\n2 200 6ms\n"},
		{"a slot that becomes free as somebody arrives", 1, 0, nil,
			[]arrival{{0, 1, 5 * ms}, {5, 2, 5 * ms}},
			"1 200 5ms\n2 200 10ms\n"},
		{"no room", 1, 0, nil,
			[]arrival{{0, 1, 5 * ms}, {4, 2, 5 * ms}},
			"2 503 4ms\n1 200 5ms\n"},
		{"the queue is full", 1, 2, nil,
			[]arrival{{0, 1, 5 * ms}, {1, 2, 1 * ms}, {1, 3, 1 * ms}, {1, 4, 1 * ms}, {5, 5, 1 * ms}, {5, 6, 1 * ms}},
			"4 503 1ms\n1 200 5ms\n6 503 5ms\n2 200 6ms\n3 200 7ms\n5 200 8ms\n"},
		{"endings at one instant come as they began", 3, 0, nil,
			[]arrival{{0, 3, 5 * ms}, {0, 1, 5 * ms}, {0, 2, 5 * ms}},
			"3 200 5ms\n1 200 5ms\n2 200 5ms\n"},
		{"an error takes no slot and no work", 1, 0, failing,
			[]arrival{{9, 1, 8 * ms}, {10, 2, time.Hour}, {11, 3, time.Hour}, {18, 4, 1 * ms}, {20, 5, 1 * ms}},
			"2 500 13ms\n3 500 14ms\n1 200 17ms\n4 500 21ms\n5 200 21ms\n"},
		{"what waits is not failed", 1, 5, failing,
			[]arrival{{9, 1, 4 * ms}, {9.5, 2, 1 * ms}},
			"1 200 13ms\n2 200 14ms\n"},
		{"what waits is served at the speed of its turn", 1, 5, []Effect{{From: at(10), To: at(20), Speed: 0.5}},
			[]arrival{{5, 1, 5 * ms}, {5, 2, 1 * ms}, {5, 3, 5 * ms}},
			"1 200 10ms\n2 200 12ms\n3 200 21ms\n"},
	} {
		s := New(Settings{Slots: c.slots, Room: c.room}, NewTimeline(c.effects))
		if diff := cmp.Diff(c.want, script(play(s, c.arrivals))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if s.Busy() != 0 || s.Queued() != 0 || s.Next() != core.Never {
			t.Errorf("%s: left with %d busy, %d queued, next at %v", c.name, s.Busy(), s.Queued(), s.Next())
		}
		if err := s.Audit(at(1e6)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestServerStep(t *testing.T) {
	s := New(Settings{Slots: 1, Room: 1}, NewTimeline([]Effect{{From: at(10), To: at(20), Speed: 0.5}}))
	if _, ok := s.Finish(core.Never - 1); ok || s.Next() != core.Never {
		t.Errorf("idle: something has ended, next at %v", s.Next())
	}
	s.Arrive(0, Job{ID: 7, Demand: 2 * ms})
	s.Arrive(at(1), Job{ID: 8, Demand: 2 * ms})
	if s.Busy() != 1 || s.Queued() != 1 || s.Next() != at(2) {
		t.Errorf("two: got %d busy, %d queued, next at %v, want 1, 1, 2ms", s.Busy(), s.Queued(), time.Duration(s.Next()))
	}
	if d, ok := s.Finish(at(2) - 1); ok {
		t.Errorf("just before: got %+v", d)
	}
	if d, ok := s.Finish(at(2)); !ok || d != (Done{7, OK, at(2)}) {
		t.Errorf("got %+v, %t", d, ok)
	}
	if s.Busy() != 1 || s.Queued() != 0 || s.Next() != at(4) {
		t.Errorf("one: got %d busy, %d queued, next at %v, want 1, 0, 4ms", s.Busy(), s.Queued(), time.Duration(s.Next()))
	}
}

// A request does not begin before it has arrived, even when the ending that makes room
// for it was not taken out in time.
func TestServerLateFinish(t *testing.T) {
	s := New(Settings{Slots: 1, Room: 5}, NewTimeline(nil))
	s.Arrive(0, Job{ID: 1, Demand: 10 * ms})
	s.Arrive(at(1), Job{ID: 2, Demand: 10 * ms}) // its turn is at 10 ms, whenever anybody looks
	s.Arrive(at(50), Job{ID: 3, Demand: 10 * ms})
	want := "1 200 10ms\n2 200 20ms\n3 200 60ms\n"
	if diff := cmp.Diff(want, script(finish(s, at(1000)))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// reference plays the same by hand: a list of the instants at which each slot becomes
// free, and each request in its turn takes the first of them.
func reference(slots, room int, arrivals []arrival) []Done {
	free := make([]core.Instant, slots)
	for i := range free {
		free[i] = -1 << 62
	}
	var begun []core.Instant
	var all []Done
	for _, a := range arrivals {
		now := at(a.at)
		waiting := 0
		for _, b := range begun {
			if b > now {
				waiting++
			}
		}
		first := slices.Min(free)
		if first > now && waiting >= room {
			all = append(all, Done{a.id, Overfull, now})
			continue
		}
		start := max(now, first)
		end := start.Add(a.demand)
		free[slices.Index(free, first)] = end
		begun = append(begun, start)
		all = append(all, Done{a.id, OK, end})
	}
	return all
}

// Invariants: every request that arrives ends exactly once, where and how the
// reference says (so no slot idles while somebody waits, and the order is that of
// arrival); endings come in the order of time; never more are busy than there are
// slots, or wait than there is room; and it makes no difference how late Finish is
// called where nobody arrives in between.
func TestServerAgainstReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots, room := rapid.IntRange(1, 4).Draw(t, "slots"), rapid.IntRange(0, 5).Draw(t, "room")
		var arrivals []arrival
		now := 0.0
		for id := range rapid.IntRange(0, 40).Draw(t, "requests") {
			now += float64(rapid.IntRange(0, 4).Draw(t, "gap"))
			arrivals = append(arrivals, arrival{now, uint64(id), time.Duration(rapid.IntRange(0, 12).Draw(t, "demand")) * ms})
		}
		late := rapid.Bool().Draw(t, "late")

		s := New(Settings{Slots: slots, Room: room}, NewTimeline(nil))
		var all []Done
		for i, a := range arrivals {
			if late || i > 0 && a.at == arrivals[i-1].at {
				all = append(all, finish(s, at(a.at))...)
			} else { // at every instant in between
				for s.Next() <= at(a.at) {
					all = append(all, finish(s, s.Next())...)
				}
			}
			s.Arrive(at(a.at), Job{ID: a.id, Demand: a.demand})
			if s.Busy() > slots || s.Queued() > room || s.Queued() > 0 && s.Busy() < slots {
				t.Fatalf("%d of %d slots busy, %d in %d places", s.Busy(), slots, s.Queued(), room)
			}
		}
		all = append(all, finish(s, core.Never)...)
		if !slices.IsSortedFunc(all, func(a, b Done) int { return int(a.At - b.At) }) {
			t.Fatalf("endings out of order:\n%s", script(all))
		}
		slices.SortFunc(all, func(a, b Done) int { return int(a.ID) - int(b.ID) })
		if diff := cmp.Diff(script(reference(slots, room, arrivals)), script(all)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// A queue that is never empty does not grow: half of its memory at least is in use, so
// with append's doubling it stays below five times its length.
func TestServerQueueMemory(t *testing.T) {
	const length = 100
	s := New(Settings{Slots: 1, Room: length}, NewTimeline(nil))
	for i := range length + 1 {
		s.Arrive(0, Job{ID: uint64(i), Demand: ms})
	}
	for i := 1; i < 50_000; i++ {
		now := at(float64(i))
		if d, ok := s.Finish(now); !ok || d.ID != uint64(i-1) || d.At != now {
			t.Fatalf("ending %d: got %+v, %t", i-1, d, ok)
		}
		s.Arrive(now, Job{ID: uint64(length + i), Demand: ms})
		if s.Queued() != length {
			t.Fatalf("queued: got %d, want %d", s.Queued(), length)
		}
	}
	if got := cap(s.queue.waiting); got > 5*length {
		t.Errorf("places kept for a queue of %d: %d, want at most %d", length, got, 5*length)
	}
}
