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
	// ProbeDue is called when the load prober (Config.LoadProber) has something to ask
	// for that it had not when its Wake was asked last: a decision has brought it
	// about. It is called by decisions, under no lock, and must not wait. nil for
	// nobody.
	ProbeDue func()
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
	// Shedder turns requests away; nil for none.
	Shedder Shedder
	// Prober checks the members; nil for no checks.
	Prober Prober
	// LoadProber asks the members how busy they are; nil when nobody wants to know.
	LoadProber Prober
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

// Shedder is what turns requests to the pool away, or nil.
func (r *Router) Shedder() Shedder { return r.config.Shedder }

// Prober is the pool's prober, or nil.
func (r *Router) Prober() Prober { return r.config.Prober }

// LoadProber is who asks the members how busy they are, or nil.
func (r *Router) LoadProber() Prober { return r.config.LoadProber }

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
	kept, err := keep(old.Members, endpoints)
	if err != nil {
		return err
	}
	next := &View{Members: kept, Pool: old.Pool}
	if len(old.Members) == 0 {
		next.Pool.began.Store(int64(now))
	}
	for i, e := range endpoints {
		if kept[i] == nil {
			kept[i] = r.newMember(now, e, old.Pool)
		}
		if kept[i].Weight() == 0 { // new, or drained until now
			kept[i].returned.Store(int64(now))
		}
		kept[i].weigh(e.Weight)
	}
	if p, ok := r.config.Picker.(Planner); ok {
		next.Plan = p.Plan(next)
	}
	r.view.Store(next)
	next.Pool.Stale()
	for _, p := range []Prober{r.config.Prober, r.config.LoadProber} {
		if p != nil {
			p.Watch(now, next.Members)
		}
	}
	return nil
}

// keep finds the members that stay, in the places of their endpoints; nil where there
// is none yet. Most changes concern a few of many endpoints, so what has the same key
// at the beginning and at the end of both lists is left aside: these keys are distinct
// as they were before. Only what lies between is looked up.
func keep(old []*Member, endpoints []Endpoint) ([]*Member, error) {
	kept := make([]*Member, len(endpoints))
	n, shorter := 0, min(len(old), len(endpoints))
	for n < shorter && old[n].Key == endpoints[n].Key {
		kept[n] = old[n]
		n++
	}
	last, lastOld := len(endpoints), len(old)
	for ; last > n && lastOld > n && old[lastOld-1].Key == endpoints[last-1].Key; last-- {
		lastOld--
		kept[last-1] = old[lastOld]
	}
	places := make(map[string]int, last-n)
	for i := n; i < last; i++ {
		key := endpoints[i].Key
		if _, twice := places[key]; twice {
			return nil, errTwice(key)
		}
		places[key] = i
	}
	for i, m := range old {
		place, ok := places[m.Key]
		if !ok {
			continue
		}
		if i < n || i >= lastOld { // it stays where it was, too
			return nil, errTwice(m.Key)
		}
		kept[place] = m
	}
	for _, e := range endpoints {
		if !(e.Weight >= 0) || math.IsInf(e.Weight, 1) {
			return nil, fmt.Errorf("core: endpoint %q: the weight must be finite and at least 0, not %v", e.Key, e.Weight)
		}
	}
	return kept, nil
}

func errTwice(key string) error {
	return fmt.Errorf("core: endpoint %q stands twice in the pool", key)
}

func (r *Router) newMember(now Instant, e Endpoint, pool *PoolState) *Member {
	m := &Member{Key: e.Key, Target: e.Target, pool: pool, observer: nobody{}}
	if r.config.Observe != nil {
		m.observer = r.config.Observe(m)
	}
	m.equip(now, r.config.Equip(m))
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
	for range effort {
		a.Why.begin(now)
		c, ok := r.config.Picker.Pick(v, a, now, r.config.Source)
		if !ok {
			return false
		}
		if r.lease(v, a, now, c, l) {
			return true
		}
	}
	a.Why.begin(now)
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
	if a.Why != nil {
		a.Why.first(m, a.Verdict(m, now)) // before the permits change what is said of it
	}
	if !m.acquire(now, c.Mode == Panic, &l.permits) {
		return false
	}
	if a.Why != nil {
		a.Why.conclude(c, len(v.Members), a.Again())
	}
	l.start(m, now, a.Class, c)
	return true
}
