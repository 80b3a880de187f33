package proxy

import (
	"context"
	"errors"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// timing is an attempt's time.
type timing struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
	late   context.Context // done when the attempt has taken too long
}

// errLate cancels an attempt that has taken too long.
var errLate = errors.New("proxy: the attempt took too long")

// arm begins the attempt's time. The time that the client takes to send its body is
// not the endpoint's: each part that arrives begins the wait for the answer anew.
func (x *exchange) arm(ctx context.Context, until core.Instant) {
	x.late, x.cancel = context.WithCancelCause(ctx)
	x.timer = nil
	if until == core.Never {
		return
	}
	cancel, upload, policy := x.cancel, x.upload, x.policy()
	if upload == nil {
		x.timer = time.AfterFunc(until.Sub(x.now()), func() { cancel(errLate) })
		return
	}
	end := core.Never
	if policy.Total > 0 {
		end = x.began.Add(policy.Total)
	}
	again := func() time.Duration {
		now := x.now()
		return core.Earlier(now.Add(policy.AnswerWithin), end).Sub(now)
	}
	timer := time.AfterFunc(time.Hour, func() {
		switch {
		case !upload.awaited():
			cancel(errLate)
		case (upload.paced() || x.call) && policy.AnswerWithin > 0 && x.now() < end:
			upload.coming() // how slow a client may be is not the endpoint's to say
		default:
			cancel(errSlowUpload)
			// The transport comes back only when its reading has ended.
			upload.unlessEnded(func() { upload.out.readBy(time.Nanosecond) })
		}
	})
	if policy.AnswerWithin > 0 {
		upload.onMove(func() { timer.Reset(again()) })
	}
	timer.Reset(until.Sub(x.now())) // not before it can be begun anew
	x.timer = timer
}

// blame is what the client did when an attempt was abandoned.
func (x *exchange) blame() error {
	switch {
	case x.upload != nil && x.upload.large.Load():
		return errLargeUpload
	case x.tooSlow():
		return errSlowUpload
	case x.client.Err() != nil:
		return x.client.Err()
	}
	return errUpload
}

// tooSlow reports whether the attempt has ended because the client's body did not come.
func (x *exchange) tooSlow() bool {
	return x.late != nil && context.Cause(x.late) == errSlowUpload || x.upload != nil && x.upload.slow.Load()
}

// disarm ends the attempt's time.
func (x *exchange) disarm() {
	x.upload.onMove(nil)
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
