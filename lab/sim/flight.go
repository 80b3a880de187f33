package sim

import (
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
	"github.com/evenkeel/evenkeel/lab/record"
)

// flight is a request under way: the shipped state machine, and what the client
// knows.
type flight struct {
	request core.Request
	index   uint32
	// life counts the requests that this place has carried: what comes back for an
	// earlier one is recognised by it.
	life    uint32
	live    bool
	seq     int64
	planned core.Instant
	demand  core.Key
	until   core.Instant // the present action's
	waiting bool         // the present action is to wait
	attempt int          // the present action's
}

// flights are the requests under way, in places that are used again.
type flights struct {
	all  []*flight
	free []*flight
	live int
}

func (f *flights) take() *flight {
	f.live++
	if n := len(f.free); n > 0 {
		t := f.free[n-1]
		f.free = f.free[:n-1]
		t.live = true
		return t
	}
	t := &flight{index: uint32(len(f.all)), live: true}
	f.all = append(f.all, t)
	return t
}

func (f *flights) give(t *flight) {
	f.live--
	t.life++
	t.live = false
	t.request.Reset()
	f.free = append(f.free, t)
}

// A handle names a flight in its present life, and an attempt of it: what is sent to
// a server and comes back from it, perhaps when nobody waits any more.
const attemptBits = 3

func (t *flight) handle(attempt int) uint64 {
	return uint64(t.life)<<32 | uint64(t.index)<<attemptBits | uint64(attempt)
}

// find returns the flight of a handle, or nil when it has ended.
func (f *flights) find(handle uint64) (t *flight, attempt int) {
	t = f.all[uint32(handle)>>attemptBits]
	if !t.live || t.life != uint32(handle>>32) {
		return nil, 0
	}
	return t, int(handle & (1<<attemptBits - 1))
}

// arrive starts the request that arrives now.
func (w *world) arrive() {
	t := w.flights.take()
	t.seq, t.planned = w.next, w.now
	t.demand = w.chance.Demand(uint64(t.seq))
	w.next++
	w.armArrival()
	t.request.Ticket.Waiter = t
	w.armPatience(t)
	w.do(t, t.request.Start(w.now, w.proxyOf(t.seq).router, true))
}

// proxyOf is the proxy that a request arrives at: any, with equal chance.
func (w *world) proxyOf(seq int64) *proxy {
	if len(w.proxies) == 1 {
		return w.proxies[0]
	}
	k := w.chance.Proxy(uint64(seq))
	return w.proxies[int(k.Float64()*float64(len(w.proxies)))]
}

// do does what the state machine says, and goes on until there is something to wait
// for.
func (w *world) do(t *flight, a core.Action) {
	w.wake(a.Wake)
	t.until, t.waiting, t.attempt = a.Until, a.Do == core.Wait, a.Attempt
	switch a.Do {
	case core.Try:
		w.armWait(t)
		server := t.request.Lease(a.Attempt).Member().Target.(int)
		w.servers[server].Arrive(w.now, t.handle(a.Attempt), w.law.Draw(t.demand))
		w.armServer(server)
	case core.Wait:
		w.armWait(t)
	case core.GiveUp:
		w.end(t, -1, a.Failure.Status())
	}
}

// armPatience schedules the end of the client's patience.
func (w *world) armPatience(t *flight) {
	w.trimPatience()
	_, any := w.patience.first()
	at := t.planned.Add(w.scenario.Client.Timeout)
	w.patience.push(wait{at, t.handle(0)})
	if !any {
		w.schedule.set(w.sources.patience, at)
	}
}

// trimPatience drops the waits in front whose requests have ended. The schedule may
// then be too early for what is in front, never too late.
func (w *world) trimPatience() {
	for {
		first, ok := w.patience.first()
		if !ok {
			return
		}
		if t, _ := w.flights.find(first.who); t != nil {
			return
		}
		w.patience.drop()
	}
}

// leave lets the clients go who have waited long enough.
func (w *world) leave() {
	for {
		w.trimPatience()
		first, _ := w.patience.first()
		if first.at > w.now {
			w.schedule.set(w.sources.patience, first.at)
			return
		}
		w.patience.drop()
		t, _ := w.flights.find(first.who)
		w.wake(t.request.Abandon(w.now))
		w.end(t, -1, 0)
	}
}

// armWait schedules the end of the present action's time; not when the client will have
// left by then.
func (w *world) armWait(t *flight) {
	if t.until < t.planned.Add(w.scenario.Client.Timeout) {
		w.waits.push(wait{t.until, t.handle(t.attempt)})
		w.schedule.set(w.sources.waits, w.waits.next())
	}
}

// expire ends an action that has waited long enough, in the queue or for an answer.
func (w *world) expire() {
	over := w.waits.pop()
	w.schedule.set(w.sources.waits, w.waits.next())
	t, attempt := w.flights.find(over.who)
	switch {
	case t == nil || w.now < t.until || attempt != t.attempt:
		// Of a request that has ended, or of an earlier action.
	case t.waiting:
		w.do(t, t.request.Expired(w.now))
	default:
		w.do(t, t.request.Failed(w.now, attempt, core.Sample{Outcome: core.Timeout}))
	}
}

// armServer schedules the next ending at a server.
func (w *world) armServer(i int) {
	if next := w.servers[i].Next(); next != w.due[i] {
		w.due[i] = next
		w.schedule.set(i, next)
	}
}

// finish takes in what ends at a server.
func (w *world) finish(i int) {
	for {
		done, ok := w.servers[i].Finish(w.now)
		if !ok {
			break
		}
		w.answer(i, done)
	}
	w.armServer(i)
}

// answer takes an answer to whoever waits for it.
func (w *world) answer(server int, done model.Done) {
	t, attempt := w.flights.find(done.ID)
	if t == nil || !t.request.Lease(attempt).Live() {
		return // nobody waits any more: the work was done for nothing
	}
	sample := core.Sample{Outcome: core.OutcomeOf(done.Code, false)}
	a := t.request.Answered(w.now, attempt, sample, core.RetryableStatus(done.Code))
	if a.Do != core.Deliver {
		w.do(t, a)
		return
	}
	w.wake(t.request.Finished(w.now, attempt, sample))
	w.end(t, server, done.Code)
}

// wake lets a request go on that has been admitted.
func (w *world) wake(ticket *core.Ticket) {
	if ticket != nil {
		t := ticket.Waiter.(*flight)
		w.do(t, t.request.Woken(w.now))
	}
}

// end tells of a request as the client saw it.
func (w *world) end(t *flight, server, code int) {
	w.each(record.Request{
		Seq: t.seq, Planned: t.planned, Sent: t.planned, Done: w.now,
		Endpoint: server, Attempts: t.request.Attempts(), Code: code,
	})
	w.flights.give(t)
}
