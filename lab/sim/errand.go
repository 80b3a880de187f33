package sim

import (
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
)

// errand is something that is on its way through the network, or that waits for its time.
type errand struct {
	what   what
	handle uint64 // of the flight
	number int    // of the server, the client or the change
	turn   int    // of the client
	code   int
	job    model.Job
	load   core.LoadReport
	check  check
}

// what an errand is.
type what uint8

const (
	toServer   what = iota // an attempt, on its way to its server
	toProxy                // an answer, on its way back
	cutServer              // the end of a connection, on its way to the server
	tryAgain               // a client that will try again
	sendAgain              // a client of a closed loop that thinks
	changes                // something that the proxies are told
	checkAt                // a health check, on its way to its server
	checked                // its answer, on its way back
	lookInside             // a look into the proxies
)

// errands are those under way, in places that are used again.
type errands struct {
	timers timers
	all    []errand
	free   []uint64
}

// later lets an errand happen at an instant.
func (w *world) later(at core.Instant, e errand) {
	q := &w.errands
	var place uint64
	if n := len(q.free); n > 0 {
		place, q.free = q.free[n-1], q.free[:n-1]
		q.all[place] = e
	} else {
		place = uint64(len(q.all))
		q.all = append(q.all, e)
	}
	q.timers.push(wait{at, place})
	w.schedule.set(w.sources.errands, q.timers.next())
}

// errand lets the errand happen whose time it is.
func (w *world) errand() {
	q := &w.errands
	place := q.timers.pop().who
	e := q.all[place]
	q.all[place] = errand{}
	q.free = append(q.free, place)
	w.schedule.set(w.sources.errands, q.timers.next())
	switch e.what {
	case toServer:
		if w.oracle != nil {
			w.oracle.arrived(e.number, e.job.Demand)
		}
		w.reach(e.number, e.job)
	case toProxy:
		if t, attempt := w.flights.find(e.handle); t != nil {
			w.receive(t, attempt, e.number, e.code, e.load)
		}
	case cutServer:
		w.cancel(e.handle, e.number)
	case tryAgain:
		if t, _ := w.flights.find(e.handle); t != nil {
			w.attemptTry(t)
		}
	case sendAgain:
		w.turn(e.number, e.turn)
	case changes:
		w.change(e.number)
	case lookInside:
		w.look()
	case checkAt:
		w.examine(e.check)
	case checked:
		e.check.tell(w.now, e.load)
		w.armProber(e.check.proxy)
	}
}
