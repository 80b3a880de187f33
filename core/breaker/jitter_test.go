package breaker_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/breaker"
)

// jittered are settings whose breaker opens at the first failure, for 2 to 4 seconds,
// then for 4 to 8, and so on up to 32.
var jittered = by(func(s *breaker.Settings) {
	s.ConsecutiveFailures, s.Quota = 1, 1
	s.OpenFor, s.MaxOpenFor, s.Jitter = 4*time.Second, 32*time.Second, 0.5
})

// openings are how long a breaker stays open, each time in a row, to the millisecond.
func openings(t *testing.T, s breaker.Settings, chance core.Key, n int) []time.Duration {
	t.Helper()
	b, err := breaker.New(s, chance, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []time.Duration
	now := core.Instant(0)
	for range n {
		p, ok := b.Acquire(now, false)
		if !ok {
			t.Fatalf("no permit at %v", now.Sub(0))
		}
		b.Settle(p, now, core.Sample{Outcome: core.Reset, FirstAnswer: -1})
		opened := now
		for b.Peek(now) == core.Barred {
			now += ms
		}
		all = append(all, now.Sub(opened))
	}
	return all
}

// The longest that a breaker stays open doubles to its most; what chance takes off is
// up to half of it, and different each time.
func TestJitterBounds(t *testing.T) {
	most := []time.Duration{4, 8, 16, 32, 32, 32}
	var shares []float64
	alike := 0
	for seed := range uint64(100) {
		first := 0.0
		for i, got := range openings(t, jittered, core.NewKey(seed), len(most)) {
			longest := most[i] * time.Second
			if got < longest/2 || got > longest {
				t.Fatalf("seed %d, opened %d times: got %v, want %v to %v", seed, i+1, got, longest/2, longest)
			}
			share := got.Seconds() / longest.Seconds()
			if i == 0 {
				first = share
			} else if math.Abs(share-first) < 1e-3 { // by chance one of 250
				alike++
			}
			shares = append(shares, share)
		}
	}
	if alike > 20 {
		t.Errorf("times like the first of their breaker: got %d of 500", alike)
	}
	slices.Sort(shares)
	// Of 600 uniform draws the extremes leave a gap of a fiftieth with a chance of
	// (1-1/50)^600 = 5 in a million each; the seeds are fixed, so it is not drawn again.
	if low, high := shares[0], shares[len(shares)-1]; low > 0.51 || high < 0.99 {
		t.Errorf("shares: got %v to %v, want the whole of 0.5 to 1", low, high)
	}
	if mid := shares[len(shares)/2]; mid < 0.7 || mid > 0.8 {
		t.Errorf("middle share: got %v, want about 0.75", mid)
	}
}

// The same key stays open as long, each time: a run can be repeated.
func TestJitterIsItsKeys(t *testing.T) {
	a, b := openings(t, jittered, core.NewKey(7), 5), openings(t, jittered, core.NewKey(7), 5)
	if !slices.Equal(a, b) {
		t.Errorf("the same key: got %v and %v", a, b)
	}
	if c := openings(t, jittered, core.NewKey(8), 5); slices.Equal(a, c) {
		t.Errorf("another key: got %v, too", c)
	}
}

// Probes that were not answered in time open the breaker for a drawn time as well, and
// whoever asks when it is over gets the same answer.
func TestJitterAfterAHungProbe(t *testing.T) {
	ends := map[core.Instant]bool{}
	for seed := range uint64(20) {
		b, err := breaker.New(jittered, core.NewKey(seed), nil)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := b.Acquire(0, false)
		b.Settle(p, 0, core.Sample{Outcome: core.Reset, FirstAnswer: -1})
		const probed = 4 * sec
		if _, ok := b.Acquire(probed, false); !ok {
			t.Fatal("no probe")
		}
		hung := probed.Add(jittered.ProbeTimeout)
		end := hung
		for b.Peek(end) == core.Barred {
			end += ms
		}
		if got := end.Sub(hung); got < 4*time.Second || got > 8*time.Second {
			t.Errorf("seed %d: open for %v, want 4s to 8s", seed, got)
		}
		if _, ok := b.Acquire(end-ms, false); ok {
			t.Errorf("seed %d: a probe before its time", seed)
		}
		if _, ok := b.Acquire(end, false); !ok {
			t.Errorf("seed %d: no probe at its time", seed)
		}
		ends[end] = true
	}
	if len(ends) < 18 {
		t.Errorf("ends: got %d different ones of 20", len(ends))
	}
}

// A forced success that closes an open breaker at once is one change of its state: the
// next draw is that of the next generation.
func TestJitterAfterAForcedSuccess(t *testing.T) {
	b := newBoth(t, jittered, core.NewKey(5))
	for _, o := range []core.Outcome{core.ServerError, core.Success, core.ServerError} {
		b.acquire(t, true)
		b.settle(0, lesson{outcome: o})
		b.check(t)
	}
	for range 4000 {
		b.now += ms
		b.check(t)
	}
}

// Chance takes off at most all of it: it is open for a millisecond then.
func TestJitterOfEverything(t *testing.T) {
	s := jittered
	s.OpenFor, s.MaxOpenFor, s.Jitter = time.Millisecond, time.Millisecond, 1
	for _, got := range openings(t, s, core.NewKey(1), 50) {
		if got != time.Millisecond {
			t.Fatalf("open for %v, want 1ms", got)
		}
	}
}

// However often it opens in a row, a breaker stays open for no longer than its most, and
// never for less than that again until something has succeeded.
func TestOpeningsInARow(t *testing.T) {
	s := jittered
	s.Jitter = 0
	for i, got := range openings(t, s, core.NewKey(1), 100) {
		if want := min(s.OpenFor<<min(i, 3), s.MaxOpenFor); got != want {
			t.Fatalf("opened %d times: got %v, want %v", i+1, got, want)
		}
	}
}
