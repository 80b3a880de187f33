package pick

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/evenkeel/evenkeel/core"
)

// TableSize is the number of entries of a hash table: Maglev's smaller prime, and
// Envoy's default. Rounding to entries costs each of n members at most one entry, and
// n/(2·65537) of its share: 0.8 % of it among 1,000.
const TableSize = 65537

// table maps keys to slots as Maglev does (Eisenbud et al., "Maglev: a fast and
// reliable software network load balancer", NSDI 2016, §3.4): every member has a
// permutation of the table by its key, and takes its favourite of the entries that are
// left when it is its turn. So members that come and go move few keys besides their
// own. With weights, a member's turn comes as often as its weight, as a share of the
// greatest, says. The table depends on the members' keys and weights alone, not on
// their order or on the process, so that all proxies agree.
type table struct {
	entries []int32
	hashes  []uint64 // by slot
}

// claimant is a member that takes entries.
type claimant struct {
	slot     int32
	at, skip uint32 // the favourite that it looks at next, and the step to the one after
	share    uint64
	due      uint64 // an entry is due whenever this reaches the greatest share
}

// newTable returns the table of the members; nil when none has any weight.
func newTable(members []*core.Member) *table {
	t := &table{hashes: make([]uint64, len(members))}
	list, total := shares(members)
	var claimants []claimant
	var most uint64
	for slot, m := range members {
		t.hashes[slot] = core.Hash(m.Key)
		if list[slot] == 0 {
			continue
		}
		order := core.NewKey(t.hashes[slot])
		claimants = append(claimants, claimant{
			slot: int32(slot), share: list[slot],
			at: below(order.Uint64(), TableSize), skip: 1 + below(order.Uint64(), TableSize-1),
		})
		most = max(most, list[slot])
	}
	if len(claimants) == 0 {
		return nil
	}
	slices.SortFunc(claimants, func(a, b claimant) int {
		return cmp.Compare(members[a.slot].Key, members[b.slot].Key)
	})
	for i := range claimants {
		c := &claimants[i]
		c.due = most / 2 // so that shares are rounded, not cut off
		if c.share*TableSize < total {
			c.due = most // less than an entry: one at once, rather than none
		}
	}
	t.fill(claimants, most)
	return t
}

// fill gives every entry to a claimant.
func (t *table) fill(claimants []claimant, most uint64) {
	t.entries = make([]int32, TableSize)
	for i := range t.entries {
		t.entries[i] = -1
	}
	for left := TableSize; ; {
		for i := range claimants {
			c := &claimants[i]
			if c.due += c.share; c.due < most {
				continue
			}
			c.due -= most
			for t.entries[c.at] >= 0 {
				if c.at += c.skip; c.at >= TableSize {
					c.at -= TableSize
				}
			}
			t.entries[c.at] = c.slot
			if left--; left == 0 {
				return
			}
		}
	}
}

// at is the slot at a hash.
func (t *table) at(hash uint64) int { return int(t.entries[below(hash, TableSize)]) }

// below maps a hash to 0 ... n-1, as Below does.
func below(hash uint64, n uint32) uint32 {
	high, _ := bits.Mul64(hash, uint64(n))
	return uint32(high)
}

// distance says how far a key is from the member in a slot: of n equal members each is
// the nearest to one key in n, and with weights to as many more as its weight says
// (weighted rendezvous hashing: the least of exponential variates).
func (t *table) distance(slot int, key uint64, weight float64) float64 {
	place := core.NewKey(key).At(t.hashes[slot])
	return -math.Log(place.Float64()) / weight
}
