// Package probe chooses by what endpoints report of their own load (core.LoadReport): with
// their answers, or when they are asked (probed).
//
//   - [Weighted] takes turns in proportion to how much work each endpoint does for how much
//     of itself it uses (gRPC proposal A58, orca-weighted-round-robin).
//   - [Cubic] is C3's score: latency and service time, and the queue to the third power.
//   - [HotCold] keeps a pool of fresh probes and sends each request to the one of least
//     latency among those that are not hot (Prequal).
//   - [Counts] and [Strain] bring reports into strategies that know none: least requests,
//     and estimated latency.
//
// What one proxy counts for itself is a small part of what an endpoint has to do when there
// are fifty proxies; what the endpoint says is all of it. A report is also old when it
// comes, and does not come from everybody. Who does not report, or no longer does, is taken to
// be as loaded as those who do are in the middle (core.PoolState.Reported; for Weighted, by
// A58, their mean), since silence is no sign of being idle. HotCold, which asks, leaves those
// alone. Where no report is fresh each falls back to the proxy's own counts.
//
// What is kept of a member stands in its estimator (core.Member.Estimator), in atomic
// words; nobody waits for anybody.
package probe

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// number is a float64 that is read and written atomically.
type number struct{ bits atomic.Uint64 }

func (n *number) load() float64   { return math.Float64frombits(n.bits.Load()) }
func (n *number) store(x float64) { n.bits.Store(math.Float64bits(x)) }

// moment is an Instant that is read and written atomically; the zero value is core.Never.
type moment struct{ bits atomic.Int64 }

func (m *moment) load() core.Instant     { return ^core.Instant(m.bits.Load()) & core.Never }
func (m *moment) store(now core.Instant) { m.bits.Store(int64(^now & core.Never)) }

// reported is the load that came with an answer, for an estimator that learns at the
// answer; false when there was none.
func reported(s core.Sample) (core.LoadReport, bool) {
	return s.Load, s.Load.Known && s.Outcome != core.Abandoned && !s.Outcome.Failed()
}

// report is a mean of something that a member reports, believed the less the older it is.
// The zero value is one that was never reported. Safe for concurrent use; of two that teach
// at the same moment one may be lost: the next is not far.
type report struct {
	mean number
	last moment
}

// learn takes in what was reported, as that share of the mean; the first is the mean.
func (r *report) learn(now core.Instant, x, share float64) {
	if r.last.load() != core.Never {
		old := r.mean.load()
		x = old + (x-old)*share
	}
	r.mean.store(x)
	r.last.store(now)
}

// at is what is taken for true: what the members' reports come to in the middle where this one
// has none, and the more of that the older its own are, with a time constant.
func (r *report) at(now core.Instant, usual float64, memory time.Duration) float64 {
	last := r.last.load()
	if last == core.Never {
		return usual
	}
	return usual + (r.mean.load()-usual)*fades(now.Sub(last), memory)
}

// speaks is how many time constants a report speaks for others, who say nothing.
const speaks = 3

// recent is the mean while it speaks for others, and else negative.
func (r *report) recent(now core.Instant, memory time.Duration) float64 {
	if last := r.last.load(); last == core.Never || now.Sub(last) >= speaks*memory {
		return -1
	}
	return r.mean.load()
}

// inherit goes on with another, which may be at work.
func (r *report) inherit(old *report) {
	r.mean.store(old.mean.load())
	r.last.store(old.last.load())
}

// fades is how much of something is left after so much time: e^(-idle/memory).
func fades(idle, memory time.Duration) float64 {
	if idle <= 0 {
		return 1
	}
	return math.Exp(-float64(idle) / float64(memory))
}

// silent is the part of a core.Estimator that has no estimate.
type silent struct{}

func (silent) Cost(core.Instant) float64            { return 0 }
func (silent) Latency(core.Instant) (float64, bool) { return 0, false }
func (silent) Begin(core.Instant)                   {}
func (silent) Answered(core.Instant, core.Sample)   {}
func (silent) End(core.Instant, core.Sample)        {}
