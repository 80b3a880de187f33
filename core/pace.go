package core

import (
	"math"
	"time"
)

// Interval is how much time there is between two attempts at a member, in the mean over
// those not drained and the last seconds, in seconds; 0 while that is not known.
func (p *PoolState) Interval() float64 { return math.Float64frombits(p.interval.Load()) }

// paceOver is the time constant of the mean that Interval is.
const paceOver = 10 * time.Second

// pace takes in how many attempts all members have been given by now, of whom so many may
// be asked. It waits for as long as there is between looks: the looks in between, which
// changes call for, come so soon one after the other that a single attempt would make a
// million a second.
func (p *PoolState) pace(now Instant, asked uint64, members int) {
	if !p.timed {
		p.first, p.last, p.asked, p.timed = now, now, asked, true
		return
	}
	if asked < p.asked { // members have left, and their attempts with them
		p.last, p.asked = now, asked
		return
	}
	if now.Sub(p.last) < lookEvery {
		return
	}
	since := now.Sub(p.last).Seconds()
	rate := float64(asked-p.asked) / since
	keep := math.Exp(-since / min(paceOver.Seconds(), now.Sub(p.first).Seconds()))
	if !p.paced {
		keep = 0
	}
	p.perSecond = keep*p.perSecond + (1-keep)*rate
	p.last, p.asked, p.paced = now, asked, true
	if p.perSecond > 0 && members > 0 {
		p.interval.Store(math.Float64bits(float64(members) / p.perSecond))
	}
}
