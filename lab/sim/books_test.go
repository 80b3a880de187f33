package sim

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/lab/model"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// A trial whose books were tampered with is an error, whatever is wrong.
func TestAudit(t *testing.T) {
	for _, c := range []struct {
		name   string
		tamper func(*world)
		want   string
	}{
		{"nothing", func(*world) {}, ""},
		{"a request that never began", func(w *world) { w.books.began-- }, "began"},
		{"a request that ended twice", func(w *world) { w.books.ended++ }, "ended"},
		{"one still under way", func(w *world) { w.flights.live++ }, "in flight"},
		{"a nanosecond too much in flight", func(w *world) { w.books.area++ }, "Little"},
		{"a nanosecond lost", func(w *world) { w.books.spent-- }, "Little"},
		{"a server that has something else", func(w *world) {
			before := *w.servers[1]
			w.servers[1].Arrive(w.now, model.Job{Demand: ms})
			w.servers[1] = &before
		}, "server 1"},
	} {
		s := plain(2, 1, "constant", 4*ms, 100, 100*ms)
		var w *world
		left := 10
		w = unwatched(t, s, subject(t, s, "random"), 1, func(record.Request) {
			if left--; left == 0 { // with the last request
				c.tamper(w)
			}
		})
		_, err := w.play(t.Context())
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (!errors.Is(err, errBroken) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want one that speaks of %q", c.name, err, c.want)
		}
	}
}

// A trial that would never end, or not in the memory there is, is stopped: what is under
// way ends without an answer, and the books are right all the same.
func TestStopped(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*scenario.Scenario)
		most   bounds
		want   string
		ended  int // with the stop
	}{
		{"too many under way", func(*scenario.Scenario) {}, bounds{50, 1000}, "50 requests in flight after 0.5 s: stopped", 50},
		{"just enough", func(s *scenario.Scenario) { s.Duration = 495 * ms }, bounds{50, 1000}, "", 0},
		{"too many in the proxies' queues, or about to try again", func(s *scenario.Scenario) {
			s.Client.Timeout, s.Client.Retries, s.Client.Backoff = 95*ms, 1, time.Hour
		}, bounds{50, 1000}, "50 requests in flight after 0.5 s: stopped", 50},
		{"too many in a closed loop", func(s *scenario.Scenario) {
			s.Arrivals = scenario.Arrivals{Law: scenario.Closed, Clients: 60}
		}, bounds{50, 1000}, "50 requests in flight after 0.8 s: stopped", 50},
		{"too often in a closed loop", func(s *scenario.Scenario) {
			s.Arrivals = scenario.Arrivals{Law: scenario.Closed, Clients: 10}
			s.Servers.Service.Mean = 10 * ms
			s.Servers.Slots = 1
		}, bounds{50, 1000}, "1000 requests after 9.9 s: stopped", 9},
		{"left behind in the servers", func(s *scenario.Scenario) {
			s.Client.Timeout, s.Arrivals.Rate = ms, 10_000
			s.Servers.Slots, s.Servers.Queue = 1, 1<<20
		}, bounds{500, 1 << 40}, " requests in the servers after 0.8 s: stopped", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plain(1, 101, "constant", time.Second, 100, time.Minute)
			s.Client.Timeout = time.Hour
			c.change(s)
			ended := 0
			var w *world
			w = unwatched(t, s, subject(t, s, "random"), 1, func(r record.Request) {
				if r.Code == 0 && w.unstable != "" && r.Done == w.now {
					ended++
				}
			})
			w.most = c.most
			out, err := w.play(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if (out.Unstable == "") != (c.want == "") || !strings.HasSuffix(out.Unstable, c.want) {
				t.Errorf("got %q, want %q", out.Unstable, c.want)
			}
			for _, m := range w.proxies[0].router.View().Members {
				if m.Pending() != 0 {
					t.Errorf("%d pending at %s", m.Pending(), m.Key)
				}
			}
			if c.ended > 0 && ended != c.ended {
				t.Errorf("%d ended with the stop, want %d", ended, c.ended)
			}
		})
	}
}

// A trial whose load is beyond what the servers can do says so, though it came to its end.
func TestOverload(t *testing.T) {
	for _, c := range []struct {
		rate float64
		want string
	}{{249, ""}, {250, "the offered load is 1.00 of the capacity"}, {500, "the offered load is 2.00 of the capacity"}} {
		s := plain(1, 1, "constant", 4*ms, c.rate, 100*ms)
		if got := play(t, s, "random", 1).Header.Unstable; got != c.want {
			t.Errorf("at %v: got %q, want %q", c.rate, got, c.want)
		}
	}
}

// wearing is a scenario in which all that a trial keeps comes and goes: messages on their
// way, retries, waits that are over before their time, and some requests that hang.
func wearing(d time.Duration) *scenario.Scenario {
	s := plain(4, 4, "exponential", ms, 8000, d)
	s.Arrivals.Law = "poisson"
	s.Network.Delay = ms
	s.Servers.Abandoned = scenario.Cancel
	s.Proxy.Timeouts.ResponseHeader = 9 * time.Second
	s.Client = scenario.Client{Timeout: 10 * time.Second, Retries: 2, Backoff: 5 * ms}
	s.Faults = []scenario.Fault{
		{Kind: scenario.Hang, Servers: []int{0}, Share: 0.001},
		{Kind: scenario.Error, Servers: []int{1}, Code: 500, Share: 0.1},
	}
	return s
}

// What a trial keeps is as much as is under way, however long it takes: its places are
// used again.
func TestPlacesAreUsedAgain(t *testing.T) {
	s := wearing(20 * time.Second)
	w := unwatched(t, s, subject(t, s, "random"), 1, func(record.Request) {})
	most, waits := 0, 0
	for w.step() {
		most = max(most, w.flights.live)
		waits = max(waits, w.waits.len())
	}
	if err := w.audit(); err != nil {
		t.Fatal(err)
	}
	if most < 20 || most > 200 { // 8000 a second for some 3 ms, and 2 a second for 9 s
		t.Errorf("%d under way at most: not what was meant", most)
	}
	if n := len(w.flights.all); n != most {
		t.Errorf("%d places for %d requests under way", n, most)
	}
	if n := len(w.errands.all); n > 2*most {
		t.Errorf("%d places for messages, with %d requests under way", n, most)
	}
	if waits > 1025+8*most { // of 80,000 within a patience
		t.Errorf("%d waits, with %d requests under way", waits, most)
	}
}

// BenchmarkLong plays three million requests and says how much memory is live as the last
// ones end, in bytes more than before.
func BenchmarkLong(b *testing.B) {
	s := wearing(375 * time.Second)
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		ended := 0
		_, err := Run(b.Context(), s, subject(b, s, "p2c-ewma"), 1, func(record.Request) {
			if ended++; ended == 2_990_000 {
				runtime.GC()
				runtime.ReadMemStats(&after)
			}
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(ended), "requests")
		b.ReportMetric(float64(after.HeapAlloc)-float64(before.HeapAlloc), "live-B")
	}
}
