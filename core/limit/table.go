package limit

import (
	"math/bits"
	"sync/atomic"
)

// ways is how many places a key may have.
const ways = 8

// table maps keys to buckets in bounded memory: a set-associative cache without
// locks. Two keys that claim the same place at the same moment may share one bucket
// once; that is a little stricter or laxer for one request, never an error.
type table struct {
	sets []set
	mask uint64
}

type set struct {
	keys    [ways]atomic.Uint64 // 0 for a free place
	buckets [ways]Bucket
}

func newTable(keys int) *table {
	sets := max(1, (keys+ways-1)/ways)
	n := 1 << bits.Len(uint(sets-1)) // the next power of two
	return &table{sets: make([]set, n), mask: uint64(n - 1)}
}

// bucket returns the key's bucket, a fresh one if it had none.
func (t *table) bucket(key uint64) *Bucket {
	key |= 1 << 63 // never 0
	s := &t.sets[key&t.mask]
	oldest := 0
	for i := range s.keys {
		switch s.keys[i].Load() {
		case key:
			return &s.buckets[i]
		case 0:
			if s.keys[i].CompareAndSwap(0, key) || s.keys[i].Load() == key {
				return &s.buckets[i]
			}
		}
		if s.buckets[i].tat.Load() < s.buckets[oldest].tat.Load() {
			oldest = i
		}
	}
	s.keys[oldest].Store(key)
	s.buckets[oldest].tat.Store(0)
	return &s.buckets[oldest]
}
