package adaptive_test

import (
	"math"
	"testing"

	"github.com/evenkeel/evenkeel/core"
)

// The distribution suite: what every strategy promises, bare and assembled.

// within checks shares of attempts against what is expected of them. A share p of N
// attempts has a standard deviation of at most sqrt(N·p·(1-p)); six of them are passed
// by chance in 2e-9 of the cases. Turns that are taken in order are nearer than that.
func within(t *testing.T, got []int, attempts int, want ...float64) {
	t.Helper()
	for slot, p := range want {
		n := float64(attempts)
		if off := math.Abs(float64(got[slot]) - n*p); off > 6*math.Sqrt(n*p*(1-p)) {
			t.Errorf("member %d: got %d of %d attempts, want %.0f ± %.0f", slot, got[slot], attempts, n*p, 6*math.Sqrt(n*p*(1-p)))
		}
	}
}

// each runs a test for every contestant.
func each(t *testing.T, run func(t *testing.T, c contestant)) {
	for _, c := range contestants {
		t.Run(c.name, func(t *testing.T) { run(t, c) })
	}
}

func TestEqualsShareEvenly(t *testing.T) {
	each(t, func(t *testing.T, c contestant) {
		const attempts, p = 30_000, 1.0 / 6
		within(t, c.build(t, 6).counts(t, attempts), attempts, p, p, p, p, p, p)
	})
}

// The share of a barred member goes to all the others, not to its neighbour.
func TestEqualsShareEvenlyAroundTheBarred(t *testing.T) {
	each(t, func(t *testing.T, c contestant) {
		const attempts = 30_000
		tb := c.build(t, 3)
		tb.set(1, core.Barred)
		within(t, tb.counts(t, attempts), attempts, 1.0/2, 0, 1.0/2)

		const p = 1.0 / 4
		tb = c.build(t, 7)
		tb.set(1, core.Barred)
		tb.set(2, core.Drained)
		tb.set(4, core.Barred)
		within(t, tb.counts(t, attempts), attempts, p, 0, 0, p, 0, p, p)
	})
}

func TestNeverTakesWhoMayNot(t *testing.T) {
	each(t, func(t *testing.T, c contestant) {
		tb := c.build(t, 6)
		tb.set(0, core.Barred)
		tb.set(3, core.Drained)
		if !c.assembled {
			tb.set(4, core.Full)
		}
		got := tb.counts(t, 2000, 1)
		for _, slot := range []int{0, 1, 3} {
			if got[slot] != 0 {
				t.Errorf("member %d, barred, tried or drained: got %d attempts, want 0", slot, got[slot])
			}
		}
		if !c.assembled && got[4] != 0 {
			t.Errorf("the full member: got %d attempts, want 0", got[4])
		}
	})
}

// A member on probation among two that are ready. Whoever sees it on a first attempt
// takes it: all that look at everybody, the 2 in 3 of d = 2 that draw it; who takes
// turns gives it its own.
func TestFirstAttemptsTakeWhoIsOnProbation(t *testing.T) {
	each(t, func(t *testing.T, c contestant) {
		const attempts = 10_000
		tb := c.build(t, 3)
		tb.set(1, core.Probing)
		p := 1.0
		switch {
		case c.takesTurns:
			p = 1.0 / 3
		case c.draws == 2:
			p = 2.0 / 3
		}
		within(t, tb.counts(t, attempts), attempts, (1-p)/2, p, (1-p)/2)
	})
}

// A retry prefers who is ready: d = 2 has no choice in the 1 in 3 that draw the one
// tried and the one on probation.
func TestRetriesPreferWhoIsReady(t *testing.T) {
	each(t, func(t *testing.T, c contestant) {
		const attempts = 10_000
		tb := c.build(t, 3)
		tb.set(1, core.Probing)
		p := 0.0
		if c.draws == 2 {
			p = 1.0 / 3
		}
		within(t, tb.counts(t, attempts, 0), attempts, 0, p, 1-p)
		// Nobody else is left: better than nothing.
		within(t, tb.counts(t, 10, 0, 2), 10, 0, 1, 0)
	})
}

