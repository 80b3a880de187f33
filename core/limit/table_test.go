package limit

import (
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

func TestTableHoldsItsKeys(t *testing.T) {
	for _, keys := range []int{0, 1, 8, 9, 100, 1000} {
		tb := newTable(keys)
		if got := len(tb.sets) * ways; got < keys || got > 2*max(keys, ways) {
			t.Errorf("places for %d keys: got %d, want between that and twice as many", keys, got)
		}
	}
}

// Invariant: as long as no set has more keys than ways, every key keeps its own
// bucket.
func TestTableKeepsKeysApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tb := newTable(64)
		mine := map[uint64]*Bucket{}
		whose := map[*Bucket]uint64{}
		load := map[uint64]int{}
		for range rapid.IntRange(1, 100).Draw(t, "looks") {
			key := rapid.Uint64Range(0, 200).Draw(t, "key")
			if mine[key] == nil {
				if load[key&tb.mask] == ways {
					continue
				}
				load[key&tb.mask]++
			}
			b := tb.bucket(key)
			if mine[key] != nil && mine[key] != b {
				t.Fatalf("bucket of %d: got another one", key)
			}
			if other, taken := whose[b]; taken && other != key {
				t.Fatalf("bucket of %d: got that of %d", key, other)
			}
			mine[key], whose[b] = b, key
		}
	})
}

// A full set gives away the bucket that is nearest to being full again, filled up,
// and no other.
func TestTableGivesTheStalestAway(t *testing.T) {
	tb := newTable(ways) // one set
	var buckets [ways]*Bucket
	for i := range ways {
		buckets[i] = tb.bucket(uint64(i + 1))
		buckets[i].tat.Store(int64(100 + (i+3)%ways)) // the fifth is the stalest
	}
	const stalest = 5
	fresh := tb.bucket(77)
	if fresh != buckets[stalest] {
		t.Error("the new key's bucket: got not that of the stalest")
	}
	if got := fresh.tat.Load(); got != 0 {
		t.Errorf("it is full again at: got %d, want 0", got)
	}
	fresh.tat.Store(1000)
	for i := range ways {
		if i != stalest && tb.bucket(uint64(i+1)) != buckets[i] {
			t.Errorf("bucket of key %d: got another one, want it kept", i+1)
		}
	}
	// The one that had to go comes back to a bucket of its own.
	if again := tb.bucket(stalest + 1); again == fresh {
		t.Error("the key that went came back: got the new key's bucket")
	}
}

// Goroutines with more keys than there is room for. Invariants: the table does not
// grow, and every place has a key that belongs there.
func TestTableUnderRace(t *testing.T) {
	r, err := NewRate(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	l := NewKeyed(r, 0, 32)
	places := len(l.table.sets) * ways
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			key := core.NewKey(uint64(g))
			for range 5000 {
				l.Take(core.Instant(g), key.Uint64()%1000, 1)
			}
		})
	}
	wg.Wait()
	if got := len(l.table.sets) * ways; got != places {
		t.Errorf("places: got %d, want %d", got, places)
	}
	for i := range l.table.sets {
		s := &l.table.sets[i]
		for w := range ways {
			if k := s.keys[w].Load(); k == 0 {
				t.Errorf("set %d, place %d: got no key, want all taken", i, w)
			} else if k&l.table.mask != uint64(i) {
				t.Errorf("set %d, place %d: got key %x of another set", i, w, k)
			}
		}
	}
}
