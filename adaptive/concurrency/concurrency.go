// Package concurrency has limiters of the requests in flight: fixed, aimd, vegas,
// gradient2 and correlated. They serve as the limit of a pool (core.Admission) and, in
// a Gate, as that of one member.
//
// All but fixed work on windows: samples are gathered for at least Window and at least
// Samples, and each full window moves the limit once, by the limiter's rule. A window
// that has not filled within longest times its length is thrown away, so that what was
// seen before a pause teaches nothing after it, and nothing moves while nobody comes.
// (Netflix's WindowedLimit: a second and ten samples. Here a tenth of a second, as
// Envoy's adaptive concurrency filter updates: a limit is to be found within seconds.)
//
// These rules are common:
//
//   - No growth without need: a limit grows only when at least half of it was in
//     flight in the window (Netflix concurrency-limits: inflight*2 >= limit; every
//     other one has this, too).
//   - A drop is an attempt that timed out or was throttled. It acts at once, but once
//     a round trip: of those that began before the last reduction none counts, as in
//     TCP (RFC 6582, the "recover" variable). A stall that ends in a hundred timeouts
//     is one drop.
//   - Failures teach no latency. An endpoint that answers errors fast is not fast, and
//     one that cannot be reached is the breaker's business, not the limit's.
//
// Where requests of several classes share a pool, [Classed] has a limiter compare within them.
//
// The floor is 1, not the 20 of Netflix's defaults: a limit on one endpoint that is
// stuck would leave twenty requests hanging there. Nobody probes by pinning the limit
// (Envoy does, to 3, which sheds good traffic).
package concurrency

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// longest is how many times its length a window may take to fill: failsafe-go's
// adaptive limiter has windows of 1 to 30 s.
const longest = 30

// backoff is what a drop leaves of the limit, where the rule has nothing of its own:
// Netflix's AIMDLimit.
const backoff = 0.9

// sure is how many standard errors from what was measured what is true hardly lies: two,
// one time in twenty-two by chance.
const sure = 2

// Settings of a limiter that moves.
type Settings struct {
	// Initial is the limit to start from; Floor and Ceiling bound it: 1 <= Floor <=
	// Initial <= Ceiling.
	Initial, Floor, Ceiling int
	// Window and Samples are the least length of a window and the least number of
	// samples in it; above 0, and at least 1.
	Window  time.Duration
	Samples int
}

// Validate reports what is wrong with the settings.
func (s Settings) Validate() error {
	switch {
	case s.Floor < 1 || s.Initial < s.Floor || s.Ceiling < s.Initial:
		return fmt.Errorf("concurrency: limits %d <= %d <= %d: expected them in order, from 1", s.Floor, s.Initial, s.Ceiling)
	case s.Window <= 0 || s.Samples < 1:
		return fmt.Errorf("concurrency: window of %v and %d samples: expected both above 0", s.Window, s.Samples)
	}
	return nil
}

// rule is what makes a limiter its own. It is called under the limiter's lock, but for late.
type rule interface {
	// update is the limit after a full window; it notes what it went by in state.
	update(limit float64, w *window, state *core.LimiterState) float64
	// dropped is the limit after a drop.
	dropped(limit float64) float64
	// late reports whether a latency in seconds is as good as a drop. It is called without
	// a lock, and looks at settings alone.
	late(seconds float64) bool
	// inherit reports whether the other is a rule of the same kind, and takes over what
	// that has learned. It is called under both limiters' locks.
	inherit(from rule) bool
}

// Limiter is a core.Limiter that moves. Safe for concurrent use; its lock is held for
// a few additions, and at the end of a window for some hundred nanoseconds. It
// allocates nothing.
type Limiter struct {
	settings Settings
	limit    atomic.Int64

	mu      sync.Mutex
	rule    rule
	value   float64 // the limit before it is rounded down
	window  window
	reduced core.Instant // of the last reduction by a drop
	state   core.LimiterState
}

func newLimiter(s Settings, r rule) (*Limiter, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	l := &Limiter{settings: s, rule: r, value: float64(s.Initial), reduced: math.MinInt64}
	l.limit.Store(int64(s.Initial))
	l.state = core.NewLimiterState(l.value)
	return l, nil
}

// Limit implements core.Limiter.
func (l *Limiter) Limit() int { return int(l.limit.Load()) }

