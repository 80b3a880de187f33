package concurrency_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/adaptive/concurrency"
	"github.com/evenkeel/evenkeel/core"
)

// turn is a full window and the state after it. What is not looked at is NaN.
type turn struct {
	latency  float64 // ms
	inFlight int
	limit    float64
	baseline float64 // ms
	gradient float64
	queue    float64
}

// turns has the limiter learn window by window: ten samples at the end of each tenth of
// a second.
func turns(t *testing.T, l *concurrency.Limiter, all []turn) {
	t.Helper()
	l.Learn(0, answered(time.Duration(all[0].latency*1e6)), all[0].inFlight)
	same := func(got, want float64) bool { return math.IsNaN(want) || math.Abs(got-want) < 1e-9 }
	for i, w := range all {
		n := 10
		if i == 0 {
			n = 9
		}
		for range n {
			l.Learn(core.Instant(i+1)*100*ms, answered(time.Duration(w.latency*1e6)), w.inFlight)
		}
		s := l.State()
		if !same(s.Limit, w.limit) || !same(1000*s.Baseline, w.baseline) || !same(s.Gradient, w.gradient) || !same(s.Queue, w.queue) {
			t.Errorf("window %d, %v ms: got %+v, want %+v", i, w.latency, s, w)
		}
		if !same(1000*s.Recent, w.latency) || int(s.InFlight) != w.inFlight {
			t.Errorf("window %d: got recent %v s and %v in flight, want %v ms and %d", i, s.Recent, s.InFlight, w.latency, w.inFlight)
		}
	}
}

func TestVegasSteps(t *testing.T) {
	no := math.NaN()
	turns(t, vegas(20), []turn{
		{10, 20, 26, 10, no, 0},   // no queue: 6 units more
		{11, 26, 26, 10, no, 3},   // 26/11, rounded up: from 3 to 6 it holds
		{10.5, 26, 27, 10, no, 2}, // a unit more
		{14, 26, 27, 10, no, 8},   // too many, but the limit was not reached
		{14, 27, 26, 10, no, 8},   // a unit less
		{12.9, 26, 26, 10, no, 6},
		{20, 12, 26, 10, no, 13}, // less than half of it in flight: nothing moves
		{9, 26, 32, 9, no, 0},    // a new baseline
	})
}

func TestGradient2Steps(t *testing.T) {
	no := math.NaN()
	turns(t, gradient2(20), []turn{
		{10, 20, 20.8, 10, 1, no}, // 0.8·20 + 0.2·(20 + 4)
		{30, 20, 21.6, 20, 1, no}, // a plain mean at first: 20; 1.5·20/30
		{100, 21, 21.104, 140.0 / 3, 0.7, no},
		{10, 21, 21.904, 35.625, 1, no},     // the mean is 37.5, more than twice as much: a twentieth less
		{1000, 21, 20.5136, 228.5, 0.5, no}, // 1.5·228.5/1000, but no less than a half
		{1000, 9, 20.5136, 35.625 + 964.375/5 + (1000-228.5)/6, 0.535625, no},
	})
}

// The long average is plain over the first ten windows, and exponential over 600 from
// then on: of a step by 10 ms it takes 10·2/601.
func TestGradient2LongAverage(t *testing.T) {
	var all []turn
	for range 9 {
		all = append(all, turn{10, 9, 20, 10, 1, math.NaN()})
	}
	all = append(all, turn{20, 9, 20, 11, 0.825, math.NaN()}, turn{14, 9, 20, 11 + 3*2.0/601, 1, math.NaN()})
	turns(t, gradient2(20), all)
}

func TestAIMDSteps(t *testing.T) {
	no := math.NaN()
	l := aimd(20)
	turns(t, l, []turn{{10, 20, 21, no, no, no}, {4000, 20, 22, no, no, no}, {10, 10, 22, no, no, no}})
	l.Learn(sec, dropped(time.Millisecond), 22)
	if got := l.State().Limit; got != 22*0.9 {
		t.Errorf("after a drop: got %v, want 19.8", got)
	}
	if got := l.Limit(); got != 19 {
		t.Errorf("limit: got %d, want it rounded down: 19", got)
	}
}

