package sim

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

// Invariants: the timers give the one that ends first, of those that end at one instant
// the one that was pushed first, each once; so what they give is what a sorted list
// gives. What is not kept is as if it had not been pushed.
func TestTimersAgainstSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all timers
		var list []wait
		pop := func() {
			if len(list) == 0 {
				if got := all.next(); got != core.Never {
					t.Fatalf("the next ends at %v, where none is left", got)
				}
				return
			}
			if at, got := all.next(), all.pop(); got != list[0] || at != got.at {
				t.Fatalf("got %+v, announced for %v, want the first of %+v", got, at, list)
			}
			list = list[1:]
			if n := all.len(); n != len(list) {
				t.Fatalf("%d timers, want %d", n, len(list))
			}
		}
		for i, push := range rapid.SliceOfN(rapid.IntRange(-3, 10), 0, 200).Draw(t, "pushes; below 0 pops; 10: odd ones are not kept") {
			switch {
			case push < 0:
				pop()
				continue
			case push == 10:
				even := func(who uint64) bool { return who%2 == 0 }
				all.keep(even)
				list = slices.DeleteFunc(list, func(x wait) bool { return !even(x.who) })
				continue
			}
			x := wait{core.Instant(push), uint64(i)}
			all.push(x)
			list = append(list, x)
			slices.SortStableFunc(list, func(a, b wait) int { return int(a.at - b.at) })
		}
		for range len(list) + 1 {
			pop()
		}
	})
}

// Invariants: the next source is the one with the earliest event, of several at one
// instant the one with the lowest number, whatever was set in which order.
func TestScheduleAgainstScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "sources")
		s := newSchedule(n)
		at := make([]core.Instant, n)
		for i := range at {
			at[i] = core.Never
		}
		for range rapid.IntRange(0, 200).Draw(t, "changes") {
			i := rapid.IntRange(0, n-1).Draw(t, "source")
			at[i] = rapid.SampledFrom([]core.Instant{0, 1, 2, 3, 5, 8, core.Never}).Draw(t, "at")
			s.set(i, at[i])
			first := slices.Index(at, slices.Min(at))
			if source, when := s.next(); source != first || when != at[first] {
				t.Fatalf("next is source %d at %v, want %d at %v", source, when, first, at[first])
			}
		}
	})
}

// Invariants: in front of the line is who joined it first of those that have not left it
// since; and who has left may leave once more.
func TestLineAgainstList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l line
		var list []uint32
		for _, i := range rapid.SliceOfN(rapid.Uint32Range(0, 9), 0, 200).Draw(t, "who joins, or leaves") {
			if at := slices.Index(list, i); at >= 0 {
				list = slices.Delete(list, at, at+1)
				l.leave(i)
			} else {
				list = append(list, i)
				l.join(i)
			}
			for j := range uint32(len(l.links) - 1) {
				if !slices.Contains(list, j) {
					l.leave(j)
				}
			}
			if l.empty() != (len(list) == 0) {
				t.Fatalf("empty: %v, with %v in it", l.empty(), list)
			}
			if len(list) > 0 && l.first() != list[0] {
				t.Fatalf("%d is in front of %v", l.first(), list)
			}
		}
	})
}

// What comes in the order of its end takes no more room than what is kept at a time.
func TestTimersInOrder(t *testing.T) {
	var all timers
	for i := range 100_000 {
		all.push(wait{core.Instant(i), uint64(i)})
		if i < 10 {
			continue
		}
		if got := all.pop(); got != (wait{core.Instant(i - 10), uint64(i - 10)}) {
			t.Fatalf("after %d: got %+v", i, got)
		}
	}
	if n, c := len(all.heap), cap(all.queue); n > 0 || c > 1000 {
		t.Errorf("%d in the heap, and room for %d in the queue, where 10 wait", n, c)
	}
}