// State implements core.Limiter.
func (l *Limiter) State() core.LimiterState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Learn implements core.Limiter.
func (l *Limiter) Learn(now core.Instant, s core.Sample, inFlight int) {
	switch s.Outcome {
	case core.Timeout, core.Throttled:
		l.drop(now, s.Total)
	default:
		if !timed(s) {
			return
		}
		if seconds := s.FirstAnswer.Seconds(); l.rule.late(seconds) {
			l.drop(now, s.FirstAnswer)
		} else {
			l.add(now, seconds, inFlight)
		}
	}
}

// timed reports whether a sample has a latency that teaches something.
func timed(s core.Sample) bool {
	return (s.Outcome == core.Success || s.Outcome == core.ClientError) && s.FirstAnswer >= 0
}

func (l *Limiter) add(now core.Instant, seconds float64, inFlight int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.window.count == 0 && !l.window.open || now.Sub(l.window.began) > longest*l.settings.Window {
		l.window.restart(now)
	}
	l.window.add(seconds, inFlight)
	if now.Sub(l.window.began) < l.settings.Window || l.window.count < l.settings.Samples {
		return
	}
	l.window.end = now
	l.state.InFlight = float64(l.window.most)
	l.set(l.rule.update(l.value, &l.window, &l.state))
	l.window.restart(now)
}

// drop takes in a drop that took so long.
func (l *Limiter) drop(now core.Instant, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if began := now - core.Instant(took); began < l.reduced {
		return
	}
	l.reduced = now
	l.set(l.rule.dropped(l.value))
	l.window.restart(now)
}

func (l *Limiter) set(limit float64) {
	l.value = min(max(limit, float64(l.settings.Floor)), float64(l.settings.Ceiling))
	l.state.Limit = l.value
	l.limit.Store(int64(l.value))
}

// window gathers samples.
type window struct {
	open       bool
	began, end core.Instant
	count      int
	seconds    float64 // sum of the latencies
	squares    float64 // of their distances from the mean
	inFlight   float64 // sum of what was in flight at each start
	most       int     // in flight at a start
	histogram  *histogram
	highest    float64 // seconds; a latency counts as at most that; 0 for no bound
}

// restart begins anew; what is gathered, and how, stays.
func (w *window) restart(now core.Instant) {
	if w.histogram != nil {
		*w.histogram = histogram{}
	}
	*w = window{open: true, began: now, histogram: w.histogram, highest: w.highest}
}

func (w *window) add(seconds float64, inFlight int) {
	if w.highest > 0 {
		seconds = min(seconds, w.highest)
	}
	from := seconds // the mean before, as Welford has it, so that nothing cancels out
	if w.count > 0 {
		from = w.seconds / float64(w.count)
	}
	w.count++
	w.seconds += seconds
	w.squares += (seconds - from) * (seconds - w.seconds/float64(w.count))
	w.inFlight += float64(inFlight)
	w.most = max(w.most, inFlight)
	if w.histogram != nil {
		w.histogram.add(seconds)
	}
}

// latency is the mean latency in seconds; a nanosecond at least, so that it can
// divide.
func (w *window) latency() float64 { return max(w.seconds/float64(w.count), 1e-9) }

// atMost is what the mean latency would hardly be above if there were more samples of the
// kind. The least of many means is that of the luckiest window; the least of these is not.
func (w *window) atMost() float64 { return w.latency() + sure*w.standardError() }

// atLeast is what it would hardly be below.
func (w *window) atLeast() float64 { return max(w.latency()-sure*w.standardError(), 1e-9) }

// standardError is that of the mean latency, in seconds.
func (w *window) standardError() float64 { return math.Sqrt(max(w.squares, 0)) / float64(w.count) }

// throughput is in samples a second.
func (w *window) throughput() float64 { return float64(w.count) / w.end.Sub(w.began).Seconds() }

// bound reports whether the limit was needed: at least half of it was in flight.
func (w *window) bound(limit float64) bool { return 2*float64(w.most) >= math.Floor(limit) }

// reached reports whether as many were in flight as the limit lets in.
func (w *window) reached(limit float64) bool { return float64(w.most) >= math.Floor(limit) }

// waiting is how many of a limit in flight wait for their turn, when a latency in seconds
// is the baseline without a queue (Little's law).
func waiting(limit, baseline, latency float64) float64 {
	return max(0, limit*(1-baseline/latency))
}

// log10 is the decimal logarithm rounded down, at least 1: the unit in which Vegas
// thinks (Netflix's Log10RootIntFunction).
func log10(limit float64) float64 { return max(1, math.Floor(math.Log10(limit))) }
