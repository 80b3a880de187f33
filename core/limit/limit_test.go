package limit_test

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/limit"
)

const (
	ms  = core.Instant(time.Millisecond)
	sec = core.Instant(time.Second)
)

func rate(t testing.TB, perSecond float64, burst int) limit.Rate {
	t.Helper()
	r, err := limit.NewRate(perSecond, burst)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNewRate(t *testing.T) {
	cases := []struct {
		perSecond float64
		burst     int
		ok        bool
	}{
		{1, 1, true},
		{1e9, 1, true},
		{1e-6, 1, true},
		{1000, math.MaxInt32, true},
		{0, 1, false},
		{-1, 1, false},
		{math.NaN(), 1, false},
		{math.Inf(1), 1, false},
		{1e9 + 1, 1, false},
		{1, 0, false},
		{1, -1, false},
		{1, math.MaxInt64, false},
		{1e-12, 1, false},
	}
	for _, c := range cases {
		if _, err := limit.NewRate(c.perSecond, c.burst); (err == nil) != c.ok {
			t.Errorf("rate %v, burst %d: got error %v, want none: %v", c.perSecond, c.burst, err, c.ok)
		}
	}
}

func TestBucketSteps(t *testing.T) {
	// 10 a second, a burst of 3: a token every 100 ms.
	steps := []struct {
		at   core.Instant
		n    int
		wait time.Duration
		ok   bool
	}{
		{0, 4, math.MaxInt64, false}, // never
		{0, 1, 0, true},              // the zero value is full
		{0, 2, 0, true},
		{0, 1, 100 * time.Millisecond, false},
		{0, 3, 300 * time.Millisecond, false},
		{100*ms - 1, 1, 1, false},
		{100 * ms, 1, 0, true},
		{150 * ms, 1, 50 * time.Millisecond, false},
		{350 * ms, 3, 50 * time.Millisecond, false}, // nothing was taken by refusals
		{350 * ms, 2, 0, true},
		{90 * sec, 3, 0, true}, // it fills up to its burst
		{90 * sec, 1, 100 * time.Millisecond, false},
	}
	r := rate(t, 10, 3)
	var b limit.Bucket
	for i, s := range steps {
		if wait, ok := b.Take(r, s.at, s.n); wait != s.wait || ok != s.ok {
			t.Errorf("step %d, %d at %v: got %v and wait %v, want %v and %v", i, s.n, s.at.Sub(0), ok, wait, s.ok, s.wait)
		}
	}
}

// Invariants, against a bucket that holds a number of tokens and is filled as time
// passes: the same takes succeed (unless the model is within a millionth of a token
// of the other answer: its numbers are rounded); a refusal takes nothing; after
// exactly the wait it was told the take succeeds, and a nanosecond before it does not.
func TestBucketAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perSecond := rapid.SampledFrom([]float64{0.5, 1, 8, 100, 1000, 1e6}).Draw(t, "rate")
		burst := rapid.IntRange(1, 20).Draw(t, "burst")
		r, err := limit.NewRate(perSecond, burst)
		if err != nil {
			t.Fatal(err)
		}
		var b limit.Bucket
		tokens, now := float64(burst), core.Instant(0)
		perToken := time.Duration(float64(time.Second) / perSecond)
		for range rapid.IntRange(1, 50).Draw(t, "takes") {
			gap := time.Duration(rapid.Int64Range(0, 3*int64(perToken)).Draw(t, "gap"))
			now = now.Add(gap)
			tokens = min(tokens+gap.Seconds()*perSecond, float64(burst))
			n := rapid.IntRange(1, burst).Draw(t, "n")

			wait, ok := b.Take(r, now, n)
			if want := tokens >= float64(n); ok != want && math.Abs(tokens-float64(n)) > 1e-6 {
				t.Fatalf("take %d of %v at %v: got %v, want %v", n, tokens, now.Sub(0), ok, want)
			}
			if !ok {
				if wait <= 0 {
					t.Fatalf("wait: got %v, want above 0", wait)
				}
				if _, ok := b.Take(r, now.Add(wait-1), n); ok {
					t.Fatalf("take %d a nanosecond before the wait of %v is over: got it", n, wait)
				}
				now = now.Add(wait)
				tokens = min(tokens+wait.Seconds()*perSecond, float64(burst))
				if left, ok := b.Take(r, now, n); !ok {
					t.Fatalf("take %d after the wait of %v: got a wait of %v more", n, wait, left)
				}
			}
			tokens -= float64(n)
		}
	})
}

// 10 a second, a burst of 2, and 150 ms of patience: a token that is to come is taken by
// whoever waits for it.
func TestReserveSteps(t *testing.T) {
	r := rate(t, 10, 2)
	var b limit.Bucket
	const most = 150 * time.Millisecond
	for i, s := range []struct {
		at   core.Instant
		n    int
		wait time.Duration
		ok   bool
	}{
		{0, 3, math.MaxInt64, false}, // never, however long it waits
		{0, 2, 0, true},
		{0, 1, 100 * time.Millisecond, true}, // waits
		{0, 1, 50 * time.Millisecond, false}, // would have to wait for 200 ms
		{50*ms - 1, 1, 1, false},             // and after 50 ms it may
		{50 * ms, 1, 150 * time.Millisecond, true},
		{50 * ms, 2, 200 * time.Millisecond, false},
		{250 * ms, 2, 150 * time.Millisecond, true},
		{10 * sec, 1, 0, true},
		{10 * sec, 2, 100 * time.Millisecond, true},
	} {
		if wait, ok := b.Reserve(r, s.at, s.n, most); wait != s.wait || ok != s.ok {
			t.Errorf("step %d, %d at %v: got %v and wait %v, want %v and %v", i, s.n, s.at.Sub(0), ok, wait, s.ok, s.wait)
		}
	}
}

