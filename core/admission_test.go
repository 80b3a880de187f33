package core_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

// enter is Enter's entry alone.
func enter(a *core.Admission, t *core.Ticket) core.Entry {
	entry, _ := a.Enter(0, t)
	return entry
}

func TestAdmissionIsFirstInFirstOut(t *testing.T) {
	a, _ := admission(1, 2, time.Second)
	tickets := []*core.Ticket{{Waiter: 0}, {Waiter: 1}, {Waiter: 2}, {Waiter: 3}}
	for i, want := range []core.Entry{core.Admitted, core.Queued, core.Queued, core.Refused} {
		got, until := a.Enter(5*ms, tickets[i])
		if got != want {
			t.Errorf("entry %d: got %v, want %v", i, got, want)
		}
		if want == core.Queued && until != 5*ms+sec {
			t.Errorf("entry %d: may wait until %v, want 1.005s", i, until.Sub(0))
		}
	}
	for _, want := range []*core.Ticket{tickets[1], tickets[2], nil} {
		if got := a.Leave(0); got != want {
			t.Errorf("woken: got %v, want %v", got, want)
		}
	}
	if inFlight, waiting := a.InFlight(); inFlight != 0 || waiting != 0 {
		t.Errorf("in flight and waiting: got %d and %d, want none", inFlight, waiting)
	}
}

func TestAdmissionCancel(t *testing.T) {
	a, _ := admission(1, 3, time.Second)
	var first, b, c, d core.Ticket
	for _, t := range []*core.Ticket{&first, &b, &c, &d} {
		enter(a, t)
	}
	if !a.Cancel(0, &c) {
		t.Error("cancel of a queued ticket: got false, want true")
	}
	if a.Cancel(0, &c) {
		t.Error("a second cancel: got true, want false")
	}
	if got := a.Leave(0); got != &b {
		t.Errorf("woken: got %p, want b", got)
	}
	if a.Cancel(0, &b) {
		t.Error("cancel of a woken ticket: got true, want false: it has to leave")
	}
	if got := a.Leave(0); got != &d {
		t.Errorf("woken after b: got %p, want d: c was cancelled", got)
	}
	if got := enter(a, &c); got != core.Queued {
		t.Errorf("a cancelled ticket used again: got %v, want queued", got)
	}
}

// A limit that has grown by three admits three at once: each is named once, in order,
// and one that gives up meanwhile is named to nobody.
func TestAdmissionWithAGrowingLimit(t *testing.T) {
	a, limiter := admission(1, 9, time.Second)
	var first core.Ticket
	waiting := make([]core.Ticket, 6)
	enter(a, &first)
	for i := range waiting {
		if got := enter(a, &waiting[i]); got != core.Queued {
			t.Fatalf("entry %d: got %v, want queued", i, got)
		}
	}
	limiter.limit.Store(4)
	if got := a.Leave(0); got != &waiting[0] {
		t.Errorf("woken by leaving: got %p, want the first that waits", got)
	}
	if inFlight, queued := a.InFlight(); inFlight != 4 || queued != 2 {
		t.Errorf("in flight and waiting: got %d and %d, want 4 and 2", inFlight, queued)
	}
	if a.Cancel(0, &waiting[1]) {
		t.Error("cancel of one that stands in line: got true, want false: it is admitted")
	}
	for _, want := range []*core.Ticket{&waiting[2], &waiting[3], nil} {
		if got := a.Next(); got != want {
			t.Errorf("woken next: got %p, want %p", got, want)
		}
	}
	limiter.limit.Store(2) // a limit that has fallen takes nothing back, and lets nobody in
	for range 2 {
		if got := a.Leave(0); got != nil {
			t.Errorf("woken above the limit: got %p, want nil", got)
		}
	}
	if got := a.Leave(0); got != &waiting[4] {
		t.Errorf("woken below the limit: got %p, want the fifth that waits", got)
	}
}

// impatient is a core.Patience that says what it is told to.
type impatient struct {
	wait   time.Duration
	newest bool
	asked  []core.Instant // emptied, each time
}

func (p *impatient) Wait(_, emptied core.Instant) (time.Duration, bool) {
	p.asked = append(p.asked, emptied)
	return p.wait, true
}
func (p *impatient) Standing(_, _ core.Instant) bool { return p.newest }

