package model

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
)

// trouble is an effect that befalls requests.
func trouble(from, to float64, t Trouble) Effect {
	return Effect{From: at(from), To: at(to), Trouble: t}
}

// down is a time in which a server is down.
func down(from, to float64) Effect { return trouble(from, to, Trouble{Fate: Refuse}) }

// step is one thing that happens to a server: an arrival, or with demand below zero a
// cancellation.
type step = arrival

// calls are the steps as calls.
func calls(steps []step) []op {
	var ops []op
	for _, s := range steps {
		ops = append(ops, op{at: at(s.at), cancel: s.demand < 0, job: Job{ID: s.id, Demand: max(0, s.demand)}})
	}
	return ops
}

const gone = -1 // the demand of a step that cancels

// What befalls requests, as fifo and sharing alike play it: one slot, and room for two.
func TestFates(t *testing.T) {
	for _, c := range []struct {
		name    string
		effects []Effect
		steps   []step
		want    string
	}{
		{"fail takes its time and no slot", []Effect{trouble(0, 10, Trouble{Fate: Fail, Code: 429, Latency: 2 * ms})},
			[]step{{-1, 1, 5 * ms}, {0, 2, time.Hour}, {9, 3, time.Hour}, {10, 4, ms}},
			"2 429 2ms\n1 200 4ms\n3 429 11ms\n4 200 11ms\n"},
		{"what ends comes in the order of time", []Effect{trouble(1, 2, Trouble{Fate: Fail, Code: 500, Latency: 5 * ms})},
			[]step{{0, 1, 3 * ms}, {1, 2, ms}}, "1 200 3ms\n2 500 6ms\n"},
		{"break", []Effect{trouble(0, 10, Trouble{Fate: Break, Latency: 3 * ms})},
			[]step{{1, 1, time.Hour}, {10, 2, ms}}, "1 -2 4ms\n2 200 11ms\n"},
		{"hang", []Effect{trouble(0, 10, Trouble{Fate: Hang})},
			[]step{{1, 1, ms}, {2, 2, ms}, {10, 3, ms}}, "3 200 11ms\n"},
		{"refuse", []Effect{down(5, 10)}, []step{{5, 1, ms}, {10 - 1e-6, 2, ms}, {10, 3, ms}},
			"1 -1 5ms\n2 -1 9.999999ms\n3 200 11ms\n"},
		{"miss", []Effect{trouble(0, 10, Trouble{Fate: Miss, Factor: 3})},
			[]step{{0, 1, 2 * ms}, {10, 2, 2 * ms}}, "1 200 6ms\n2 200 12ms\n"},
		{"two misses, and a miss that fails", []Effect{
			trouble(0, 10, Trouble{Fate: Miss, Factor: 3}), trouble(0, 10, Trouble{Fate: Miss, Factor: 2}),
			trouble(5, 10, Trouble{Fate: Fail, Code: 500}),
		}, []step{{0, 1, ms / 2}, {5, 2, ms}}, "1 200 3ms\n2 500 5ms\n"},
		{"of two the one that began last", []Effect{
			trouble(2, 10, Trouble{Fate: Fail, Code: 500}), trouble(0, 10, Trouble{Fate: Break}),
		}, []step{{1, 1, ms}, {3, 2, ms}}, "1 -2 1ms\n2 500 3ms\n"},
		{"down goes before all", []Effect{down(0, 10), trouble(2, 10, Trouble{Fate: Fail, Code: 500})},
			[]step{{3, 1, ms}}, "1 -1 3ms\n"},

		{"a fall breaks what is under way", []Effect{down(5, 10), trouble(0, 4, Trouble{Fate: Fail, Code: 500, Latency: 9 * ms})},
			[]step{{3.5, 9, 0}, {4, 1, 20 * ms}, {4, 2, 20 * ms}, {4, 3, 20 * ms}, {11, 4, ms}},
			"9 -2 5ms\n1 -2 5ms\n2 -2 5ms\n3 -2 5ms\n4 200 12ms\n"},
		{"a fall breaks what hangs, too", []Effect{down(5, 10), trouble(0, 4, Trouble{Fate: Hang})},
			[]step{{1, 1, ms}, {2, 2, ms}, {4, 3, time.Hour}}, "1 -2 5ms\n2 -2 5ms\n3 -2 5ms\n"},
		{"what ends as it falls is answered", []Effect{down(5, 10), trouble(0, 1, Trouble{Fate: Fail, Code: 500, Latency: 5 * ms})},
			[]step{{0, 1, ms}, {4, 2, ms}, {5, 3, ms}}, "1 500 5ms\n2 200 5ms\n3 -1 5ms\n"},
		{"it falls though what is under way would never end",
			[]Effect{{From: at(0), To: core.Never, Paused: true}, down(5, 10)},
			[]step{{1, 1, ms}}, "1 -2 5ms\n"},
		{"it falls twice", []Effect{down(5, 6), down(8, 9)},
			[]step{{4, 1, time.Hour}, {7, 2, time.Hour}}, "1 -2 5ms\n2 -2 8ms\n"},
		{"down times that touch are one", []Effect{down(5, 6), down(6, 7)},
			[]step{{4, 1, time.Hour}, {6, 2, ms}, {7, 3, ms}}, "1 -2 5ms\n2 -1 6ms\n3 200 8ms\n"},
		{"it falls while nobody is there", []Effect{down(5, 6), down(8, 9)},
			[]step{{10, 1, ms}}, "1 200 11ms\n"},
		{"down from the beginning of time", []Effect{{From: math.MinInt64, To: at(5), Trouble: Trouble{Fate: Refuse}}},
			[]step{{-1e6, 1, ms}, {4, 2, ms}, {5, 3, ms}}, "1 -1 -16m40s\n2 -1 4ms\n3 200 6ms\n"},
		{"down for good", []Effect{{From: at(5), To: core.Never, Trouble: Trouble{Fate: Refuse}}},
			[]step{{4, 1, time.Hour}, {1e9, 2, ms}}, "1 -2 5ms\n2 -1 277h46m40s\n"},

		{"cancelled", nil, []step{{0, 1, 4 * ms}, {1, 2, 4 * ms}, {1, 1, gone}, {2, 7, gone}}, "2 200 5ms\n"},
		{"cancelled while its answer is under way", []Effect{trouble(0, 10, Trouble{Fate: Fail, Code: 500, Latency: 5 * ms})},
			[]step{{0, 1, ms}, {1, 2, ms}, {2, 1, gone}}, "2 500 6ms\n"},
		{"cancelled while it hangs", []Effect{trouble(0, 3, Trouble{Fate: Hang}), down(5, 6)},
			[]step{{0, 1, ms}, {1, 2, ms}, {1.5, 3, ms}, {2, 2, gone}, {3, 2, gone}}, "1 -2 5ms\n3 -2 5ms\n"},
		{"cancelled while it is stopped", []Effect{{From: at(0), To: at(10), Paused: true}},
			[]step{{1, 1, 4 * ms}, {2, 2, 4 * ms}, {3, 1, gone}}, "2 200 14ms\n"},
		{"no work is done though it is stopped for good", []Effect{{From: at(0), To: core.Never, Paused: true}},
			[]step{{1, 1, 0}, {2, 2, ms}}, "1 200 1ms\n"},
		{"never ends", []Effect{{From: at(0), To: core.Never, Speed: 1e-300}, trouble(2, 3, Trouble{Fate: Fail, Latency: math.MaxInt64})},
			[]step{{1, 1, 4 * ms}, {2, 2, 4 * ms}}, ""},
	} {
		for _, sharing := range []bool{false, true} {
			s := New(Settings{Slots: 1, Room: 2, Sharing: sharing}, NewTimeline(c.effects))
			if diff := cmp.Diff(c.want, script(perform(s, calls(c.steps), core.Never))); diff != "" {
				t.Errorf("%s, sharing %t (-want +got):\n%s", c.name, sharing, diff)
			}
			if err := s.Audit(at(2e9)); err != nil {
				t.Errorf("%s, sharing %t: %v", c.name, sharing, err)
			}
			if again, ok := s.Finish(core.Never); ok {
				t.Errorf("%s, sharing %t: more: %+v", c.name, sharing, again)
			}
			// The same by a driver that sleeps until something is foretold.
			s = New(Settings{Slots: 1, Room: 2, Sharing: sharing}, NewTimeline(c.effects))
			var all []Done
			for _, o := range append(calls(c.steps), op{at: core.Never - 1, cancel: true, job: Job{ID: 99}}) {
				for s.Next() <= o.at {
					all = append(all, finish(s, s.Next())...)
				}
				perform(s, []op{o}, math.MinInt64)
			}
			if diff := cmp.Diff(c.want, script(all)); diff != "" {
				t.Errorf("%s, sharing %t, as foretold (-want +got):\n%s", c.name, sharing, diff)
			}
		}
	}
}

