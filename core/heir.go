package core

import "math"

// Heir is an Estimator, a Gate, a Limiter or a Shedder that can go on with what one of
// another router has learned, when a router takes the place of another (see Router.Inherit).
type Heir interface {
	// Inherit takes over what from knows: an Estimator or a Gate of a member with the same
	// key, or what limited the pool as a whole. Of one that tells it nothing it takes
	// nothing. It is called before the first attempt, while from may still be at work.
	Inherit(now Instant, from any)
}

// bequeath has to take over what from knows, if it is an heir and there is anything.
func bequeath(now Instant, to, from any) {
	if h, ok := to.(Heir); ok && from != nil {
		h.Inherit(now, from)
	}
}

// Inherit has this router take over what another of the same pool has learned: each part
// that is an Heir, and of its members those that have the same keys; everything else begins
// anew. The other router may still be at work: its leases are settled with its own members.
//
// What counts requests counts those of both from now on, so that a pool has no more in
// flight, and no more retries and hedges, because a new router has come: the Admission, which
// goes on with this router's settings, and what the Budget, the Hedge and the Hung of both
// have counted. Call it after Update, and before the first decision.
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
	r.config.Policy.inherit(&old.config.Policy)
	bequeath(now, r.config.Shedder, old.config.Shedder)
	if own, goesOn := r.config.Admission, old.config.Admission; own != nil && goesOn != nil {
		bequeath(now, own.Limiter(), goesOn.Limiter())
		goesOn.adopt(own)
		r.config.Admission = goesOn
	}
}

// inherit takes over what requests have taught, and what they have spent. The parts stay the
// same objects: routes have copies of the policy.
func (p *Policy) inherit(from *Policy) {
	if p.Budget != nil && from.Budget != nil {
		p.Budget.inherit(from.Budget)
	}
	if p.Hedge != nil && from.Hedge != nil {
		p.Hedge.budget.inherit(from.Hedge.budget)
		p.Hedge.first.recent = from.Hedge.first.recent
	}
	if p.Hung != nil && from.Hung != nil {
		p.Hung.usual.recent = from.Hung.usual.recent
	}
}

// inherit takes over what a member of the same key has learned.
func (m *Member) inherit(now Instant, from *Member) {
	if from.Weight() > 0 { // it has been in use, and that does not begin with this router
		m.returned.Store(int64(from.Returned()))
	}
	bequeath(now, m.estimator, from.estimator)
	for _, g := range m.gates {
		for _, before := range from.gates {
			bequeath(now, g, before)
		}
	}
	m.count(now)
}

// inherit takes over what the members typically took, and how often they were asked lately,
// which how long they remember depends on; so many of them may be asked.
func (p *PoolState) inherit(now Instant, from *PoolState, members int) {
	p.median.Store(from.median.Load())
	p.fast.Store(from.fast.Load())
	interval := from.Interval()
	if interval == 0 {
		return
	}
	p.interval.Store(math.Float64bits(interval))
	p.perSecond, p.paced = float64(members)/interval, true
	p.first, p.last, p.asked, p.timed = now.Add(-paceOver), now, 0, true
}
