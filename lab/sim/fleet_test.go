package sim

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Requests arrive every 10 ms from 0 on at two servers in turn, and what the proxy is told
// changes meanwhile.
func TestChanges(t *testing.T) {
	for _, c := range []struct {
		name    string
		subject string
		service time.Duration
		until   time.Duration
		proxy   func(*scenario.Scenario)
		faults  []scenario.Fault
		want    []row
	}{
		{"drained, and back", "least-requests", 15 * ms, 45 * ms, nil,
			[]scenario.Fault{{Kind: scenario.Drain, Servers: []int{0}, From: 5 * ms, To: 35 * ms}},
			// The first ends where it is. Of the others each waits for the one before.
			[]row{{15, 0, 1, 200}, {25, 1, 1, 200}, {40, 1, 1, 200}, {55, 1, 1, 200}, {55, 0, 1, 200}}},
		{"drained twice: until both are over", "least-requests", 4 * ms, 35 * ms, nil,
			[]scenario.Fault{
				{Kind: scenario.Drain, Servers: []int{0}, From: 5 * ms, To: 15 * ms},
				{Kind: scenario.Drain, Servers: []int{0}, From: 8 * ms, To: 25 * ms},
				{Kind: scenario.Drain, Servers: []int{1}, From: 25 * ms},
			},
			[]row{{4, 0, 1, 200}, {14, 1, 1, 200}, {24, 1, 1, 200}, {34, 0, 1, 200}}},
		{"removed, and another in its place", "least-requests", 4 * ms, 35 * ms, nil,
			[]scenario.Fault{
				{Kind: scenario.Remove, Servers: []int{0}, From: 5 * ms, To: 15 * ms},
				{Kind: scenario.Remove, Servers: []int{1}, From: 15 * ms, To: 25 * ms},
				{Kind: scenario.Drain, Servers: []int{0}, From: 25 * ms},
			},
			[]row{{4, 0, 1, 200}, {14, 1, 1, 200}, {24, 0, 1, 200}, {34, 1, 1, 200}}},
		{"what is under way at one that is removed", "least-requests", 15 * ms, 15 * ms, nil,
			[]scenario.Fault{{Kind: scenario.Remove, Servers: []int{0}, From: 5 * ms}},
			[]row{{15, 0, 1, 200}, {25, 1, 1, 200}}},
		{"nobody left", "least-requests", 4 * ms, 35 * ms, nil,
			[]scenario.Fault{{Kind: scenario.Remove, From: 5 * ms, To: 15 * ms}, {Kind: scenario.Drain, From: 15 * ms, To: 25 * ms}, {Kind: scenario.Drain, Servers: []int{1}, From: 25 * ms}},
			[]row{{4, 0, 1, 200}, {10, -1, 0, 503}, {20, -1, 0, 503}, {34, 0, 1, 200}}},
		{"removed in batches", "least-requests", 4 * ms, 25 * ms, func(s *scenario.Scenario) { s.Servers.Count = 3 },
			[]scenario.Fault{
				{Kind: scenario.Remove, Servers: []int{0, 1}, Batch: 1, Stagger: 10 * ms, From: 5 * ms, To: 15 * ms},
				{Kind: scenario.Drain, Servers: []int{2}, From: 5 * ms},
			},
			[]row{{4, 0, 1, 200}, {14, 1, 1, 200}, {24, 0, 1, 200}}},
		{"of a change and a request at one instant the change comes first", "least-requests", 4 * ms, 15 * ms, nil,
			[]scenario.Fault{{Kind: scenario.Remove, Servers: []int{0}, From: 10 * ms, To: 20 * ms}, {Kind: scenario.Drain, Servers: []int{1}, To: 10 * ms}},
			[]row{{4, 0, 1, 200}, {14, 1, 1, 200}}},
		{"a proxy is replaced: its turns begin again", "round-robin", 4 * ms, 25 * ms, nil,
			[]scenario.Fault{{Kind: scenario.Restart, From: 5 * ms}},
			[]row{{4, 0, 1, 200}, {14, 0, 1, 200}, {24, 1, 1, 200}}},
		// The third finds a new proxy with a limit of its own, at a server that is at work
		// for the old one; the second stays with the old one, and is let in at 25.
		{"a proxy is replaced while somebody is in its queue", "round-robin+fixed{limit=1,queue=5}", 25 * ms, 25 * ms, nil,
			[]scenario.Fault{{Kind: scenario.Restart, From: 15 * ms}},
			[]row{{25, 0, 1, 200}, {50, 1, 1, 200}, {50, 0, 1, 200}}},
		{"and leaves the old queue", "round-robin+fixed{limit=1,queue=5}", 25 * ms, 15 * ms,
			func(s *scenario.Scenario) { s.Client.Timeout = 12 * ms },
			[]scenario.Fault{{Kind: scenario.Restart, From: 11 * ms}, {Kind: scenario.Hang}},
			[]row{{12, -1, 1, 0}, {22, -1, 1, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plain(2, 1, "constant", c.service, 100, c.until)
			s.Faults = c.faults
			if c.subject == "least-requests" { // of two that are idle it takes any: not at first
				s.Faults = append(s.Faults, scenario.Fault{Kind: scenario.Drain, Servers: []int{1}, To: 3 * ms})
			}
			if c.proxy != nil {
				c.proxy(s)
			}
			s.Proxy.PanicThreshold = 0
			requests := play(t, s, c.subject, 1).Requests
			got := rows(requests)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(row{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A server that comes back is a new member to every proxy, and only the proxies that
// restart get a new router.
func TestLives(t *testing.T) {
	s := plain(2, 1, "constant", ms, 100, 100*ms)
	s.Proxies = 3
	s.Faults = []scenario.Fault{
		{Kind: scenario.Remove, Servers: []int{1}, From: 5 * ms, To: 15 * ms},
		{Kind: scenario.Restart, Proxies: []int{1, 2}, From: 25 * ms, Stagger: 20 * ms},
	}
	w := unwatched(t, s, subject(t, s, "p2c-ewma"), 1, func(record.Request) {})
	first := w.proxies[0].router
	routers := []any{first, w.proxies[1].router, w.proxies[2].router}
	for _, c := range []struct {
		at   time.Duration
		keys []string
		same []bool
	}{
		{4 * ms, []string{"server-0", "server-1"}, []bool{true, true, true}},
		{14 * ms, []string{"server-0"}, []bool{true, true, true}},
		{24 * ms, []string{"server-0", "server-1.1"}, []bool{true, true, true}},
		{44 * ms, []string{"server-0", "server-1.1"}, []bool{true, false, true}},
		{64 * ms, []string{"server-0", "server-1.1"}, []bool{true, false, false}},
	} {
		for {
			if _, at := w.schedule.next(); time.Duration(at) > c.at {
				break
			}
			w.step()
		}
		for i, p := range w.proxies {
			var keys []string
			for _, m := range p.router.View().Members {
				keys = append(keys, m.Key)
			}
			if !slices.Equal(keys, c.keys) {
				t.Errorf("at %v proxy %d: members %v, want %v", c.at, i, keys, c.keys)
			}
			if (any(p.router) == routers[i]) != c.same[i] {
				t.Errorf("at %v proxy %d: the first router still: %v, want %v", c.at, i, !c.same[i], c.same[i])
			}
		}
	}
}

// A request is hedged when it has not been answered for 10 ms, and what the loser was
// doing is dropped where work is: server 0 is slow from 495 ms on. (A hedge takes a turn:
// both of the last two requests meet the slow one first.)
func TestHedges(t *testing.T) {
	for _, abandoned := range []string{scenario.Finish, scenario.Cancel} {
		s := plain(2, 10, "constant", 4*ms, 100, 520*ms)
		s.Servers.Abandoned = abandoned
		s.Proxy.Hedge = &config.Hedge{AfterPercentile: 0.5, MinDelay: 10 * ms, MaxRatio: 1}
		s.Faults = []scenario.Fault{{Kind: scenario.Slow, Servers: []int{0}, From: 495 * ms, Factor: 100}}
		var requests []record.Request
		w := unwatched(t, s, subject(t, s, "round-robin"), 1, func(r record.Request) { requests = append(requests, r) })
		if _, err := w.play(t.Context()); err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(requests, func(a, b record.Request) int { return int(a.Seq - b.Seq) })
		want := []row{{484, 0, 1, 200}, {494, 1, 1, 200}, {514, 1, 2, 200}, {524, 1, 2, 200}}
		got := rows(requests)[48:]
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", abandoned, diff)
		}
		left := map[string]int{scenario.Finish: 2, scenario.Cancel: 0}[abandoned]
		if busy := w.servers[0].Busy(); busy != left {
			t.Errorf("%s: %d still at work for nobody, want %d", abandoned, busy, left)
		}
	}
}
