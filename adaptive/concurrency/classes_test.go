package concurrency

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

const second = core.Instant(time.Second)

// told has classes hear of n latencies of a class, and returns what the last counts as.
func (c *classes) told(class uint8, now core.Instant, seconds float64, n int) (alike float64) {
	for range n {
		alike = c.alike(class, now, seconds)
	}
	return alike
}

func TestAlike(t *testing.T) {
	var c classes
	const most = (302*0.008 + 0.016) / 303 // what the most frequent takes, in the end
	steps := []struct {
		what    string
		class   uint8
		seconds float64
		n       int
		want    float64 // of the last
		most    uint8   // whose unit it is
	}{
		{"the first class", 3, 0.016, 100, 0.016, 3},
		{"one that takes eight times as long", 1, 0.128, 10, 0.016, 3},
		{"which is slow for once", 1, 0.238, 1, 0.016 * 0.238 / 0.138, 3},
		{"the first, slow for once", 3, 0.117, 1, 0.117, 3},
		{"a third, not yet twice as frequent", 0, 0.008, 202, 0.017, 3},
		{"now it is: the unit stays", 0, 0.008, 100, 0.017, 0},
		{"and it is slow", 0, 0.016, 1, 0.034, 0},
		{"the last that is told apart", maxClasses - 1, 1, 50, 0.034 / 0.016 * most, 0},
		{"shares with all beyond", 200, 52, 1, 0.034 / 0.016 * most * 26, 0},
	}
	for _, s := range steps {
		if got := c.told(s.class, 0, s.seconds, s.n); math.Abs(got-s.want) > 1e-9*s.want {
			t.Errorf("%s: got %v, want %v", s.what, got, s.want)
		}
		if c.most != s.most {
			t.Errorf("%s: the most frequent: got %d, want %d", s.what, c.most, s.most)
		}
	}
}

// A mean forgets with time, and not below the last fifty: a pause is not the end of what is
// known.
func TestUsual(t *testing.T) {
	var u usual
	for range 1000 {
		u.add(0, 1)
	}
	u.add(core.Instant(classMemory), 2)
	if left := 1000 / math.E; math.Abs(u.samples-(left+1)) > 1e-9 || math.Abs(u.seconds-(left+2)/(left+1)) > 1e-9 {
		t.Errorf("a minute later: %v samples with a mean of %v, want %v with %v", u.samples, u.seconds, left+1, (left+2)/(left+1))
	}
	u = usual{seconds: 1, samples: 1000}
	u.add(core.Instant(24*time.Hour), 52)
	if u.samples != classSamples+1 || u.seconds != 2 {
		t.Errorf("a day later: %v samples with a mean of %v, want 51 with 2", u.samples, u.seconds)
	}
	u = usual{seconds: 1, samples: 3}
	u.add(core.Instant(24*time.Hour), 5)
	if u.samples != 4 || u.seconds != 2 {
		t.Errorf("of few: %v samples with a mean of %v, want 4 with 2", u.samples, u.seconds)
	}
}

// Invariants: of one class all latencies are as they are, whatever they are; of several each
// is a number above 0; and when all take so many times as long, they count as that much more.
func TestAlikeHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c, slower classes
		classes := rapid.IntRange(1, 20).Draw(t, "classes")
		now := core.Instant(0)
		for range rapid.IntRange(1, 300).Draw(t, "requests") {
			now += core.Instant(rapid.Int64Range(0, int64(10*second)).Draw(t, "passes"))
			class := uint8(rapid.IntRange(0, classes-1).Draw(t, "class"))
			x := rapid.Float64Range(1e-6, 1000).Draw(t, "seconds")
			got := c.alike(class, now, x)
			if classes == 1 && got != x {
				t.Fatalf("one class: got %v, want %v", got, x)
			}
			if !(got > 0) || math.IsInf(got, 0) {
				t.Fatalf("got %v", got)
			}
			if want := slower.alike(class, now, 3*x); math.Abs(want-3*got) > 1e-6*want {
				t.Fatalf("three times as slow: got %v, want %v", want, 3*got)
			}
		}
	})
}

// A limiter with classes learns what its latencies are alike, and drops as they are; it goes on
// with what another has learned of classes, and is not misled by one without.
func TestClassed(t *testing.T) {
	settings := Settings{Initial: 20, Floor: 1, Ceiling: 1000, Window: time.Second, Samples: 10}
	make := func() *Classed {
		l, err := NewGradient2(settings, 1.5, 4)
		if err != nil {
			t.Fatal(err)
		}
		return NewClassed(l)
	}
	answer := func(l *Classed, class uint8, now core.Instant, took time.Duration) {
		l.LearnOf(class, now, core.Sample{Outcome: core.Success, FirstAnswer: took, Total: took}, 20)
	}
	l := make()
	for i := range 30 {
		answer(l, 0, core.Instant(i)*second/10, 10*time.Millisecond)
		answer(l, 1, core.Instant(i)*second/10, 160*time.Millisecond)
	}
	if got := l.State().Recent; math.Abs(got-0.01) > 1e-9 {
		t.Errorf("recent latency: got %v, want 0.01", got)
	}
	next, plain := make(), make()
	next.Inherit(0, l)
	plain.Inherit(0, l.Limiter)
	for i, to := range []*Classed{next, plain} {
		answer(to, 1, 4*second, 160*time.Millisecond)
		if got, want := to.window.seconds, []float64{0.01, 0.16}[i]; math.Abs(got-want) > 1e-9 {
			t.Errorf("heir %d: a latency of 160 ms of the slow class counts as %v, want %v", i, got, want)
		}
	}
	if got := next.Limit(); got != l.Limit() {
		t.Errorf("the heir's limit: got %d, want %d", got, l.Limit())
	}
	before, heard := l.State().Limit, l.classes.each[1].samples
	l.LearnOf(1, 10*second, core.Sample{Outcome: core.Timeout, FirstAnswer: -1, Total: time.Millisecond}, 20)
	if got := l.State().Limit; math.Abs(got-before*backoff) > 1e-9 {
		t.Errorf("limit after a drop: got %v, want %v", got, before*backoff)
	}
	if got := l.classes.each[1].samples; got != heard {
		t.Error("a drop has taught what its class takes")
	}
	now := 11 * second
	if got := testing.AllocsPerRun(1000, func() {
		now += second / 100
		answer(l, uint8(now/second), now, 10*time.Millisecond)
	}); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}