func TestAdmissionAsksItsPatience(t *testing.T) {
	p := &impatient{wait: 2 * time.Second}
	a := core.NewAdmission(core.AdmissionSettings{Limiter: limitOf(1), Room: 9, MaxWait: time.Second, Patience: p})
	tickets := make([]core.Ticket, 6)
	for i, c := range []struct {
		at, until, emptied core.Instant
		wait               time.Duration
	}{
		{at: 0},
		{at: ms, until: ms + sec, emptied: ms, wait: 2 * time.Second},                 // MaxWait is less
		{at: 2 * ms, until: 7 * ms, emptied: ms, wait: 5 * time.Millisecond},          // the queue is not empty since
		{at: 3 * ms, until: 1003 * ms, emptied: ms, wait: time.Second},                // as much
		{at: 4 * ms, until: 4*ms + 999*ms, emptied: ms, wait: 999 * time.Millisecond}, // less
	} {
		p.wait = c.wait
		entry, until := a.Enter(c.at, &tickets[i])
		if i > 0 && (entry != core.Queued || until != c.until) {
			t.Errorf("entry %d: got %v until %v, want queued until %v", i, entry, until.Sub(0), c.until.Sub(0))
		}
		if i > 0 && p.asked[i-1] != c.emptied {
			t.Errorf("entry %d: empty last at %v, want %v", i, p.asked[i-1].Sub(0), c.emptied.Sub(0))
		}
	}
	p.newest = true
	if got := a.Leave(5 * ms); got != &tickets[4] {
		t.Errorf("woken: got %p, want the newest", got)
	}
	p.newest = false
	if got := a.Leave(6 * ms); got != &tickets[1] {
		t.Errorf("woken: got %p, want the oldest", got)
	}
	a.Cancel(7*ms, &tickets[2])
	a.Leave(8 * ms) // the last that waits goes in
	a.Enter(20*ms, &tickets[5])
	if got := p.asked[len(p.asked)-1]; got != 20*ms {
		t.Errorf("the first of an empty queue: empty last at %v, want 20ms", got.Sub(0))
	}
}

// A queue that has been standing is not rid of its backlog when those in it give up: only
// when there is a free place, too.
func TestAStandingQueue(t *testing.T) {
	for _, standing := range []bool{false, true} {
		p := &impatient{wait: time.Millisecond, newest: standing}
		a := core.NewAdmission(core.AdmissionSettings{Limiter: limitOf(1), Room: 9, MaxWait: time.Second, Patience: p})
		tickets := make([]core.Ticket, 4)
		a.Enter(10*ms, &tickets[0])
		a.Enter(20*ms, &tickets[1])
		a.Cancel(30*ms, &tickets[1])
		a.Enter(40*ms, &tickets[2])
		want := 40 * ms // the queue was empty when it came
		if standing {
			want = 10 * ms
		}
		if got := p.asked[1]; got != want {
			t.Errorf("standing %v, after it was given up: empty last at %v, want %v", standing, got.Sub(0), want.Sub(0))
		}
		a.Leave(50 * ms)
		a.Leave(60 * ms) // nobody is left
		a.Enter(70*ms, &tickets[0])
		a.Enter(80*ms, &tickets[3])
		want = 80 * ms
		if standing {
			want = 70 * ms // when there was a free place
		}
		if got := p.asked[2]; got != want {
			t.Errorf("standing %v, after there was a free place: empty last at %v, want %v", standing, got.Sub(0), want.Sub(0))
		}
	}
}

// A dry run lets everybody in, and counts whom it would not have.
func TestAdmissionDryRun(t *testing.T) {
	a := core.NewAdmission(core.AdmissionSettings{Limiter: limitOf(2), Room: 1, MaxWait: time.Second, DryRun: true})
	tickets := make([]core.Ticket, 5)
	for i := range tickets {
		if got := enter(a, &tickets[i]); got != core.Admitted {
			t.Errorf("entry %d: got %v, want admitted", i, got)
		}
	}
	if got := a.Beyond(); got != 3 {
		t.Errorf("beyond the limit: got %d, want 3", got)
	}
	for range tickets {
		if got := a.Leave(0); got != nil {
			t.Errorf("woken: got %p, want nil", got)
		}
	}
	if inFlight, waiting := a.InFlight(); inFlight != 0 || waiting != 0 {
		t.Errorf("left: got %d in flight and %d waiting, want none", inFlight, waiting)
	}
}

// books are what a test knows of an admission whose limit moves.
type books struct {
	limit, seen                 int // what the limiter says, and what was last read
	queue, line, told, admitted []*core.Ticket
}

// admit takes as many out of the queue as the limit has room for.
func (b *books) admit() {
	for len(b.queue) > 0 && len(b.admitted) < b.seen {
		b.admitted, b.line = append(b.admitted, b.queue[0]), append(b.line, b.queue[0])
		b.queue = b.queue[1:]
	}
}

// first is the ticket to be woken next.
func (b *books) first() *core.Ticket {
	if len(b.line) == 0 {
		return nil
	}
	first := b.line[0]
	b.line, b.told = b.line[1:], append(b.told, first)
	return first
}

