package probe

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// WeightSettings are those of Weighted.
type WeightSettings struct {
	// Penalty is how much utilisation an endpoint that fails all its requests is taken to
	// have besides its own, at least 0.
	Penalty float64
	// Blackout is how long an endpoint has to report before its weight counts: what it
	// says of itself while it is cold is not what it can do. 0: at once.
	Blackout time.Duration
	// Expiration is how long a weight is believed without a new report; above 0.
	Expiration time.Duration
	// Update is the time between two schedules; at least LeastUpdate.
	Update time.Duration
}

// LeastUpdate is the least Update, in gRPC proposal A58 as here.
const LeastUpdate = 100 * time.Millisecond

// What a weight is kept within: numbers from outside are not to add up to infinity, nor to
// come to nothing.
const leastWeight, mostWeight = 1e-6, 1e12

// Validate reports what is wrong with the settings.
func (s WeightSettings) Validate() error {
	if !(s.Penalty >= 0) || s.Blackout < 0 || s.Expiration <= 0 || s.Update < LeastUpdate {
		return fmt.Errorf("probe: penalty %v, blackout %v, expiration %v, update %v: expected a penalty and a blackout of at least 0, an expiration above 0, an update of at least %v",
			s.Penalty, s.Blackout, s.Expiration, s.Update, LeastUpdate)
	}
	return nil
}

// Weight is what one member's reports come to:
//
//	rate / (utilisation + errors/rate · penalty)
//
// requests a second for each whole use of itself (gRPC proposal A58). It is the member's
// estimator for Weighted, and estimates no latency. Safe for concurrent use.
type Weight struct {
	silent
	member   *core.Member
	settings WeightSettings
	weight   number
	// since is when the reports began that have not stopped since, last when the last
	// one came.
	since, last moment
}

// NewWeight returns the weight of a member that has not reported. The settings are expected
// to be valid.
func NewWeight(m *core.Member, s WeightSettings) *Weight { return &Weight{member: m, settings: s} }

// Answered implements core.Estimator. A report without a rate or a utilisation above 0 is
// passed over, as if it had not come.
func (w *Weight) Answered(now core.Instant, s core.Sample) {
	r := s.Load
	if !r.Known || s.Outcome == core.Abandoned || !(r.Rate > 0) || !(r.Utilization > 0) {
		return
	}
	if last := w.last.load(); last == core.Never || now.Sub(last) >= w.settings.Expiration {
		w.since.store(now)
	}
	x := r.Rate / (r.Utilization + max(r.Errors, 0)/r.Rate*w.settings.Penalty)
	w.weight.store(min(max(x, leastWeight), mostWeight))
	w.last.store(now)
}

// End implements core.Estimator: what has told at its answer, tells nothing more.
func (w *Weight) End(now core.Instant, s core.Sample) {
	if s.FirstAnswer < 0 {
		w.Answered(now, s)
	}
}

// At is the weight at an instant; false while there is none to go by: no report yet, or
// none for too long, or not for long enough, since the first or since the member has come
// (back) into use.
func (w *Weight) At(now core.Instant) (float64, bool) {
	last := w.last.load()
	if last == core.Never || now.Sub(last) >= w.settings.Expiration {
		return 0, false
	}
	if now.Sub(max(w.since.load(), w.member.Returned())) < w.settings.Blackout {
		return 0, false
	}
	return w.weight.load(), true
}

// Weighted is a core.Picker: weighted round robin by what members report (see Weight, which
// each has to have for its estimator). The reported weights stand in place of the
// configured ones: how much an endpoint can do is in them already. Who has none gets the
// mean of the others'; while fewer than two have any, the turns are those of the configured
// weights, in the mode core.Fallback.
//
// The schedule is made anew at most once in Update, by the router's look at the pool, and
// swapped; a decision takes its turn of whichever it finds. Safe for concurrent use.
type Weighted struct {
	every   time.Duration
	turns   pick.WeightedRoundRobin
	current atomic.Pointer[rota] // of the last view
}

// rota is the turns of one view.
type rota struct {
	members []*core.Member
	plain   *pick.Turns // by the configured weights
	loaded  atomic.Pointer[pick.Turns]
	next    core.Instant // when it is due; of the surveys
	weights []float64    // scratch of the surveys
}

// NewWeighted returns a picker. The settings are expected to be valid.
func NewWeighted(s WeightSettings) *Weighted { return &Weighted{every: s.Update} }

// Plan implements core.Planner. What the turns of a new view are by, the look at it that
// follows finds out.
func (p *Weighted) Plan(v *core.View) any {
	r := &rota{members: v.Members, weights: make([]float64, len(v.Members))}
	for i, m := range v.Members {
		r.weights[i] = m.Weight()
	}
	r.plain = pick.NewTurns(r.weights)
	p.current.Store(r)
	return r
}

// Survey implements core.Surveyed.
func (p *Weighted) Survey(now core.Instant, _ core.Survey) {
	r := p.current.Load()
	if r == nil || now < r.next {
		return
	}
	r.next = now.Add(p.every)
	r.loaded.Store(r.turns(now))
}

// turns are those by the members' reports; nil while there are too few.
func (r *rota) turns(now core.Instant) *pick.Turns {
	sum, known := 0.0, 0
	for i, m := range r.members {
		r.weights[i] = -1
		if w, ok := m.Estimator().(*Weight); ok && m.Weight() > 0 {
			if x, ok := w.At(now); ok {
				r.weights[i], sum, known = x, sum+x, known+1
			}
		}
	}
	if known < 2 {
		return nil
	}
	for i, m := range r.members {
		switch {
		case m.Weight() == 0:
			r.weights[i] = 0
		case r.weights[i] < 0:
			r.weights[i] = sum / float64(known)
		}
	}
	return pick.NewTurns(r.weights)
}

// Pick implements core.Picker.
func (p *Weighted) Pick(v *core.View, a *core.Ask, now core.Instant, src rand.Source) (core.Choice, bool) {
	r, _ := v.Plan.(*rota)
	if r == nil {
		return core.Choice{}, false
	}
	if turns := r.loaded.Load(); turns != nil {
		return p.turns.Take(turns, v, a, now, src)
	}
	c, ok := p.turns.Take(r.plain, v, a, now, src)
	c.Mode, c.Reason = core.Fallback, core.SignalThin
	return c, ok
}
