package core_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

var _ rand.Source = new(core.Key)

func path(seed uint64, places ...uint64) core.Key {
	k := core.NewKey(seed)
	for _, p := range places {
		k = k.At(p)
	}
	return k
}

// Invariants: a path names its draws, whatever was drawn elsewhere; another path has
// others. That two of the few paths of this test agree in two draws by chance has a
// probability of 2^-128.
func TestKeyIsItsPath(t *testing.T) {
	places := rapid.SliceOfN(rapid.Uint64Range(0, 5), 0, 5)
	rapid.Check(t, func(t *rapid.T) {
		seed, a := rapid.Uint64Range(0, 3).Draw(t, "seed"), places.Draw(t, "path")
		k, same := path(seed, a...), path(seed, a...)
		child := k.At(7)
		for range rapid.IntRange(0, 5).Draw(t, "draws elsewhere") {
			child.Uint64()
		}
		first := [2]uint64{k.Uint64(), k.Uint64()}
		if got := [2]uint64{same.Uint64(), same.Uint64()}; got != first {
			t.Fatalf("draws of the same path: got %v, want %v", got, first)
		}

		otherSeed, b := rapid.Uint64Range(0, 3).Draw(t, "other seed"), places.Draw(t, "other path")
		if seed == otherSeed && len(a) == len(b) {
			equal := true
			for i := range a {
				equal = equal && a[i] == b[i]
			}
			if equal {
				return
			}
		}
		other := path(otherSeed, b...)
		if got := [2]uint64{other.Uint64(), other.Uint64()}; got == first {
			t.Fatalf("paths %d%v and %d%v draw the same: %v", seed, a, otherSeed, b, got)
		}
	})
}

func TestKeyAtLeavesTheReceiver(t *testing.T) {
	a, b := core.NewKey(1), core.NewKey(1)
	if child := a.At(5); child == a {
		t.Error("At gives the key itself")
	}
	if got, want := a.Uint64(), b.Uint64(); got != want {
		t.Errorf("a draw after At: got %d, want %d", got, want)
	}
	copied := a
	if got, want := copied.Uint64(), a.Uint64(); got != want {
		t.Errorf("a copy's draw: got %d, want %d", got, want)
	}
}

// Each of 100 cells expects N/100 = 1,000 of N = 100,000 draws, with a standard
// deviation of sqrt(N·0.01·0.99) = 31.5. Six of them, 189, are passed by chance with
// a probability of 2e-9 a cell. The mean of N draws has a standard deviation of
// sqrt(1/12/N) = 0.00091; six are 0.0055.
func TestKeyFloat64IsUniform(t *testing.T) {
	const n = 100_000
	streams := map[string]func(i int) float64{}
	running := core.NewKey(42)
	streams["one key's draws"] = func(int) float64 { return running.Float64() }
	streams["first draws of neighbours"] = func(i int) float64 {
		k := path(42, 3, uint64(i))
		return k.Float64()
	}
	streams["first draws of seeds"] = func(i int) float64 {
		k := core.NewKey(uint64(i))
		return k.Float64()
	}
	for name, draw := range streams {
		t.Run(name, func(t *testing.T) {
			var cells [100]int
			sum := 0.0
			for i := range n {
				x := draw(i)
				if !(x > 0 && x < 1) {
					t.Fatalf("draw %d: got %v, want inside (0, 1)", i, x)
				}
				cells[int(x*100)]++
				sum += x
			}
			for cell, got := range cells {
				if math.Abs(float64(got)-n/100) > 189 {
					t.Errorf("cell %d: got %d draws, want %d ± 189", cell, got, n/100)
				}
			}
			if got := sum / n; math.Abs(got-0.5) > 0.0055 {
				t.Errorf("mean: got %v, want 0.5 ± 0.0055", got)
			}
		})
	}
}

// The extreme draws stay inside the open interval. The seeds are those, found by
// running the generator backwards, whose first draws are all zeros and all ones.
func TestKeyFloat64Extremes(t *testing.T) {
	for seed, bits := range map[uint64]uint64{0xc5deefb0344c1df5: 0, 0x1fdb84807c8bc327: math.MaxUint64} {
		k, same := core.NewKey(seed), core.NewKey(seed)
		if got := k.Uint64(); got != bits {
			t.Fatalf("first draw of seed %x: got %x, want %x", seed, got, bits)
		}
		if got := same.Float64(); !(got > 0 && got < 1) {
			t.Errorf("first number of seed %x: got %v, want inside (0, 1)", seed, got)
		}
	}
}

// The hash is part of what a seed means: it must not change from build to build.
func TestHash(t *testing.T) {
	seen := map[uint64]string{}
	for _, s := range []string{"", "a", "b", "ab", "ba", "127.0.0.1:9001", "127.0.0.1:9002"} {
		h := core.Hash(s)
		if other, ok := seen[h]; ok {
			t.Errorf("hash of %q: got that of %q", s, other)
		}
		seen[h] = s
		if again := core.Hash(s); again != h {
			t.Errorf("hash of %q again: got %x, want %x", s, again, h)
		}
	}
	// FNV-1a of "a" is af63dc4c8601ec8c (its authors' test vector); the value is
	// that, through the finaliser.
	z := uint64(0xaf63dc4c8601ec8c)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	if got, want := core.Hash("a"), z^z>>31; got != want {
		t.Errorf("hash of a: got %x, want %x", got, want)
	}
}
