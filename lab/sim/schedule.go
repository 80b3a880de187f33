package sim

import "github.com/evenkeel/evenkeel/core"

// schedule knows when each source of events has its next one. The sources are numbered
// (arrivals, waits, proxies, servers) and each has exactly one place, so the schedule is
// as large as the fleet, however much is under way, and nothing in it is ever stale.
//
// It is a heap with four children to a node, which touches half as many lines of memory
// as one with two. Of sources with events at the same instant the one with the lower
// number comes first.
type schedule struct {
	heap []node
	pos  []int32 // by source: its place in the heap
}

// node is a source in the heap. Four of them, the children of a node, fill a line of
// memory.
type node struct {
	at     core.Instant // core.Never for none
	source int32
}

func (n node) before(other node) bool {
	return n.at < other.at || n.at == other.at && n.source < other.source
}

// newSchedule returns the schedule of n sources without events.
func newSchedule(n int) schedule {
	s := schedule{make([]node, n), make([]int32, n)}
	for i := range n {
		s.heap[i], s.pos[i] = node{core.Never, int32(i)}, int32(i)
	}
	return s
}

// next is the source with the earliest event.
func (s *schedule) next() (source int, at core.Instant) {
	return int(s.heap[0].source), s.heap[0].at
}

// set says when a source has its next event.
func (s *schedule) set(source int, at core.Instant) {
	i := int(s.pos[source])
	old := s.heap[i].at
	if at < old {
		s.up(i, node{at, int32(source)})
	} else if at > old {
		s.down(i, node{at, int32(source)})
	}
}

// up puts x into place i, or higher.
func (s *schedule) up(i int, x node) {
	for i > 0 {
		parent := (i - 1) / 4
		if !x.before(s.heap[parent]) {
			break
		}
		s.put(i, s.heap[parent])
		i = parent
	}
	s.put(i, x)
}

// down puts x into place i, or lower.
func (s *schedule) down(i int, x node) {
	for {
		first := 4*i + 1
		if first >= len(s.heap) {
			break
		}
		children := s.heap[first:min(first+4, len(s.heap))]
		least := 0
		for c := 1; c < len(children); c++ {
			if children[c].before(children[least]) {
				least = c
			}
		}
		if !children[least].before(x) {
			break
		}
		s.put(i, children[least])
		i = first + least
	}
	s.put(i, x)
}

func (s *schedule) put(i int, x node) {
	s.heap[i] = x
	s.pos[x.source] = int32(i)
}