// Invariants of waiting: nobody waits longer than the patience; those who are let
// through go on in the order of coming; over any time since the first they are no more
// than burst and rate allow; and who was refused and comes back after its wait, before
// anybody else, is let through.
func TestReserveInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perSecond := rapid.SampledFrom([]float64{1, 10, 1000}).Draw(t, "rate")
		burst := rapid.IntRange(1, 10).Draw(t, "burst")
		most := time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "most"))
		r, err := limit.NewRate(perSecond, burst)
		if err != nil {
			t.Fatal(err)
		}
		var b limit.Bucket
		perToken := time.Duration(float64(time.Second) / perSecond)
		now, last, taken := core.Instant(0), core.Instant(0), 0
		for range rapid.IntRange(1, 50).Draw(t, "takes") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*perToken)).Draw(t, "gap")))
			n := rapid.IntRange(1, burst).Draw(t, "n")
			wait, ok := b.Reserve(r, now, n, most)
			if !ok {
				now = now.Add(wait)
				if wait, ok = b.Reserve(r, now, n, most); !ok {
					t.Fatalf("after the wait it was told: refused, %v more", wait)
				}
			}
			goes := now.Add(wait)
			if wait < 0 || wait > most || goes < last {
				t.Fatalf("goes on after %v, at %v; want within %v, and not before %v", wait, goes.Sub(0), most, last.Sub(0))
			}
			last, taken = goes, taken+n
			if allowed := float64(burst) + goes.Seconds()*perSecond; float64(taken) > allowed+1e-6 {
				t.Fatalf("by %v: got %d taken, want at most %v", goes.Sub(0), taken, allowed)
			}
		}
	})
}

func TestLeftAndReturn(t *testing.T) {
	l := limit.New(rate(t, 10, 5), 0)
	if n, fill := l.Quota(); n != 5 || fill != 500*time.Millisecond {
		t.Errorf("quota: got %d in %v, want 5 in 500ms", n, fill)
	}
	for i, s := range []struct {
		at     core.Instant
		take   int // below 0: return
		tokens int
		full   time.Duration
	}{
		{0, 0, 5, 0},
		{0, 4, 1, 400 * time.Millisecond},
		{50 * ms, 0, 1, 350 * time.Millisecond},
		{50 * ms, 1, 0, 450 * time.Millisecond},
		{50 * ms, -1, 1, 350 * time.Millisecond},
		{sec, 0, 5, 0},
	} {
		switch {
		case s.take > 0:
			l.Take(s.at, 0, s.take)
		case s.take < 0:
			l.Return(0, -s.take)
		}
		if n, full := l.Left(s.at, 0); n != s.tokens || full != s.full {
			t.Errorf("step %d: got %d left, full in %v; want %d and %v", i, n, full, s.tokens, s.full)
		}
	}
}

// Goroutines take from one bucket while the clock runs. Invariant: from the epoch to
// t it lets through at most burst + rate·t, and, as there is always demand, no less
// than that but for a token that is about to come.
func TestBucketUnderRace(t *testing.T) {
	const goroutines, rounds, burst = 8, 5000, 10
	r := rate(t, 1000, burst)
	var b limit.Bucket
	var clock, taken atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range rounds {
				now := core.Instant(clock.Add(int64(10 * time.Microsecond)))
				if _, ok := b.Take(r, now, 1); ok {
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()
	// 400 ms at 1,000 a second.
	most := int64(burst + 400)
	if got := taken.Load(); got > most || got < most-1 {
		t.Errorf("let through: got %d, want %d or one less", got, most)
	}
}

// Goroutines empty one bucket at one instant. Invariant: it lets through its burst,
// not one more for two that saw the same token.
func TestBurstUnderRace(t *testing.T) {
	const goroutines, rounds, burst = 8, 50_000, 100_000
	r := rate(t, 1, burst)
	var b limit.Bucket
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			mine := int64(0)
			for range rounds {
				if _, ok := b.Take(r, 0, 1); ok {
					mine++
				}
			}
			taken.Add(mine)
		})
	}
	wg.Wait()
	if got := taken.Load(); got != burst {
		t.Errorf("let through: got %d, want %d", got, burst)
	}
}

func TestLimiter(t *testing.T) {
	r := rate(t, 1, 1)
	all, keyed := limit.New(r, 0), limit.NewKeyed(r, 0, 100)
	if all.Keyed() || !keyed.Keyed() {
		t.Errorf("keyed: got %v and %v, want false and true", all.Keyed(), keyed.Keyed())
	}
	for _, step := range []struct {
		limiter *limit.Limiter
		key     uint64
		want    bool
	}{{all, 1, true}, {all, 2, false}, {keyed, 1, true}, {keyed, 2, true}, {keyed, 1, false}, {keyed, 2, false}, {keyed, 0, true}, {keyed, 0, false}} {
		if _, ok := step.limiter.Take(0, step.key, 1); ok != step.want {
			t.Errorf("take of %d, keyed %v: got %v, want %v", step.key, step.limiter.Keyed(), ok, step.want)
		}
	}
}

func TestAllocatesNothing(t *testing.T) {
	r := rate(t, 1000, 10)
	all, keyed := limit.New(r, 0), limit.NewKeyed(r, time.Second, 64)
	now, key := core.Instant(0), core.NewKey(1)
	if got := testing.AllocsPerRun(1000, func() {
		now += ms
		all.Take(now, 0, 1)
		k := key.Uint64()
		if _, ok := keyed.Take(now, k, 1); ok {
			keyed.Left(now, k)
			keyed.Return(k, 1)
		}
	}); got != 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}