// windows has a limiter learn of so many windows of a tenth of a second, each of
// perWindow samples.
func windows(l *concurrency.Limiter, from core.Instant, n, perWindow int, d time.Duration, inFlight int) core.Instant {
	for range n {
		for i := range perWindow {
			l.Learn(from+core.Instant(i+1)*100*ms/core.Instant(perWindow), answered(d), inFlight)
		}
		from += 100 * ms
	}
	return from
}

// near reports whether a latency was read to within a bucket of the histogram.
func near(got, want float64) bool { return math.Abs(got-want) < 0.07*want }

// A latency that rises while the limit is not needed is no queue of the limiter's: the
// baseline follows. While the limit is needed, with the same number in flight all the
// time, there is no telling, and it stays; downwards it always follows.
func TestCorrelatedBaseline(t *testing.T) {
	l := correlated(20)
	l.Learn(0, answered(10*time.Millisecond), 5)
	now := windows(l, 0, 10, 100, 10*time.Millisecond, 5)
	now = windows(l, now, 60, 100, 30*time.Millisecond, 5)
	if got := l.State(); !near(got.Baseline, 0.03) || !near(got.Recent, 0.03) {
		t.Errorf("not needed: got %+v, want a baseline of 30 ms", got)
	}
	now = windows(l, now, 60, 100, 60*time.Millisecond, 20)
	if got := l.State(); !near(got.Baseline, 0.03) || !near(got.Recent, 0.06) {
		t.Errorf("needed: got %+v, want a baseline of 30 ms still", got)
	}
	windows(l, now, 60, 100, 10*time.Millisecond, 20)
	if got := l.State(); !near(got.Baseline, 0.01) {
		t.Errorf("faster: got %+v, want a baseline of 10 ms", got)
	}
}

// The first window sees those that were quick alone; the baseline is not that, also when
// the limit is needed from the start, but the mean of ten windows.
func TestCorrelatedWarmUp(t *testing.T) {
	l := correlated(20)
	l.Learn(0, answered(10*time.Millisecond), 20)
	now := windows(l, 0, 1, 100, 10*time.Millisecond, 20)
	windows(l, now, 14, 100, 30*time.Millisecond, 20)
	if got := l.State().Baseline; !near(got, 0.028) { // one of 10 ms and nine of 30
		t.Errorf("got a baseline of %v s, want 28 ms", got)
	}
	if got := l.Limit(); got < 30 {
		t.Errorf("got a limit of %d, want it to have grown", got)
	}
}

// One window that is much slower than those around it moves nothing.
func TestCorrelatedIgnoresOneSpike(t *testing.T) {
	l := correlated(20)
	l.Learn(0, answered(10*time.Millisecond), 20)
	now := windows(l, 0, 8, 100, 10*time.Millisecond, 20)
	before := l.Limit()
	windows(l, now, 1, 100, time.Second, 20)
	if got := l.Limit(); got < before || !near(l.State().Recent, 0.01) {
		t.Errorf("after a window of 1 s: got a limit of %d after %d, and %+v; want no less, and a latency of 10 ms", got, before, l.State())
	}
}

// More in flight with less throughput: past the knee, whatever the latency. But only where
// the limit was reached: otherwise it did not decide what was in flight.
func TestCorrelatedAgainst(t *testing.T) {
	for _, inFlight := range [][2]int{{200, 150}, {30, 25}} {
		l := correlated(50)
		now := core.Instant(0)
		l.Learn(now, answered(10*time.Millisecond), 20)
		now = windows(l, now, 9, 70, 10*time.Millisecond, 20) // the baseline, not reached
		for range 15 {
			now = windows(l, now, 1, 50, 10*time.Millisecond, inFlight[0])
			now = windows(l, now, 1, 100, 10*time.Millisecond, inFlight[1])
		}
		got := l.State()
		if inFlight[0] == 200 && (l.Limit() > 40 || !(got.Throughput < -0.9) || math.Abs(got.Latency) > 1e-9) {
			t.Errorf("got a limit of %d and %+v, want it to have fallen, by the throughput", l.Limit(), got)
		}
		if inFlight[0] == 30 && (l.Limit() < 60 || !math.IsNaN(got.Throughput)) {
			t.Errorf("not reached: got a limit of %d and %+v, want it to have grown, without a correlation", l.Limit(), got)
		}
	}
}

