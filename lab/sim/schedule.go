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
	at   []core.Instant // by source; core.Never for none
	heap []int32        // sources
	pos  []int32        // by source: its place in the heap
}

// newSchedule returns the schedule of n sources without events.
func newSchedule(n int) schedule {
	s := schedule{make([]core.Instant, n), make([]int32, n), make([]int32, n)}
	for i := range n {
		s.at[i], s.heap[i], s.pos[i] = core.Never, int32(i), int32(i)
	}
	return s
}

// next is the source with the earliest event.
func (s *schedule) next() (source int, at core.Instant) {
	source = int(s.heap[0])
	return source, s.at[source]
}

// set says when a source has its next event.
func (s *schedule) set(source int, at core.Instant) {
	old := s.at[source]
	s.at[source] = at
	if at < old {
		s.up(int(s.pos[source]))
	} else if at > old {
		s.down(int(s.pos[source]))
	}
}

func (s *schedule) before(a, b int32) bool {
	return s.at[a] < s.at[b] || s.at[a] == s.at[b] && a < b
}

func (s *schedule) up(i int) {
	x := s.heap[i]
	for i > 0 {
		parent := (i - 1) / 4
		if !s.before(x, s.heap[parent]) {
			break
		}
		s.put(i, s.heap[parent])
		i = parent
	}
	s.put(i, x)
}

func (s *schedule) down(i int) {
	x := s.heap[i]
	for {
		first := 4*i + 1
		if first >= len(s.heap) {
			break
		}
		child := first
		for c := first + 1; c < min(first+4, len(s.heap)); c++ {
			if s.before(s.heap[c], s.heap[child]) {
				child = c
			}
		}
		if !s.before(s.heap[child], x) {
			break
		}
		s.put(i, s.heap[child])
		i = child
	}
	s.put(i, x)
}

func (s *schedule) put(i int, source int32) {
	s.heap[i] = source
	s.pos[source] = int32(i)
}
