package pick

import (
	"cmp"
	"math/bits"
	"slices"
)

// schedule says whose turn each turn is: every member has as many turns in a period as
// its share, spread over it evenly. What all shares have in common makes no difference:
// the same turns come again that much earlier. It is a function of the turn's number
// alone, so turns can be taken by everybody at once without a lock; asking it costs as
// much as the members' weights differ in kind, not in number.
//
// Members of the same share are one class and take turns within it. Classes are joined
// two by two, the smallest first (Huffman's tree), by forks. Of the turns that reach a
// fork, those of the left side are the j with
//
//	⌊(j+1)·L/T⌋ > ⌊j·L/T⌋
//
// (Bresenham's line), L being the left side's turns in a period and T those of both,
// and each side is passed the number of the turn among its own. A side is so never one
// turn or more off its part of those that reach its fork. In Huffman's tree the turns
// of the sides on the way up from a class grow at least like Fibonacci's numbers, so
// what is off at the forks adds up to less than the sum of their reciprocals: no member
// is ever 3.36 turns or more ahead or behind.
type schedule struct {
	period  uint64
	forks   []fork
	classes []class
	slots   []int32 // by class
	root    int32
}

// fork is an inner node of the tree. A child is the index of another, or, below zero,
// the complement of the index of a class.
type fork struct {
	// ratio is the least number over L/T·2^64: a product by it is exact below the
	// point as long as T is less than 2^32.
	ratio       uint64
	left, right int32
}

// class is members of the same share: slots[first : first+count].
type class struct{ first, count uint32 }

// branch is a part of the tree that is being built, with its turns in a period.
type branch struct {
	node  int32
	turns uint64
}

// newSchedule returns the schedule of shares whose sum is below 2^32; nil when there is
// none above zero.
func newSchedule(list []uint64) *schedule {
	s := &schedule{slots: make([]int32, 0, len(list))}
	branches := s.classify(list)
	if len(branches) == 0 {
		return nil
	}
	slices.SortFunc(branches, func(a, b branch) int {
		return cmp.Or(cmp.Compare(a.turns, b.turns), cmp.Compare(b.node, a.node))
	})
	// What is joined comes out in order, so the smallest is the first of one of two
	// queues.
	var joined []branch
	take := func() branch {
		from := &branches
		if len(branches) == 0 || len(joined) > 0 && joined[0].turns < branches[0].turns {
			from = &joined
		}
		b := (*from)[0]
		*from = (*from)[1:]
		return b
	}
	for len(branches)+len(joined) > 1 {
		l, r := take(), take()
		ratio, _ := bits.Div64(l.turns, 0, l.turns+r.turns)
		s.forks = append(s.forks, fork{ratio + 1, l.node, r.node})
		joined = append(joined, branch{int32(len(s.forks) - 1), l.turns + r.turns})
	}
	whole := take()
	s.root, s.period = whole.node, whole.turns
	return s
}

// classify sorts the members into classes and returns these as branches.
func (s *schedule) classify(list []uint64) []branch {
	known := map[uint64]int{}
	for _, share := range list {
		if share == 0 {
			continue
		}
		i, ok := known[share]
		if !ok {
			i = len(s.classes)
			known[share] = i
			s.classes = append(s.classes, class{})
		}
		s.classes[i].count++
	}
	first := uint32(0)
	for i := range s.classes {
		c := &s.classes[i]
		c.first, first, c.count = first, first+c.count, 0
	}
	s.slots = s.slots[:first]
	branches := make([]branch, len(s.classes))
	for slot, share := range list {
		if share == 0 {
			continue
		}
		i := known[share]
		c := &s.classes[i]
		s.slots[c.first+c.count] = int32(slot)
		c.count++
		branches[i] = branch{^int32(i), share * uint64(c.count)}
	}
	return branches
}

// at is the slot whose turn it is.
func (s *schedule) at(turn uint64) int {
	j, node := turn%s.period, s.root
	for node >= 0 {
		f := &s.forks[node]
		left, rest := bits.Mul64(j, f.ratio)
		if _, more := bits.Add64(rest, f.ratio, 0); more != 0 {
			j, node = left, f.left
		} else {
			j, node = j-left, f.right
		}
	}
	c := s.classes[^node]
	return int(s.slots[c.first+uint32(j)%c.count])
}