// Latencies three times the baseline look like a queue; where the throughput goes with what
// is in flight they are work that gets done, and the limit stays, as soon as there are the ten
// windows that it takes to know. The latency goes with it, too, or the baseline would rise.
func TestCorrelatedBeforeTheKnee(t *testing.T) {
	for follows, want := range map[bool][2]int{true: {90, 100}, false: {1, 75}} {
		l := correlated(100)
		now := core.Instant(0)
		l.Learn(now, answered(10*time.Millisecond), 20)
		now = windows(l, now, 10, 100, 10*time.Millisecond, 20)
		for i := range 40 {
			n := i % 4
			samples := 100
			if follows {
				samples += 50 * n
			}
			now = windows(l, now, 1, samples, time.Duration(30+n)*time.Millisecond, 100+20*n)
		}
		wantLimit(t, fmt.Sprint("throughput follows: ", follows), l, want[0], want[1])
	}
}

// Correlations come from windows in which the limit was reached; each other one makes the
// oldest of them be forgotten.
func TestCorrelatedForgets(t *testing.T) {
	l := correlated(20)
	now := core.Instant(0)
	l.Learn(now, answered(10*time.Millisecond), 100)
	for i := range 30 {
		now = windows(l, now, 1, 50+10*(i%2), 10*time.Millisecond, 100+i%2)
	}
	if got := l.State().Throughput; !(got > 0.9) {
		t.Fatalf("reached: got a correlation of %v, want 1", got)
	}
	now = windows(l, now, 20, 50, 10*time.Millisecond, 9)
	if got := l.State().Throughput; !(got > 0.9) {
		t.Errorf("after 20 of 30 windows without need: got a correlation of %v, want 1", got)
	}
	windows(l, now, 1, 50, 10*time.Millisecond, 9)
	if got := l.State().Throughput; !math.IsNaN(got) {
		t.Errorf("after 21: got a correlation of %v, want none of 9 windows", got)
	}
}

// Past the knee by those windows, but the latest are better by more than half: it is the
// service that has changed, and the limit grows.
func TestCorrelatedAfterAChange(t *testing.T) {
	l := correlated(50)
	now := core.Instant(0)
	l.Learn(now, answered(30*time.Millisecond), 20)
	now = windows(l, now, 9, 70, 30*time.Millisecond, 20)
	pairs := func(n int, d time.Duration) {
		for range n {
			now = windows(l, now, 1, 50, d, 200)
			now = windows(l, now, 1, 100, d, 150)
		}
	}
	pairs(15, 30*time.Millisecond)
	past := l.Limit()
	wantLimit(t, "past the knee", l, 1, 45)
	pairs(1, 10*time.Millisecond) // the median of five is still the old one
	pairs(5, 10*time.Millisecond)
	wantLimit(t, "after the change", l, past+1, past+10)
}

// What looks like a queue makes a limit fall only when it was reached.
func TestCorrelatedReached(t *testing.T) {
	for inFlight, want := range map[int]int{99: 104, 104: 94} {
		l := correlated(100)
		now := core.Instant(0)
		l.Learn(now, answered(10*time.Millisecond), 20)
		now = windows(l, now, 10, 100, 10*time.Millisecond, 20)
		windows(l, now, 9, 100, 40*time.Millisecond, inFlight)
		wantLimit(t, fmt.Sprint(inFlight, " in flight"), l, want, want) // 104 before the median has risen
	}
}

