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

// queue holds waits that end in the order in which they begin: those of clients, who are
// all equally patient. Nearly all are over long before their time, when the request has
// ended; those in front are dropped as others come, and those behind one that hangs when
// there are many (see keep), so the queue is about as long as what is under way.
type queue struct {
	waits []wait
	head  int
}

func (q *queue) push(w wait) {
	if q.head > 64 && 2*q.head > len(q.waits) {
		q.waits = q.waits[:copy(q.waits, q.waits[q.head:])]
		q.head = 0
	}
	q.waits = append(q.waits, w)
}

// first is the wait that ends first.
func (q *queue) first() (wait, bool) {
	if q.head == len(q.waits) {
		return wait{at: core.Never}, false
	}
	return q.waits[q.head], true
}

func (q *queue) drop() { q.head++ }

func (q *queue) len() int { return len(q.waits) - q.head }

// keep drops all but those that it is told to keep.
func (q *queue) keep(which func(wait) bool) {
	kept := q.waits[:0]
	for _, x := range q.waits[q.head:] {
		if which(x) {
			kept = append(kept, x)
		}
	}
	q.waits, q.head = kept, 0
}

// timers are waits of any length. Those of requests that have ended stay until their time,
// or until they are sorted out (see keep).
type timers struct {
	heap model.Heap[timer]
	seq  uint64
}

type timer struct {
	wait
	seq uint64 // of two that end at the same instant, the one that began first comes first
}

// Before orders timers by instant.
func (a timer) Before(b timer) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

func (t *timers) push(w wait) {
	t.heap.Push(timer{w, t.seq})
	t.seq++
}

// next is when the first ends; core.Never without any.
func (t *timers) next() core.Instant {
	if len(t.heap) == 0 {
		return core.Never
	}
	return t.heap[0].at
}

func (t *timers) len() int { return len(t.heap) }

// keep drops all but those that it is told to keep.
func (t *timers) keep(which func(wait) bool) {
	all := t.heap
	t.heap = nil
	for _, x := range all {
		if which(x.wait) {
			t.heap.Push(x)
		}
	}
}

// pop takes the first out; there must be one.
func (t *timers) pop() wait { return t.heap.Pop().wait }
