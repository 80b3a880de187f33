package sim

import (
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	gocmp "github.com/google/go-cmp/cmp"
)

// playWatched is play with a look inside.
func playWatched(t testing.TB, s *scenario.Scenario, text string, seed uint64) *record.Trial {
	t.Helper()
	trial := playBy(t, Driver{Watch: true}, s, text, seed)
	if wrong := trial.Header.Inside.Wrong(s.Duration, s.Servers.Count); wrong != "" {
		t.Fatalf("%s: expected %s", text, wrong)
	}
	return trial
}

// Whoever looks changes nothing.
func TestWatchingChangesNothing(t *testing.T) {
	for _, s := range []*scenario.Scenario{busy(), hectic()} {
		for _, name := range []string{"round-robin", "p2c-ewma", "prequal", scenario.Oracle} {
			alone, seen := play(t, s, name, 7), playWatched(t, s, name, 7)
			if alone.Header.Inside != nil {
				t.Errorf("%s: looked inside, and nobody asked", name)
			}
			if diff := gocmp.Diff(alone.Requests, seen.Requests); diff != "" {
				t.Fatalf("%s (-alone +seen):\n%s", name, diff)
			}
			if diff := gocmp.Diff(alone.Header.Decisions, seen.Header.Decisions); diff != "" {
				t.Errorf("%s: decisions (-alone +seen):\n%s", name, diff)
			}
		}
	}
}

func total(series []uint64) (sum uint64) {
	for _, n := range series {
		sum += n
	}
	return sum
}

// The decisions by stretch add up to those of the trial, with no warm-up to leave out.
func TestWatchedDecisionsAddUp(t *testing.T) {
	s := plain(4, 2, "exponential", 10*ms, 300, 2*time.Second)
	trial := playWatched(t, s, "p2c-ewma", 1)
	want := map[string]uint64{}
	for _, d := range trial.Header.Decisions {
		want[d.Mode+" "+d.Reason] += d.Count
	}
	got := map[string]uint64{}
	for _, d := range trial.Header.Inside.Decisions {
		got[d.Mode+" "+d.Reason] += total(d.Counts)
	}
	if diff := gocmp.Diff(want, got); diff != "" || len(got) == 0 {
		t.Errorf("%v (-want +got):\n%s", got, diff)
	}
}

// Servers that take 190 ms for each of 10 requests a second have 1.9 pending, by Little's law.
// Five looks in the time between two arrivals see one of the two ends at most.
func TestWatchedPending(t *testing.T) {
	s := plain(2, 10, "constant", 190*ms, 20, 10*time.Second)
	in := playWatched(t, s, "round-robin", 1).Header.Inside
	bins := record.BinCount(s.Duration, in.Bin)
	for e := range in.Pending {
		for bin := 1; bin < bins-1; bin++ {
			if got := in.Pending[e][bin]; got < 1.7 || got > 2 {
				t.Fatalf("endpoint %d, stretch %d: %v pending, want about 1.9", e, bin, got)
			}
		}
	}
	if in.Limiter != nil || in.Rejected != nil || in.Open[0] != nil || in.HalfOpen[1] != nil {
		t.Errorf("%+v: saw a limit, rejections or a breaker where there is none", in)
	}
}

// The breaker of a broken server opens in both proxies, and its probes are seen.
func TestWatchedBreaker(t *testing.T) {
	s := plain(4, 10, "exponential", 10*ms, 400, 6*time.Second)
	s.Proxies = 2
	s.Proxy.Breaker = config.DefaultPolicies().Breaker
	s.Proxy.Breaker.OpenFor = 500 * ms
	s.Faults = []scenario.Fault{{Kind: scenario.Error, Servers: []int{2}, From: 2 * time.Second, To: 4 * time.Second, Code: 503, Latency: ms}}
	in := playWatched(t, s, "round-robin", 1).Header.Inside
	at := func(d time.Duration) int { return int(d / in.Bin) }
	if in.Open[0] != nil || in.Open[2] == nil {
		t.Fatalf("open: %v, want of the broken server alone", in.Open)
	}
	if got := in.Open[2][at(time.Second)]; got != 0 {
		t.Errorf("before the fault %v are open", got)
	}
	if got := in.Open[2][at(3*time.Second)] + in.HalfOpen[2][at(3*time.Second)]; got != 1 {
		t.Errorf("during the fault %v are open, want both, which is 1", got)
	}
	if got := in.Open[2][at(5900*ms)]; got != 0 {
		t.Errorf("long after it %v are open", got)
	}
}

// Ten in flight are let in, four wait and the rest is turned away: seen as it is.
func TestWatchedLimiter(t *testing.T) {
	s := plain(2, 100, "constant", time.Second, 50, 5*time.Second)
	s.Client.Timeout = 5 * time.Second
	s.Proxy.Concurrency = &config.Concurrency{Name: "fixed", Limit: 10, Queue: 4, MaxWait: 200 * ms}
	trial := playWatched(t, s, "round-robin", 1)
	in := trial.Header.Inside
	if in.Limiter == nil {
		t.Fatal("no limiter was seen")
	}
	late := int(3 * time.Second / in.Bin)
	if l := in.Limiter; l.Limit[late] != 10 || l.InFlight[late] < 9.5 || l.InFlight[late] > 10 || l.Waiting[late] <= 0 || l.Waiting[late] > 4 {
		t.Errorf("limit %v, in flight %v, waiting %v; want 10, about 10, some", l.Limit[late], l.InFlight[late], l.Waiting[late])
	}
	refused := 0
	for _, r := range trial.Requests {
		if r.Code == 503 {
			refused++
		}
	}
	if got := total(in.Rejected); got != uint64(refused) || got == 0 {
		t.Errorf("%d rejections were seen, %d requests had 503", got, refused)
	}
}

// A large fleet is looked at less often, and seen as it is.
func TestWatchedLargeFleet(t *testing.T) {
	s := plain(2600, 4, "constant", 100*ms, 26_000, 300*ms)
	s.Proxies = 2
	in := playWatched(t, s, "random", 1).Header.Inside
	var sum float64
	late := len(in.Pending[0]) - 5
	for e := range in.Pending {
		sum += in.Pending[e][late]
	}
	if sum < 2400 || sum > 3000 {
		t.Errorf("%v pending, want about 26 a millisecond for 100 of them", sum)
	}
}
