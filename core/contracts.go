package core

import (
	"math/rand/v2"
	"time"
)

// Choice is a picker's answer: which slot of the view, in which mode, and why so.
type Choice struct {
	Slot   int
	Mode   Mode
	Reason Reason
}

// Picker chooses one member of the view for an ask. It returns false when none may
// take work. Implementations are safe for concurrent use, do not allocate and know
// no clock but now.
type Picker interface {
	Pick(v *View, a *Ask, now Instant, src rand.Source) (Choice, bool)
}

// Surveyed is a Picker that wants to hear how the members fare together each time
// the router has looked. The calls do not overlap.
type Surveyed interface {
	Survey(now Instant, s Survey)
}

// Estimator predicts what one more attempt would cost at one member. Safe for
// concurrent use, no allocation.
type Estimator interface {
	// Cost is the expected wait of one more attempt in seconds: finite, at least
	// 0, lower is better. It does not depend on the member's weight.
	Cost(now Instant) float64
	// Latency is the estimate behind the cost in seconds, and whether it rests on
	// a sample recent enough to be trusted.
	Latency(now Instant) (seconds float64, fresh bool)
	// Begin, Answered and End follow an attempt: leased, first byte of the answer,
	// settled. Answered may be left out. A Sample with Told set was learned at
	// Answered already.
	Begin(now Instant)
	Answered(now Instant, s Sample)
	End(now Instant, s Sample)
}

// Explained is an Estimator that can say what its cost is made of.
type Explained interface {
	// Explain says what Cost would say at now, and of what. It is called only when
	// somebody asks why.
	Explain(now Instant) CostParts
}

// Varied is an Estimator that knows how much the answers of its member vary.
type Varied interface {
	// Variation is the square of their coefficient of variation: 0 for answers that all
	// take the same time, 1 for exponential times, and while nothing is known.
	Variation() float64
}

// Informed is an Estimator that goes by what its member reports of its load. For what a member
// does not report, or has not for long, it takes what its peers have in the middle
// (PoolState.Reported): one that says nothing is neither idle nor overrun.
type Informed interface {
	// Reported is what the member's reports come to, as far as they are recent enough to
	// speak for others.
	Reported(now Instant) Reported
}

// Reported is what reports come to in an estimator's own terms, such that members can be
// compared; negative for what is not known.
type Reported struct {
	Load float64 // in flight by the reports alone, per unit of weight; or a utilisation
	Work float64 // service time, as a share of the latency
}

// Classed is an Estimator that tells classes of requests apart (Ask.Class). It hears from a
// lease by these instead of Answered and End. That the class is not part of a Sample keeps
// this small enough to be passed in registers.
type Classed interface {
	AnsweredOf(class uint8, now Instant, s Sample)
	EndOf(class uint8, now Instant, s Sample)
}

// Waiting is an Estimator that learns also from a client that had sent its whole request and
// left before there was an answer: one to an attempt of this class would have taken longer.
type Waiting interface {
	Waited(now Instant, class uint8, d time.Duration)
}

// Permit is what a gate gives out for one attempt and wants back. Its bits belong
// to the gate (a generation, say, so that a late completion is recognised).
type Permit uint64

// Gate says whether a member may take work: a breaker, a concurrency limit, a
// health check. Safe for concurrent use, no allocation.
type Gate interface {
	// Peek says what Acquire would say; it changes nothing.
	Peek(now Instant) Verdict
	// Acquire takes a permit. forced overrides a verdict of Barred, never Full.
	Acquire(now Instant, forced bool) (Permit, bool)
	// Release gives back a permit that was never used. It teaches nothing.
	Release(p Permit, now Instant)
	// Answered tells of the first byte of the answer; it may be left out.
	Answered(p Permit, now Instant, s Sample)
	// Settle gives the permit back with what the attempt taught. A Sample with
	// Told set was learned at Answered already.
	Settle(p Permit, now Instant, s Sample)
}

// Stateful is a Gate that is a circuit breaker and can tell its state.
type Stateful interface {
	State(now Instant) State
}

// Turning is a Stateful gate whose verdict is Ready while it is Closed, and that tells each
// change of its state by Member.Turned, so that it need not be asked until then.
type Turning interface {
	Stateful
	// Turns reports whether it is so.
	Turns() bool
}

// Prober asks for probes; the driver sends them (over HTTP in the proxy, as an
// event with delay and loss in the simulator). Safe for concurrent use.
type Prober interface {
	// Watch tells which members there are; the router calls it on every change.
	Watch(now Instant, members []*Member)
	// Next returns a member whose probe is due, each due probe once.
	Next(now Instant, src rand.Source) (*Member, bool)
	// Wake is when Next will have something to say; Never when it will not.
	Wake() Instant
	// Probed tells how a probe went.
	Probed(m *Member, now Instant, r LoadReport, ok bool)
}

// Observer hears of decisions and outcomes at one member; metrics, logs and traces
// hang here. It is called under no lock, and must be safe for concurrent use.
type Observer interface {
	Picked(m *Member, now Instant, c Choice)
	Finished(m *Member, now Instant, s Sample)
	Turned(m *Member, now Instant, from, to State)
}

// MaxAttempts is the most attempts that one request may take.
const MaxAttempts = 4

// Ask is what the router is asked for. The caller reuses it.
type Ask struct {
	Key      uint64               // affinity
	Class    uint8                // route class, for separate latency statistics
	Priority uint8                // for shedding; 0 is the most important
	Tried    [MaxAttempts]*Member // a retry or a hedge goes elsewhere
	Why      *Decision            // filled in when not nil
}

// Again reports whether the ask is for a retry or a hedge.
func (a *Ask) Again() bool { return a.Tried[0] != nil }

// Verdict is what the member's gates say for this ask: Drained when the ask has
// tried it already.
func (a *Ask) Verdict(m *Member, now Instant) Verdict {
	if a.Again() && a.tried(m) {
		return Drained
	}
	return m.Verdict(now)
}

func (a *Ask) tried(m *Member) bool {
	for _, t := range a.Tried {
		if t == m {
			return true
		}
	}
	return false
}
