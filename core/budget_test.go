package core_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

// spend retries as often as the budget allows, at most limit times.
func spend(b *core.Budget, now core.Instant, limit int) int {
	for n := range limit {
		if !b.Allows(now) {
			return n
		}
		b.Spend(now)
	}
	return limit
}

func TestBudget(t *testing.T) {
	request := func(b *core.Budget, at core.Instant, n int) {
		for range n {
			b.Request(at)
		}
	}
	cases := map[string]struct {
		ratio, floor float64
		run          func(b *core.Budget) int
		want         int
	}{
		"nothing":                    {0, 0, func(b *core.Budget) int { return spend(b, 0, 10) }, 0},
		"the floor, for ten seconds": {0.2, 1, func(b *core.Budget) int { return spend(b, 0, 100) }, 10},
		"a share":                    {0.2, 0, func(b *core.Budget) int { request(b, 0, 100); return spend(b, 0, 100) }, 20},
		"a share, rounded down":      {0.2, 0, func(b *core.Budget) int { request(b, 0, 99); return spend(b, 0, 100) }, 19},
		"both": {0.2, 10, func(b *core.Budget) int {
			request(b, 0, 100)
			return spend(b, 9*sec, 1000)
		}, 120},
		"requests count for ten seconds": {0.2, 0, func(b *core.Budget) int {
			request(b, 0, 100)
			return spend(b, 10*sec, 100)
		}, 0},
		"and so do retries": {0, 1, func(b *core.Budget) int {
			spend(b, 0, 100)
			return spend(b, 10*sec-1, 100)*1000 + spend(b, 10*sec, 100)
		}, 10},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.run(core.NewBudget(c.ratio, c.floor)); got != c.want {
				t.Errorf("retries: got %d, want %d", got, c.want)
			}
		})
	}
}

// Invariant: whenever a retry was allowed and spent, the retries of the last ten
// whole seconds are at most ratio x their requests + 10 x the floor; and as long as
// there are fewer by one, another is allowed.
func TestBudgetBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ratio := float64(rapid.IntRange(0, 4).Draw(t, "quarters")) / 4 // exact in binary
		floor := float64(rapid.IntRange(0, 3).Draw(t, "floor"))
		b := core.NewBudget(ratio, floor)
		requests, retries := map[int64]float64{}, map[int64]float64{}
		now := core.Instant(0)
		for range rapid.IntRange(1, 200).Draw(t, "events") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, 0, 0, 100 * time.Millisecond, time.Second, 7 * time.Second}).Draw(t, "gap"))
			second := int64(now / sec)
			if rapid.Bool().Draw(t, "request") {
				b.Request(now)
				requests[second]++
				continue
			}
			var asked, tried float64
			for s := second - 9; s <= second; s++ {
				asked, tried = asked+requests[s], tried+retries[s]
			}
			want := tried+1 <= ratio*asked+10*floor
			if got := b.Allows(now); got != want {
				t.Fatalf("at %v, %v retries for %v requests: allowed %v, want %v", now.Sub(0), tried, asked, got, want)
			}
			if want {
				b.Spend(now)
				retries[second]++
			}
		}
	})
}
