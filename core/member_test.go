package core_test

import (
	"testing"

	"github.com/evenkeel/evenkeel/core"
)

// When a member came into use, step by step.
func TestReturned(t *testing.T) {
	p := newPool(t, core.Config{})
	set := func(now core.Instant, weights map[string]float64) {
		t.Helper()
		var es []core.Endpoint
		for _, key := range []string{"a", "b"} {
			if w, ok := weights[key]; ok {
				es = append(es, core.Endpoint{Key: key, Weight: w})
			}
		}
		if err := p.Update(now, es); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when, key string, at core.Instant) {
		t.Helper()
		if got := p.member(key).Returned(); got != at {
			t.Errorf("%s: %s returned at %v, want %v", when, key, got.Sub(0), at.Sub(0))
		}
	}
	set(sec, map[string]float64{"a": 1})
	want("joined", "a", sec)
	set(2*sec, map[string]float64{"a": 3, "b": 1})
	want("kept with another weight", "a", sec)
	want("joined later", "b", 2*sec)
	set(3*sec, map[string]float64{"a": 0, "b": 1})
	want("drained", "a", sec)
	set(4*sec, map[string]float64{"a": 0, "b": 1})
	set(5*sec, map[string]float64{"a": 1, "b": 1})
	want("undrained", "a", 5*sec)
	want("the other one meanwhile", "b", 2*sec)

	a := p.member("a")
	a.Turned(6*sec, core.Closed, core.Open)
	a.Turned(7*sec, core.Open, core.HalfOpen)
	want("its breaker half-open", "a", 5*sec)
	a.Turned(8*sec, core.HalfOpen, core.Closed)
	want("its breaker closed", "a", 8*sec)
	a.Return(9 * sec)
	want("let back in by a gate", "a", 9*sec)

	set(10*sec, map[string]float64{"b": 1})
	set(11*sec, map[string]float64{"a": 1, "b": 1})
	want("left and joined again", "a", 11*sec)
}
