package ewma

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

// Invariant: whatever begins and ends when, the debt of two answers or more is as old as it is by
// plain books: since the first attempt after there was none, or the last answer; to within a
// tick of 4.1 µs. That of one has no age.
func TestDebtByTheBooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d debt
		owed, since := 0, core.Instant(0)
		now := core.Instant(rapid.Int64Range(0, 1<<62).Draw(t, "start"))
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "later")))
			switch what := rapid.IntRange(0, 2).Draw(t, "what"); {
			case what == 0 || owed == 0:
				if owed++; owed == 1 {
					since = now
				}
				d.begin(now)
			case what == 1:
				owed, since = owed-1, now
				d.answered(now)
			default:
				owed--
				d.end()
			}
			want := 0.0
			if owed > 1 && now.Sub(since) < 25*24*time.Hour {
				want = now.Sub(since).Seconds()
			} else if owed > 1 {
				continue // longer than is told apart
			}
			if got := d.age(now); math.Abs(got-want) > 4.2e-6 {
				t.Fatalf("with %d owed: got %v s, want %v s", owed, got, want)
			}
		}
	})
}

// A reader whose clock is a little behind sees no debt, not an endless one.
func TestDebtClockBehind(t *testing.T) {
	var d debt
	d.begin(core.Instant(time.Second))
	d.begin(core.Instant(time.Second))
	if got := d.age(core.Instant(time.Second - time.Millisecond)); got != 0 {
		t.Errorf("a millisecond before it began: got %v s, want 0", got)
	}
}
