package proxy

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// exchange is one client request on its way: the kernel's state machine and the
// attempt that is under way. It is for one goroutine at a time: the one that serves
// the request.
type exchange struct {
	pool    *Pool
	now     func() core.Instant
	client  context.Context // done when the client leaves
	out     *response
	maxBody int64   // bytes; 0 for no bound
	upload  *upload // the request's body; nil for none
	call    bool    // of gRPC
	began   core.Instant
	request core.Request
	why     *account // nil when nobody asks

	timing // of the present attempt
	rivals rivals
	slow   bool // it has failed because connecting took too long

	leave func() // ends an upgraded connection; nil for none
}

// contextKey finds the exchange and the route in a request's context.
type contextKey struct{}

type contextValue struct {
	exchange *exchange
	route    *Route
}

func with(ctx context.Context, x *exchange, route *Route) context.Context {
	return context.WithValue(ctx, contextKey{}, contextValue{x, route})
}

func routeOf(ctx context.Context) *Route { return ctx.Value(contextKey{}).(contextValue).route }

// attempts is the http.RoundTripper behind ReverseProxy: a round trip may take
// several attempts.
type attempts struct{}

// RoundTrip implements http.RoundTripper.
func (attempts) RoundTrip(r *http.Request) (*http.Response, error) {
	return r.Context().Value(contextKey{}).(contextValue).exchange.roundTrip(r)
}

// replayable reports whether the request may be sent twice: a safe method (RFC 9110
// §9.2.1) without a body.
func replayable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return r.Body == nil || r.Body == http.NoBody
	}
	return false
}

// roundTrip runs the state machine until there is an answer to deliver.
func (x *exchange) roundTrip(r *http.Request) (*http.Response, error) {
	if x.pool.Router.Admission() != nil {
		x.request.Ticket.Waiter = make(chan struct{}, 1)
	}
	x.receive(r)
	var answer *http.Response
	x.began = x.now()
	action := x.request.Start(x.began, x.pool.Router, replayable(r))
	for {
		wake(action.Wake)
		x.pool.Metrics.Retried(action.Retry)
		x.pool.Metrics.Hedged(action.Hedged)
		if action.Retry == core.RetryNoEndpoint || action.Do == core.GiveUp && action.Failure == core.NoEndpoint {
			x.why.decided(x.pool, x.request.Attempts()+1) // for nobody
		}
		switch action.Do {
		case core.Wait:
			next, err := x.wait(action)
			if err != nil {
				return nil, err
			}
			action = next
		case core.Try:
			discard(answer)
			send := x.try
			if action.Hedge != core.Never {
				send = x.race
			}
			var err error
			if answer, action, err = send(r, action); err != nil {
				return nil, err
			}
		case core.Deliver:
			x.why.tell(answer.Header)
			return x.deliver(answer, action), nil
		case core.GiveUp:
			discard(answer)
			x.why.tell(x.out.Header())
			if action.Failure == core.Unreachable && x.slow {
				return nil, gaveUp(core.TimedOut)
			}
			return nil, gaveUp(action.Failure)
		}
	}
}

// wait stands in the queue.
func (x *exchange) wait(a core.Action) (core.Action, error) {
	timer := time.NewTimer(a.Until.Sub(x.now()))
	defer timer.Stop()
	select {
	case <-x.request.Ticket.Waiter.(chan struct{}):
		return x.request.Woken(x.now()), nil
	case <-timer.C:
		return x.request.Expired(x.now()), nil
	case <-x.client.Done():
		x.abandon()
		return core.Action{}, x.client.Err()
	}
}

// wake lets another request go on that was admitted.
func wake(t *core.Ticket) {
	if t != nil {
		t.Waiter.(chan struct{}) <- struct{}{} // has room for the one that there is
	}
}

// try sends one attempt and tells the state machine how its answer began.
func (x *exchange) try(r *http.Request, a core.Action) (*http.Response, core.Action, error) {
	out := x.outgoing(r, a)
	if x.upload != nil {
		out.Body, out.GetBody = x.upload.open()
	}
	answer, err := x.pool.Transport.RoundTrip(out)
	return x.came(a.Attempt, answer, err)
}

// outgoing begins an attempt's time, and returns what is sent for it.
func (x *exchange) outgoing(r *http.Request, a core.Action) *http.Request {
	x.arm(r.Context(), a.Until)
	return x.addressed(r, a)
}

// addressed is what is sent for an attempt whose time has begun.
func (x *exchange) addressed(r *http.Request, a core.Action) *http.Request {
	x.why.decided(x.pool, a.Attempt+1)
	upstream := x.request.Lease(a.Attempt).Member().Target.(Upstream)
	out := r.WithContext(x.late)
	to := *r.URL
	to.Scheme, to.Host = upstream.URL.Scheme, upstream.URL.Host
	out.URL = &to
	return out
}

