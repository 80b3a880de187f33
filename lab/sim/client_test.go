package sim

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// failing is a fault of one server that answers the code after two milliseconds.
func failing(server, code int) scenario.Fault {
	return scenario.Fault{Kind: scenario.Error, Servers: []int{server}, Code: code, Latency: 2 * ms}
}

// Requests arrive every 10 ms from 0 on, and clients try again.
func TestClientRetries(t *testing.T) {
	for _, c := range []struct {
		name    string
		subject string
		until   time.Duration
		retries int
		change  func(*scenario.Scenario)
		want    []row
	}{
		{"a failure", "round-robin", 15 * ms, 1, func(s *scenario.Scenario) { s.Faults = []scenario.Fault{failing(0, 500)} },
			[]row{{6, 1, 2, 200}, {16, 1, 2, 200}}},
		{"throttled", "round-robin", 5 * ms, 1, func(s *scenario.Scenario) { s.Faults = []scenario.Fault{failing(0, 429)} },
			[]row{{6, 1, 2, 200}}},
		{"not what is the client's own fault", "round-robin", 5 * ms, 1, func(s *scenario.Scenario) { s.Faults = []scenario.Fault{failing(0, 404)} },
			[]row{{2, 0, 1, 404}}},
		{"as often as they may", "round-robin", 15 * ms, 2,
			func(s *scenario.Scenario) { s.Faults = []scenario.Fault{failing(0, 500), failing(1, 501)} },
			[]row{{6, 0, 3, 500}, {16, 1, 3, 501}}},
		{"what takes too long, each try with its own patience", "round-robin", 15 * ms, 1, func(s *scenario.Scenario) {
			s.Client.Timeout = 5 * ms
			s.Faults = []scenario.Fault{{Kind: scenario.Slow, Servers: []int{0}, Factor: 10}}
		},
			[]row{{9, 1, 2, 200}, {19, 1, 2, 200}}},
		{"what takes too long again", "round-robin", 5 * ms, 2, func(s *scenario.Scenario) {
			s.Client.Timeout = 5 * ms
			s.Faults = []scenario.Fault{{Kind: scenario.Slow, Factor: 10}}
		},
			[]row{{15, -1, 3, 0}}},
		{"attempts of the proxy count, too", "round-robin", 5 * ms, 1, func(s *scenario.Scenario) {
			s.Proxy.Retries.Attempts = 2
			s.Faults = []scenario.Fault{failing(0, 503), failing(1, 503)}
		},
			[]row{{8, 1, 4, 503}}},
		{"what the proxy turned away", "round-robin+fixed{limit=1,queue=0}", 15 * ms, 1, func(s *scenario.Scenario) {
			s.Faults = []scenario.Fault{{Kind: scenario.Slow, Factor: 10}}
			s.Client.Timeout = time.Second
		},
			[]row{{40, 0, 1, 200}, {10, -1, 0, 503}}},
		{"what the proxy gave up", "round-robin", 5 * ms, 1, func(s *scenario.Scenario) {
			s.Proxy.Timeouts.ResponseHeader = 3 * ms
			s.Faults = []scenario.Fault{{Kind: scenario.Slow, Servers: []int{0}, Factor: 10}, failing(1, 500)}
		},
			[]row{{5, 1, 2, 500}}},
		{"who left the queue stands at its end", "round-robin+fixed{limit=1,queue=5}", 15 * ms, 1, func(s *scenario.Scenario) {
			s.Client.Timeout = 12 * ms
			s.Faults = []scenario.Fault{{Kind: scenario.Hang, Servers: []int{0}}}
		},
			// The first leaves at 12 and lets the second in, which takes 4; it comes
			// after it, and finds the hanging server.
			[]row{{24, -1, 2, 0}, {16, 1, 1, 200}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plain(2, 1, "constant", 4*ms, 100, c.until)
			s.Client.Retries = c.retries
			c.change(s)
			requests := play(t, s, c.subject, 1).Requests
			if diff := cmp.Diff(c.want, rows(requests), cmp.AllowUnexported(row{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Between two tries lies the drawn time, the same whatever the strategy: all servers fail
// after 2 ms, so what a request takes is four times that and its three waits.
func TestBackoff(t *testing.T) {
	s := plain(3, 1, "constant", 4*ms, 100, 10*time.Second)
	s.Client.Retries, s.Client.Backoff = 3, 20*ms
	s.Proxies = 2
	s.Faults = []scenario.Fault{{Kind: scenario.Error, Code: 500, Latency: 2 * ms}}
	chance := scenario.NewChance(7)
	var waits []time.Duration
	for _, name := range strategies {
		for _, r := range play(t, s, name, 7).Requests {
			want := 4 * 2 * ms
			for try := range uint64(3) {
				k := chance.Backoff(uint64(r.Seq), try+1)
				waits = append(waits, time.Duration(2*k.Float64()*float64(20*ms)))
				want += waits[len(waits)-1]
			}
			if r.ResponseTime() != want || r.Attempts != 4 || r.Code != 500 {
				t.Fatalf("%s: got %+v, want it after %v", name, r, want)
			}
		}
	}
	// 3000 draws, even from nothing to 40 ms: their mean has the standard error
	// 40 ms/√12/√3000 = 0.21 ms.
	sum := time.Duration(0)
	for _, x := range waits[:3000] {
		sum += x
	}
	if mean := sum / 3000; mean < 19*ms || mean > 21*ms {
		t.Errorf("clients waited %v in the mean, want 20ms ± 1ms", mean)
	}
	if least, most := slices.Min(waits), slices.Max(waits); least < 0 || least > ms || most > 40*ms || most < 39*ms {
		t.Errorf("clients waited %v to %v, want 0 to 40ms", least, most)
	}
}

// Of requests that all fail each second one is tried again, when there is half a retry for
// each: the first has earned only a half.
func TestClientBudget(t *testing.T) {
	s := plain(1, 1, "constant", 4*ms, 100, 100*ms)
	s.Client.Retries, s.Client.Budget = 5, 0.5
	s.Faults = []scenario.Fault{failing(0, 500)}
	var attempts []int
	for _, r := range play(t, s, "random", 1).Requests {
		attempts = append(attempts, r.Attempts)
	}
	if want := []int{1, 2, 1, 2, 1, 2, 1, 2, 1, 2}; !slices.Equal(attempts, want) {
		t.Errorf("attempts %v, want %v", attempts, want)
	}
}

// closed is a scenario of so many clients that wait for their answers.
func closed(clients int, think, service, duration time.Duration) *scenario.Scenario {
	s := plain(2, 1, "constant", service, 0, duration)
	s.Arrivals = scenario.Arrivals{Law: scenario.Closed, Clients: clients, Think: scenario.Think{Law: "constant", Mean: think}}
	return s
}

// A client alone asks again after each answer and the time that it thinks, until the end:
// one whose turn comes at the very end sends nothing.
func TestClosedLoop(t *testing.T) {
	s := closed(1, 6*ms, 4*ms, time.Second)
	first := s.First(scenario.NewChance(3), 0)
	for _, c := range []struct {
		after time.Duration // the first request
		want  int
	}{{49 * ms, 5}, {50 * ms, 5}, {50*ms + 1, 6}} {
		s.Duration = time.Duration(first) + c.after
		requests := play(t, s, "round-robin", 3).Requests
		if len(requests) != c.want {
			t.Errorf("end after %v: got %d requests, want %d", c.after, len(requests), c.want)
		}
		for i, r := range requests {
			want := record.Request{Seq: int64(i), Planned: first.Add(time.Duration(i) * 10 * ms), Endpoint: i % 2, Attempts: 1, Code: 200}
			want.Sent, want.Done = want.Planned, want.Planned.Add(4*ms)
			if r != want {
				t.Fatalf("request %d: got %+v, want %+v", i, r, want)
			}
		}
	}
}

// What a client of a closed loop asks for and how long it thinks depends on the client and
// its turn alone: not on the strategy, and not on who else has asked meanwhile.
func TestClosedLoopCommonNumbers(t *testing.T) {
	s := closed(5, 20*ms, 10*ms, 2*time.Second)
	s.Servers.Slots, s.Servers.Service.Law, s.Arrivals.Think.Law = 1000, "exponential", "exponential"
	chance := scenario.NewChance(4)
	var want []record.Request
	demands := s.Demands(chance)
	for client := range uint64(5) {
		at := s.First(chance, client)
		for turn := uint64(0); at < core.Instant(s.Duration); turn++ {
			_, work := demands.Of(client<<32 | turn)
			want = append(want, record.Request{Planned: at, Sent: at, Done: at.Add(work), Attempts: 1, Code: 200})
			at = at.Add(work).Add(s.Arrivals.Think.Draw(chance.Think(client, turn+1)))
		}
	}
	slices.SortFunc(want, func(a, b record.Request) int { return int(a.Planned - b.Planned) })
	for i := range want {
		want[i].Seq = int64(i)
	}
	for _, name := range strategies {
		got := play(t, s, name, 4).Requests
		for i := range got {
			got[i].Endpoint = 0
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%.500s", name, diff)
		}
	}
}

// Clients without a thought, at one server for one: there are never more requests than
// clients, and it is never idle, so each answer takes 4 ms for each of the three.
func TestClosedLoopSaturated(t *testing.T) {
	s := closed(3, 0, 4*ms, 100*ms)
	s.Servers.Count = 1
	requests := play(t, s, "random", 1).Requests
	for i, r := range requests {
		if i >= 3 && r.ResponseTime() != 12*ms {
			t.Errorf("request %d took %v, want 12ms", i, r.ResponseTime())
		}
	}
	// The first comes within 4 ms.
	if n := len(requests); n < 26 || n > 28 {
		t.Errorf("got %d requests, want 3 and one for each 4 of less than 100 ms", n)
	}
}

// Time goes on although clients do not think and are turned away at once; and the trial
// ends although its health checks would go on for ever.
func TestClosedLoopGoesOn(t *testing.T) {
	s := closed(4, 0, 10*ms, 100*ms)
	s.Servers.Count, s.Servers.Queue = 1, 0
	s.Proxy.Health = &config.Health{Path: "/", Interval: 10 * ms, Timeout: time.Second, Rise: 2, Fall: 3}
	served, refused := 0, 0
	for _, r := range play(t, s, "random", 1).Requests {
		switch {
		case r.OK() && r.ResponseTime() == 10*ms:
			served++
		case r.Code == 503 && r.Done == r.Planned:
			refused++
		default:
			t.Errorf("cannot be: %+v", r)
		}
	}
	// The server is free for up to a blink after each answer; the others ask each blink.
	if served < 9 || served > 10 {
		t.Errorf("served %d, want 9 or 10: one each 10 ms or a little more", served)
	}
	if refused < 240 || refused > 320 {
		t.Errorf("refused %d, want about three each millisecond", refused)
	}
}

// Every client of an open loop is another one; in a closed loop a client's requests belong
// together.
func TestAffinity(t *testing.T) {
	s := closed(3, 6*ms, 4*ms, 500*ms)
	s.Servers.Slots = 10
	at := map[core.Instant]int{} // by when a client asks within its round of 10 ms
	for _, r := range play(t, s, "ip-hash", 1).Requests {
		phase := r.Planned % core.Instant(10*ms)
		if was, known := at[phase]; known && was != r.Endpoint {
			t.Fatalf("a client went to %d and then to %d", was, r.Endpoint)
		}
		at[phase] = r.Endpoint
	}
	if len(at) != 3 {
		t.Errorf("%d clients, want 3", len(at))
	}
	by := [2]int{}
	for _, r := range play(t, plain(2, 10, "constant", ms, 1000, time.Second), "ip-hash", 1).Requests {
		by[r.Endpoint]++
	}
	if by[0] < 400 || by[1] < 400 { // of 1000: half, ± 16, and Maglev's table is not quite even
		t.Errorf("requests by server: %v, want about half each", by)
	}
}

// Clients that leave one of two servers without an answer teach that it has become slow, though
// nothing ever comes of it that could be timed.
func TestWaitingInVainTeaches(t *testing.T) {
	s := plain(2, 10, "constant", 10*ms, 100, 10*time.Second)
	s.Client.Timeout = 40 * ms
	s.Faults = []scenario.Fault{{Kind: scenario.Slow, Servers: []int{0}, From: 2 * time.Second, Factor: 10}}
	in := func(text string) (vain int) {
		for _, r := range play(t, s, text, 1).Requests {
			if r.Code == 0 {
				vain++
			}
		}
		return vain
	}
	blind, seeing := in("p2c-least-requests"), in("p2c-ewma{age=false,trust=false}")
	if seeing == 0 || 4*seeing > blind {
		t.Errorf("in vain: %d requests, and %d where nothing is learned; want some, at most a quarter of those", seeing, blind)
	}
}
