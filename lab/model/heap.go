package model

// Heap is a binary heap: its first element is the one that comes before all others. The
// zero value is empty.
type Heap[T interface{ Before(T) bool }] []T

// Push puts an element in.
func (p *Heap[T]) Push(x T) {
	h := append(*p, x)
	*p = h
	i := len(h) - 1
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

// Pop takes the first element out; there must be one.
func (p *Heap[T]) Pop() T {
	h := *p
	first, x := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*p = h
	i := 0
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
	if len(h) > 0 {
		h[i] = x
	}
	return first
}
