package sim

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/lab/model"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Same scenario, subject and seed: same record, whatever else the process does.
func TestDeterminism(t *testing.T) {
	for what, s := range map[string]*scenario.Scenario{"hectic": hectic(), "looped": looped()} {
		s.Duration = 2 * time.Second
		for _, name := range append(slices.Clone(strategies), scenario.Oracle) {
			want := play(t, s, name, 5)
			check := func(when string, got *record.Trial) {
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s, %s, %s (-first +again):\n%.2000s", what, name, when, diff)
				}
			}
			for _, processors := range []int{1, 8} {
				before := runtime.GOMAXPROCS(processors)
				check("with other processors", play(t, s, name, 5))
				runtime.GOMAXPROCS(before)
			}
			var all [2]*record.Trial
			var side sync.WaitGroup
			for i := range all {
				side.Go(func() { all[i] = play(t, s, name, 5) })
			}
			side.Wait()
			for _, got := range all {
				check("at once", got)
			}
			if other := play(t, s, name, 6); cmp.Equal(want.Requests, other.Requests) {
				t.Errorf("%s, %s: another seed gives the same record", what, name)
			}
		}
	}
}

// The hectic scenario is what it is meant to be: each kind of ending comes about, and
// clients and proxies try again.
func TestHectic(t *testing.T) {
	for what, s := range map[string]*scenario.Scenario{"hectic": hectic(), "looped": looped()} {
		codes, again := map[int]int{}, 0
		for _, r := range play(t, s, "p2c-ewma", 1).Requests {
			codes[r.Code]++
			if r.Attempts > 2 {
				again++
			}
		}
		for _, code := range []int{0, 200, 500, 502, 503, 504} {
			if codes[code] == 0 {
				t.Errorf("%s: no request ended with %d: %v", what, code, codes)
			}
		}
		if again == 0 {
			t.Errorf("%s: nothing was tried again", what)
		}
	}
}

// What befalls servers and proxies is the same whatever the strategy: a job of 10 ms that
// comes alone to an idle server ends at the same time and in the same way.
func TestCommonFaults(t *testing.T) {
	s := hectic()
	var want []model.Done
	var told []scenario.Change
	for _, name := range strategies {
		w := unwatched(t, s, subject(t, s, name), 5, nil)
		var got []model.Done
		for i, server := range w.servers {
			for at := core.Instant(0); at < core.Instant(s.Duration); at += core.Instant(7 * ms) {
				end, ok := server.Preview(at, model.Job{Demand: 10 * ms, Luck: core.NewKey(uint64(at))})
				done := model.Done{ID: uint64(i), At: end, Code: 500}
				if ok {
					done.Code = 200
				}
				got = append(got, done)
			}
		}
		if want == nil {
			want, told = got, w.fleet.changes
		} else if !slices.Equal(got, want) || !slices.Equal(w.fleet.changes, told) {
			t.Errorf("%s meets other faults than %s", name, strategies[0])
		}
	}
}

// conserved checks that every planned request was recorded, once, in order, at its
// instant, with an end that can be.
func conserved(t testing.TB, s *scenario.Scenario, seed uint64, requests []record.Request) {
	t.Helper()
	planned := slices.Collect(s.Schedule(scenario.NewChance(seed)))
	if len(requests) != len(planned) {
		t.Fatalf("got %d requests, want %d", len(requests), len(planned))
	}
	for i, r := range requests {
		if r.Seq != int64(i) || r.Planned != planned[i] || r.Sent != planned[i] {
			t.Fatalf("request %d, planned for %v: got %+v", i, planned[i], r)
		}
		if took := r.ResponseTime(); took < 0 || took > s.Client.Timeout {
			t.Fatalf("request %d: took %v, want from 0 to %v", i, took, s.Client.Timeout)
		}
		if (r.Code == 0) != (r.ResponseTime() == s.Client.Timeout) || r.OK() && r.Endpoint < 0 || r.Attempts > s.Proxy.Retries.Attempts {
			t.Fatalf("request %d cannot be: %+v", i, r)
		}
	}
}

