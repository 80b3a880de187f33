package proxy

import (
	"context"
	"errors"
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
	request core.Request

	// Of the present attempt:
	cancel context.CancelCauseFunc
	timer  *time.Timer
	late   context.Context // done when the attempt has taken too long
}

// errLate cancels an attempt that has taken too long.
var errLate = errors.New("proxy: the attempt took too long")

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
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return r.Body == nil || r.Body == http.NoBody
	}
	return false
}

// roundTrip runs the state machine until there is an answer to deliver.
func (x *exchange) roundTrip(r *http.Request) (*http.Response, error) {
	if x.pool.Router.Admission() != nil {
		x.request.Ticket.Waiter = make(chan struct{}, 1)
	}
	var answer *http.Response
	action := x.request.Start(x.now(), x.pool.Router, replayable(r))
	for {
		wake(action.Wake)
		x.pool.Metrics.Retried(action.Retry)
		switch action.Do {
		case core.Wait:
			next, err := x.wait(action)
			if err != nil {
				return nil, err
			}
			action = next
		case core.Try:
			discard(answer)
			var err error
			if answer, action, err = x.try(r, action); err != nil {
				return nil, err
			}
		case core.Deliver:
			return x.deliver(answer, action), nil
		case core.GiveUp:
			discard(answer)
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
	upstream := x.request.Lease(a.Attempt).Member().Target.(Upstream)
	x.arm(r.Context(), a.Until)
	out := r.WithContext(x.late)
	to := *r.URL
	to.Scheme, to.Host = upstream.URL.Scheme, upstream.URL.Host
	out.URL = &to

	answer, err := x.pool.Transport.RoundTrip(out)
	if err != nil {
		outcome := x.outcome(err)
		x.disarm()
		if outcome == core.Abandoned {
			x.abandon()
			return nil, core.Action{}, x.client.Err()
		}
		return nil, x.request.Failed(x.now(), a.Attempt, core.Sample{Outcome: outcome}), nil
	}
	sample := sampleOf(answer)
	next := x.request.Answered(x.now(), a.Attempt, sample, core.RetryableStatus(answer.StatusCode))
	if next.Do != core.Deliver {
		// Another attempt begins; this one's timer bounds the reading of what is
		// left of its answer.
		answer.Body = &body{ReadCloser: answer.Body, end: stopper(x.timer, x.cancel)}
	}
	return answer, next, nil
}

// arm begins the attempt's time.
func (x *exchange) arm(ctx context.Context, until core.Instant) {
	x.late, x.cancel = context.WithCancelCause(ctx)
	x.timer = nil
	if until != core.Never {
		cancel := x.cancel
		x.timer = time.AfterFunc(until.Sub(x.now()), func() { cancel(errLate) })
	}
}

// disarm ends the attempt's time.
func (x *exchange) disarm() {
	if x.cancel != nil {
		stopper(x.timer, x.cancel)()
		x.timer, x.cancel = nil, nil
	}
}

func stopper(timer *time.Timer, cancel context.CancelCauseFunc) func() {
	return func() {
		if timer != nil {
			timer.Stop()
		}
		cancel(nil)
	}
}

// deliver hands the answer over: from now on its body's end ends the attempt.
func (x *exchange) deliver(answer *http.Response, a core.Action) *http.Response {
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
		answer.Body = &upgraded{conn, func() { finish(good) }}
		return answer
	}
	answer.Body = &body{
		ReadCloser: answer.Body,
		eof:        func() { finish(good) },
		broken:     func(err error) { finish(x.outcome(err)) },
		end:        func() { finish(core.Abandoned) },
	}
	return answer
}

// endless reports whether an answer goes on for as long as it likes: an upgraded
// connection, or a stream of events. The bound on the whole request is not for them.
func endless(answer *http.Response) bool {
	return answer.StatusCode == http.StatusSwitchingProtocols ||
		mediaType(answer.Header.Get("Content-Type")) == "text/event-stream"
}

// abandon ends the request, wherever it stands. Does nothing when it has ended.
func (x *exchange) abandon() {
	wake(x.request.Abandon(x.now()))
	x.disarm()
}

// body is an answer's body that tells how it ended, once.
type body struct {
	io.ReadCloser
	eof    func()          // the last byte was read; nil for nothing
	broken func(err error) // reading failed; nil for nothing
	end    func()          // closed without either
	ended  bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil || b.ended:
	case err == io.EOF && b.eof != nil:
		b.ended = true
		b.eof()
	case err != io.EOF && b.broken != nil:
		b.ended = true
		b.broken(err)
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	if !b.ended {
		b.ended = true
		b.end()
	}
	return err
}

// upgraded is the connection behind a 101. It is closed by ReverseProxy when either
// side is done.
type upgraded struct {
	io.ReadWriteCloser
	end func()
}

func (u *upgraded) Close() error {
	err := u.ReadWriteCloser.Close()
	u.end()
	return err
}

// discard throws an answer away that is not delivered. A short rest is read, so that
// its connection can be used again.
func discard(answer *http.Response) {
	if answer == nil {
		return
	}
	const short = 4 << 10
	if answer.ContentLength < 0 || answer.ContentLength > short {
		answer.Body.Close()
		return
	}
	go func() {
		io.CopyN(io.Discard, answer.Body, short)
		answer.Body.Close()
	}()
}
