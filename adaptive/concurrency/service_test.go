package concurrency_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive/concurrency"
	"github.com/evenkeel/evenkeel/core"
)

// Ten servers of 10 ms, always as many in flight as may be. Up to a limit of 10 nobody
// waits; at a limit of L above it every latency is L ms. From that follow the bands:
//
//   - vegas, from 5: baseline 10 ms, so that queue = L - 10. It grows while that is
//     below 3 and holds it up to 6: 13 to 16.
//   - gradient2, from 5, before its long average has moved: 4 = L·(1 - 1.5·10/L), so
//     that L = 19; in ten seconds the average gains less than 2·100/601 of the gap.
//   - correlated: from the knee, 10, to a queue of 6 above it, a unit less for the
//     guard; its latencies are read to within 6 %. Also from 20, where the first
//     baseline has a queue in it.
func TestSettles(t *testing.T) {
	for _, c := range []struct {
		name      string
		initial   int
		at        []core.Instant
		low, high int
	}{
		{"vegas", 5, []core.Instant{3 * sec, 5 * sec, 10 * sec}, 13, 16},
		{"gradient2", 5, []core.Instant{5 * sec, 10 * sec}, 18, 24},
		{"correlated", 5, []core.Instant{10 * sec, minutes(1), minutes(10)}, 9, 17},
		{"correlated", 20, []core.Instant{10 * sec, minutes(1), minutes(10)}, 9, 17},
	} {
		l := moving[c.name](c.initial)
		s := newService(l, 10, 10*time.Millisecond)
		for _, at := range c.at {
			s.saturate(at)
			wantLimit(t, fmt.Sprint(c.name, " from ", c.initial, " after ", at.Sub(0)), l, c.low, c.high)
		}
	}
}

func minutes(n int) core.Instant { return core.Instant(n) * 60 * sec }

// What the guard is for: where load stays at the limit, the baseline of vegas
// and the long average of gradient2 creep up with the queue that they cause themselves
// (Netflix/concurrency-limits #165 and pull 134), and the limit with them; that of
// correlated stays.
func TestTheGuardKeepsTheBaseline(t *testing.T) {
	for name, creeps := range map[string]bool{"vegas": true, "gradient2": true, "correlated": false} {
		l := moving[name](5)
		newService(l, 10, 10*time.Millisecond).saturate(minutes(10))
		if crept := l.Limit() > 25; crept != creeps {
			t.Errorf("%s after ten minutes: got a limit of %d, want above 25: %v", name, l.Limit(), creeps)
		}
	}
}

// The same with service times of an exponential distribution, a hundred servers.
func TestCorrelatedInNoise(t *testing.T) {
	for seed := range uint64(2) {
		l := correlated(20)
		s := newService(l, 100, 0)
		key := core.NewKey(seed)
		s.takes = func(core.Instant) time.Duration { return time.Duration(-math.Log(key.Float64()) * 1e7) }
		s.saturate(20 * sec)
		for half := range 2 {
			done := s.done
			s.saturate(s.now + 30*sec)
			wantLimit(t, fmt.Sprint("seed ", seed, ", half minute ", half), l, 80, 160)
			if got := float64(s.done-done) / (30 * 10_000); got < 0.93 {
				t.Errorf("seed %d, half minute %d: got %.0f %% of what the servers can do, want 93", seed, half, 100*got)
			}
		}
	}
}

// The service becomes three times slower, for good: its latency is no queue, and a
// limiter that takes it for one lets it work at a part of what it can do. The baseline
// of correlated rises. Then it becomes fast again.
func TestCorrelatedAfterAStep(t *testing.T) {
	for _, servers := range []int{10, 100} {
		l := correlated(20)
		s := newService(l, servers, 10*time.Millisecond)
		takes := 10 * time.Millisecond
		s.takes = func(core.Instant) time.Duration { return takes }
		s.saturate(30 * sec)
		for _, takes = range []time.Duration{30 * time.Millisecond, 10 * time.Millisecond} {
			for range 20 { // to find its way
				s.saturate(s.now + sec)
				if takes == 10*time.Millisecond { // better news is no reason to shed
					wantLimit(t, fmt.Sprint(servers, " servers, faster again, at ", s.now.Sub(0)), l, servers*3/4, 1000)
				}
			}
			done := s.done
			s.saturate(s.now + 20*sec)
			can := float64(servers) * 20 / takes.Seconds()
			if got := float64(s.done-done) / can; got < 0.9 {
				t.Errorf("%d servers at %v: got %.0f %% of what they can do, want 90", servers, takes, 100*got)
			}
			wantLimit(t, fmt.Sprint(servers, " servers at ", takes), l, servers*3/4, 2*servers)
		}
	}
}

// Below the knee a limiter is out of the way: half of what the servers can do arrives
// by itself, and nobody is refused once the limit is found.
func TestOutOfTheWay(t *testing.T) {
	for name, make := range moving {
		l := make(20)
		s := newService(l, 20, 10*time.Millisecond)
		key := core.NewKey(7)
		s.arrive(20*sec, 1000, &key)
		s.refused = 0
		s.arrive(80*sec, 1000, &key)
		if share := float64(s.refused) / 60_000; share > 0.001 {
			t.Errorf("%s: got %d of 60000 refused at half load, want at most one in a thousand", name, s.refused)
		}
	}
}

