package concurrency_test

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive/concurrency"
	"github.com/evenkeel/evenkeel/core"
)

// within is a limiter by a name, with these bounds and this quantile.
func within(name string, initial, floor, ceiling int, quantile float64) *concurrency.Limiter {
	s := standard(initial)
	s.Floor, s.Ceiling = floor, ceiling
	key := core.NewKey(1)
	switch name {
	case "aimd":
		return must(concurrency.NewAIMD(s, time.Second))
	case "vegas":
		return must(concurrency.NewVegas(s, &key))
	case "gradient2":
		return must(concurrency.NewGradient2(s, 2, 8))
	}
	return must(concurrency.NewCorrelated(s, quantile))
}

// A limiter of the same name goes on from the limit that was found, within its own bounds; one
// of another name begins anew; and the one before learns nothing of it.
func TestInheritLimit(t *testing.T) {
	for name, make := range moving {
		old := make(20)
		feed(old, 0, 2000, 10*time.Millisecond, 100)
		found := old.State()
		if found.Limit < 30 {
			t.Fatalf("%s: got %v to inherit, want at least 30", name, found.Limit)
		}
		for _, c := range []struct {
			initial, floor, ceiling int
			want                    float64
		}{
			{20, 1, 1000, found.Limit}, {500, 400, 1000, 400}, {5, 1, 25, 25},
		} {
			next := within(name, c.initial, c.floor, c.ceiling, 0.9)
			next.Inherit(0, old)
			if got := next.State().Limit; got != c.want || next.Limit() != int(c.want) {
				t.Errorf("%s, found %v, from %d to %d: got %v, want %v", name, found.Limit, c.floor, c.ceiling, got, c.want)
			}
		}
		for other := range moving {
			next := within(other, 7, 1, 1000, 0.9)
			next.Inherit(0, old)
			if got := next.Limit(); other != name && got != 7 {
				t.Errorf("%s after %s: got %d, want its initial limit of 7", other, name, got)
			}
		}
		fixed, _ := concurrency.NewFixed(99)
		next := make(7)
		next.Inherit(0, fixed)
		if got := next.Limit(); got != 7 {
			t.Errorf("%s after fixed: got %d, want its initial limit of 7", name, got)
		}
		if old.State() != found && !math.IsNaN(found.Gradient+found.Queue+found.Throughput+found.Baseline) {
			t.Errorf("%s: the one before: got %+v, want %+v", name, old.State(), found)
		}
	}
}

// What latencies are without a queue goes on, too: an heir that begins in an overload knows it
// for one, which somebody new takes for what the service is like.
func TestInheritBaseline(t *testing.T) {
	for name, want := range map[string][2]float64{"vegas": {0.01, 0.1}, "gradient2": {0.01, 0.1}, "correlated": {0.01, 0.1}} {
		old, anew := moving[name](20), moving[name](20)
		now := feed(old, 0, 5000, 10*time.Millisecond, 9)
		next := within(name, 20, 1, 1000, 0.9)
		next.Inherit(now, old)
		feed(next, now, 120, 100*time.Millisecond, 20)
		feed(anew, now, 120, 100*time.Millisecond, 20)
		if got := next.State().Baseline; math.Abs(got-want[0]) > 0.1*want[0] {
			t.Errorf("%s: baseline: got %v s, want %v s", name, got, want[0])
		}
		if got := anew.State().Baseline; math.Abs(got-want[1]) > 0.1*want[1] {
			t.Errorf("%s, which has inherited nothing: baseline: got %v s, want %v s", name, got, want[1])
		}
		if got := next.Limit(); name == "vegas" && got >= 20 {
			t.Errorf("%s: got a limit of %d in an overload, want less than 20", name, got)
		}
		if got := next.State().Recent; name == "vegas" && math.Abs(got-0.04) > 1e-3 {
			t.Errorf("%s: recent: got %v s, want four baselines", name, got)
		}
	}
}

// Another quantile is another latency: the limit goes on, the baseline begins anew.
func TestInheritAnotherQuantile(t *testing.T) {
	old := correlated(20)
	now := feed(old, 0, 5000, 10*time.Millisecond, 100)
	next := within("correlated", 20, 1, 1000, 0.5)
	next.Inherit(now, old)
	if next.Limit() != old.Limit() {
		t.Errorf("got a limit of %d, want %d", next.Limit(), old.Limit())
	}
	feed(next, now, 120, 100*time.Millisecond, 20)
	if got := next.State().Baseline; !near(got, 0.1) {
		t.Errorf("baseline: got %v s, want what has been seen since", got)
	}
}

// The drops of a stall that the limit has been lowered for count no more for the heir.
func TestInheritDrops(t *testing.T) {
	old := aimd(100)
	old.Learn(10*sec, dropped(10*time.Second), 100)
	next := aimd(100)
	next.Inherit(10*sec, old)
	next.Learn(11*sec, dropped(10*time.Second), 100)
	wantLimit(t, "one that began before the drop", next, 90, 90)
	next.Learn(21*sec, dropped(10*time.Second), 100)
	wantLimit(t, "one that began after it", next, 81, 81)
}

// What is in flight by a gate counts for the gate that has taken its place, and when it ends it
// makes room there.
func TestInheritGate(t *testing.T) {
	before, after := &told{limit: 5}, &told{limit: 2}
	old, next := concurrency.NewGate(before, false), concurrency.NewGate(after, false)
	p, _ := old.Acquire(0, false)
	next.Inherit(0, old)
	if permit, ok := next.Acquire(0, false); !ok || permit != 2 {
		t.Errorf("the second of two: got %v and permit %d, want it in, as the second", ok, permit)
	}
	if got := next.Peek(0); got != core.Full {
		t.Errorf("at the limit: got %v, want full", got)
	}
	old.Settle(p, 0, answered(time.Second))
	if got := next.Peek(0); got != core.Ready {
		t.Errorf("when the one before has ended: got %v, want ready", got)
	}
	if len(before.heard) != 1 || len(after.heard) != 0 {
		t.Errorf("heard: got %d and %d, want it to have taught the limiter that let it in", len(before.heard), len(after.heard))
	}

	found := aimd(20)
	feed(found, 0, 500, 10*time.Millisecond, 20)
	heir := concurrency.NewGate(aimd(20), false)
	heir.Inherit(0, concurrency.NewGate(found, false))
	if got := heir.Limiter().Limit(); got != found.Limit() || got == 20 {
		t.Errorf("limit: got %d, want %d as found", got, found.Limit())
	}
	heir.Inherit(0, found) // no gate
	if got := heir.Limiter().Limit(); got != found.Limit() {
		t.Errorf("after what is no gate: got %d, want %d", got, found.Limit())
	}
}
