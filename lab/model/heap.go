package model

// Heap is a binary heap: its first element is the one that comes before all others. The
// zero value is empty.
type Heap[T interface{ Before(T) bool }] []T

// Push puts an element in.
func (p *Heap[T]) Push(x T) {
	*p = append(*p, x)
	p.up(len(*p)-1, x)
}

// Pop takes the first element out; there must be one.
func (p *Heap[T]) Pop() T { return p.Remove(0) }

// Remove takes out the element at place i of the slice.
func (p *Heap[T]) Remove(i int) T {
	h := *p
	gone, x := h[i], h[len(h)-1]
	h = h[:len(h)-1]
	*p = h
	if i == len(h) {
		return gone
	}
	if i > 0 && x.Before(h[(i-1)/2]) {
		p.up(i, x)
	} else {
		p.down(i, x)
	}
	return gone
}

// up puts x into place i, or higher.
func (p *Heap[T]) up(i int, x T) {
	h := *p
	for i > 0 {
		parent := (i - 1) / 2
		if !x.Before(h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = x
}

// down puts x into place i, or lower.
func (p *Heap[T]) down(i int, x T) {
	h := *p
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].Before(h[child]) {
			child++
		}
		if !h[child].Before(x) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = x
}
