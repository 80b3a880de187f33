package core

// Key names a place where chance is needed: a seed and a path of numbers (stream,
// request, attempt, endpoint, epoch). Draws keyed by their place instead of taken
// from a running stream are the same draws whatever else happened before: changing
// the strategy of an experiment changes nothing else in it (common random numbers).
//
// A Key is a math/rand/v2.Source: SplitMix64 (Steele, Lea and Flood, "Fast
// splittable pseudorandom number generators", OOPSLA 2014) started at the hash of
// its path. Copies draw the same numbers. Not safe for concurrent use.
type Key struct{ state uint64 }

// golden is 2^64 divided by the golden ratio, SplitMix64's increment.
const golden = 0x9E3779B97F4A7C15

// NewKey returns the key of a seed.
func NewKey(seed uint64) Key { return Key{mix(seed + golden)} }

// At returns the key one step further down the path. The receiver stays as it is. It
// is to be asked before the first draw: each draw moves the key, and its places with it.
//
// The key is mixed once more than the place that joins it, so that a path and the same
// numbers in another order are different places, and a number that stands twice does
// not cancel itself out.
func (k Key) At(place uint64) Key { return Key{mix(mix(k.state+golden) ^ place)} }

// Uint64 draws the next number at this place.
func (k *Key) Uint64() uint64 {
	k.state += golden
	return mix(k.state)
}

// Float64 draws a number in the open interval (0, 1), so that its logarithm and
// the inverse of any distribution function are finite.
func (k *Key) Float64() float64 {
	return (float64(k.Uint64()>>12) + 0.5) / (1 << 52)
}

// mix is SplitMix64's finaliser (Stafford's variant 13): a bijection in which each
// bit of the input changes half of the output's bits.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// Hash returns a hash of s that is the same in every process: FNV-1a, its bits mixed
// once more so that any of them will do for a table.
func Hash(s string) uint64 {
	const offset, prime = 0xcbf29ce484222325, 0x100000001b3
	h := uint64(offset)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime
	}
	return mix(h)
}