func TestSizes(t *testing.T) {
	each(t, func(t *testing.T, c contestant) {
		var l core.Lease
		if c.build(t, 0).Begin(0, &core.Ask{}, &l) {
			t.Error("an empty view: got a lease, want none")
		}
		if got := c.build(t, 1).counts(t, 10); got[0] != 10 {
			t.Errorf("one member: got %d attempts, want 10", got[0])
		}
		within(t, c.build(t, 2).counts(t, 10_000), 10_000, 0.5, 0.5)

		// Of 1,000 members 3,000 attempts reach 1,000·(1 - e^-3) = 950, with a
		// standard deviation of at most sqrt(1,000·e^-3·(1-e^-3)) = 6.9; six are 42.
		reached := 0
		for _, n := range c.build(t, 1000).counts(t, 3000) {
			if n > 0 {
				reached++
			}
		}
		if reached < 950-42 {
			t.Errorf("of 1,000 members: got %d reached, want at least 908", reached)
		}
	})
}

func TestAllBarredDrainedOrTried(t *testing.T) {
	each(t, func(t *testing.T, c contestant) {
		tb := c.build(t, 3)
		for slot := range 3 {
			tb.set(slot, core.Barred)
		}
		var l core.Lease
		if tb.Begin(tb.now, &core.Ask{}, &l) {
			t.Errorf("all barred: got %s, want none", l.Member().Key)
		}
		tb = c.build(t, 3)
		tb.weigh(0, 0, 0)
		if tb.Begin(tb.now, &core.Ask{}, &l) {
			t.Errorf("all drained: got %s, want none", l.Member().Key)
		}
		tb = c.build(t, 3)
		ask := core.Ask{}
		copy(ask.Tried[:], tb.View().Members)
		if tb.Begin(0, &ask, &l) {
			t.Errorf("all tried: got %s, want none", l.Member().Key)
		}
	})
}

// Weights, as far as a strategy knows them: members are taken in proportion to them,
// or, where what is pending counts, have attempts pending in proportion to them while
// 600 are: each new one comes as the oldest ends, and so members are taken as often as
// they have any. (To be out by one pending in 600 is less than a standard deviation.)
// Strategies without weights treat all alike.
func TestWeights(t *testing.T) {
	each(t, func(t *testing.T, c contestant) {
		const attempts = 30_000
		for _, weights := range [][]float64{{1, 1, 1, 1, 8}, {4, 3, 2, 0, 1}, {0.5, 1.5, 0, 1, 1}} {
			tb := c.build(t, 5)
			tb.weigh(weights...)
			var got []int
			if c.weights == byLoad {
				got = tb.flow(t, 600, attempts)
			} else {
				got = tb.counts(t, attempts)
			}
			within(t, got, attempts, proportions(weights, c.weights == noWeights)...)
		}
	})
}

// A barred member's share goes to the others in proportion to their weights.
func TestWeightsAroundTheBarred(t *testing.T) {
	each(t, func(t *testing.T, c contestant) {
		const attempts = 30_000
		tb := c.build(t, 4)
		tb.set(1, core.Barred)
		tb.weigh(4, 3, 2, 1)
		want := proportions([]float64{4, 0, 2, 1}, c.weights == noWeights)
		if c.weights == byLoad {
			within(t, tb.flow(t, 600, attempts), attempts, want...)
		} else {
			within(t, tb.counts(t, attempts), attempts, want...)
		}
	})
}

// proportions are the weights as shares of one; alike for all that have any, if so
// wished.
func proportions(weights []float64, alike bool) []float64 {
	shares, sum := make([]float64, len(weights)), 0.0
	for i, w := range weights {
		if shares[i] = w; alike && w > 0 {
			shares[i] = 1
		}
		sum += shares[i]
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}

// Nothing is pending in the end, and everybody's attempts are on the books.
func TestBooks(t *testing.T) {
	each(t, func(t *testing.T, c contestant) {
		tb := c.build(t, 5)
		var leases uint64
		tb.counts(t, 1000)
		for _, m := range tb.View().Members {
			leases += m.Leases()
			if got := m.Pending(); got != 0 {
				t.Errorf("pending at %s: got %d, want 0", m.Key, got)
			}
		}
		if leases != 1000 {
			t.Errorf("leases: got %d, want 1000", leases)
		}
	})
}
