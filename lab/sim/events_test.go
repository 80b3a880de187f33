package sim

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

// Invariants: the heap gives the earliest event first, of those at one instant the one
// that was pushed first, each once; so what it gives is what a sorted list gives.
func TestEventsAgainstSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var heap events
		var list []event
		pop := func() {
			got, ok := heap.pop()
			if !ok {
				if len(list) > 0 {
					t.Fatalf("nothing, where %d are left", len(list))
				}
				return
			}
			if len(list) == 0 || got != list[0] {
				t.Fatalf("got %+v, want the first of %+v", got, list)
			}
			list = list[1:]
		}
		for i, push := range rapid.SliceOfN(rapid.IntRange(-3, 9), 0, 200).Draw(t, "pushes, or pops below 0") {
			if push < 0 {
				pop()
				continue
			}
			e := event{at: core.Instant(push), kind: kind(i % 4), who: uint64(i)}
			heap.push(e)
			e.seq = heap.seq - 1
			list = append(list, e)
			slices.SortStableFunc(list, func(a, b event) int { return int(a.at - b.at) })
		}
		for range len(list) + 1 {
			pop()
		}
	})
}
