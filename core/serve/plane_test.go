package serve

import (
	"sync"
	"sync/atomic"
	"testing"
)

// Who comes after the retirement is sent elsewhere; gone is called once, by the last that
// leaves, or at once where there is nobody.
func TestUsers(t *testing.T) {
	calls := 0
	gone := func() { calls++ }
	var u users
	for range 2 {
		if !u.enter() {
			t.Fatal("one of the first users is not taken in")
		}
	}
	u.leave()
	u.retire(gone)
	if u.enter() {
		t.Error("a user after the retirement was taken in")
	}
	if calls != 0 {
		t.Error("gone was called with a user left")
	}
	u.leave()
	if u.enter() || calls != 1 {
		t.Errorf("after the last: gone was called %d times, want once", calls)
	}
	var nobody users
	if nobody.retire(gone); calls != 2 {
		t.Error("gone was not called where there is nobody")
	}
}

// Under load, nobody is inside when gone is called, and nobody gets in afterwards.
func TestUsersUnderLoad(t *testing.T) {
	for range 200 {
		var u users
		var inside, calls atomic.Int64
		var all sync.WaitGroup
		begin := make(chan struct{})
		for range 4 {
			all.Go(func() {
				<-begin
				for u.enter() {
					inside.Add(1)
					if calls.Load() > 0 {
						t.Error("somebody got in after gone was called")
					}
					inside.Add(-1)
					u.leave()
				}
			})
		}
		close(begin)
		u.retire(func() {
			calls.Add(1)
			if n := inside.Load(); n != 0 {
				t.Errorf("%d are inside when gone is called", n)
			}
		})
		all.Wait()
		if calls.Load() != 1 {
			t.Fatalf("gone was called %d times, want once", calls.Load())
		}
	}
}
