package core_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/breaker"
	"github.com/evenkeel/evenkeel/core/pick"
)

// phase is what a driver knows of its request.
type phase int

const (
	ended phase = iota
	waiting
	woken // and not yet told so
	trying
	delivering
)

// driven is a request and what its driver knows.
type driven struct {
	core.Request
	phase   phase
	under   []int // attempts under way while it tries
	attempt int   // what it delivers
	until   core.Instant
}

// drivers drives several requests through one router, as a test of rapid draws it.
type drivers struct {
	router    *core.Router
	admission *core.Admission
	limiter   *movable
	requests  []*driven
	now       core.Instant
	members   map[*core.Member]*gate // all that ever were
	attempts  int
	hedges    int // that a request may have: 0 or 1
}

func newDrivers(t *rapid.T) *drivers {
	d := &drivers{members: map[*core.Member]*gate{}}
	d.attempts = rapid.IntRange(0, core.MaxAttempts).Draw(t, "attempts")
	policy := core.Policy{
		Attempts:     d.attempts,
		AnswerWithin: rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(t, "answer within"),
		Total:        rapid.SampledFrom([]time.Duration{0, 3 * time.Second}).Draw(t, "total"),
	}
	if d.hedges = rapid.IntRange(0, 1).Draw(t, "hedges"); d.hedges > 0 {
		policy.Hedge = core.NewHedge(0.95, time.Millisecond, 1)
	}
	if rapid.Bool().Draw(t, "budget") {
		policy.Budget = core.NewBudget(0.2, 0.1)
	}
	if limit := rapid.IntRange(0, 3).Draw(t, "limit"); limit > 0 {
		d.admission, d.limiter = admission(limit, rapid.IntRange(0, 2).Draw(t, "room"), time.Second)
	}
	var picker core.Picker = &pick.RoundRobin{}
	if rapid.Bool().Draw(t, "choices") {
		picker = pick.NewChoices(2, pick.Load)
	}
	d.router = core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(3, 4)}, Picker: picker, Policy: policy, Admission: d.admission,
		Equip: func(m *core.Member) core.Parts {
			b, err := breaker.New(breaker.Settings{
				ConsecutiveFailures: 2, Weights: breaker.DefaultWeights, OpenFor: time.Second, MaxOpenFor: 4 * time.Second, Quota: 1, ProbeTimeout: time.Second,
			}, core.NewKey(1).At(core.Hash(m.Key)), m.Turned)
			if err != nil {
				panic(err)
			}
			d.members[m] = &gate{}
			return core.Parts{Gates: []core.Gate{d.members[m], b}}
		},
	})
	for range 5 {
		q := &driven{}
		q.Ticket.Waiter = q
		d.requests = append(d.requests, q)
	}
	return d
}

// any draws one of the requests that are in the phase; it skips when there is none.
func (d *drivers) any(t *rapid.T, p phase) *driven {
	var in []*driven
	for _, q := range d.requests {
		if q.phase == p {
			in = append(in, q)
		}
	}
	if len(in) == 0 {
		t.Skip("nobody is there")
	}
	return in[rapid.IntRange(0, len(in)-1).Draw(t, "who")]
}

// ends draws an attempt that is under way, and is so no longer.
func (q *driven) ends(t *rapid.T) int {
	i := rapid.IntRange(0, len(q.under)-1).Draw(t, "attempt")
	attempt := q.under[i]
	q.under = slices.Delete(q.under, i, i+1)
	return attempt
}

// obey takes in what the request said.
func (d *drivers) obey(q *driven, a core.Action) {
	switch a.Do {
	case core.Try:
		q.phase, q.until = trying, a.Until
		q.under = append(q.under, a.Attempt)
	case core.Wait:
		q.phase, q.until = waiting, a.Until
	case core.Deliver:
		q.phase, q.attempt = delivering, a.Attempt
	case core.GiveUp:
		q.phase = ended
	}
	d.wake(a.Wake)
}

func (d *drivers) wake(t *core.Ticket) {
	if t != nil {
		t.Waiter.(*driven).phase = woken
	}
}

// check holds the books of the router against what the drivers know. Invariants:
//   - a member's pending attempts are the live leases for it, its permits are all
//     held by them or given back;
//   - a request that tries has as many live leases as attempts under way, one that
//     delivers exactly one, any other none;
//   - a request never tried a member twice, nor more often than it may, or than once and
//     a hedge;
//   - whoever tries, delivers or was woken is in flight, and whoever waits is either in
//     the queue or in line to be woken; while anybody waits there is somebody who will
//     have them woken. (That the limit is kept: TestAdmissionAgainstModel.)
func (d *drivers) check(t *rapid.T) {
	live := map[*core.Member]int{}
	var inFlight, inQueue int
	for _, q := range d.requests {
		var tried []*core.Member
		leases := 0
		for i := range q.Attempts() {
			l := q.Lease(i)
			if slices.Contains(tried, l.Member()) {
				t.Fatalf("tried %s twice", l.Member().Key)
			}
			tried = append(tried, l.Member())
			if l.Live() {
				leases++
				live[l.Member()]++
			}
		}
		if most := max(d.attempts, 1+d.hedges); len(tried) > most {
			t.Fatalf("attempts: got %d, want at most %d", len(tried), most)
		}
		want := 0
		switch q.phase {
		case trying:
			want = len(q.under)
			inFlight++
		case delivering:
			want = 1
			inFlight++
		case woken:
			inFlight++
		case waiting:
			inQueue++
		}
		if leases != want {
			t.Fatalf("live leases of a request in phase %d: got %d, want %d", q.phase, leases, want)
		}
	}
	for m, g := range d.members {
		if m.Pending() != live[m] {
			t.Fatalf("pending at %s: got %d, want %d", m.Key, m.Pending(), live[m])
		}
		if got := g.acquired - g.released - len(g.settled); got != live[m] {
			t.Fatalf("permits out at %s: got %d, want %d", m.Key, got, live[m])
		}
	}
	if d.admission == nil {
		return
	}
	// Those that the admission has let in and nobody has been told of yet still wait.
	if in, queued := d.admission.InFlight(); in+queued != inFlight+inQueue || in < inFlight {
		t.Fatalf("in flight and waiting: got %d and %d, want %d or more, and %d in all", in, queued, inFlight, inFlight+inQueue)
	}
	if inFlight == 0 && inQueue > 0 {
		t.Fatalf("%d wait, and there is nobody left to have them woken", inQueue)
	}
}

