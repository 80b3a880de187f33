// Package health decides from probes whether a member is well: a schedule that asks
// for them, and a gate that their results open and close. It sends nothing and keeps
// no time; the driver does (see core.Prober).
package health

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Settings of the checks of one pool.
type Settings struct {
	// Interval between two probes of a member. Each gap is drawn from 90 % to
	// 110 % of it, and the first probes are spread over it, so that neither the
	// members nor several proxies are probed in step.
	Interval time.Duration
	// Rise is how many probes in a row bring a member back, Fall how many failed
	// ones take it out; both at least 1.
	Rise, Fall int
}

// Validate reports what is wrong with the settings.
func (s Settings) Validate() error {
	if s.Interval <= 0 || s.Rise < 1 || s.Fall < 1 {
		return fmt.Errorf("health: interval %v, rise %d, fall %d: expected all above 0", s.Interval, s.Rise, s.Fall)
	}
	return nil
}

// Checks is the core.Prober of one pool. Safe for concurrent use.
type Checks struct {
	settings Settings

	mu      sync.Mutex
	members map[*core.Member]*check
	order   []*check // in the pool's order
	agenda  agenda
	made    uint64
}

// check is what is known of one member.
type check struct {
	member *core.Member
	gate   *Gate
	due    core.Instant
	number uint64 // the order in which they were made
	place  int    // in the agenda
}

// New returns the checks of a pool without members.
func New(s Settings) (*Checks, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return &Checks{settings: s, members: map[*core.Member]*check{}}, nil
}

// Gate makes the gate of a new member. It is open until the probes say otherwise.
func (c *Checks) Gate(m *core.Member) *Gate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.check(m).gate
}

// check makes the check of a new member, which is on no agenda yet.
func (c *Checks) check(m *core.Member) *check {
	k := &check{member: m, gate: &Gate{rise: c.settings.Rise, fall: c.settings.Fall}, number: c.made, place: -1}
	c.made++
	c.members[m] = k
	return k
}

// Watch implements core.Prober. Most changes concern a few of many members, so what is
// the same at the beginning and at the end of the list is left alone.
func (c *Checks) Watch(now core.Instant, members []*core.Member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.order
	n, shorter := 0, min(len(old), len(members))
	for n < shorter && old[n].member == members[n] {
		n++
	}
	last, lastOld := len(members), len(old)
	for last > n && lastOld > n && old[lastOld-1].member == members[last-1] {
		last, lastOld = last-1, lastOld-1
	}
	if n == len(members) && n == len(old) {
		return
	}
	gone := make(map[*check]bool, lastOld-n)
	for _, k := range old[n:lastOld] {
		gone[k] = true
	}
	c.order = make([]*check, 0, len(members))
	c.order = append(c.order, old[:n]...)
	for i := n; i < last; i++ {
		k := c.members[members[i]]
		if k == nil {
			k = c.check(members[i])
		}
		delete(gone, k)
		if k.place < 0 {
			k.due = now.Add(c.settings.Interval * time.Duration(i) / time.Duration(len(members)))
			heap.Push(&c.agenda, k)
		}
		c.order = append(c.order, k)
	}
	c.order = append(c.order, old[lastOld:]...)
	for k := range gone {
		heap.Remove(&c.agenda, k.place)
		delete(c.members, k.member)
	}
}

// Next implements core.Prober.
func (c *Checks) Next(now core.Instant, src rand.Source) (*core.Member, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.agenda) == 0 || c.agenda[0].due > now {
		return nil, false
	}
	k := c.agenda[0]
	jitter := float64(src.Uint64()>>11) / (1 << 53) // [0, 1)
	k.due = now.Add(time.Duration(float64(c.settings.Interval) * (0.9 + 0.2*jitter)))
	heap.Fix(&c.agenda, 0)
	return k.member, true
}

// Wake implements core.Prober.
func (c *Checks) Wake() core.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.agenda) == 0 {
		return core.Never
	}
	return c.agenda[0].due
}

// Probed implements core.Prober.
func (c *Checks) Probed(m *core.Member, now core.Instant, _ core.LoadReport, ok bool) {
	c.mu.Lock()
	k := c.members[m]
	turned := k != nil && k.gate.probed(ok)
	c.mu.Unlock()
	switch {
	case turned && ok:
		m.Return(now)
	case turned:
		m.Pool().Stale()
	}
}

// Gate is a member's health as a core.Gate: ready, or barred. Safe for concurrent
// use.
type Gate struct {
	rise, fall int
	down       atomic.Bool
	run        int // probes in a row that contradict the present state; of Checks.mu
}

// probed takes a probe's result and reports whether the state has changed.
func (g *Gate) probed(ok bool) bool {
	down := g.down.Load()
	if ok != down { // as it was
		g.run = 0
		return false
	}
	g.run++
	if down && g.run < g.rise || !down && g.run < g.fall {
		return false
	}
	g.run = 0
	g.down.Store(!down)
	return true
}

// Inherit implements core.Heir: who was out stays out until its probes let it in. A run that
// was not decided begins anew.
func (g *Gate) Inherit(_ core.Instant, from any) {
	if old, ok := from.(*Gate); ok {
		g.down.Store(old.down.Load())
	}
}

// Peek implements core.Gate.
func (g *Gate) Peek(core.Instant) core.Verdict {
	if g.down.Load() {
		return core.Barred
	}
	return core.Ready
}

// Acquire implements core.Gate.
func (g *Gate) Acquire(_ core.Instant, forced bool) (core.Permit, bool) {
	return 0, forced || !g.down.Load()
}

// Release, Answered and Settle implement core.Gate: requests teach health nothing.
func (g *Gate) Release(core.Permit, core.Instant)               {}
func (g *Gate) Answered(core.Permit, core.Instant, core.Sample) {}
func (g *Gate) Settle(core.Permit, core.Instant, core.Sample)   {}
