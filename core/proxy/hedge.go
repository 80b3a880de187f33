package proxy

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// rivals are the first attempt of a request and the one that may come to run beside it: a
// hedge, or the request's way out where the first hangs. Most requests are answered before
// there is a second. So the first runs in the request's own goroutine, and costs no more
// than any attempt: its timer tells first that it is time for the second, and then that the
// first has taken too long.
type rivals struct {
	x     *exchange
	r     *http.Request
	until core.Instant // the end of the first's time
	first timing

	mu     sync.Mutex // of what follows, and of the exchange while the first is under way
	asked  bool       // it is settled whether there is a second
	ended  bool       // the first has come back
	over   bool       // the second is not waited for
	second *rival
	fault  any // of a panic that is to be the request's
}

// rival is the second attempt.
type rival struct {
	timing
	attempt int
	back    chan struct{} // closed when it has come back
	came    bool          // and the state machine knows;
	decides bool          // what to do with the request is known by that:
	answer  *http.Response
	next    core.Action
	err     error
}

// race sends an attempt, and another beside it when the time for that comes, until the
// state machine knows what to do with the request. Whoever still runs then is called off,
// and its answer thrown away.
func (x *exchange) race(r *http.Request, a core.Action) (*http.Response, core.Action, error) {
	c := &x.rivals
	c.x, c.r, c.until = x, r, a.Until
	x.late, x.cancel = context.WithCancelCause(r.Context())
	out := x.addressed(r, a) // without a body: a request that may be sent twice has none
	c.mu.Lock()
	x.timer = time.AfterFunc(a.Hedge.Sub(x.now()), c.due)
	c.first = x.timing
	c.mu.Unlock()
	answer, err := x.pool.Transport.RoundTrip(out)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	x.timer.Stop()
	switch second := c.second; {
	case c.fault != nil:
		panic(c.fault)
	case second == nil:
		if err == nil && core.RetryableStatus(answer.StatusCode) && c.until != core.Never {
			cancel := x.cancel // what is left of the answer may have to be read
			x.timer = time.AfterFunc(c.until.Sub(x.now()), func() { cancel(errLate) })
		}
		return x.came(a.Attempt, answer, err)
	case second.decides:
		if err == nil {
			answer.Body.Close()
		}
		return c.settle()
	}
	answer, next, err := x.came(a.Attempt, answer, err)
	if err != nil || next.Do != core.Stay {
		c.over = true
		if !c.second.came {
			stopper(c.second.timer, c.second.cancel)()
		}
		return answer, next, err
	}
	discard(answer)
	c.mu.Unlock()
	<-c.second.back
	c.mu.Lock()
	return c.settle()
}

// settle is what the second has come to, when the first has ended.
func (c *rivals) settle() (*http.Response, core.Action, error) {
	if c.fault != nil {
		panic(c.fault)
	}
	c.x.timing = c.second.timing
	return c.second.answer, c.second.next, c.second.err
}

// due is called when the time for the second has come, and at the end of the first's.
func (c *rivals) due() {
	out := c.ask()
	if out == nil {
		return
	}
	answer, err := c.x.send(out)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(c.second.back)
	if c.over {
		if err == nil {
			answer.Body.Close()
		}
		return
	}
	defer c.catch()
	c.take(answer, err)
}

// ask asks the state machine for the second, and returns what is sent for it; nil when
// there is none.
func (c *rivals) ask() *http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.catch()
	x, now := c.x, c.x.now()
	switch {
	case c.ended:
		return nil
	case now >= c.until:
		c.first.cancel(errLate)
		return nil
	case c.asked:
		c.first.timer.Reset(c.until.Sub(now))
		return nil
	}
	next := x.request.Hedge(now)
	x.pool.Metrics.Hedged(next.Hedged)
	x.pool.Metrics.Retried(next.Retry)
	if next.Do == core.Stay && next.Hedge > now && next.Hedge < c.until {
		c.first.timer.Reset(next.Hedge.Sub(now))
		return nil
	}
	c.asked = true
	if c.until != core.Never {
		c.first.timer.Reset(c.until.Sub(now))
	}
	if next.Do != core.Try {
		return nil
	}
	out := x.outgoing(c.r, next)
	c.second = &rival{timing: x.timing, attempt: next.Attempt, back: make(chan struct{})}
	x.timing = c.first
	return out
}

// take tells the state machine what the second has come to. If that settles what to do with
// the request, a first that is still under way is called off.
func (c *rivals) take(answer *http.Response, err error) {
	c.x.timing = c.second.timing
	answer, next, err := c.x.came(c.second.attempt, answer, err)
	c.second.timing, c.x.timing = c.x.timing, c.first
	c.second.came = true
	if err == nil && next.Do == core.Stay {
		discard(answer)
		return
	}
	c.second.decides, c.second.answer, c.second.next, c.second.err = true, answer, next, err
	if !c.ended {
		c.first.cancel(nil)
	}
}

// catch makes a panic that happens beside the request's own goroutine the request's.
func (c *rivals) catch() {
	if c.fault = recover(); c.fault != nil && !c.ended {
		c.first.cancel(errDefect)
	}
}

// send sends an attempt that runs in a goroutine of its own, where nobody else would catch
// a defect.
func (x *exchange) send(r *http.Request) (answer *http.Response, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			x.out.defect("panic while sending an attempt", fault)
			answer, err = nil, errDefect
		}
	}()
	return x.pool.Transport.RoundTrip(r)
}

// errDefect is what an attempt fails with that came to a panic.
var errDefect = errors.New("proxy: panic while sending an attempt")
