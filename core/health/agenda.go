package health

// agenda is a heap of checks (see container/heap): the one that is due first is the first;
// of several that are due together, the oldest.
type agenda []*check

func (a agenda) Len() int { return len(a) }

func (a agenda) Less(i, j int) bool {
	return a[i].due < a[j].due || a[i].due == a[j].due && a[i].number < a[j].number
}

func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}

func (a *agenda) Push(k any) {
	c := k.(*check)
	c.place = len(*a)
	*a = append(*a, c)
}

func (a *agenda) Pop() any {
	last := len(*a) - 1
	k := (*a)[last]
	(*a)[last] = nil // not to be kept alive by the array
	*a = (*a)[:last]
	k.place = -1
	return k
}