// came tells the state machine what the present attempt came to.
func (x *exchange) came(attempt int, answer *http.Response, err error) (*http.Response, core.Action, error) {
	if err != nil {
		outcome := x.outcome(err)
		x.disarm()
		if outcome == core.Abandoned {
			if x.upload == nil { // otherwise the endpoint may have waited for the client
				x.request.Waited(x.now())
			}
			x.abandon()
			return nil, core.Action{}, x.blame()
		}
		x.slow = outcome == core.ConnectFailure && timedOut(err)
		return nil, x.request.Failed(x.now(), attempt, core.Sample{Outcome: outcome}), nil
	}
	x.upload.settle()
	x.upload.answered()
	sample := sampleOf(answer)
	sample.Load = x.pool.report(answer.Header)
	next := x.request.Answered(x.now(), attempt, sample, core.RetryableStatus(answer.StatusCode))
	if next.Do != core.Deliver {
		// Another attempt begins; this one's timer bounds the reading of what is
		// left of its answer.
		answer.Body = &body{ReadCloser: answer.Body, end: stopper(x.timer, x.cancel)}
	}
	return answer, next, nil
}

// policy is what the request may do: as its route says, or its pool.
func (x *exchange) policy() *core.Policy { return cmp.Or(x.request.Policy, x.pool.Router.Policy()) }

// receive gets ready for the request's body, if it has one. The time that the whole
// request may take bounds it.
func (x *exchange) receive(r *http.Request) {
	if r.Body == nil {
		return
	}
	x.upload = newUpload(r.Body, x.out, x.maxBody)
	x.out.body = x.upload
	if total := x.policy().Total; total > 0 && r.ProtoMajor == 1 {
		x.upload.end = time.Now().Add(total)
		_ = x.out.setReadDeadline(x.upload.end)
	}
	// An answer that comes before the body is complete is not to wait for it. Where this
	// is not supported, in HTTP/2, it does not.
	_ = http.NewResponseController(x.out.ResponseWriter).EnableFullDuplex()
}

// deliver hands the answer over: from now on its body's end ends the attempt.
func (x *exchange) deliver(answer *http.Response, a core.Action) *http.Response {
	x.upload.onMove(nil)
	if x.timer != nil {
		x.timer.Stop()
	}
	if a.Until != core.Never && !endless(answer) {
		cancel := x.cancel
		x.timer = time.AfterFunc(a.Until.Sub(x.now()), func() { cancel(errLate) })
	}
	sample := sampleOf(answer)
	finish := func(o core.Outcome) {
		sample.Outcome = o
		wake(x.request.Finished(x.now(), a.Attempt, sample))
		x.disarm()
	}
	good := sample.Outcome
	if conn, ok := answer.Body.(io.ReadWriteCloser); ok && answer.StatusCode == http.StatusSwitchingProtocols {
		// ReverseProxy has a goroutine of its own close it, some time after the
		// request has ended, and nobody when it refuses the switch. So this is done
		// when the handler is left.
		x.leave = func() {
			conn.Close()
			finish(good)
		}
		return answer
	}
	x.hangUp(answer)
	source := answer.Body
	if idle := x.pool.Idle; idle > 0 && !endless(answer) && !x.call && (a.Until == core.Never || a.Until.Sub(x.now()) > idle) {
		cancel := x.cancel
		source = newPatient(source, idle, func() { cancel(errLate) })
	}
	answer.Body = &body{
		ReadCloser: source,
		eof: func() {
			sample = conclude(answer, sample)
			finish(sample.Outcome)
		},
		broken: func(err error) { finish(x.outcome(err)) },
		end:    func() { finish(core.Abandoned) },
	}
	if x.call && ofGRPC(answer.Header) && answer.ContentLength < 0 {
		answer.Body = &callBody{answer.Body, answer, x}
	}
	return answer
}

// endless reports whether an answer goes on for as long as it likes: an upgraded
// connection, or a stream of events. The bound on the whole request is not for them.
func endless(answer *http.Response) bool {
	return answer.StatusCode == http.StatusSwitchingProtocols ||
		mediaType(answer.Header.Get("Content-Type")) == "text/event-stream"
}

// end is for when the handler is left: what is still leased then was left early, or
// in a panic.
func (x *exchange) end() {
	if x.leave != nil {
		x.leave()
	}
	x.abandon()
	x.upload.finish()
}

// abandon ends the request, wherever it stands. Does nothing when it has ended.
func (x *exchange) abandon() {
	wake(x.request.Abandon(x.now()))
	x.disarm()
}