// Random sequences of legal events, over several requests at one router whose pool
// changes under them. See check for the invariants.
func TestRequestsAgainstBooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDrivers(t)
		change := func(t *rapid.T) {
			var es []core.Endpoint
			for i := range 4 {
				if w := rapid.IntRange(-1, 2).Draw(t, "weight"); w >= 0 {
					es = append(es, core.Endpoint{Key: fmt.Sprint(i), Weight: float64(w)})
				}
			}
			if err := d.router.Update(d.now, es); err != nil {
				t.Fatal(err)
			}
		}
		change(t)
		t.Repeat(map[string]func(*rapid.T){
			"change": change,
			"advance": func(t *rapid.T) {
				d.now = d.now.Add(time.Duration(rapid.IntRange(1, 1500).Draw(t, "ms")) * time.Millisecond)
			},
			"full": func(t *rapid.T) {
				for _, m := range d.router.View().Members {
					d.members[m].verdict = rapid.SampledFrom([]core.Verdict{core.Ready, core.Ready, core.Full}).Draw(t, m.Key)
				}
			},
			"limit": func(t *rapid.T) {
				if d.limiter != nil {
					d.limiter.limit.Store(int64(rapid.IntRange(1, 5).Draw(t, "limit")))
				}
			},
			"start": func(t *rapid.T) {
				q := d.any(t, ended)
				q.Reset()
				q.under = nil
				q.Ticket.Waiter = q
				d.obey(q, q.Start(d.now, d.router, rapid.Bool().Draw(t, "replayable")))
			},
			"woken": func(t *rapid.T) {
				q := d.any(t, woken)
				d.obey(q, q.Woken(d.now))
			},
			"expired": func(t *rapid.T) {
				q := d.any(t, waiting)
				d.now = max(d.now, q.until)
				d.obey(q, q.Expired(d.now))
			},
			"expired late": func(t *rapid.T) {
				q := d.any(t, woken)
				d.now = max(d.now, q.until)
				d.obey(q, q.Expired(d.now))
			},
			"answered": func(t *rapid.T) {
				q := d.any(t, trying)
				attempt := q.ends(t)
				status := rapid.SampledFrom([]int{200, 404, 500, 502, 503}).Draw(t, "status")
				s := core.Sample{Outcome: core.OutcomeOf(status, false)}
				d.obey(q, q.Answered(d.now, attempt, s, core.RetryableStatus(status)))
			},
			"failed": func(t *rapid.T) {
				q := d.any(t, trying)
				attempt := q.ends(t)
				o := rapid.SampledFrom([]core.Outcome{core.ConnectFailure, core.Reset, core.Timeout}).Draw(t, "outcome")
				d.obey(q, q.Failed(d.now, attempt, core.Sample{Outcome: o}))
			},
			"hedge": func(t *rapid.T) { // perhaps too late, or for the second time
				q := d.requests[rapid.IntRange(0, len(d.requests)-1).Draw(t, "who")]
				if q.phase == trying || q.phase == delivering {
					d.obey(q, q.Hedge(d.now))
				}
			},
			"late news": func(t *rapid.T) { // of an attempt that was called off
				q := d.requests[rapid.IntRange(0, len(d.requests)-1).Draw(t, "who")]
				for i := range q.Attempts() {
					if q.Lease(i).Live() {
						continue
					}
					if a := q.Answered(d.now, i, core.Sample{}, false); a.Do != core.Stay {
						t.Fatalf("answer of an attempt that is over: got %v, want stay", a.Do)
					}
					if a := q.Failed(d.now, i, core.Sample{Outcome: core.Reset}); a.Do != core.Stay {
						t.Fatalf("failure of an attempt that is over: got %v, want stay", a.Do)
					}
				}
			},
			"finished": func(t *rapid.T) {
				q := d.any(t, delivering)
				o := rapid.SampledFrom([]core.Outcome{core.Success, core.Reset, core.Timeout}).Draw(t, "outcome")
				q.phase = ended
				d.wake(q.Finished(d.now, q.attempt, core.Sample{Outcome: o}))
			},
			"abandon": func(t *rapid.T) {
				q := d.requests[rapid.IntRange(0, len(d.requests)-1).Draw(t, "who")]
				q.phase = ended
				d.wake(q.Abandon(d.now))
			},
			"": d.check,
		})
		for _, q := range d.requests {
			q.phase = ended
			d.wake(q.Abandon(d.now))
		}
		for _, q := range d.requests { // those that were woken by the others' leaving
			q.phase = ended
			d.wake(q.Abandon(d.now))
		}
		d.check(t) // nothing is live, so all has to be zero
	})
}
