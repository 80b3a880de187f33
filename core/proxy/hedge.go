package proxy

import (
	"errors"
	"net/http"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// runner is an attempt that runs beside another.
type runner struct {
	timing
	attempt int
}

// arrival is what a runner came back with.
type arrival struct {
	*runner
	answer *http.Response
	err    error
}

// race sends an attempt that may be hedged, and its hedge when the time for that comes,
// until the state machine knows what to do with the request. Whoever still runs then is
// called off, and its answer thrown away.
func (x *exchange) race(r *http.Request, a core.Action) (*http.Response, core.Action, error) {
	arrivals, over := make(chan arrival), make(chan struct{})
	running := make([]*runner, 0, 2)
	defer func() {
		close(over)
		for _, other := range running {
			stopper(other.timer, other.cancel)()
		}
	}()
	start := func(a core.Action) {
		out := x.outgoing(r, a) // without a body: a request that may be sent twice has none
		one := &runner{x.timing, a.Attempt}
		x.timing = timing{}
		running = append(running, one)
		go func() {
			answer, err := x.send(out)
			select {
			case arrivals <- arrival{one, answer, err}:
			case <-over:
				if err == nil {
					answer.Body.Close()
				}
			}
		}()
	}
	start(a)
	hedge := time.NewTimer(a.Hedge.Sub(x.now()))
	defer hedge.Stop()
	for {
		select {
		case <-hedge.C:
			next := x.request.Hedge(x.now())
			x.pool.Metrics.Hedged(next.Hedged)
			if next.Do == core.Try {
				start(next)
			}
		case one := <-arrivals:
			running = without(running, one.runner)
			x.timing = one.timing
			answer, next, err := x.came(one.attempt, one.answer, one.err)
			if err != nil || next.Do != core.Stay {
				return answer, next, err
			}
			discard(answer)
		}
	}
}

// without is the runners but for one.
func without(runners []*runner, one *runner) []*runner {
	rest := runners[:0]
	for _, r := range runners {
		if r != one {
			rest = append(rest, r)
		}
	}
	return rest
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