// Invariants, against lists: at the moment of admission at most limit are in flight,
// and at most room wait; nobody waits while there is a place by the limit as it was
// read last; who waits is admitted in the order of coming, and named to be woken once,
// unless it was told otherwise before; a ticket that was admitted cannot be cancelled;
// and nothing is lost.
func TestAdmissionAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit, room := rapid.IntRange(1, 4).Draw(t, "limit"), rapid.IntRange(0, 6).Draw(t, "room")
		a, limiter := admission(limit, room, time.Second)
		b := &books{limit: limit, seen: limit}
		without := func(list []*core.Ticket, ticket *core.Ticket) []*core.Ticket {
			return slices.DeleteFunc(list, func(t *core.Ticket) bool { return t == ticket })
		}
		t.Repeat(map[string]func(*rapid.T){
			"limit": func(t *rapid.T) {
				b.limit = rapid.IntRange(0, 6).Draw(t, "limit")
				limiter.limit.Store(int64(b.limit))
			},
			"enter": func(t *rapid.T) {
				ticket := &core.Ticket{}
				want := core.Refused
				switch {
				case len(b.admitted) < b.seen:
					want, b.admitted = core.Admitted, append(b.admitted, ticket)
				case len(b.queue) < room:
					want, b.queue = core.Queued, append(b.queue, ticket)
				}
				if got := enter(a, ticket); got != want {
					t.Fatalf("enter: got %v, want %v", got, want)
				}
			},
			"leave": func(t *rapid.T) {
				// Whoever stands in line does not know yet that it is in.
				in := slices.DeleteFunc(slices.Clone(b.admitted), func(x *core.Ticket) bool { return slices.Contains(b.line, x) })
				if len(in) == 0 {
					t.Skip("nobody is in")
				}
				b.admitted = without(b.admitted, in[rapid.IntRange(0, len(in)-1).Draw(t, "who")])
				b.seen = max(1, b.limit)
				b.admit()
				if got, want := a.Leave(0), b.first(); got != want {
					t.Fatalf("leave wakes: got %p, want %p", got, want)
				}
			},
			"woken": func(t *rapid.T) {
				if len(b.told) == 0 {
					t.Skip("nobody was woken")
				}
				b.told = b.told[1:]
				if got, want := a.Next(), b.first(); got != want {
					t.Fatalf("woken next: got %p, want %p", got, want)
				}
			},
			"cancel": func(t *rapid.T) {
				all := slices.Concat(b.queue, b.admitted)
				if len(all) == 0 {
					t.Skip("nobody is there")
				}
				ticket := rapid.SampledFrom(all).Draw(t, "who")
				if got, want := a.Cancel(0, ticket), slices.Contains(b.queue, ticket); got != want {
					t.Fatalf("cancel: got %v, want %v", got, want)
				}
				if slices.Contains(b.line, ticket) { // it knows now, and sees to the next
					b.told = append(b.told, ticket)
				}
				b.queue, b.line = without(b.queue, ticket), without(b.line, ticket)
			},
			"": func(t *rapid.T) {
				inFlight, waiting := a.InFlight()
				if inFlight != len(b.admitted) || waiting != len(b.queue) {
					t.Fatalf("in flight and waiting: got %d and %d, want %d and %d", inFlight, waiting, len(b.admitted), len(b.queue))
				}
				if len(b.line) > 0 && len(b.told) == 0 {
					t.Fatalf("%d stand in line, and nobody is there to wake them", len(b.line))
				}
			},
		})
	})
}

// Goroutines come, wait, give up and leave at once, while the limit moves. Invariants:
// never more than the highest limit are inside, every ticket that waits and does not
// give up is woken, and in the end nobody is left.
func TestAdmissionUnderRace(t *testing.T) {
	const most, goroutines, rounds = 5, 8, 2000
	a, limiter := admission(most, 4, time.Second)
	var inside, peak, entered atomic.Int64
	var wg sync.WaitGroup
	wake := func(next *core.Ticket) {
		if next != nil {
			next.Waiter.(chan struct{}) <- struct{}{}
		}
	}
	enter := func() {
		n := inside.Add(1)
		for old := peak.Load(); n > old && !peak.CompareAndSwap(old, n); old = peak.Load() {
		}
		entered.Add(1)
	}
	for g := range goroutines {
		wg.Go(func() {
			key := core.NewKey(uint64(g))
			for range rounds {
				limiter.limit.Store(int64(1 + key.Uint64()%most))
				woken := make(chan struct{}, 1)
				ticket := &core.Ticket{Waiter: woken}
				entry, _ := a.Enter(0, ticket)
				switch entry {
				case core.Refused:
					continue
				case core.Queued:
					gone := key.Uint64()%2 == 0
					if gone && a.Cancel(0, ticket) {
						continue
					}
					if !gone { // it waits; or was admitted before it could cancel
						<-woken
					}
					wake(a.Next())
				}
				enter()
				inside.Add(-1)
				wake(a.Leave(0))
			}
		})
	}
	wg.Wait()
	if got := peak.Load(); got > most {
		t.Errorf("inside at once: got %d, want at most %d", got, most)
	}
	if entered.Load() == 0 {
		t.Error("nobody entered")
	}
	if inFlight, waiting := a.InFlight(); inFlight != 0 || waiting != 0 {
		t.Errorf("left: got %d in flight and %d waiting, want none", inFlight, waiting)
	}
}
