package sim

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

// Invariants: the timers give the one that ends first, of those that end at one instant
// the one that was pushed first, each once; so what they give is what a sorted list
// gives.
func TestTimersAgainstSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var heap timers
		var list []wait
		pop := func() {
			if len(list) == 0 {
				if got := heap.next(); got != core.Never {
					t.Fatalf("the next ends at %v, where none is left", got)
				}
				return
			}
			if at, got := heap.next(), heap.pop(); got != list[0] || at != got.at {
				t.Fatalf("got %+v, announced for %v, want the first of %+v", got, at, list)
			}
			list = list[1:]
		}
		for i, push := range rapid.SliceOfN(rapid.IntRange(-3, 9), 0, 200).Draw(t, "pushes, or pops below 0") {
			if push < 0 {
				pop()
				continue
			}
			x := wait{core.Instant(push), uint64(i)}
			heap.push(x)
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

// A queue of waits gives them in the order in which they came, and its memory does not
// grow with what has passed through.
func TestQueue(t *testing.T) {
	var q queue
	for i := range 100_000 {
		q.push(wait{core.Instant(i), uint64(i)})
		if i < 10 {
			continue
		}
		if got, ok := q.first(); !ok || got != (wait{core.Instant(i - 10), uint64(i - 10)}) {
			t.Fatalf("after %d: got %+v, %v", i, got, ok)
		}
		q.drop()
	}
	if c := cap(q.waits); c > 1000 {
		t.Errorf("room for %d waits, where 10 wait", c)
	}
}
