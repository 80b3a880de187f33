package serve

import (
	"context"
	"log/slog"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// lookEvery is the time between two looks of the watch: what is out for less than that, and
// back, is for the metrics.
const lookEvery = time.Second

// mostTold is how many endpoints a look tells by name: when half of a large pool goes, the log
// is to be read.
const mostTold = 20

// watch has the log say which endpoints have fallen out of use and which have come back, and
// which pools panic. It looks now and then instead of being told: so nothing of it is on the
// way of a request, and a breaker that opens again and again is one line. It is for one
// goroutine.
type watch struct {
	log    *slog.Logger
	out    map[place]bool
	panics map[string]bool
	told   int // of this look
}

// place is an endpoint of a pool.
type place struct{ pool, endpoint string }

// keep looks until ctx is done.
func (w *watch) keep(ctx context.Context, now func() core.Instant, pools func() []*pool) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.look(now(), pools())
		}
	}
}

// look tells what has changed since the last look. Of what has left, or was drained, there is
// nothing to tell: whoever did that knows.
func (w *watch) look(now core.Instant, pools []*pool) {
	out, panics := map[place]bool{}, map[string]bool{}
	w.told = 0
	changed := 0
	for _, p := range pools {
		for _, m := range p.Router.View().Members {
			at := place{p.Name, m.Key}
			verdict := m.Verdict(now)
			if verdict == core.Drained {
				continue
			}
			// Out is who is barred, and then until it is well again: to be tried, or full, is
			// not yet that.
			is := verdict == core.Barred || w.out[at] && m.Breaker(now) != core.Closed
			if is {
				out[at] = true
			}
			if is != w.out[at] {
				changed++
				w.tell(at, m, now, is)
			}
		}
		mode, reason := p.Router.Mode()
		panics[p.Name] = mode == core.Panic
		switch was := w.panics[p.Name]; {
		case panics[p.Name] && !was:
			w.log.Warn("pool panics: barred endpoints are asked, too", "pool", p.Name, "reason", reason.String())
		case was && !panics[p.Name]:
			w.log.Info("pool does not panic any more", "pool", p.Name)
		}
	}
	if more := changed - w.told; more > 0 {
		w.log.Warn("more endpoints have fallen out of use or come back", "endpoints", more)
	}
	w.out, w.panics = out, panics
}

func (w *watch) tell(at place, m *core.Member, now core.Instant, out bool) {
	if w.told == mostTold {
		return
	}
	w.told++
	if !out {
		w.log.Info("endpoint is back in use", "pool", at.pool, "endpoint", at.endpoint)
		return
	}
	because := "health checks"
	if m.Breaker(now) != core.Closed {
		because = "breaker"
	}
	w.log.Warn("endpoint has fallen out of use", "pool", at.pool, "endpoint", at.endpoint, "because", because)
}
