package sim

import (
	"slices"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// One request of 10 ms comes at 1 s, at servers with work in them: the oracle knows where
// it ends first. Work under way is put there at 1 s, too.
func TestOraclePicks(t *testing.T) {
	const at = core.Instant(time.Second)
	befall := func(fs ...scenario.Fault) func(*scenario.Scenario) {
		return func(s *scenario.Scenario) {
			for i := range fs {
				fs[i].Servers = []int{0}
			}
			s.Faults = fs
		}
	}
	// unlucky is the share of a fault that just meets request 5 at server 0.
	luck := scenario.NewChance(1).Luck(5, 0, 0).At(0)
	unlucky := luck.Float64() + 1e-9
	for _, c := range []struct {
		name   string
		work   [][]time.Duration // by server, of the requests that are there
		change func(*scenario.Scenario)
		later  func(*world) // before the request comes
		want   int
	}{
		{"the only idle one", [][]time.Duration{{5 * ms}, {}, {1}}, nil, nil, 1},
		{"work counts, not requests", [][]time.Duration{{30 * ms}, {5 * ms, 5 * ms, 5 * ms}, {16 * ms}}, nil, nil, 1},
		{"the work that is left", [][]time.Duration{{30 * ms}, {29 * ms, 2 * ms}}, nil, nil, 0},
		{"slow", [][]time.Duration{{}, {80 * ms}}, befall(scenario.Fault{Kind: scenario.Slow, Factor: 10}), nil, 1},
		{"slow, and still sooner", [][]time.Duration{{}, {100 * ms}}, befall(scenario.Fault{Kind: scenario.Slow, Factor: 10}), nil, 0},
		{"slow until soon", [][]time.Duration{{}, {11 * ms}}, befall(scenario.Fault{Kind: scenario.Slow, Factor: 10, To: 1010 * ms}), nil, 0},
		{"about to be slow", [][]time.Duration{{}, {10 * ms}}, befall(scenario.Fault{Kind: scenario.Slow, Factor: 10, From: 1005 * ms}), nil, 1},
		{"stopped", [][]time.Duration{{}, {9 * ms}}, befall(scenario.Fault{Kind: scenario.Pause, To: 1010 * ms}), nil, 1},
		{"stopped, and still sooner", [][]time.Duration{{}, {11 * ms}}, befall(scenario.Fault{Kind: scenario.Pause, To: 1010 * ms}), nil, 0},
		{"failing", [][]time.Duration{{}, {500 * ms}}, befall(scenario.Fault{Kind: scenario.Error, Code: 503}), nil, 1},
		{"hanging", [][]time.Duration{{}, {500 * ms}}, befall(scenario.Fault{Kind: scenario.Hang}), nil, 1},
		{"down", [][]time.Duration{{}, {500 * ms}}, befall(scenario.Fault{Kind: scenario.Refused}), nil, 1},
		{"going down before the end", [][]time.Duration{{}, {500 * ms}}, befall(scenario.Fault{Kind: scenario.Refused, From: 1009 * ms}), nil, 1},
		{"going down behind the end", [][]time.Duration{{}, {500 * ms}}, befall(scenario.Fault{Kind: scenario.Refused, From: 1011 * ms}), nil, 0},
		{"up again, and idle ever since", [][]time.Duration{{}, {1}}, befall(scenario.Fault{Kind: scenario.Refused, From: 100 * ms, To: 200 * ms}), nil, 0},
		{"full", [][]time.Duration{{ms, ms, ms, ms, ms}, {500 * ms}}, func(s *scenario.Scenario) { s.Servers.Queue = 4 }, nil, 1},
		{"bad luck", [][]time.Duration{{}, {500 * ms}}, befall(scenario.Fault{Kind: scenario.Error, Code: 503, Share: unlucky}), nil, 1},
		{"good luck", [][]time.Duration{{}, {1}}, befall(scenario.Fault{Kind: scenario.Error, Code: 503, Share: unlucky - 2e-9}), nil, 0},
		{"far", [][]time.Duration{{}, {19 * ms}}, func(s *scenario.Scenario) {
			s.Network.Links = []scenario.Link{{Servers: []int{0}, Delay: 20 * ms}}
		}, nil, 1},
		{"far, and still sooner", [][]time.Duration{{}, {21 * ms}}, func(s *scenario.Scenario) {
			s.Network.Links = []scenario.Link{{Servers: []int{0}, Delay: 20 * ms}}
		}, nil, 0},
		{"on the way there", [][]time.Duration{{}, {5 * ms}}, func(s *scenario.Scenario) { s.Network.Delay = ms },
			func(w *world) { w.oracle.sent(0, 6*ms) }, 1},
		{"on the way there, and arrived", [][]time.Duration{{}, {5 * ms}}, func(s *scenario.Scenario) { s.Network.Delay = ms },
			func(w *world) { w.oracle.sent(0, 6*ms); w.oracle.arrived(0, 2*ms) }, 0},
		{"drained", [][]time.Duration{{}, {500 * ms}}, nil, func(w *world) {
			w.fleet.drained[0]++
			if err := w.proxies[0].router.Update(at, w.fleet.endpoints()); err != nil {
				panic(err)
			}
		}, 1},
		{"removed", [][]time.Duration{{}, {500 * ms}}, nil, func(w *world) {
			w.fleet.removed[0]++
			if err := w.proxies[0].router.Update(at, w.fleet.endpoints()); err != nil {
				panic(err)
			}
		}, 1},
		{"shared: half the speed to the end of the other", [][]time.Duration{{5 * ms}, {2 * ms, 2 * ms}}, func(s *scenario.Scenario) {
			s.Servers.Discipline = scenario.Sharing
		}, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plain(len(c.work), 1, "constant", ms, 1, time.Minute)
			if c.change != nil {
				c.change(s)
			}
			w := unwatched(t, s, subject(t, s, scenario.Oracle), 1, func(record.Request) {})
			w.now = at
			for i, jobs := range c.work {
				for n, work := range jobs {
					w.reach(i, model.Job{ID: uint64(n), Demand: work, Luck: core.NewKey(99)})
				}
			}
			if c.later != nil {
				c.later(w)
			}
			w.oracle.asking = w.flights.take()
			w.oracle.asking.proxy, w.oracle.asking.place, w.oracle.asking.work = w.proxies[0], 5, 10*ms
			for range 10 { // wherever it begins to look
				var l core.Lease
				if !w.proxies[0].router.Begin(at, &core.Ask{}, &l) {
					t.Fatal("nobody was picked")
				}
				if got := l.Member().Target.(int); got != c.want {
					t.Fatalf("went to server %d, want %d", got, c.want)
				}
				l.Settle(at, core.Sample{Outcome: core.Abandoned})
			}
		})
	}
}

