package sim

import (
	"fmt"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
)

// open lets the first clients come.
func (w *world) open() {
	if w.closed() {
		for i := range w.scenario.Arrivals.Clients {
			w.later(w.scenario.First(w.chance, uint64(i)), errand{what: sendAgain, number: i})
		}
		w.schedule.set(w.sources.arrivals, core.Instant(w.scenario.Duration)) // the end
		return
	}
	w.planned = w.scenario.Stream(w.chance)
	w.armArrival()
}

// armArrival schedules the next request's arrival.
func (w *world) armArrival() {
	at, ok := w.planned.Next()
	if !ok {
		w.next, at = -1, core.Never
	}
	w.schedule.set(w.sources.arrivals, at)
}

// arrive starts the request that arrives now; in a closed loop it ends the time for new
// ones.
func (w *world) arrive() {
	if w.closed() {
		w.next = -1
		w.schedule.set(w.sources.arrivals, core.Never)
		return
	}
	t := w.begin(w.next)
	if t == nil {
		return
	}
	t.place = uint64(t.seq)
	if t.place%ahead == 0 {
		w.drawDemands(t.place)
	}
	d := w.drawn[t.place%ahead]
	t.class, t.work = d.class, d.work
	w.next++
	w.armArrival()
	w.attemptTry(t)
}

// ahead is how many requests' demands are drawn at a time, a power of two: none of them waits
// for another, so a processor has several under way at once.
const ahead = 8

// demand is what a request is.
type demand struct {
	class int
	work  time.Duration
}

// drawDemands draws what the next few requests are.
func (w *world) drawDemands(from uint64) {
	for i := range w.drawn {
		d := &w.drawn[i]
		d.class, d.work = w.demands.Of(from + uint64(i))
	}
}

// begin notes a new request; nil when there are too many.
func (w *world) begin(seq int64) *flight {
	switch {
	case w.flights.live >= w.most.inFlight:
		w.stop(fmt.Sprintf("%d requests in flight", w.flights.live))
		return nil
	case seq >= w.most.requests:
		w.stop(fmt.Sprintf("%d requests", seq))
		return nil
	}
	w.books.change(w.now, w.flights.live)
	w.books.began++
	if w.budget != nil {
		w.budget.Request(w.now)
	}
	t := w.flights.take()
	t.seq, t.planned, t.try, t.attempts = seq, w.now, 0, 0
	return t
}

// attemptTry lets the client try once.
func (w *world) attemptTry(t *flight) {
	t.began, t.proxy = w.now, w.proxyOf(t)
	t.request.Ticket.Waiter = t
	t.request.Ask.Class = uint8(t.class)
	t.request.Ask.Key = w.affinity(t)
	w.armPatience(t)
	if w.oracle != nil {
		w.oracle.asking = t
	}
	w.do(t, t.request.Start(w.now, t.proxy.router, true))
}

// proxyOf is the proxy that a client's try arrives at: any, with equal chance.
func (w *world) proxyOf(t *flight) *proxy {
	if len(w.proxies) == 1 {
		return w.proxies[0]
	}
	k := w.chance.Proxy(t.place, uint64(t.try))
	return w.proxies[int(k.Float64()*float64(len(w.proxies)))]
}

// affinity is what a request has in common with the others of its client. Each request is
// of another client unless the loop is closed.
func (w *world) affinity(t *flight) uint64 {
	if w.closed() {
		return uint64(t.client)
	}
	return t.place
}

// closed tells that the clients wait for their answers.
func (w *world) closed() bool { return w.scenario.Arrivals.Clients > 0 }

// turn is a client of a closed loop whose turn it is: it sends its next request, unless
// the time for it is over.
func (w *world) turn(client, turn int) {
	if w.next < 0 || w.now >= core.Instant(w.scenario.Duration) {
		return
	}
	t := w.begin(w.next)
	if t == nil {
		return
	}
	w.next++
	t.client, t.place = client, uint64(client)<<32|uint64(turn)
	t.class, t.work = w.demands.Of(t.place)
	w.attemptTry(t)
}

// patienceEnd is when the client gives the present try up.
func (w *world) patienceEnd(t *flight) core.Instant { return t.began.Add(w.scenario.Client.Timeout) }

// armPatience schedules the end of the client's patience.
func (w *world) armPatience(t *flight) {
	if w.patience.empty() {
		w.schedule.set(w.sources.patience, w.patienceEnd(t))
	}
	w.patience.join(t.index)
}

// crowd is how many waits may be kept for the requests under way, whose own they are,
// before those of requests that have ended are sorted out. It is so much more than is
// under way that this is seldom.
func (w *world) crowd() int { return 1024 + 8*w.flights.live }

// leave lets the clients go who have waited long enough. The schedule may be too early for
// who is in front, because others have left the line; it is never too late.
func (w *world) leave() {
	for !w.patience.empty() {
		t := w.flights.all[w.patience.first()]
		if end := w.patienceEnd(t); end > w.now {
			w.schedule.set(w.sources.patience, end)
			return
		}
		w.patience.leave(t.index)
		for attempt := range t.request.Attempts() {
			w.cut(t, attempt)
		}
		t.request.Waited(w.now)
		w.wake(t.request.Abandon(w.now))
		w.conclude(t, -1, 0)
	}
	w.schedule.set(w.sources.patience, core.Never)
}

// conclude ends a client's try, and the request with it unless the client tries again.
func (w *world) conclude(t *flight, server, code int) {
	c := &w.scenario.Client
	failed := code == 0 || code == 429 || code >= 500
	if !failed || t.try >= c.Retries || !w.affords() {
		w.end(t, server, code)
		return
	}
	w.patience.leave(t.index)
	t.attempts += t.request.Attempts()
	w.flights.renew(t)
	t.try++
	if c.Backoff == 0 {
		w.attemptTry(t)
		return
	}
	k := w.chance.Backoff(t.place, uint64(t.try))
	wait := time.Duration(2 * k.Float64() * float64(c.Backoff))
	w.later(w.now.Add(wait), errand{what: tryAgain, handle: w.flights.handle(t, 0)})
}

// affords reports whether the clients may try again once more, and counts it.
func (w *world) affords() bool {
	if w.budget == nil {
		return true
	}
	if !w.budget.Allows(w.now) {
		return false
	}
	w.budget.Spend(w.now)
	return true
}

// end tells of a request as the client saw it.
func (w *world) end(t *flight, server, code int) {
	w.books.change(w.now, w.flights.live)
	w.books.ended++
	w.books.spent += w.now - t.planned
	w.each(record.Request{
		Seq: t.seq, Planned: t.planned, Sent: t.planned, Done: w.now,
		Endpoint: server, Attempts: t.attempts + t.request.Attempts(), Code: code,
	})
	if w.closed() && w.next >= 0 {
		w.think(t)
	}
	w.patience.leave(t.index)
	w.flights.give(t)
}

// blink is how long a client of a closed loop takes at least to ask again when what it
// asked for ended at once (refused, no room): without it time would stand still.
const blink = time.Millisecond

// think lets a client of a closed loop think until its next turn.
func (w *world) think(t *flight) {
	turn := int(uint32(t.place)) + 1
	wait := w.scenario.Arrivals.Think.Draw(w.chance.Think(uint64(t.client), uint64(turn)))
	if w.now == t.planned {
		wait = max(wait, blink)
	}
	w.later(w.now.Add(wait), errand{what: sendAgain, number: t.client, turn: turn})
}
