package sim

import (
	"math/bits"

	"github.com/evenkeel/evenkeel/core"
)

// schedule knows when each source of events has its next one. The sources are numbered
// (arrivals, waits, proxies, servers) and each has exactly one place, so the schedule is
// as large as the fleet, however much is under way, and nothing in it is ever stale.
//
// It is a heap with four children to a node, which touches half as many lines of memory
// as one with two, and of the four the first is found without a branch: which one it is
// nobody could foresee, and a wrong guess costs as much as all the rest. Of sources with
// events at the same instant the one with the lower number comes first.
type schedule struct {
	heap []node
	pos  []int32 // by source: its place in the heap
}

// node is a source in the heap. Four of them, the children of a node, fill a line of
// memory.
type node struct {
	at     core.Instant // core.Never for none
	source int
}

// before is 1 if n comes before the other, else 0. No instant is below 0.
func (n *node) before(other *node) int {
	_, less := bits.Sub64(uint64(n.source), uint64(other.source), 0)
	_, less = bits.Sub64(uint64(n.at), uint64(other.at), less)
	return int(less)
}

// newSchedule returns the schedule of n sources without events. Behind them stand as many
// that never have one as it takes to give every node all its children or none.
func newSchedule(n int) schedule {
	full := 1 + (n+2)/4*4
	s := schedule{make([]node, full), make([]int32, full)}
	for i := range full {
		s.heap[i], s.pos[i] = node{core.Never, i}, int32(i)
	}
	return s
}

// next is the source with the earliest event.
func (s *schedule) next() (source int, at core.Instant) {
	return s.heap[0].source, s.heap[0].at
}

// set says when a source has its next event.
func (s *schedule) set(source int, at core.Instant) {
	i := int(s.pos[source])
	old := s.heap[i].at
	if at < old {
		s.up(i, node{at, source})
	} else if at > old {
		s.down(i, node{at, source})
	}
}

// up puts x into place i, or higher.
func (s *schedule) up(i int, x node) {
	for i > 0 {
		parent := (i - 1) / 4
		if x.before(&s.heap[parent]) == 0 {
			break
		}
		s.put(i, s.heap[parent])
		i = parent
	}
	s.put(i, x)
}

// down puts x into place i, or lower.
func (s *schedule) down(i int, x node) {
	for 4*i+1 < len(s.heap) {
		children := (*[4]node)(s.heap[4*i+1:])
		least := children[1].before(&children[0])
		other := 2 + children[3].before(&children[2])
		least += (other - least) * children[other&3].before(&children[least&3])
		if children[least&3].before(&x) == 0 {
			break
		}
		s.put(i, children[least&3])
		i = 4*i + 1 + least
	}
	s.put(i, x)
}

func (s *schedule) put(i int, x node) {
	s.heap[i] = x
	s.pos[x.source] = int32(i)
}
