package core_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

func TestWindow(t *testing.T) {
	type add struct {
		at   core.Instant
		a, b uint64
	}
	const wrap = core.Instant(1<<24) * sec // after which a bucket's stamp repeats
	cases := map[string]struct {
		span time.Duration
		adds []add
		at   core.Instant
		a, b uint64
	}{
		"nothing":                     {10 * time.Second, nil, 0, 0, 0},
		"at the epoch":                {10 * time.Second, []add{{0, 1, 2}}, 0, 1, 2},
		"one second adds up":          {10 * time.Second, []add{{0, 1, 2}, {sec - 1, 3, 4}}, sec - 1, 4, 6},
		"seconds add up":              {3 * time.Second, []add{{0, 1, 1}, {sec, 1, 0}, {2 * sec, 1, 0}}, 2 * sec, 3, 1},
		"the last instant it counts":  {3 * time.Second, []add{{0, 1, 1}}, 3*sec - 1, 1, 1},
		"then it is gone":             {3 * time.Second, []add{{0, 1, 1}}, 3 * sec, 0, 0},
		"a bucket is taken over":      {2 * time.Second, []add{{0, 5, 5}, {2 * sec, 1, 0}}, 2 * sec, 1, 0},
		"the second goes as a whole":  {time.Second, []add{{sec - 1, 1, 0}}, sec, 0, 0},
		"spans are rounded up":        {1500 * time.Millisecond, []add{{0, 1, 0}}, 2*sec - 1, 1, 0},
		"no span is a second":         {0, []add{{0, 1, 0}}, sec - 1, 1, 0},
		"a idle gap":                  {2 * time.Second, []add{{0, 1, 1}, {100 * sec, 2, 0}}, 101 * sec, 2, 0},
		"saturates":                   {time.Second, []add{{0, core.WindowMax, core.WindowMax - 1}, {0, 5, 5}}, 0, core.WindowMax, core.WindowMax},
		"saturated counts stay apart": {time.Second, []add{{0, 1, core.WindowMax}, {0, 0, 1}}, 0, 1, core.WindowMax},
		"stamps wrap":                 {3 * time.Second, []add{{wrap - 2*sec, 1, 0}, {wrap - sec, 2, 0}, {wrap, 4, 1}}, wrap, 7, 1},
		"after the wrap":              {2 * time.Second, []add{{wrap - sec, 1, 0}, {wrap, 2, 1}}, wrap + sec, 2, 1},
		"a reader a little behind":    {3 * time.Second, []add{{sec, 1, 0}, {2 * sec, 2, 0}}, 2*sec - 1, 1, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := core.NewWindow(c.span)
			for _, add := range c.adds {
				w.Add(add.at, add.a, add.b)
			}
			if a, b := w.Sum(c.at); a != c.a || b != c.b {
				t.Errorf("sum at %v: got %d and %d, want %d and %d", c.at.Sub(0), a, b, c.a, c.b)
			}
		})
	}
}

func TestWindowSpanAndReset(t *testing.T) {
	w := core.NewWindow(2500 * time.Millisecond)
	if got, want := w.Span(), 3*time.Second; got != want {
		t.Errorf("span: got %v, want %v", got, want)
	}
	w.Add(0, 1, 1)
	w.Add(sec, 1, 1)
	w.Reset()
	if a, b := w.Sum(sec); a != 0 || b != 0 {
		t.Errorf("after Reset: got %d and %d, want 0 and 0", a, b)
	}
	w.Add(sec, 3, 2)
	if a, b := w.Sum(sec); a != 3 || b != 2 {
		t.Errorf("used again: got %d and %d, want 3 and 2", a, b)
	}
}

// Invariant: whatever is counted, in order of time, Sum(now) is what was counted in
// the span-1 whole seconds before now's second and in now's own.
func TestWindowAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := rapid.IntRange(1, 12).Draw(t, "span")
		w := core.NewWindow(time.Duration(span) * time.Second)
		now := core.Instant(rapid.Int64Range(0, 1<<25).Draw(t, "from second")) * sec
		model := map[int64][2]uint64{}
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 3e9).Draw(t, "gap")))
			a, b := rapid.Uint64Range(0, 9).Draw(t, "a"), rapid.Uint64Range(0, 9).Draw(t, "b")
			w.Add(now, a, b)
			second := int64(now / sec)
			model[second] = [2]uint64{model[second][0] + a, model[second][1] + b}

			later := now.Add(time.Duration(rapid.Int64Range(0, 2e9).Draw(t, "look")))
			var want [2]uint64
			for s, n := range model {
				if s <= int64(later/sec) && s > int64(later/sec)-int64(span) {
					want[0], want[1] = want[0]+n[0], want[1]+n[1]
				}
			}
			if a, b := w.Sum(later); a != want[0] || b != want[1] {
				t.Fatalf("sum at %v: got %d and %d, want %d and %d", later.Sub(0), a, b, want[0], want[1])
			}
		}
	})
}

func TestWindowAllocatesNothing(t *testing.T) {
	w, now := core.NewWindow(10*time.Second), core.Instant(0)
	if got := testing.AllocsPerRun(100, func() {
		now += sec / 3
		w.Add(now, 1, 1)
		w.Sum(now)
	}); got != 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}
