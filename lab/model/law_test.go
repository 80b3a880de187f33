package model

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

func newLaw(t interface {
	Helper()
	Fatal(...any)
}, kind string, mean time.Duration, cv float64) Law {
	t.Helper()
	law, err := NewLaw(kind, mean, cv)
	if err != nil {
		t.Fatal(err)
	}
	return law
}

func TestNewLaw(t *testing.T) {
	for _, c := range []struct {
		kind string
		mean time.Duration
		cv   float64
		want string // part of the error; empty for none
	}{
		{"constant", ms, 0, ""},
		{"exponential", ms, 0, ""},
		{"lognormal", ms, 0.5, ""},
		{"constant", 0, 0, "mean 0s"},
		{"exponential", -ms, 0, "mean -1ms"},
		{"exponential", ms, 1, "leave cv out"},
		{"constant", ms, 0.1, "leave cv out"},
		{"lognormal", ms, 0, "cv 0"},
		{"lognormal", ms, -1, "cv -1"},
		{"lognormal", ms, math.NaN(), "cv NaN"},
		{"lognormal", ms, math.Inf(1), "cv +Inf"},
		{"pareto", ms, 0, `unknown law "pareto"`},
	} {
		law, err := NewLaw(c.kind, c.mean, c.cv)
		if c.want == "" {
			if err != nil || law.Mean() != c.mean {
				t.Errorf("%s, %v, %v: got %v with mean %v, want no error", c.kind, c.mean, c.cv, err, law.Mean())
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %v, %v: got %v, want an error with %q", c.kind, c.mean, c.cv, err, c.want)
		}
	}
	for _, kind := range Laws {
		if _, err := NewLaw(kind, ms, 0); err != nil && !strings.Contains(err.Error(), "cv") {
			t.Errorf("%s is in Laws: got %v", kind, err)
		}
	}
}

// With X in units of the mean, the average of n draws of X lies around 1 with the
// standard deviation cv/√n, and that of X² around 1+cv² with √(E[X⁴]-E[X²]²)/√n.
// E[X⁴] is 24 for the exponential law and (1+cv²)⁶ for the lognormal one. The draws
// are keyed, so the test does not flicker; five standard deviations leave a wrong law
// no room.
func TestLawMoments(t *testing.T) {
	const n = 200_000
	for _, c := range []struct {
		kind   string
		given  float64 // cv
		cv     float64
		fourth float64
	}{
		{"constant", 0, 0, 1},
		{"exponential", 0, 1, 24},
		{"lognormal", 0.5, 0.5, math.Pow(1.25, 6)},
		{"lognormal", 1, 1, math.Pow(2, 6)},
	} {
		t.Run(fmt.Sprint(c.kind, c.cv), func(t *testing.T) {
			const mean = 10 * ms
			law := newLaw(t, c.kind, mean, c.given)
			var first, second float64
			for i := range n {
				x := float64(law.Draw(core.NewKey(1).At(uint64(i)))) / float64(mean)
				first += x / n
				second += x * x / n
			}
			wantSecond := 1 + c.cv*c.cv
			rounding := 1e-7 // of a nanosecond in ten milliseconds
			if got, within := first, 5*c.cv/math.Sqrt(n)+rounding; math.Abs(got-1) > within {
				t.Errorf("mean: got %v, want 1 ± %.4f", got, within)
			}
			within := 5*math.Sqrt(c.fourth-wantSecond*wantSecond)/math.Sqrt(n) + rounding
			if math.Abs(second-wantSecond) > within {
				t.Errorf("mean square: got %v, want %v ± %.4f", second, wantSecond, within)
			}
		})
	}
}

// Invariants: a key draws the same quantile whatever the mean, whatever the law; it
// draws it again; and no draw is negative. Draws are whole nanoseconds, which with
// means of 1 ms and more shifts a quantile by less than 1e-6 (density times a
// nanosecond; the lognormal density in units of the mean stays below 1/(σ·√(2π)·x),
// and its draws here above a tenth of the mean).
func TestLawInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mean := time.Duration(rapid.Int64Range(int64(ms), int64(time.Minute)).Draw(t, "mean"))
		times := rapid.IntRange(2, 50).Draw(t, "times")
		key := core.NewKey(rapid.Uint64().Draw(t, "key"))

		for _, c := range []struct {
			kind string
			cv   float64
		}{{"constant", 0}, {"exponential", 0}, {"lognormal", 0.5}} {
			once := newLaw(t, c.kind, mean, c.cv).Draw(key)
			again := newLaw(t, c.kind, mean, c.cv).Draw(key)
			if once < 0 || once != again {
				t.Fatalf("%s: got %v and %v from the same key", c.kind, once, again)
			}
			// Both are rounded down: once by less than a nanosecond, which counts
			// so many times, and the other by less than one. The rest is the
			// floating point's, some 1e-15 of the value.
			more := newLaw(t, c.kind, time.Duration(times)*mean, c.cv).Draw(key)
			want := float64(times) * float64(once)
			if diff := float64(more) - want; math.Abs(diff) > float64(times)+1e-12*want {
				t.Fatalf("%s: %d times the mean: got %v, want %d times %v", c.kind, times, more, times, once)
			}
		}
		exponential := newLaw(t, "exponential", mean, 0).Draw(key)
		lognormal := newLaw(t, "lognormal", mean, 0.5)
		p := -math.Expm1(-float64(exponential) / float64(mean))
		q := math.Erfc((lognormal.mu-math.Log(float64(lognormal.Draw(key))))/(lognormal.sigma*math.Sqrt2)) / 2
		if math.Abs(p-q) > 2e-5 {
			t.Fatalf("quantile of the exponential law: %v, of the lognormal one: %v", p, q)
		}
	})
}

// A law with a wild spread draws long times, never negative ones.
func TestLawOverflow(t *testing.T) {
	wild := newLaw(t, "lognormal", 24*time.Hour, 1e9)
	long := newLaw(t, "exponential", math.MaxInt64, 0)
	for i := range 10_000 {
		key := core.NewKey(2).At(uint64(i))
		if got := wild.Draw(key); got < 0 {
			t.Fatalf("lognormal: got %v", got)
		}
		if got := long.Draw(key); got < 0 {
			t.Fatalf("exponential: got %v", got)
		}
	}
}
