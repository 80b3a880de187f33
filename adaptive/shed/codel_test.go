package shed_test

import (
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive/shed"
	"github.com/evenkeel/evenkeel/core"
)

func codel(t testing.TB) *shed.CoDel {
	c, err := shed.NewCoDel(5*time.Millisecond, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCoDelSteps(t *testing.T) {
	c := codel(t)
	for _, s := range []struct {
		now, emptied core.Instant
		wait         time.Duration
		newest       bool
	}{
		{0, 0, 100 * time.Millisecond, false},
		{100*ms - 1, 0, 100 * time.Millisecond, false}, // a burst
		{100 * ms, 0, 5 * time.Millisecond, true},      // it stands
		{3600 * sec, 0, 5 * time.Millisecond, true},
		{3600 * sec, 3600*sec - 1, 100 * time.Millisecond, false}, // an idle hour is no queue
	} {
		wait, overload := c.Wait(s.now, s.emptied)
		if newest := c.Standing(s.now, s.emptied); wait != s.wait || !overload || newest != s.newest {
			t.Errorf("at %v, empty at %v: got %v, %v, standing %v; want %v, true, %v",
				s.now.Sub(0), s.emptied.Sub(0), wait, overload, newest, s.wait, s.newest)
		}
	}
}

// line is an admission of one place in virtual time, of 10 ms each, with codel.
func line(t testing.TB) *core.Admission {
	return core.NewAdmission(core.AdmissionSettings{
		Limiter: one{}, Room: 1000, MaxWait: time.Second, Patience: codel(t),
	})
}

type one struct{}

func (one) Limit() int                           { return 1 }
func (one) Learn(core.Instant, core.Sample, int) {}
func (one) State() core.LimiterState             { return core.NewLimiterState(1) }

// One server of 10 ms. At twice what it can do, for ten seconds, nobody who is served
// after the first interval has waited longer than target, and nobody at all longer than
// interval; the server is never idle, so that half of those who come are served. A burst
// of nine finds an empty queue and is served to the last.
func TestCoDelInTheQueue(t *testing.T) {
	waits := func(arrivals []core.Instant) (served []time.Duration, when []core.Instant, shed int) {
		a := line(t)
		type waiting struct {
			core.Ticket
			came, until core.Instant
		}
		var queue []*waiting
		busy := core.Never
		admit := func(now core.Instant, w *waiting) {
			served, when, busy = append(served, now.Sub(w.came)), append(when, now), now+10*ms
		}
		expire := func(now core.Instant) {
			for i := 0; i < len(queue); i++ {
				if w := queue[i]; w.until <= now && a.Cancel(w.until, &w.Ticket) {
					queue, i, shed = append(queue[:i], queue[i+1:]...), i-1, shed+1
				}
			}
		}
		advance := func(to core.Instant) {
			for busy <= to {
				now := busy
				expire(now)
				busy = core.Never
				if next := a.Leave(now); next != nil {
					for i, w := range queue {
						if &w.Ticket == next {
							queue = append(queue[:i], queue[i+1:]...)
							admit(now, w)
							break
						}
					}
				}
			}
			expire(to)
		}
		for _, at := range arrivals {
			advance(at)
			w := &waiting{came: at}
			entry, until := a.Enter(at, &w.Ticket)
			switch entry {
			case core.Admitted:
				admit(at, w)
			case core.Queued:
				w.until = until
				queue = append(queue, w)
			}
		}
		advance(core.Instant(time.Hour))
		return served, when, shed
	}

	burst := make([]core.Instant, 9)
	if served, _, gone := waits(burst); len(served) != 9 || gone != 0 {
		t.Errorf("a burst of nine: got %d served and %d shed, want all served", len(served), gone)
	}

	overload := []core.Instant{0}
	for at := 2 * ms; at < 10*sec; at += 5 * ms { // 3 and 8 ms before a place is free
		overload = append(overload, at)
	}
	served, when, gone := waits(overload)
	for i, wait := range served {
		// Those that came before the queue had stood for an interval may wait for one.
		if wait > 100*time.Millisecond || when[i] > 200*ms && wait > 5*time.Millisecond {
			t.Errorf("served at %v: waited %v", when[i].Sub(0), wait)
		}
	}
	if got := len(served); got < 990 || got > 1020 {
		t.Errorf("served in ten seconds: got %d, want the server busy all the time: 1000", got)
	}
	if len(served)+gone != len(overload) {
		t.Errorf("got %d served and %d shed of %d, want nobody lost", len(served), gone, len(overload))
	}
}
