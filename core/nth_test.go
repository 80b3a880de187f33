package core

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// What is chosen stands where sorting would put it, parts the others, and nothing is lost.
func TestNth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		xs := rapid.SliceOfN(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1, 2})), 1, 200).Draw(t, "xs")
		k := rapid.IntRange(0, len(xs)-1).Draw(t, "k")
		sorted := slices.Sorted(slices.Values(xs))
		if got := nth(xs, k); got != sorted[k] || xs[k] != sorted[k] {
			t.Fatalf("nth(%d) = %v, at its place %v; want %v", k, got, xs[k], sorted[k])
		}
		for i, x := range xs {
			if i < k && x > xs[k] || i > k && x < xs[k] {
				t.Fatalf("%v stands at %d, and %v at %d", x, i, xs[k], k)
			}
		}
		slices.Sort(xs)
		if !slices.Equal(xs, sorted) {
			t.Fatalf("%v became %v", sorted, xs)
		}
	})
}
