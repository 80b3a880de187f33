package sim

import (
	"math"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
)

// watch looks into the proxies of a trial at equal intervals, and counts their decisions by
// stretches of the time. A trial without one pays nothing for it: the looks are errands, and
// the counting is done by an observer of its own.
type watch struct {
	inside *record.Inside
	counts record.Counts
	per    int           // looks in a stretch
	every  time.Duration // between two looks
	looks  []int         // by stretch: how many there were
}

// mostLooked is how many endpoints of proxies may be looked at so often that a mean over a
// stretch is one of looksPer; of more there is one look a stretch.
const (
	mostLooked = 5000
	looksPer   = 10
)

// watchOver begins to watch the trial. It has to be called before the first proxy starts.
func (w *world) watchOver() {
	v := &watch{inside: record.NewInside(w.scenario.Duration, len(w.servers)), per: looksPer}
	if w.scenario.Proxies*len(w.servers) > mostLooked {
		v.per = 1
	}
	bins := record.BinCount(w.scenario.Duration, v.inside.Bin)
	v.counts, v.looks, v.every = make(record.Counts, bins), make([]int, bins), v.inside.Bin/time.Duration(v.per)
	w.watch = v
	w.later(core.Instant(v.every/2), errand{what: lookInside})
}

// look looks at every proxy, and says when to look next.
func (w *world) look() {
	v := w.watch
	bin := v.bin(w.now)
	v.looks[bin]++
	for _, p := range w.proxies {
		for _, m := range p.router.View().Members {
			e := m.Target.(int)
			v.inside.Pending[e][bin] += float64(m.Pending())
			switch m.Breaker(w.now) {
			case core.Open:
				v.stood(v.inside.Open, e, bin)
			case core.HalfOpen:
				v.stood(v.inside.HalfOpen, e, bin)
			}
		}
		if a := p.router.Admission(); a != nil {
			v.limited(a, bin)
		}
	}
	if next := w.now.Add(v.every); next < core.Instant(w.scenario.Duration) {
		w.later(next, errand{what: lookInside})
	}
}

// bin is the stretch that an instant lies in; the last one of those after the planned time.
func (v *watch) bin(at core.Instant) int {
	return min(int(at/core.Instant(v.inside.Bin)), len(v.looks)-1)
}

// stood notes that a breaker stood so.
func (v *watch) stood(by [][]float64, endpoint, bin int) {
	if by[endpoint] == nil {
		by[endpoint] = make([]float64, len(v.looks))
	}
	by[endpoint][bin]++
}

// limited notes how a proxy's limit stood.
func (v *watch) limited(a *core.Admission, bin int) {
	l := v.inside.Limiter
	if l == nil {
		n := len(v.looks)
		l = &record.LimiterOverTime{Limit: make([]float64, n), InFlight: make([]float64, n), Waiting: make([]float64, n)}
		v.inside.Limiter = l
	}
	inFlight, waiting := a.InFlight()
	l.Limit[bin] += float64(a.Limiter().Limit())
	l.InFlight[bin] += float64(inFlight)
	l.Waiting[bin] += float64(waiting)
}

// gaveUp notes a request that a proxy has given up, if it turned it away.
func (v *watch) gaveUp(now core.Instant, f core.Failure) {
	switch f {
	case core.NoEndpoint, core.QueueFull, core.QueueTimeout, core.Shed:
		if v.inside.Rejected == nil {
			v.inside.Rejected = make([]uint64, len(v.looks))
		}
		v.inside.Rejected[v.bin(now)]++
	}
}

// seen is what was seen, sums made means.
func (v *watch) seen(proxies int) *record.Inside {
	in := v.inside
	mean := func(series []float64, of int) {
		for i := range series {
			if v.looks[i] > 0 {
				series[i] = thousandths(series[i] / float64(v.looks[i]*of))
			}
		}
	}
	for e := range in.Pending {
		mean(in.Pending[e], 1)
		mean(in.Open[e], proxies)
		mean(in.HalfOpen[e], proxies)
	}
	if l := in.Limiter; l != nil {
		mean(l.Limit, 1)
		mean(l.InFlight, 1)
		mean(l.Waiting, 1)
	}
	in.Decisions = v.counts.OverTime()
	return in
}

// thousandths rounds to them: what is looked at in a picture needs no more, and takes less
// room so.
func thousandths(x float64) float64 { return math.Round(1000*x) / 1000 }

// lookout is an observer that counts for the watch, too.
type lookout struct{ observer }

func (o lookout) Picked(m *core.Member, now core.Instant, c core.Choice) {
	o.observer.Picked(m, now, c)
	if v := o.w.watch; now < core.Instant(o.w.scenario.Duration) {
		v.counts[v.bin(now)][c.Mode][c.Reason]++
	}
}
