package core

import "math"

// Heir is an Estimator or a Gate that can go on with what one of another router has
// learned, when a router takes the place of another (see Router.Inherit).
type Heir interface {
	// Inherit takes over what from knows, an Estimator or a Gate of a member with the same
	// key; of one that tells it nothing it takes nothing. It is called before the first
	// attempt, while from may still be at work.
	Inherit(now Instant, from any)
}

// Inherit has the members take over what those of the same keys have learned in another
// router: what is an Heir takes it over, and everything else begins anew. The other router
// may still be at work, and stays as it is: its leases are settled with its own members,
// and teach nobody else. Call it after Update, and before the first decision.
func (r *Router) Inherit(now Instant, old *Router) {
	r.updating.Lock()
	defer r.updating.Unlock()
	before := old.View()
	members := make(map[string]*Member, len(before.Members))
	for _, m := range before.Members {
		members[m.Key] = m
	}
	view, undrained := r.view.Load(), 0
	for _, m := range view.Members {
		if m.Weight() > 0 {
			undrained++
		}
		if from := members[m.Key]; from != nil {
			m.inherit(now, from)
		}
	}
	view.Pool.inherit(now, before.Pool, undrained)
}

// inherit takes over what a member of the same key has learned.
func (m *Member) inherit(now Instant, from *Member) {
	if from.Weight() > 0 { // it has been in use, and that does not begin with this router
		m.returned.Store(int64(from.Returned()))
	}
	if h, ok := m.estimator.(Heir); ok && from.estimator != nil {
		h.Inherit(now, from.estimator)
	}
	for _, g := range m.gates {
		h, ok := g.(Heir)
		for i := 0; ok && i < MaxGates && from.gates[i] != nil; i++ {
			h.Inherit(now, from.gates[i])
		}
	}
	m.count(now)
}

// inherit takes over what the members typically took, and how often they were asked lately,
// which how long they remember depends on; so many of them may be asked.
func (p *PoolState) inherit(now Instant, from *PoolState, members int) {
	p.median.Store(from.median.Load())
	interval := from.Interval()
	if interval == 0 {
		return
	}
	p.interval.Store(math.Float64bits(interval))
	p.perSecond, p.paced = float64(members)/interval, true
	p.first, p.last, p.asked, p.timed = now.Add(-paceOver), now, 0, true
}
