package live

import (
	"runtime"
	"syscall"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// pacer makes vegeta keep a plan: the i-th hit is sent at plan[i], no sooner, and
// none is left out, however late it has become. (vegeta's own pacers know rates only,
// and an attack with a duration drops what is left when its time is over: just the
// requests that would have waited longest.)
//
// vegeta calls Pace from one goroutine, once per hit, in order.
type pacer struct {
	plan []core.Instant
	// start is told, before the first hit, when the attack began; the plan counts
	// from there.
	start func(began time.Time)
}

// Pace implements vegeta.Pacer. It waits itself instead of letting vegeta sleep: a
// thread of its own in nanosleep wakes up some 80 µs late at the median on the
// machines measured, where time.Sleep is half a millisecond late and a busy loop
// would take a core from what is measured.
func (p *pacer) Pace(elapsed time.Duration, hits uint64) (wait time.Duration, stop bool) {
	if hits == 0 {
		runtime.LockOSThread()
		p.start(time.Now().Add(-elapsed))
	}
	if hits >= uint64(len(p.plan)) {
		runtime.UnlockOSThread()
		return 0, true
	}
	if wait := time.Duration(p.plan[hits]) - elapsed; wait > 0 {
		nanosleep(wait)
	}
	return 0, false
}

// Rate implements vegeta.Pacer: the mean rate of the plan, in hits a second.
func (p *pacer) Rate(time.Duration) float64 {
	if len(p.plan) == 0 {
		return 0
	}
	return float64(len(p.plan)) / p.plan[len(p.plan)-1].Seconds()
}

// nanosleep blocks the thread, through interruptions.
func nanosleep(d time.Duration) {
	left := syscall.NsecToTimespec(int64(d))
	for {
		var rest syscall.Timespec
		if syscall.Nanosleep(&left, &rest) != syscall.EINTR {
			return
		}
		left = rest
	}
}