// Common random numbers: which subject is played changes neither the arrivals nor the
// demands. With a slot for everyone a demand is what an answer took.
func TestCommonRandomNumbers(t *testing.T) {
	s := plain(20, 1000, "exponential", 10*ms, 1000, 2*time.Second)
	s.Arrivals.Law = "poisson"
	s.Client.Timeout = time.Minute
	type asked struct {
		planned core.Instant
		demand  time.Duration
	}
	var want []asked
	ways := map[string]string{}
	for _, name := range strategies {
		if name == "p2c-ewma" {
			name += "{scan_up_to=0}" // drawing: looking at everybody it is ewma
		}
		requests := play(t, s, name, 3).Requests
		conserved(t, s, 3, requests)
		var got []asked
		endpoints := make([]byte, len(requests))
		for i, r := range requests {
			got = append(got, asked{r.Planned, r.ResponseTime()})
			endpoints[i] = byte(r.Endpoint)
		}
		if other, taken := ways[string(endpoints)]; taken && !strings.HasSuffix(name, "weighted-round-robin") { // all weigh the same
			t.Errorf("%s goes the same way as %s", name, other)
		}
		ways[string(endpoints)] = name
		if want == nil {
			want = got
		} else if !slices.Equal(want, got) {
			t.Errorf("%s asks for something else than %s", name, strategies[0])
		}
	}
	demands := s.Demands(scenario.NewChance(3))
	for i, a := range want {
		if _, drawn := demands.Of(uint64(i)); drawn != a.demand {
			t.Fatalf("request %d: took %v, its demand is %v", i, a.demand, drawn)
		}
	}
}

// row is what a table says of a request.
type row struct {
	done     float64 // ms
	endpoint int
	attempts int
	code     int
}

func rows(requests []record.Request) []row {
	var all []row
	for _, r := range requests {
		all = append(all, row{float64(r.Done) / float64(ms), r.Endpoint, r.Attempts, r.Code})
	}
	return all
}

