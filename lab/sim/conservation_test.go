package sim

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// anything draws a scenario of some length in which anything may happen.
func anything(t *rapid.T) *scenario.Scenario {
	s := hectic()
	if rapid.Bool().Draw(t, "closed") {
		s = looped()
		s.Arrivals.Think.Mean = rapid.SampledFrom([]time.Duration{0, ms, 20 * ms}).Draw(t, "think")
	} else {
		s.Arrivals.Rate = rapid.SampledFrom([]float64{100, 1000, 5000}).Draw(t, "rate")
	}
	s.Duration = 200 * ms
	s.Servers.Count = rapid.IntRange(5, 6).Draw(t, "servers")
	s.Servers.Slots = rapid.IntRange(1, 3).Draw(t, "slots")
	s.Servers.Queue = rapid.IntRange(0, 5).Draw(t, "queue")
	s.Servers.Abandoned = rapid.SampledFrom([]string{scenario.Finish, scenario.Cancel}).Draw(t, "abandoned")
	s.Servers.Discipline = rapid.SampledFrom([]string{scenario.Queueing, scenario.Sharing}).Draw(t, "discipline")
	s.Proxies = rapid.IntRange(1, 3).Draw(t, "proxies")
	s.Client.Retries = rapid.IntRange(0, 2).Draw(t, "retries")
	s.Client.Backoff = rapid.SampledFrom([]time.Duration{0, 5 * ms}).Draw(t, "backoff")
	if rapid.Bool().Draw(t, "near") {
		s.Network = scenario.Network{}
	}
	s.Proxy.Retries.Attempts = rapid.IntRange(1, 4).Draw(t, "attempts")
	s.Proxy.Timeouts.ResponseHeader = rapid.SampledFrom([]time.Duration{0, 15 * ms, time.Second}).Draw(t, "response header")
	s.Proxy.Timeouts.Total = rapid.SampledFrom([]time.Duration{0, 35 * ms, time.Minute}).Draw(t, "total")
	s.Proxy.Timeouts.Connect = ms
	if total := s.Proxy.Timeouts.Total; total > 0 {
		s.Proxy.Timeouts.ResponseHeader = min(s.Proxy.Timeouts.ResponseHeader, total)
	}
	if rapid.Bool().Draw(t, "no limit") {
		s.Proxy.Concurrency = nil
	} else {
		s.Proxy.Concurrency.Limit = rapid.IntRange(1, 20).Draw(t, "limit")
		s.Proxy.Concurrency.Queue = rapid.IntRange(0, 40).Draw(t, "room")
	}
	if rapid.Bool().Draw(t, "no hedges") {
		s.Proxy.Hedge = nil
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		f.From = time.Duration(rapid.IntRange(0, 150).Draw(t, "from")) * ms
		f.To = f.From + 50*ms
		f.Stagger /= 10
	}
	return s
}

// routers are all those that a trial had, with all their members.
type routers struct {
	routers map[*core.Router]bool
	members map[*core.Member]bool
	views   map[*core.View]bool
}

// look takes in those that there are now.
func (r *routers) look(w *world) {
	for _, p := range w.proxies {
		if v := p.router.View(); !r.views[v] {
			r.views[v], r.routers[p.router] = true, true
			for _, m := range v.Members {
				r.members[m] = true
			}
		}
	}
}

// Invariants, for any servers, faults, clients, networks and policies:
//   - every planned request is recorded once, within what its tries may take;
//   - Little's law holds to the nanosecond: the number of requests under way,
//     integrated over time while the world goes on, is the sum of the response times;
//   - at the end nothing is under way, nothing pending at any member of any router that
//     there was, and nobody left in a queue or at its limit.
func TestConservation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anything(t)
		seed := rapid.Uint64().Draw(t, "seed")
		one, err := s.Subject(rapid.SampledFrom(strategies).Draw(t, "strategy"))
		if err != nil {
			t.Fatal(err)
		}
		one.Policies.Concurrency = s.Proxy.Concurrency
		var requests []record.Request
		w, err := newWorld(s, one, scenario.NewChance(seed), false, func(r record.Request) { requests = append(requests, r) })
		if err != nil {
			t.Fatal(err)
		}
		all := routers{map[*core.Router]bool{}, map[*core.Member]bool{}, map[*core.View]bool{}}
		var area, sum time.Duration
		for {
			live, before := w.flights.live, w.now
			all.look(w)
			if !w.step() {
				break
			}
			if w.now < before {
				t.Fatalf("time went back from %v to %v", before, w.now)
			}
			area += time.Duration(live) * w.now.Sub(before)
		}
		if err := w.audit(); err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(requests, func(a, b record.Request) int { return int(a.Seq - b.Seq) })
		tries := time.Duration(s.Client.Retries + 1)
		for i, r := range requests {
			sum += r.ResponseTime()
			if took := r.ResponseTime(); r.Seq != int64(i) || took < 0 || took > tries*s.Client.Timeout+(tries-1)*2*s.Client.Backoff {
				t.Fatalf("request %d cannot be: %+v", i, r)
			}
		}
		if n := len(slices.Collect(s.Schedule(scenario.NewChance(seed)))); s.Arrivals.Law != scenario.Closed && len(requests) != n {
			t.Fatalf("got %d requests, want %d", len(requests), n)
		}
		if area != sum {
			t.Fatalf("Little's law: %v under way over time, %v in response times", area, sum)
		}
		for m := range all.members {
			if m.Pending() != 0 {
				t.Fatalf("%d pending at %s", m.Pending(), m.Key)
			}
		}
		for r := range all.routers {
			if a := r.Admission(); a != nil {
				if in, waiting := a.InFlight(); in != 0 || waiting != 0 {
					t.Fatalf("%d in flight and %d waiting at the end", in, waiting)
				}
			}
		}
	})
}