// Work that differs by itself is no queue: at 60 % of what forty servers can do next to nobody
// is refused once the limit is found, and beyond it the servers do nearly what they can,
// with a short queue by vegas and correlated. (By the textbook, vegas refuses 12 % of the mixed
// work here, and correlated 1 %.)
func TestWorkThatDiffersByItself(t *testing.T) {
	for work, takes := range works {
		for name, make := range moving {
			l := make(20)
			s := newService(l, 40, 0)
			key := core.NewKey(11)
			s.takes = func(core.Instant) time.Duration { return time.Duration(takes(&key) * 1e9) }
			s.arrive(20*sec, 1200, &key)
			s.refused = 0
			s.arrive(80*sec, 1200, &key)
			if share := float64(s.refused) / 72_000; share > 0.005 {
				t.Errorf("%s, %s at 60 %%: got %.1f %% refused, want at most 0.5", work, name, 100*share)
			}
			s.arrive(100*sec, 2600, &key)
			done := s.done
			s.arrive(160*sec, 2600, &key)
			if share := float64(s.done-done) / 120_000; share < 0.9 {
				t.Errorf("%s, %s beyond the edge: got %.1f %% of what the servers can do, want 90; a limit of %d", work, name, 100*share, l.Limit())
			}
			if name == "vegas" || name == "correlated" {
				wantLimit(t, fmt.Sprint(work, ", ", name, " beyond the edge"), l, 30, 70)
			}
		}
	}
}

// The mix changes for good: instead of one request in ten three take sixteen times as long, and
// instead of 14 of 40 servers 31 are busy. A limiter that does not know what was asked may take
// that for a queue; it has to find out soon that it is none. What is refused in two minutes is
// the median of five.
func TestWhenTheMixChanges(t *testing.T) {
	for name, make := range moving {
		var refused []float64
		for seed := range uint64(5) {
			s := newService(make(20), 40, 0)
			key, long := core.NewKey(seed), 0.1
			s.takes = func(core.Instant) time.Duration { return time.Duration(mixed(&key, long) * 1e9) }
			s.arrive(30*sec, 700, &key)
			s.refused, long = 0, 0.3
			s.arrive(150*sec, 700, &key)
			refused = append(refused, float64(s.refused)/84_000)
		}
		slices.Sort(refused)
		if got := refused[2]; got > 0.06 {
			t.Errorf("%s: got %.1f %% refused, want at most 6", name, 100*got)
		}
	}
}

// One that knows sees that it is none.
func TestWhenTheMixOfClassesChanges(t *testing.T) {
	for _, name := range []string{"vegas", "gradient2", "correlated"} {
		for seed := range uint64(2) {
			s := newService(concurrency.NewClassed(moving[name](20)), 40, 0)
			key, long := core.NewKey(seed), 0.1
			s.takes = func(core.Instant) time.Duration {
				s.class = 0
				mean := 0.008
				if key.Float64() < long {
					s.class, mean = 1, 0.128
				}
				return time.Duration(-math.Log(key.Float64()) * mean * 1e9)
			}
			s.arrive(30*sec, 700, &key)
			s.refused, long = 0, 0.3
			s.arrive(150*sec, 700, &key)
			if got := float64(s.refused) / 84_000; got > 0.001 {
				t.Errorf("%s, seed %d: got %.2f %% refused, want at most 0.1", name, seed, 100*got)
			}
		}
	}
}

// mixed is how many seconds exponential work takes: 8 ms, and a share of it 128 ms.
func mixed(key *core.Key, long float64) float64 {
	mean := 0.008
	if key.Float64() < long {
		mean = 0.128
	}
	return -math.Log(key.Float64()) * mean
}

// works are laws of work with a mean of 20 ms, in seconds.
var works = map[string]func(*core.Key) float64{
	"one in ten sixteen times as long": func(key *core.Key) float64 { return mixed(key, 0.1) },
	"a Pareto tail of index 1.3 over three decades": func(key *core.Key) float64 {
		const alpha, least = 1.3, 0.00528
		return least * math.Pow(1-key.Float64()*(1-math.Pow(1000, -alpha)), -1/alpha)
	},
}

// An endpoint that hangs answers nothing: its limit falls to the floor of 1, so that no
// more than one request hangs there. (A floor of 20 would leave twenty.)
func TestStuck(t *testing.T) {
	for name, make := range moving {
		l := make(20)
		now := core.Instant(0)
		for range 50 {
			began := now
			now = now.Add(10 * time.Second)
			for range l.Limit() {
				l.Learn(now, dropped(now.Sub(began)), l.Limit())
			}
		}
		if got := l.Limit(); got != 1 {
			t.Errorf("%s after 50 rounds of timeouts: got %d, want 1", name, got)
		}
		// And it comes back.
		s := newService(l, 20, 10*time.Millisecond)
		s.now = now
		s.saturate(now + 30*sec)
		if got := l.Limit(); got < 10 {
			t.Errorf("%s half a minute after it was well again: got %d, want at least 10", name, got)
		}
	}
}

// Vegas finds a limit of hundreds within seconds, not minutes
// (Netflix/concurrency-limits #35).
func TestVegasRamps(t *testing.T) {
	l := vegas(20)
	s := newService(l, 300, 10*time.Millisecond)
	s.saturate(10 * sec)
	wantLimit(t, "300 servers, after 10 s", l, 300, 320)
}