// At the instant of the fall requests may arrive before anybody takes out what ended just
// then: it has ended all the same.
func TestArrivalAtFall(t *testing.T) {
	for _, sharing := range []bool{false, true} {
		for name, look := range map[string]func(*Server){
			"an arrival": func(s *Server) { s.Arrive(at(5), Job{ID: 9, Demand: ms}) },
			"a preview":  func(s *Server) { s.Preview(at(5), Job{ID: 9, Demand: ms}) },
			"a check":    func(s *Server) { s.Check(at(5)) },
		} {
			s := New(Settings{Slots: 2, Room: 2, Sharing: sharing}, NewTimeline([]Effect{
				down(5, 10), trouble(1, 2, Trouble{Fate: Hang}), trouble(2, 3, Trouble{Fate: Fail, Code: 500, Latency: 3 * ms}),
				trouble(3, 4, Trouble{Fate: Fail, Code: 501, Latency: 3 * ms}),
			}))
			steps := []step{{0, 1, 5 * ms}, {0, 2, 9 * ms}, {1, 3, ms}, {2, 4, ms}, {3, 5, ms}}
			perform(s, calls(steps), at(4))
			look(s)
			want := "4 500 5ms\n1 200 5ms\n5 -2 5ms\n3 -2 5ms\n2 -2 5ms\n"
			if name == "an arrival" {
				want += "9 -1 5ms\n"
			}
			if diff := cmp.Diff(want, script(finish(s, at(5)))); diff != "" {
				t.Errorf("%s, sharing %t (-want +got):\n%s", name, sharing, diff)
			}
			if err := s.Audit(at(20)); err != nil {
				t.Errorf("%s, sharing %t: %v", name, sharing, err)
			}
		}
	}
}

