package limit_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core/limit"
)

// Random comings and goings under a bound that changes. Invariants: whoever is let in found
// fewer than the bound, whoever is not found as many or more, and as many places are taken
// as have come in and not left.
func TestPlacesAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p limit.Places
		most, in := 0, 0
		t.Repeat(map[string]func(*rapid.T){
			"bound": func(t *rapid.T) { most = rapid.IntRange(0, 5).Draw(t, "most") },
			"enter": func(t *rapid.T) {
				got, want := p.Enter(most), most == 0 || in < most
				if got != want {
					t.Fatalf("enter with %d of %d taken: got %v, want %v", in, most, got, want)
				}
				if got {
					in++
				}
			},
			"leave": func(t *rapid.T) {
				if in == 0 {
					t.Skip("nobody is there")
				}
				p.Leave()
				in--
			},
			"": func(t *rapid.T) {
				if got := p.Taken(); got != in {
					t.Fatalf("taken: got %d, want %d", got, in)
				}
			},
		})
	})
}

// However many come at once, there are never more than the bound; and nobody is turned away
// from a place that is free, which with as many who come as there are places is everybody.
func TestPlacesAreNeverExceeded(t *testing.T) {
	const most, rounds = 4, 2000
	for comers, all := range map[int]bool{most: true, 3 * most: false} {
		var p limit.Places
		var there, refused atomic.Int64
		var wg sync.WaitGroup
		for range comers {
			wg.Go(func() {
				for range rounds {
					if !p.Enter(most) {
						refused.Add(1)
						continue
					}
					if n := there.Add(1); n > most {
						t.Errorf("there at once: got %d, want at most %d", n, most)
					}
					there.Add(-1)
					p.Leave()
				}
			})
		}
		wg.Wait()
		if n := refused.Load(); all && n > 0 {
			t.Errorf("%d comers for %d places: %d times refused, want never", comers, most, n)
		}
		if got := p.Taken(); got != 0 {
			t.Errorf("taken at the end: got %d, want 0", got)
		}
	}
}

func TestPlacesAllocateNothing(t *testing.T) {
	var p limit.Places
	if got := testing.AllocsPerRun(100, func() {
		if p.Enter(1) {
			p.Leave()
		}
	}); got != 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}
