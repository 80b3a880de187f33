package sim

import (
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
)

// do does what the state machine says, and goes on until there is something to wait for:
// also with the requests that are woken by it, one after the other, in the order in which
// they were admitted.
func (w *world) do(t *flight, a core.Action) {
	for {
		w.act(t, a)
		if a.Wake == nil {
			return
		}
		t = a.Wake.Waiter.(*flight)
		a = t.request.Woken(w.now)
	}
}

// act does it for one request.
func (w *world) act(t *flight, a core.Action) {
	t.waiting = a.Do == core.Wait
	switch a.Do {
	case core.Try:
		w.armWait(t, a.Attempt, a.Until)
		w.armWait(t, hedging, a.Hedge)
		w.send(t, a.Attempt)
	case core.Stay:
		if a.Hedge > w.now {
			w.armWait(t, hedging, a.Hedge)
		}
	case core.Wait:
		w.armWait(t, inQueue, a.Until)
	case core.GiveUp:
		if w.watch != nil {
			w.watch.gaveUp(w.now, a.Failure)
		}
		w.conclude(t, -1, a.Failure.Status())
	}
}

// send sends an attempt on its way to its server.
func (w *world) send(t *flight, attempt int) {
	server := t.request.Lease(attempt).Member().Target.(int)
	job := w.job(t, attempt, server)
	t.out[attempt] = true
	if w.near {
		w.reach(server, job)
		return
	}
	if w.oracle != nil {
		w.oracle.sent(server, job.Demand)
	}
	w.later(w.halfway(t.proxy, server), errand{what: toServer, number: server, job: job})
}

// job is an attempt as a server sees it.
func (w *world) job(t *flight, attempt, server int) model.Job {
	j := model.Job{ID: w.flights.handle(t, attempt), Demand: t.work}
	if w.lucky {
		j.Luck = w.chance.Luck(t.place, uint64(t.try), server)
	}
	return j
}

// halfway is when what leaves a proxy now reaches a server, or the other way round.
func (w *world) halfway(p *proxy, server int) core.Instant {
	return w.now.Add(w.scenario.Network.RoundTrip(p.number, server) / 2)
}

// reach is a request's arrival at a server.
func (w *world) reach(server int, j model.Job) {
	w.servers[server].Arrive(w.now, j)
	w.armServer(server)
}

// cut tells the server of an attempt for whose answer nobody waits any more, if there is
// none yet.
func (w *world) cut(t *flight, attempt int) {
	if !w.scenario.Cancels() || !t.out[attempt] {
		return
	}
	t.out[attempt] = false
	server := t.request.Lease(attempt).Member().Target.(int)
	if w.near {
		w.cancel(w.flights.handle(t, attempt), server)
		return
	}
	w.later(w.halfway(t.proxy, server), errand{what: cutServer, handle: w.flights.handle(t, attempt), number: server})
}

func (w *world) cancel(handle uint64, server int) {
	w.servers[server].Cancel(w.now, handle)
	w.armServer(server)
}

// armWait schedules the end of the time that there is for an attempt, or for what else is
// waited for; not when the client will have left by then.
func (w *world) armWait(t *flight, what int, until core.Instant) {
	if until >= w.patienceEnd(t) {
		return
	}
	if w.waits.len() > w.crowd() {
		w.waits.keep(w.flights.under)
	}
	w.waits.push(wait{until, w.flights.handle(t, what)})
	w.schedule.set(w.sources.waits, w.waits.next())
}

// expire ends what has been waited for long enough: in the queue, for an answer, or before
// a hedge. What has come meanwhile is not waited for any more.
func (w *world) expire() {
	over := w.waits.pop()
	w.schedule.set(w.sources.waits, w.waits.next())
	t, what := w.flights.find(over.who)
	switch {
	case t == nil:
	case what == inQueue:
		if t.waiting {
			w.do(t, t.request.Expired(w.now))
		}
	case what == hedging:
		w.do(t, t.request.Hedge(w.now))
	case t.request.Lease(what).Live():
		w.cut(t, what)
		w.do(t, t.request.Failed(w.now, what, core.Sample{Outcome: core.Timeout}))
	}
}

// armServer schedules the next ending at a server.
func (w *world) armServer(i int) { w.armServerAt(i, w.servers[i].Next()) }

func (w *world) armServerAt(i int, next core.Instant) {
	if next != w.due[i] {
		w.due[i] = next
		w.schedule.set(i, next)
	}
}

// finish takes in what ends at a server: all of it before the first is answered, so that
// what the answers bring about finds the room that has become free.
func (w *world) finish(i int) {
	w.ended = w.ended[:0]
	next := w.now
	for server := w.servers[i]; next <= w.now; next = server.Next() {
		done, ok := server.Finish(w.now)
		if ok {
			w.ended = append(w.ended, done)
		}
	}
	w.armServerAt(i, next)
	for _, done := range w.ended {
		w.answer(i, done)
	}
}

// answer sends an answer, or the end of a connection, on its way back.
func (w *world) answer(server int, done model.Done) {
	t, attempt := w.flights.find(done.ID)
	if t == nil || !t.request.Lease(attempt).Live() {
		return // nobody waits any more: the work was done for nothing
	}
	var load core.LoadReport
	if done.Code > 0 {
		load = w.report(t, server)
	}
	if w.near {
		w.receive(t, attempt, server, done.Code, load)
		return
	}
	w.later(w.halfway(t.proxy, server), errand{what: toProxy, handle: done.ID, number: server, code: done.Code, load: load})
}

// report is what the server says of its load with an answer.
func (w *world) report(t *flight, server int) core.LoadReport {
	v := &w.scenario.Servers
	if !v.Report(server) {
		return core.LoadReport{}
	}
	if k := w.chance.Report(t.place, uint64(t.try), server); v.Reports.Loss > 0 && k.Float64() < v.Reports.Loss {
		return core.LoadReport{}
	}
	return w.servers[server].Report(w.now)
}

// receive takes an answer to the proxy that waits for it.
func (w *world) receive(t *flight, attempt, server, code int, load core.LoadReport) {
	sample := core.Sample{Load: load}
	t.out[attempt] = false
	switch code {
	case model.Refused, model.Broken:
		sample.Outcome = core.ConnectFailure
		if code == model.Broken {
			sample.Outcome = core.Reset
		}
		w.do(t, t.request.Failed(w.now, attempt, sample))
		return
	}
	sample.Outcome = core.OutcomeOf(code, false)
	a := t.request.Answered(w.now, attempt, sample, core.RetryableStatus(code))
	if a.Do != core.Deliver {
		w.do(t, a)
		return
	}
	for rival := range t.request.Attempts() {
		w.cut(t, rival)
	}
	w.wake(t.request.Finished(w.now, attempt, sample))
	w.conclude(t, server, code)
}

// wake lets a request go on that has been admitted.
func (w *world) wake(ticket *core.Ticket) {
	if ticket != nil {
		t := ticket.Waiter.(*flight)
		w.do(t, t.request.Woken(w.now))
	}
}