// What is cancelled lets the next in the queue have its slot at once, and what waits loses
// its place.
func TestCancelQueued(t *testing.T) {
	s := New(Settings{Slots: 1, Room: 2}, NewTimeline(nil))
	steps := []step{{0, 1, 10 * ms}, {1, 2, 10 * ms}, {2, 3, 10 * ms}, {3, 2, gone}, {4, 4, ms}, {5, 1, gone}, {5, 5, ms}, {5, 6, ms}}
	want := "6 503 5ms\n3 200 15ms\n4 200 16ms\n5 200 17ms\n"
	if diff := cmp.Diff(want, script(perform(s, calls(steps), core.Never))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := s.Audit(at(100)); err != nil {
		t.Error(err)
	}
}

// A crowd is counted as the work begins: those in the slots and those that wait.
func TestCrowdingInQueue(t *testing.T) {
	s := New(Settings{Slots: 1, Room: 5}, NewTimeline([]Effect{{From: at(0), To: at(30), Crowding: 0.5}}))
	// The second begins at 10 ms with one behind it, the third at 25 ms alone.
	steps := []step{{0, 1, 10 * ms}, {1, 2, 10 * ms}, {2, 3, 10 * ms}}
	if diff := cmp.Diff("1 200 10ms\n2 200 25ms\n3 200 35ms\n", script(perform(s, calls(steps), core.Never))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := s.Audit(at(100)); err != nil {
		t.Error(err)
	}
	// What was foreseen in a crowd is not held on to when the crowd is gone.
	s = New(Settings{Slots: 1, Room: 5}, NewTimeline([]Effect{{From: at(0), To: at(5), Crowding: 0.5}}))
	perform(s, calls([]step{{0, 1, 10 * ms}, {1, 2, 10 * ms}, {1, 3, 10 * ms}}), at(2))
	if got, ok := s.Preview(at(2), Job{ID: 9, Demand: ms}); !ok || got <= at(31) {
		t.Errorf("in the crowd: foreseen at %v, %t, want after 31ms", time.Duration(got), ok)
	}
	if got, ok := s.Preview(at(6), Job{ID: 9, Demand: ms}); !ok || got != at(31) {
		t.Errorf("after it: foreseen at %v, %t, want 31ms", time.Duration(got), ok)
	}
	// Nor is what was foreseen before it came: the second begins at 10 ms with one behind it.
	s = New(Settings{Slots: 1, Room: 5}, NewTimeline([]Effect{{From: at(9), To: at(12), Crowding: 0.5}}))
	perform(s, calls([]step{{0, 1, 10 * ms}, {1, 2, 10 * ms}, {1, 3, 10 * ms}}), at(2))
	if got, ok := s.Preview(at(2), Job{ID: 9, Demand: ms}); !ok || got != at(31) {
		t.Errorf("before the crowd: foreseen at %v, %t, want 31ms", time.Duration(got), ok)
	}
	finish(s, at(13))
	if got, ok := s.Preview(at(13), Job{ID: 9, Demand: ms}); !ok || got != at(36) {
		t.Errorf("after the crowd: foreseen at %v, %t, want 36ms", time.Duration(got), ok)
	}
}

// A share of the requests is met: those whose luck at the trouble's place is below it.
// Of 10,000 with chance 0.3 that is 3,000 ± 46; five of those leave room. A larger share
// meets whom the smaller one meets; troubles of different places are independent (0.09 of
// all, ± 0.0029), those of one place are not.
func TestShares(t *testing.T) {
	const n = 10_000
	met := func(tr Trouble) (ids []int) {
		tr.Fate, tr.Code = Fail, 500
		s := New(Settings{Slots: 1, Room: n}, NewTimeline([]Effect{trouble(0, 10, tr)}))
		for i := range n {
			s.Arrive(0, Job{ID: uint64(i), Luck: core.NewKey(uint64(i))})
		}
		for _, d := range finish(s, core.Never) {
			if d.Code == 500 {
				ids = append(ids, int(d.ID))
			}
		}
		slices.Sort(ids)
		return ids
	}
	common := func(a, b []int) (n int) {
		for _, id := range a {
			if _, found := slices.BinarySearch(b, id); found {
				n++
			}
		}
		return n
	}
	some, more, other := met(Trouble{Share: 0.3}), met(Trouble{Share: 0.5}), met(Trouble{Share: 0.3, Place: 1})
	if math.Abs(float64(len(some))-0.3*n) > 5*46 {
		t.Errorf("%d of %d are met, want 3000 ± 230", len(some), n)
	}
	if common(some, more) != len(some) {
		t.Errorf("of %d that a share of 0.3 meets a share of 0.5 meets %d", len(some), common(some, more))
	}
	if both := common(some, other); math.Abs(float64(both)-0.09*n) > 5*29 {
		t.Errorf("%d meet both of two troubles, want 900 ± 145", both)
	}
	for _, all := range []float64{0, 1} {
		if got := len(met(Trouble{Share: all})); got != n {
			t.Errorf("share %v: %d of %d are met, want all", all, got, n)
		}
	}
}

func TestCheck(t *testing.T) {
	s := New(Settings{Slots: 1}, NewTimeline([]Effect{
		trouble(10, 20, Trouble{Fate: Fail, Code: 500, Latency: ms}),
		trouble(20, 30, Trouble{Fate: Hang}),
		trouble(30, 40, Trouble{Fate: Break, Latency: 2 * ms}),
		down(40, 50),
		trouble(50, 60, Trouble{Fate: Fail, Share: 0.99}),
		trouble(50, 60, Trouble{Fate: Miss, Factor: 9}),
		{From: at(60), To: at(70), Paused: true},
		{From: at(70), To: at(80), Speed: 0.001},
		{From: at(80), To: at(100), Paused: true},
		down(90, 110),
		trouble(110, 120, Trouble{Fate: Fail, Latency: 20 * ms}),
		down(125, 130),
	}))
	s.Arrive(0, Job{ID: 1, Demand: ms}) // takes the slot, and delays nobody
	for _, step := range []struct {
		at   float64
		fate Fate
		when core.Instant
	}{
		{0, Served, 1}, {10, Fail, at(11)}, {20, Hang, at(20)}, {30, Break, at(32)}, {39, Break, at(40)}, {40, Refuse, at(40)},
		{50, Served, at(50) + 1}, {65, Served, at(70) + 1000}, {75, Served, at(75) + 1000},
		{85, Break, at(90)}, {110, Break, at(125)}, {200, Served, at(200) + 1},
	} {
		if fate, when := s.Check(at(step.at)); fate != step.fate || when != step.when {
			t.Errorf("at %vms: got %d at %v, want %d at %v", step.at, fate, time.Duration(when), step.fate, time.Duration(step.when))
		}
	}
}

func TestReport(t *testing.T) {
	for _, sharing := range []bool{false, true} {
		s := New(Settings{Slots: 2, Room: 5, Sharing: sharing}, NewTimeline(nil))
		report := func(when string, flight, utilization, latency float64) {
			t.Helper()
			want := core.LoadReport{Known: true, InFlight: flight, Utilization: utilization, Latency: latency, Errors: -1}
			got := s.Report(0) // what ends in a second: TestReportedRate
			if math.Abs(got.Latency-want.Latency) < 1e-12 {
				got.Latency = want.Latency
			}
			if got != want {
				t.Errorf("sharing %t, %s: got %+v, want %+v", sharing, when, got, want)
			}
		}
		report("idle", 0, 0, -1)
		s.Arrive(0, Job{ID: 1, Demand: ms})
		finish(s, at(1))
		report("without measuring", 0, 0, -1)
		s.Measure()
		for id := range uint64(3) {
			s.Arrive(at(1000), Job{ID: id, Demand: time.Second})
		}
		report("three in two slots", 3, 1.5, -1)
		if sharing { // each gets two thirds of a core
			finish(s, at(2500))
			report("all ended", 0, 0, 1.5)
			continue
		}
		finish(s, at(2000))
		report("two ended", 1, 0.5, 1)
		finish(s, at(3000)) // it took two seconds, with two others there
		report("the third", 0, 0, 1)
	}
}
