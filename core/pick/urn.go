package pick

import (
	"math/bits"
	"math/rand/v2"

	"github.com/evenkeel/evenkeel/core"
)

// urn draws distinct members, each time with chances in proportion to the shares of
// those that are left.
type urn struct {
	upTo []uint64 // the sum of the shares of the slots up to each
	some int      // how many have a share
	// guide has the slot of every 2^shift-th number, so that the search for a number
	// is between two of them: one or two slots, as a rule.
	guide []int32
	shift int
}

// newUrn returns the urn of the members; nil where all have the same weight.
func newUrn(members []*core.Member) *urn {
	list, _ := shares(members)
	if level(list) {
		return nil
	}
	u := &urn{upTo: make([]uint64, len(list))}
	sum := uint64(0)
	for slot, share := range list {
		if share > 0 {
			u.some++
		}
		sum += share
		u.upTo[slot] = sum
	}
	u.shift = max(0, bits.Len64(sum)-bits.Len(uint(len(list))))
	slot := 0
	for x := uint64(0); x < sum; x += 1 << u.shift {
		for u.upTo[slot] <= x {
			slot++
		}
		u.guide = append(u.guide, int32(slot))
	}
	u.guide = append(u.guide, int32(len(list)-1))
	return u
}

// taken is the numbers of what was drawn already: so many, beginning with from.
type taken struct{ from, size uint64 }

// draw fills the first d places of drawn, or as many as there are, and returns them. Each
// draw is from what is left: a number below its sum is moved up past everything drawn that
// begins at or before it.
func (u *urn) draw(src rand.Source, drawn *[MaxChoices]int, d int) []int {
	var out [MaxChoices]taken // by from, ascending
	left := u.upTo[len(u.upTo)-1]
	d = min(d, u.some)
	for k := range d {
		x := uint64(Below(src, int(left)))
		place := 0
		for place < k && x >= out[place].from {
			x += out[place].size
			place++
		}
		slot := u.find(x)
		from := uint64(0)
		if slot > 0 {
			from = u.upTo[slot-1]
		}
		copy(out[place+1:k+1], out[place:k])
		out[place] = taken{from, u.upTo[slot] - from}
		left -= out[place].size
		drawn[k] = slot
	}
	return drawn[:d]
}

// find is the first slot up to which there is more than x.
func (u *urn) find(x uint64) int {
	low, high := int(u.guide[x>>u.shift]), int(u.guide[x>>u.shift+1])
	for low < high {
		middle := int(uint(low+high) / 2)
		if u.upTo[middle] > x {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}
