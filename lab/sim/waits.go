package sim

import (
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
)

// wait is the end of somebody's patience: whose, as a handle of a flight.
type wait struct {
	at  core.Instant
	who uint64
}

// line is a queue of flights, by their indices: who joined it first is in front, and anybody
// may leave it at any time. The zero value is empty. It is a ring of links that stand close
// together, so that leaving it touches nobody else's flight.
type line struct {
	// links[0] is the ring's own; links[i+1] is flight i's. Who is in no line is linked to
	// himself, so that to leave once more changes nothing.
	links []link
}

type link struct{ next, last int32 }

func (l *line) empty() bool { return len(l.links) == 0 || l.links[0].next == 0 }

// first is who is in front of a line that is not empty.
func (l *line) first() uint32 { return uint32(l.links[0].next - 1) }

// join puts a flight, which is in no line, at the end.
func (l *line) join(i uint32) {
	at := int32(i) + 1
	for n := int32(len(l.links)); n <= at; n++ {
		l.links = append(l.links, link{n, n})
	}
	end := l.links[0].last
	l.links[at] = link{0, end}
	l.links[end].next, l.links[0].last = at, at
}

// leave takes a flight out, wherever it stands.
func (l *line) leave(i uint32) {
	at := int32(i) + 1
	x := l.links[at]
	l.links[x.last].next, l.links[x.next].last = x.next, x.last
	l.links[at] = link{at, at}
}

// timers are waits of any length. Most are as long as those before them, and so in the order
// of their ends as they come: these stand in a queue, the others in a heap. Those of requests
// that have ended stay until their time, or until they are sorted out (see keep).
type timers struct {
	queue []timer // from head on
	head  int
	heap  model.Heap[timer]
	seq   uint64
}

type timer struct {
	wait
	seq uint64 // of two that end at the same instant, the one that began first comes first
}

// Before orders timers by instant.
func (a timer) Before(b timer) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

func (t *timers) push(w wait) {
	x := timer{w, t.seq}
	t.seq++
	if n := len(t.queue); n > t.head && x.at < t.queue[n-1].at {
		t.heap.Push(x)
		return
	}
	if 2*t.head >= len(t.queue) { // the space of those gone is used again
		t.queue = t.queue[:copy(t.queue, t.queue[t.head:])]
		t.head = 0
	}
	t.queue = append(t.queue, x)
}

// next is when the first ends; core.Never without any.
func (t *timers) next() core.Instant {
	next := core.Never
	if t.head < len(t.queue) {
		next = t.queue[t.head].at
	}
	if len(t.heap) > 0 {
		next = min(next, t.heap[0].at)
	}
	return next
}

func (t *timers) len() int { return len(t.queue) - t.head + len(t.heap) }

// keep drops all but those that it is told to keep, by their handles.
func (t *timers) keep(which func(uint64) bool) {
	kept := t.queue[:0]
	for _, x := range t.queue[t.head:] {
		if which(x.who) {
			kept = append(kept, x)
		}
	}
	t.queue, t.head = kept, 0
	all := t.heap
	t.heap = all[:0] // which grows no faster than it is read
	for _, x := range all {
		if which(x.who) {
			t.heap.Push(x)
		}
	}
}

// pop takes the first out; there must be one.
func (t *timers) pop() wait {
	if t.head == len(t.queue) || len(t.heap) > 0 && t.heap[0].Before(t.queue[t.head]) {
		return t.heap.Pop().wait
	}
	t.head++
	return t.queue[t.head-1].wait
}