// slowly is so many windows of 50 samples with 200 in flight, of which a number is slow (100
// ms instead of 10), in every fifth window another number.
func slowly(l *concurrency.Limiter, from core.Instant, n, slow, fifth int) core.Instant {
	for w := range n {
		if w%5 == 4 {
			slow, fifth = fifth, slow
		}
		for i := range 50 {
			d := 10 * time.Millisecond
			if i < slow {
				d = 100 * time.Millisecond
			}
			l.Learn(from+core.Instant(i+1)*2*ms, answered(d), 200)
		}
		if w%5 == 4 {
			slow, fifth = fifth, slow
		}
		from += 100 * ms
	}
	return from
}

// A quantile is not surely above the baseline because of chance: of 50 samples 0.9 is known to
// within 0.815 and 0.985. Where six of 50 (more than a tenth, less than 0.185 of them) are
// slow it looks like a queue, and is none; where twelve are, it is one, although one window in
// five has fewer.
func TestCorrelatedIsSure(t *testing.T) {
	for slow, falls := range map[int]bool{6: false, 12: true} {
		l := correlated(100)
		now := core.Instant(0)
		l.Learn(now, answered(10*time.Millisecond), 20)
		now = windows(l, now, 10, 100, 10*time.Millisecond, 20)
		before := l.Limit()
		slowly(l, now, 10, slow, 6)
		if got := l.State(); !near(got.Recent, 0.1) || got.Queue < 50 {
			t.Errorf("%d slow of 50: got %+v, want a latency of 100 ms and what looks like a queue", slow, got)
		}
		if got := l.Limit() < before; got != falls {
			t.Errorf("%d slow of 50: got a limit of %d after %d, want it to fall: %v", slow, l.Limit(), before, falls)
		}
	}
}

// Nor is it surely below: while four of 50 are slow, and none in one window of five, the
// baseline stays where six of 50 have put it; when none is, it falls.
func TestCorrelatedBaselineIsSure(t *testing.T) {
	l := correlated(20)
	l.Learn(0, answered(10*time.Millisecond), 200)
	now := slowly(l, 0, 10, 6, 6)
	now = slowly(l, now, 50, 4, 0)
	if got := l.State(); !near(got.Baseline, 0.1) || !near(got.Recent, 0.01) {
		t.Errorf("four slow of 50: got %+v, want a latency of 10 ms and a baseline of 100 still", got)
	}
	slowly(l, now, 60, 0, 0)
	if got := l.State(); !near(got.Baseline, 0.01) {
		t.Errorf("none slow: got %+v, want a baseline of 10 ms", got)
	}
}

// Where latencies vary by chance the baseline is not that of the luckiest window: two of
// 5 ms and 15 ms are 10 ms, and no less than 10 + 2·5/sqrt(2) with confidence.
func TestVegasBaselineIsSure(t *testing.T) {
	settings := standard(20)
	settings.Samples = 2
	key := core.NewKey(1)
	l := must(concurrency.NewVegas(settings, &key))
	l.Learn(0, core.Sample{FirstAnswer: 5 * time.Millisecond}, 20)
	l.Learn(sec, core.Sample{FirstAnswer: 15 * time.Millisecond}, 20)
	if got, want := l.State().Baseline, 0.01+2*0.005/math.Sqrt2; math.Abs(got-want) > 1e-9 {
		t.Errorf("baseline: got %v, want %v", got, want)
	}
	if got := l.State().Queue; got != 0 {
		t.Errorf("queue at a mean below the baseline: got %v, want none", got)
	}
}

// The limit of vegas falls when the queue is surely too long. Of two samples of 20 ms and
// 80 ms the mean is 50 and its error 30/sqrt(2): it may be 7.6. Of two of 49 and 51 it is 1/sqrt(2).
func TestVegasIsSure(t *testing.T) {
	for apart, want := range map[float64]int{30: 26, 1: 25} {
		settings := standard(20)
		settings.Samples = 2
		key := core.NewKey(1)
		l := must(concurrency.NewVegas(settings, &key))
		l.Learn(0, answered(20*time.Millisecond), 20)
		l.Learn(100*ms, answered(20*time.Millisecond), 20) // no queue: 26
		for i, ms := range []float64{50 - apart, 50 + apart} {
			l.Learn(core.Instant(2+i)*100*core.Instant(time.Millisecond), answered(time.Duration(ms*1e6)), 26)
		}
		if got := l.State(); math.Abs(got.Recent-0.05) > 1e-9 || got.Queue != 16 {
			t.Errorf("%v ms apart: got %+v, want a mean of 50 ms and a queue of 26·(1 - 20/50)", apart, got)
		}
		wantLimit(t, fmt.Sprint("50 ms, ", apart, " ms from the mean"), l, want, want)
	}
}

