package core

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// Driver is what a router needs of whoever drives it: the proxy, or the simulator.
type Driver struct {
	// Source is where chance comes from; required. The simulator gives each
	// router its own stream; the proxy's is safe for concurrent use.
	Source rand.Source
	// Observe makes the observer of a new member; nil for nobody.
	Observe func(*Member) Observer
}

// Config is what a Router is made of. Driver.Source, Picker and Equip are required.
type Config struct {
	Driver
	Picker Picker
	// Equip makes the gates and the estimator of a new member.
	Equip func(*Member) Parts
	// Policy is what requests to this pool may do.
	Policy Policy
	// Admission limits what is in flight to the pool as a whole; nil for no limit.
	Admission *Admission
	// Prober checks the members; nil for no checks.
	Prober Prober
}

// Router gives out leases for attempts at the members of one pool: it joins
// picker, gates and estimators. All methods are safe for concurrent use as far as
// its parts are.
type Router struct {
	config   Config
	surveyed Surveyed // the picker, when it wants to hear of surveys
	view     atomic.Pointer[View]
	updating sync.Mutex // serialises Update; decisions never take it
}

// NewRouter returns a router over an empty pool.
func NewRouter(c Config) *Router {
	r := &Router{config: c}
	r.surveyed, _ = c.Picker.(Surveyed)
	r.view.Store(&View{Pool: &PoolState{}})
	return r
}

// Policy is what requests to this pool may do.
func (r *Router) Policy() *Policy { return &r.config.Policy }

// Admission is the pool's limit, or nil.
func (r *Router) Admission() *Admission { return r.config.Admission }

// Prober is the pool's prober, or nil.
func (r *Router) Prober() Prober { return r.config.Prober }

// View is the current view.
func (r *Router) View() *View { return r.view.Load() }

// Mode is the mode that the picker is in, and why; Adaptive for a picker that does
// not tell.
func (r *Router) Mode() (Mode, Reason) {
	if p, ok := r.config.Picker.(interface{ Mode() (Mode, Reason) }); ok {
		return p.Mode()
	}
	return Adaptive, ReasonNone
}

// Update makes the given endpoints the pool. Members whose key stays are kept with
// all that was learned of them, and take the new weight; leases of members that go
// are settled as usual. Keys must be distinct, weights finite and not negative; on
// an error nothing has changed.
func (r *Router) Update(now Instant, endpoints []Endpoint) error {
	r.updating.Lock()
	defer r.updating.Unlock()
	old := r.view.Load()
	known := make(map[string]*Member, len(old.Members))
	for _, m := range old.Members {
		known[m.Key] = m
	}
	next := &View{Members: make([]*Member, 0, len(endpoints)), Pool: old.Pool}
	seen := make(map[string]bool, len(endpoints))
	for _, e := range endpoints {
		if seen[e.Key] {
			return fmt.Errorf("core: endpoint %q stands twice in the pool", e.Key)
		}
		if !(e.Weight >= 0) || math.IsInf(e.Weight, 1) {
			return fmt.Errorf("core: endpoint %q: the weight must be finite and at least 0, not %v", e.Key, e.Weight)
		}
		seen[e.Key] = true
	}
	for _, e := range endpoints {
		m := known[e.Key]
		if m == nil {
			m = r.newMember(e, old.Pool)
		}
		m.weight.Store(math.Float64bits(e.Weight))
		next.Members = append(next.Members, m)
	}
	r.view.Store(next)
	next.Pool.Stale()
	if p := r.config.Prober; p != nil {
		p.Watch(now, next.Members)
	}
	return nil
}

func (r *Router) newMember(e Endpoint, pool *PoolState) *Member {
	m := &Member{Key: e.Key, Target: e.Target, pool: pool, observer: nobody{}}
	if r.config.Observe != nil {
		m.observer = r.config.Observe(m)
	}
	m.parts = r.config.Equip(m)
	for _, g := range m.parts.Gates {
		if s, ok := g.(Stateful); ok && m.breaker == nil {
			m.breaker = s
		}
	}
	return m
}

// effort is how often Begin lets the picker choose again after a member refused at
// the last moment, before it takes whoever can. A refusal needs another decision to
// have taken the last permit between peek and acquire, so once more is nearly
// always enough.
const effort = 4

// Begin leases a member for one attempt, into l. It returns false when no member
// may take it; l is then untouched.
func (r *Router) Begin(now Instant, a *Ask, l *Lease) bool {
	v := r.view.Load()
	v.Pool.look(v, now, r.surveyed)
	if a.Why != nil {
		*a.Why = Decision{} // of an earlier attempt
	}
	for range effort {
		c, ok := r.config.Picker.Pick(v, a, now, r.config.Source)
		if !ok {
			return false
		}
		if r.lease(v, a, now, c, l) {
			return true
		}
	}
	for slot, m := range v.Members {
		if a.Verdict(m, now).Open() && r.lease(v, a, now, Choice{slot, Fallback, BarredDraw}, l) {
			return true
		}
	}
	return false
}

// lease acquires the chosen member.
func (r *Router) lease(v *View, a *Ask, now Instant, c Choice, l *Lease) bool {
	m := v.Members[c.Slot]
	if !m.acquire(now, c.Mode == Panic, &l.permits) {
		return false
	}
	if a.Why != nil {
		a.Why.Mode, a.Why.Reason, a.Why.Winner = c.Mode, c.Reason, m
	}
	l.start(m, now, c)
	return true
}
