package sim

import "github.com/evenkeel/evenkeel/core"

// kind is what an event is about.
type kind uint8

const (
	arrival  kind = iota // the next request arrives
	ending               // server who has something that ends
	deadline             // flight who has waited long enough for something
	probe                // proxy who has a probe to send
)

// event is something that happens at an instant.
type event struct {
	at   core.Instant
	seq  uint64 // of two at the same instant, the one that was made first comes first
	kind kind
	who  uint64
}

// events is a heap by instant.
type events struct {
	heap []event
	seq  uint64
}

func (a event) before(b event) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

func (e *events) push(x event) {
	x.seq = e.seq
	e.seq++
	e.heap = append(e.heap, x)
	h := e.heap
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !x.before(h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = x
}

func (e *events) pop() (event, bool) {
	if len(e.heap) == 0 {
		return event{}, false
	}
	h := e.heap
	first, x := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	e.heap = h
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(x) {
			break
		}
		h[i] = h[child]
		i = child
	}
	if len(h) > 0 {
		h[i] = x
	}
	return first, true
}