// With nobody to pick there is no pick; and of equals it takes any.
func TestOracleTies(t *testing.T) {
	s := plain(4, 1, "constant", ms, 1, time.Minute)
	w := unwatched(t, s, subject(t, s, scenario.Oracle), 1, nil)
	w.oracle.asking = w.flights.take()
	w.oracle.asking.proxy, w.oracle.asking.work = w.proxies[0], ms
	by := map[int]int{}
	for range 400 {
		var l core.Lease
		w.proxies[0].router.Begin(0, &core.Ask{}, &l)
		by[l.Member().Target.(int)]++
		l.Settle(0, core.Sample{})
	}
	for i := range 4 {
		if by[i] < 60 || by[i] > 140 { // 100, with a standard deviation of 8.7
			t.Errorf("server %d: %d of 400, want about 100", i, by[i])
		}
	}
	for i := range 4 {
		w.fleet.removed[i]++
	}
	if err := w.proxies[0].router.Update(0, w.fleet.endpoints()); err != nil {
		t.Fatal(err)
	}
	var l core.Lease
	if w.proxies[0].router.Begin(0, &core.Ask{}, &l) {
		t.Error("picked one of none")
	}
}

// What is on its way counts: three requests, 10 ms apart and each 15 ms on its way, go to
// three servers. What has arrived counts once.
func TestOracleAtADistance(t *testing.T) {
	s := plain(3, 1, "constant", 100*ms, 100, 25*ms)
	s.Network.Delay = 30 * ms
	for seed := range uint64(20) {
		var took []time.Duration
		w := unwatched(t, s, subject(t, s, scenario.Oracle), seed, func(r record.Request) { took = append(took, r.ResponseTime()) })
		if _, err := w.play(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := []time.Duration{130 * ms, 130 * ms, 130 * ms}; !slices.Equal(took, want) {
			t.Errorf("seed %d: took %v, want %v", seed, took, want)
		}
		if want := make([]time.Duration, 3); !slices.Equal(w.oracle.under, want) {
			t.Errorf("seed %d: %v still on its way", seed, w.oracle.under)
		}
	}
}

// No strategy does better than the oracle by more than luck. Where one server is slow, of
// constant work below the capacity of the others, it does as well as can be done: nobody
// waits, and nobody meets the slow one.
func TestOracleAgainstStrategies(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*scenario.Scenario)
	}{
		{"calm", func(*scenario.Scenario) {}},
		{"one slow", func(s *scenario.Scenario) {
			s.Faults = []scenario.Fault{{Kind: scenario.Slow, Servers: []int{0}, Factor: 8}}
		}},
		{"one failing", func(s *scenario.Scenario) {
			s.Faults = []scenario.Fault{{Kind: scenario.Error, Servers: []int{0}, Code: 503, Latency: ms}}
		}},
		{"pauses", func(s *scenario.Scenario) {
			s.Faults = []scenario.Fault{{Kind: scenario.Pause, Every: time.Second, For: 100 * ms}}
		}},
		{"far ones, several proxies", func(s *scenario.Scenario) {
			s.Proxies = 3
			s.Network = scenario.Network{Delay: ms, Zones: 2, Between: 4 * ms}
		}},
		{"shared", func(s *scenario.Scenario) { s.Servers.Discipline = scenario.Sharing }},
		{"some long", func(s *scenario.Scenario) {
			s.Servers.Service = scenario.Service{Law: "bimodal", Mean: 10 * ms, Share: 0.05, Factor: 10}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := plain(6, 2, "exponential", 10*ms, 700, 5*time.Second)
			s.Arrivals.Law = "poisson"
			c.change(s)
			mean := func(name string) time.Duration {
				sum := time.Duration(0)
				requests := play(t, s, name, 1).Requests
				for _, r := range requests {
					took := r.ResponseTime()
					if !r.OK() {
						took = max(took, s.Client.Timeout)
					}
					sum += took
				}
				return sum / time.Duration(len(requests))
			}
			best := mean(scenario.Oracle)
			for _, name := range strategies {
				if got := mean(name); float64(got) < 0.98*float64(best) {
					t.Errorf("%s: mean %v, and the oracle %v", name, got, best)
				}
			}
		})
	}
	s := plain(6, 1, "constant", 10*ms, 500, time.Second)
	s.Faults = []scenario.Fault{{Kind: scenario.Slow, Servers: []int{3}, Factor: 8}}
	for _, r := range play(t, s, scenario.Oracle, 1).Requests {
		if r.ResponseTime() != 10*ms || r.Endpoint == 3 {
			t.Fatalf("got %+v, want it served at once, and not by the slow one", r)
		}
	}
}
