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
// comes, and says nothing when it does not come: each of these strategies falls back to the
// proxy's own counts where no report is fresh.
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
