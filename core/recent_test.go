package core_test

import (
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

// Invariant: the delay is the percentile of what was learned within this five seconds
// and the last, by nearest rank, to within a sixteenth above it.
func TestHedgePercentile(t *testing.T) {
	const low, high = 4096, float64(130 * time.Second)
	rapid.Check(t, func(t *rapid.T) {
		percentile := rapid.SampledFrom([]float64{0.5, 0.75, 0.95, 0.96875}).Draw(t, "percentile")
		h := core.NewHedge(percentile, 1, 1)
		src := core.NewKey(rapid.Uint64().Draw(t, "key"))
		type sample struct {
			at   core.Instant
			took time.Duration
		}
		var all []sample
		now := core.Instant(0)
		for range rapid.IntRange(1, 400).Draw(t, "samples") {
			now = now.Add(time.Duration(src.Float64() * float64(100*time.Millisecond)))
			took := time.Duration(low * math.Exp(src.Float64()*math.Log(high/low)))
			all = append(all, sample{now, took})
			h.Learn(now, took)
		}
		const span = 5 * sec
		var recent []time.Duration
		for _, s := range all {
			if now/span-s.at/span <= 1 {
				recent = append(recent, s.took)
			}
		}
		least := 20
		if percentile > 0.95 {
			least = 32
		}
		got, ok := h.Delay(now)
		if ok != (len(recent) >= least) {
			t.Fatalf("of %d: known %v", len(recent), ok)
		}
		if !ok {
			return
		}
		slices.Sort(recent)
		want := recent[int(math.Ceil(percentile*float64(len(recent))))-1]
		if got < want || got > want+want/16+1 {
			t.Fatalf("percentile %v of %d: got %v, want %v", percentile, len(recent), got, want)
		}
	})
}

// Durations beyond what is told apart count as the nearest that is.
func TestHedgeExtremes(t *testing.T) {
	for _, c := range []struct{ took, want time.Duration }{
		{0, 4351}, {-time.Second, 4351}, {4096, 4351}, {4352, 4607}, {1 << 37, 1<<37 - 1}, {time.Hour, 1<<37 - 1}, {math.MaxInt64, 1<<37 - 1},
	} {
		h := core.NewHedge(0.5, 1, 1)
		for range 20 {
			h.Learn(0, c.took)
		}
		if got, _ := h.Delay(0); got != c.want {
			t.Errorf("of %v: got %v, want %v", c.took, got, c.want)
		}
	}
}

// A clock that was read a little earlier than another's does not undo what that one has
// begun.
func TestHedgeClocksOfTwo(t *testing.T) {
	h := core.NewHedge(0.5, 1, 1)
	for range 10 {
		h.Learn(5*sec, time.Second)
		h.Learn(5*sec-1, time.Second)
	}
	if _, ok := h.Delay(5 * sec); !ok {
		t.Error("some of twenty answers were forgotten")
	}
}

func TestHedgeUnderRace(t *testing.T) {
	const goroutines, rounds = 4, 5000
	h := core.NewHedge(0.5, 1, 1)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				now := core.Instant(i) * ms / 2 // 2.5 s: all within one span
				h.Learn(now, time.Duration(1+g)*time.Second)
				h.Delay(now)
			}
		})
	}
	wg.Wait()
	// 5,000 each of 1, 2, 3 and 4 s; none lost, or the middle would not be exact.
	got, _ := h.Delay(4 * sec)
	if got < 2*time.Second || got > 2*time.Second+2*time.Second/16 {
		t.Errorf("median: got %v, want 2s", got)
	}
}

// BenchmarkHedge is what hedging costs a request that needs none: the delay asked for,
// the time learned, a request each 10 µs.
func BenchmarkHedge(b *testing.B) {
	h := core.NewHedge(0.95, time.Millisecond, 0.05)
	now := core.Instant(0)
	b.ReportAllocs()
	for b.Loop() {
		now += 10_000
		h.Delay(now)
		h.Learn(now, time.Duration(1+now%97)*time.Millisecond)
	}
}
