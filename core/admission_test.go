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

func TestAdmissionIsFirstInFirstOut(t *testing.T) {
	a := core.NewAdmission(1, 2, time.Second)
	tickets := []*core.Ticket{{Waiter: 0}, {Waiter: 1}, {Waiter: 2}, {Waiter: 3}}
	for i, want := range []core.Entry{core.Admitted, core.Queued, core.Queued, core.Refused} {
		if got := a.Enter(tickets[i]); got != want {
			t.Errorf("entry %d: got %v, want %v", i, got, want)
		}
	}
	for _, want := range []*core.Ticket{tickets[1], tickets[2], nil} {
		if got := a.Leave(); got != want {
			t.Errorf("woken: got %v, want %v", got, want)
		}
	}
	if inFlight, waiting := a.InFlight(); inFlight != 0 || waiting != 0 {
		t.Errorf("in flight and waiting: got %d and %d, want none", inFlight, waiting)
	}
}

func TestAdmissionCancel(t *testing.T) {
	a := core.NewAdmission(1, 3, time.Second)
	var first, b, c, d core.Ticket
	for _, t := range []*core.Ticket{&first, &b, &c, &d} {
		a.Enter(t)
	}
	if !a.Cancel(&c) {
		t.Error("cancel of a queued ticket: got false, want true")
	}
	if a.Cancel(&c) {
		t.Error("a second cancel: got true, want false")
	}
	if got := a.Leave(); got != &b {
		t.Errorf("woken: got %p, want b", got)
	}
	if a.Cancel(&b) {
		t.Error("cancel of a woken ticket: got true, want false: it has to leave")
	}
	if got := a.Leave(); got != &d {
		t.Errorf("woken after b: got %p, want d: c was cancelled", got)
	}
	if got := a.Enter(&c); got != core.Queued {
		t.Errorf("a cancelled ticket used again: got %v, want queued", got)
	}
}

// Invariants, against a list: at most limit are in flight and at most room wait;
// nobody waits while there is a place; who waits is admitted in the order of coming;
// a ticket that was woken cannot be cancelled.
func TestAdmissionAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit, room := rapid.IntRange(1, 4).Draw(t, "limit"), rapid.IntRange(0, 4).Draw(t, "room")
		a := core.NewAdmission(limit, room, time.Second)
		var queue, admitted []*core.Ticket
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				ticket := &core.Ticket{}
				want := core.Refused
				switch {
				case len(admitted) < limit:
					want, admitted = core.Admitted, append(admitted, ticket)
				case len(queue) < room:
					want, queue = core.Queued, append(queue, ticket)
				}
				if got := a.Enter(ticket); got != want {
					t.Fatalf("enter: got %v, want %v", got, want)
				}
			},
			"leave": func(t *rapid.T) {
				if len(admitted) == 0 {
					t.Skip("nobody is in")
				}
				i := rapid.IntRange(0, len(admitted)-1).Draw(t, "who")
				admitted = slices.Delete(admitted, i, i+1)
				var want *core.Ticket
				if len(queue) > 0 {
					want = queue[0]
					queue, admitted = queue[1:], append(admitted, want)
				}
				if got := a.Leave(); got != want {
					t.Fatalf("leave wakes: got %p, want %p", got, want)
				}
			},
			"cancel": func(t *rapid.T) {
				all := slices.Concat(queue, admitted)
				if len(all) == 0 {
					t.Skip("nobody is there")
				}
				ticket := rapid.SampledFrom(all).Draw(t, "who")
				i := slices.Index(queue, ticket)
				if got, want := a.Cancel(ticket), i >= 0; got != want {
					t.Fatalf("cancel: got %v, want %v", got, want)
				}
				if i >= 0 {
					queue = slices.Delete(queue, i, i+1)
				}
			},
			"": func(t *rapid.T) {
				inFlight, waiting := a.InFlight()
				if inFlight != len(admitted) || waiting != len(queue) {
					t.Fatalf("in flight and waiting: got %d and %d, want %d and %d", inFlight, waiting, len(admitted), len(queue))
				}
			},
		})
	})
}

// Goroutines come, wait, give up and leave at once. Invariants: never more than the
// limit are inside, every woken ticket is somebody's who waits, and in the end
// nobody is left.
func TestAdmissionUnderRace(t *testing.T) {
	const limit, goroutines, rounds = 3, 8, 2000
	a := core.NewAdmission(limit, 4, time.Second)
	var inside, most, entered atomic.Int64
	var wg sync.WaitGroup
	leave := func() {
		inside.Add(-1)
		if next := a.Leave(); next != nil {
			next.Waiter.(chan struct{}) <- struct{}{}
		}
	}
	enter := func() {
		n := inside.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		entered.Add(1)
	}
	for g := range goroutines {
		wg.Go(func() {
			key := core.NewKey(uint64(g))
			for range rounds {
				woken := make(chan struct{}, 1)
				ticket := &core.Ticket{Waiter: woken}
				switch a.Enter(ticket) {
				case core.Refused:
					continue
				case core.Queued:
					if key.Uint64()%2 == 0 && a.Cancel(ticket) {
						continue
					}
					<-woken // it waits, or was admitted before it could cancel
				}
				enter()
				leave()
			}
		})
	}
	wg.Wait()
	if got := most.Load(); got > limit {
		t.Errorf("inside at once: got %d, want at most %d", got, limit)
	}
	if entered.Load() == 0 {
		t.Error("nobody entered")
	}
	if inFlight, waiting := a.InFlight(); inFlight != 0 || waiting != 0 {
		t.Errorf("left: got %d in flight and %d waiting, want none", inFlight, waiting)
	}
}
