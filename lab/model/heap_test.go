package model

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// number is an element of a heap.
type number int

func (n number) Before(m number) bool { return n < m }

// Whatever is put in and taken out, from the front or from any place, the first is the least
// of those left, and none gets lost.
func TestHeap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h Heap[number]
		var want []number // ascending
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			switch what := rapid.IntRange(0, 4).Draw(t, "what"); {
			case what < 3 || len(h) == 0:
				x := number(rapid.IntRange(0, 30).Draw(t, "x"))
				h.Push(x)
				i, _ := slices.BinarySearch(want, x)
				want = slices.Insert(want, i, x)
			case what == 3:
				if got := h.Pop(); got != want[0] {
					t.Fatalf("got %d first, want %d", got, want[0])
				}
				want = want[1:]
			default:
				i := rapid.IntRange(0, len(h)-1).Draw(t, "place")
				x := h[i]
				if got := h.Remove(i); got != x {
					t.Fatalf("got %d from place %d, want %d", got, i, x)
				}
				at, _ := slices.BinarySearch(want, x)
				want = slices.Delete(want, at, at+1)
			}
		}
		var got []number
		for len(h) > 0 {
			got = append(got, h.Pop())
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