// A latency counts as at most four baselines, from the second window on.
func TestVegasOutlier(t *testing.T) {
	no := math.NaN()
	l := vegas(20)
	turns(t, l, []turn{{10, 20, 26, 10, no, 0}})
	for i := range 10 {
		d := 10 * time.Millisecond
		if i == 0 {
			d = time.Hour
		}
		l.Learn(200*ms, answered(d), 20)
	}
	if got := l.State().Recent; math.Abs(got-0.013) > 1e-9 {
		t.Errorf("nine of 10 ms and one of an hour: got %v s, want the mean of nine of 10 ms and one of 40", got)
	}
}

// Where there is hardly a queue, up to a unit of it, the limit grows by six units; below
// three by one.
func TestVegasGrowth(t *testing.T) {
	no := math.NaN()
	turns(t, vegas(20), []turn{
		{10, 20, 26, 10, no, 0},
		{10.3, 26, 32, 10, no, 1},
		{10.5, 32, 33, 10, no, 2},
		{11, 33, 33, 10, no, 3},
	})
}

// The baseline is measured anew after 15 to 30 windows for each place of the limit, and
// where in between is a matter of chance.
func TestVegasMeasuresAnew(t *testing.T) {
	const limit = 4
	seen := map[int]bool{}
	for seed := range uint64(40) {
		key := core.NewKey(seed)
		l := must(concurrency.NewVegas(standard(limit), &key))
		l.Learn(0, answered(10*time.Millisecond), 1)
		now := windows(l, 0, 1, 10, 10*time.Millisecond, 1) // 1 of 4: the limit is not needed, and stays
		n := 0
		for l.State().Baseline < 0.02 {
			now = windows(l, now, 1, 10, 30*time.Millisecond, 1)
			n++
		}
		if n < 15*limit || n > 30*limit {
			t.Fatalf("seed %d: measured after %d windows, want %d to %d", seed, n, 15*limit, 30*limit)
		}
		seen[n] = true
	}
	if len(seen) < 20 {
		t.Errorf("of 40 limiters: got %d different times, want most of them", len(seen))
	}
}

// With as many in flight all the time nothing can be said of correlations, and the queue
// decides alone: a unit more below three, a unit less beyond six, nothing in between.
func TestCorrelatedGoesByTheQueue(t *testing.T) {
	l := correlated(20)
	l.Learn(0, answered(10*time.Millisecond), 100)
	now := windows(l, 0, 12, 100, 10*time.Millisecond, 100)
	grown, held, fallen := 0, 0, 0
	for d := 10 * time.Millisecond; d < 16*time.Millisecond; d += 100 * time.Microsecond {
		for range 5 { // until the median of five has followed
			before := l.State().Limit
			now = windows(l, now, 1, 100, d, 100)
			s := l.State()
			want := before
			switch { // the limit stays below 100, so a unit is 1
			case s.Queue < 3:
				want++
				grown++
			case s.Queue > 6:
				want--
				if fallen++; s.Queue < 7 {
					held++ // near to the bound
				}
			}
			if s.Limit != want {
				t.Fatalf("%v: a queue of %v: got a limit of %v after %v, want %v", d, s.Queue, s.Limit, before, want)
			}
		}
	}
	if grown == 0 || held == 0 || fallen == 0 {
		t.Errorf("grown %d times, fallen %d times, %d of them by a queue of 6 to 7; want each", grown, fallen, held)
	}
}