// Requests arrive every 10 ms from 0 on.
func TestEndings(t *testing.T) {
	for _, c := range []struct {
		name    string
		subject string
		service time.Duration
		until   time.Duration
		change  func(*scenario.Scenario)
		want    []row
	}{
		{"answers", "round-robin", 4 * ms, 25 * ms, nil,
			[]row{{4, 0, 1, 200}, {14, 1, 1, 200}, {24, 0, 1, 200}}},
		{"the client leaves", "round-robin", 30 * ms, 15 * ms, func(s *scenario.Scenario) { s.Client.Timeout = 12 * ms },
			[]row{{12, -1, 1, 0}, {22, -1, 1, 0}}},
		{"what the client has left is worked on all the same", "round-robin", 18 * ms, 25 * ms,
			func(s *scenario.Scenario) { s.Client.Timeout, s.Servers.Count = 19*ms, 1 },
			[]row{{18, 0, 1, 200}, {29, -1, 1, 0}, {39, -1, 1, 0}}},
		{"an answer that comes too late is nobody's", "round-robin", 15 * ms, 15 * ms, func(s *scenario.Scenario) { s.Client.Timeout = 8 * ms },
			[]row{{8, -1, 1, 0}, {18, -1, 1, 0}}},
		{"an attempt takes too long", "round-robin", 30 * ms, 15 * ms, func(s *scenario.Scenario) { s.Proxy.Timeouts.ResponseHeader = 7 * ms },
			[]row{{7, -1, 1, 504}, {17, -1, 1, 504}}},
		{"a timeout is not tried again", "round-robin", 30 * ms, 15 * ms,
			func(s *scenario.Scenario) { s.Proxy.Timeouts.ResponseHeader, s.Proxy.Retries.Attempts = 7*ms, 3 },
			[]row{{7, -1, 1, 504}, {17, -1, 1, 504}}},
		{"what hangs is asked elsewhere", "round-robin", 8 * ms, 5 * ms, func(s *scenario.Scenario) { // when half of its time is over
			s.Proxy.Timeouts.ResponseHeader, s.Proxy.Retries.Attempts, s.Proxy.Retries.HungAfter = 20*ms, 2, time.Second
			s.Faults = []scenario.Fault{{Kind: scenario.Hang, Servers: []int{0}}}
		},
			[]row{{18, 1, 2, 200}}},
		{"the whole takes too long", "round-robin", 30 * ms, 5 * ms, func(s *scenario.Scenario) {
			s.Proxy.Timeouts = config.Timeouts{Total: 9 * ms}
		},
			[]row{{9, -1, 1, 504}}},
		{"the client leaves as the attempt times out", "round-robin", 30 * ms, 5 * ms,
			func(s *scenario.Scenario) { s.Client.Timeout, s.Proxy.Timeouts.ResponseHeader = 9*ms, 9*ms },
			[]row{{9, -1, 1, 0}}},
		{"a full queue", "round-robin", 25 * ms, 55 * ms, func(s *scenario.Scenario) { s.Servers.Count, s.Servers.Queue = 1, 1 },
			[]row{{25, 0, 1, 200}, {50, 0, 1, 200}, {20, 0, 1, 503}, {75, 0, 1, 200}, {40, 0, 1, 503}, {100, 0, 1, 200}}},
		{"a full queue, tried elsewhere", "round-robin", 25 * ms, 25 * ms,
			func(s *scenario.Scenario) { s.Servers.Queue, s.Proxy.Retries.Attempts = 0, 2 },
			[]row{{25, 0, 1, 200}, {35, 1, 1, 200}, {20, 1, 2, 503}}},
		{"failures", "round-robin", 4 * ms, 35 * ms,
			func(s *scenario.Scenario) {
				s.Faults = []scenario.Fault{{Kind: "error", Servers: []int{0}, From: 0, To: 30 * ms, Code: 500, Latency: 2 * ms}}
			},
			[]row{{2, 0, 1, 500}, {14, 1, 1, 200}, {22, 0, 1, 500}, {34, 1, 1, 200}}},
		{"failures, tried elsewhere", "round-robin", 4 * ms, 25 * ms,
			func(s *scenario.Scenario) {
				s.Proxy.Retries.Attempts = 2
				s.Faults = []scenario.Fault{{Kind: "error", Servers: []int{0}, Code: 503, Latency: 2 * ms}}
			},
			[]row{{6, 1, 2, 200}, {16, 1, 2, 200}, {26, 1, 2, 200}}},
		{"failures wherever it is tried", "round-robin", 4 * ms, 15 * ms,
			func(s *scenario.Scenario) {
				s.Proxy.Retries.Attempts = 4
				s.Faults = []scenario.Fault{{Kind: "error", Servers: []int{0, 1}, Code: 502, Latency: 2 * ms}}
			},
			[]row{{4, 1, 2, 502}, {14, 1, 2, 502}}},
		{"a limit with a queue", "round-robin+fixed{limit=1,queue=1}", 25 * ms, 55 * ms, nil,
			[]row{{25, 0, 1, 200}, {50, 1, 1, 200}, {20, -1, 0, 503}, {75, 0, 1, 200}, {40, -1, 0, 503}, {100, 1, 1, 200}}},
		{"too long in the queue", "round-robin+fixed{limit=1,queue=5,max_wait=7ms}", 25 * ms, 35 * ms, nil,
			[]row{{25, 0, 1, 200}, {17, -1, 0, 503}, {50, 1, 1, 200}, {37, -1, 0, 503}}},
		{"who gives up lets the next one in", "round-robin+fixed{limit=1,queue=5}", 30 * ms, 25 * ms,
			func(s *scenario.Scenario) { s.Proxy.Timeouts.ResponseHeader = 12 * ms },
			[]row{{12, -1, 1, 504}, {24, -1, 1, 504}, {36, -1, 1, 504}}},
		{"and that one the next, when there is nobody to ask", "round-robin+fixed{limit=1,queue=5}", 25 * ms, 25 * ms,
			func(s *scenario.Scenario) {
				s.Proxy.PanicThreshold = 0
				s.Faults = []scenario.Fault{{Kind: scenario.Drain, From: 5 * ms}}
			},
			[]row{{25, 0, 1, 200}, {25, -1, 0, 503}, {25, -1, 0, 503}}},
		{"the client leaves the queue", "round-robin+fixed{limit=1,queue=5}", 25 * ms, 25 * ms, func(s *scenario.Scenario) { s.Client.Timeout = 27 * ms },
			[]row{{25, 0, 1, 200}, {37, -1, 1, 0}, {47, -1, 1, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plain(2, 1, "constant", c.service, 100, c.until)
			if c.change != nil {
				c.change(s)
			}
			requests := play(t, s, c.subject, 1).Requests
			conserved(t, s, 1, requests)
			if diff := cmp.Diff(c.want, rows(requests), cmp.AllowUnexported(row{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// With retries on, the black hole costs nobody an answer, and nobody is answered by it.
func TestRetriesGoElsewhere(t *testing.T) {
	s := plain(10, 4, "exponential", 10*ms, 2000, 2*time.Second)
	s.Proxy.Retries.Attempts = 2
	s.Faults = []scenario.Fault{{Kind: scenario.Error, Servers: []int{0}, From: 500 * ms, Code: 503, Latency: ms}}
	again := 0
	for _, r := range play(t, s, "round-robin", 1).Requests {
		if !r.OK() {
			t.Fatalf("failed: %+v", r)
		}
		if r.Attempts == 2 {
			again++
		}
		if r.Planned >= core.Instant(500*ms) && r.Endpoint == 0 {
			t.Fatalf("answered by the black hole: %+v", r)
		}
	}
	// Round robin sends to server 0 each request in ten of 3000 (one and a half
	// seconds), retries included: 3000 n/10 with n from 1 to 1.12 attempts each.
	if again < 300 || again > 340 {
		t.Errorf("tried again: %d, want from 300 to 340", again)
	}
}

// The limit holds, seen from the servers: at 1000 requests a second that take 10 ms,
// behind a limit of 5 and a queue of 10, just 5 are at work and 10 wait, in order;
// the rest is refused at once. (The odd nanoseconds keep endings and arrivals apart.)
func TestConcurrencyLimit(t *testing.T) {
	const took = 10*ms + 7
	for _, proxies := range []int{1, 3} {
		s := plain(4, 1000, "constant", took, 1000*float64(proxies), time.Second)
		s.Proxies = proxies
		requests := play(t, s, "round-robin+fixed{limit=5,queue=10}", 2).Requests
		conserved(t, s, 2, requests)
		var working, waiting []span
		var begun []core.Instant
		for _, r := range requests {
			switch {
			case r.Code == 200:
				start := r.Done.Add(-took)
				working = append(working, span{start, r.Done})
				waiting = append(waiting, span{r.Planned, start})
				begun = append(begun, start)
			case r.Code != 503 || r.Done != r.Planned || r.Attempts != 0:
				t.Fatalf("%d proxies: got %+v, want 200, or 503 at once", proxies, r)
			}
		}
		if got := overlap(working); got != 5*proxies {
			t.Errorf("%d proxies: at work at most %d, want %d", proxies, got, 5*proxies)
		}
		if got := overlap(waiting); got != 10*proxies {
			t.Errorf("%d proxies: waiting at most %d, want %d", proxies, got, 10*proxies)
		}
		if proxies == 1 && !slices.IsSorted(begun) {
			t.Error("not first in, first out")
		}
		// 5 at once for a second, at 10 ms each: 500, and 15 that were in at its end.
		if got, want := len(working), 515*proxies; got < want-6*proxies || got > want {
			t.Errorf("%d proxies: %d were served, want %d or a few less", proxies, got, want)
		}
	}
}

// Requests are spread evenly over the proxies, and every subject meets the same ones.
// The count at one of three proxies of n has the standard deviation √(n·2/9).
func TestProxies(t *testing.T) {
	s := plain(4, 2, "constant", ms, 100, time.Second)
	s.Proxies = 3
	var by [2][3]int
	var order [2][]int
	for i, name := range []string{"random", "p2c-ewma"} {
		w := unwatched(t, s, subject(t, s, name), 4, nil)
		if w.proxies[0].router == w.proxies[1].router || *w.proxies[0].source == *w.proxies[1].source {
			t.Error("two proxies share what they have learned, or their chance")
		}
		for seq := range int64(9000) {
			p := slices.Index(w.proxies, w.proxyOf(&flight{place: uint64(seq)}))
			by[i][p]++
			order[i] = append(order[i], p)
		}
	}
	const within = 5 * 45 // √(9000·2/9) is 44.7
	for p, n := range by[0] {
		if n < 3000-within || n > 3000+within {
			t.Errorf("proxy %d: got %d of 9000 requests, want 3000 ± %d", p, n, within)
		}
	}
	if !slices.Equal(order[0], order[1]) {
		t.Error("the subject makes a difference to where requests arrive")
	}
}

// A server that fails its checks is out of service within three of them, and back
// within two good ones: checks are 90 to 110 ms apart. Breakers are off.
func TestHealthChecks(t *testing.T) {
	s := plain(4, 4, "constant", 5*ms, 400, 4*time.Second)
	s.Proxy.Health = &config.Health{Path: "/", Interval: 100 * ms, Timeout: time.Second, Rise: 2, Fall: 3}
	from, to := time.Second, 3*time.Second
	s.Faults = []scenario.Fault{{Kind: scenario.Error, Servers: []int{0}, From: from, To: to, Code: 503, Latency: ms}}
	failed, back := 0, 0
	for _, r := range play(t, s, "round-robin", 1).Requests {
		at := time.Duration(r.Planned)
		switch {
		case !r.OK() && (at < from || at > from+3*110*ms):
			t.Fatalf("failed: %+v", r)
		case !r.OK():
			failed++
		case r.Endpoint == 0 && at > from && at < to:
			t.Fatalf("served by a server that was barred: %+v", r)
		case r.Endpoint == 0 && at >= to+2*110*ms:
			back++
		}
	}
	// 100 requests a second for 200 to 330 ms; and then for 780 ms.
	if failed < 20 || failed > 33 {
		t.Errorf("failed: %d, want from 20 to 33", failed)
	}
	if back < 76 || back > 79 {
		t.Errorf("served when it was back: %d, want from 76 to 79", back)
	}
}

// Decisions count from the end of the warm-up: one for each request of one attempt.
func TestDecisions(t *testing.T) {
	s := plain(4, 4, "constant", 5*ms, 1000, 2*time.Second)
	s.WarmUp = 500 * ms
	for _, name := range strategies {
		total := uint64(0)
		for _, d := range play(t, s, name, 1).Header.Decisions {
			total += d.Count
		}
		if total != 1500 {
			t.Errorf("%s: got %d decisions, want 1500", name, total)
		}
	}
}

func TestNoArrivals(t *testing.T) {
	s := plain(2, 1, "constant", ms, 1e-6, time.Second)
	s.Arrivals.Law = "poisson"
	if got := play(t, s, "random", 1).Requests; len(got) != 0 {
		t.Errorf("got %d requests, want none", len(got))
	}
}

// impatient is a context that ends when it has been asked so often.
type impatient struct {
	context.Context
	asks, most int
}

func (c *impatient) Err() error {
	if c.asks++; c.asks > c.most {
		return context.Canceled
	}
	return nil
}

// An experiment that is interrupted ends after attention more events at most.
func TestCancel(t *testing.T) {
	s := plain(2, 1, "constant", ms, 1000, time.Hour)
	for _, most := range []int{0, 1, 3} {
		requests := 0
		w := unwatched(t, s, subject(t, s, "random"), 1, func(record.Request) { requests++ })
		if err := w.run(&impatient{context.Background(), 0, most}); !errors.Is(err, context.Canceled) {
			t.Errorf("after %d: got %v, want it cancelled", most, err)
		}
		// A request has at least two events: its arrival, and its end or its deadline.
		if requests > most*attention/2 {
			t.Errorf("after %d: got %d requests, want at most %d", most, requests, most*attention/2)
		}
		if most > 0 && requests == 0 {
			t.Errorf("after %d: nothing was played", most)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (Driver{}).Play(ctx, s, subject(t, s, "random"), 1, func(record.Request) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: got %v", err)
	}
}

func TestSubjectThatCannotBe(t *testing.T) {
	s := plain(2, 1, "constant", ms, 1000, time.Second)
	one := subject(t, s, "random")
	one.Policies.Strategy.Name = "nobody"
	if _, err := (Driver{}).Play(context.Background(), s, one, 1, func(record.Request) {}); err == nil {
		t.Error("got no error")
	}
}

// Where there are no hedges to be had, what hangs is still asked elsewhere when it is taken
// for hung.
func TestHungWithoutHedges(t *testing.T) {
	s := plain(2, 1, "constant", 4*ms, 100, 400*ms)
	s.Proxy.Timeouts.ResponseHeader = time.Second
	s.Proxy.Retries.Attempts, s.Proxy.Retries.HungAfter = 2, 20*ms
	s.Proxy.Hedge = &config.Hedge{AfterPercentile: 0.5, MinDelay: ms, MaxRatio: 1e-9}
	s.Faults = []scenario.Fault{{Kind: scenario.Hang, Servers: []int{0}, From: 300 * ms}}
	hung := 0
	for _, r := range rows(play(t, s, "round-robin", 1).Requests) {
		if r.code != 200 {
			t.Errorf("done at %v ms: got %d, want 200", r.done, r.code)
		}
		if r.attempts == 2 {
			hung++
		}
	}
	if hung != 5 {
		t.Errorf("asked twice: got %d, want each second one of the last ten", hung)
	}
}
