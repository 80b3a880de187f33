package sim

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/pick"
	"github.com/evenkeel/evenkeel/lab/model"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Requests arrive every 10 ms from 0 on, take 4 ms, and go to two servers in turn: what
// the way there and back costs, and what does not come back.
func TestDistance(t *testing.T) {
	far := func(s *scenario.Scenario) { s.Network.Delay = 6 * ms }
	for _, c := range []struct {
		name   string
		until  time.Duration
		change func(*scenario.Scenario)
		want   []row
	}{
		{"none", 15 * ms, func(*scenario.Scenario) {}, []row{{4, 0, 1, 200}, {14, 1, 1, 200}}},
		{"the same everywhere", 15 * ms, far, []row{{10, 0, 1, 200}, {20, 1, 1, 200}}},
		{"zones", 15 * ms, func(s *scenario.Scenario) { s.Network = scenario.Network{Delay: 2 * ms, Zones: 2, Between: 4 * ms} },
			[]row{{6, 0, 1, 200}, {20, 1, 1, 200}}},
		{"a link", 15 * ms, func(s *scenario.Scenario) {
			s.Network.Links = []scenario.Link{{Servers: []int{1}, Delay: 10 * ms}}
		}, []row{{4, 0, 1, 200}, {24, 1, 1, 200}}},
		{"an answer that comes too late", 5 * ms, func(s *scenario.Scenario) { far(s); s.Client.Timeout = 10*ms - 1 },
			[]row{{9.999999, -1, 1, 0}}},
		{"an answer at the last moment", 5 * ms, func(s *scenario.Scenario) { far(s); s.Client.Timeout = 10 * ms },
			[]row{{10, 0, 1, 200}}},
		{"the proxy's patience includes the way", 5 * ms, func(s *scenario.Scenario) { far(s); s.Proxy.Timeouts.ResponseHeader = 9 * ms },
			[]row{{9, -1, 1, 504}}},
		{"the server was down as it arrived", 5 * ms, func(s *scenario.Scenario) {
			far(s)
			s.Faults = []scenario.Fault{{Kind: scenario.Refused, Servers: []int{0}, From: 2 * ms}}
		}, []row{{6, -1, 1, 502}}},
		{"the server is up again as it arrives", 5 * ms, func(s *scenario.Scenario) {
			far(s)
			s.Faults = []scenario.Fault{{Kind: scenario.Refused, Servers: []int{0}, To: 3 * ms}}
		}, []row{{10, 0, 1, 200}}},
		{"the server goes down meanwhile", 5 * ms, func(s *scenario.Scenario) {
			far(s)
			s.Faults = []scenario.Fault{{Kind: scenario.Refused, Servers: []int{0}, From: 5 * ms}}
		}, []row{{8, -1, 1, 502}}},
		{"the server goes down behind the answer", 5 * ms, func(s *scenario.Scenario) {
			far(s)
			s.Faults = []scenario.Fault{{Kind: scenario.Refused, Servers: []int{0}, From: 8 * ms}}
		}, []row{{10, 0, 1, 200}}},
		{"down, tried elsewhere", 5 * ms, func(s *scenario.Scenario) {
			far(s)
			s.Proxy.Retries.Attempts = 2
			s.Faults = []scenario.Fault{{Kind: scenario.Refused, Servers: []int{0}}}
		}, []row{{16, 1, 2, 200}}},
		{"near and down", 5 * ms, func(s *scenario.Scenario) { s.Faults = []scenario.Fault{{Kind: scenario.Refused}} },
			[]row{{0, -1, 1, 502}}},
		{"broken off", 5 * ms, func(s *scenario.Scenario) {
			far(s)
			s.Faults = []scenario.Fault{{Kind: scenario.Reset, Latency: ms}}
		}, []row{{7, -1, 1, 502}}},
		{"never answered", 5 * ms, func(s *scenario.Scenario) {
			far(s)
			s.Proxy.Timeouts.ResponseHeader, s.Proxy.Retries.Attempts = 20*ms, 3
			s.Faults = []scenario.Fault{{Kind: scenario.Hang}}
		}, []row{{20, -1, 1, 504}}},
		{"removed while it is on its way", 5 * ms, func(s *scenario.Scenario) {
			far(s)
			s.Faults = []scenario.Fault{{Kind: scenario.Remove, Servers: []int{0}, From: 1 * ms, To: 2 * ms}}
		}, []row{{10, 0, 1, 200}}},
		{"the proxy is replaced while it is on its way", 5 * ms, func(s *scenario.Scenario) {
			far(s)
			s.Faults = []scenario.Fault{{Kind: scenario.Restart, From: 1 * ms}}
		}, []row{{10, 0, 1, 200}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plain(2, 1, "constant", 4*ms, 100, c.until)
			c.change(s)
			requests := play(t, s, "round-robin", 1).Requests
			if diff := cmp.Diff(c.want, rows(requests), cmp.AllowUnexported(row{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Requests take 8 ms, arrive every 10 ms at the one server, and are given up after 12; it
// stands still up to 11 ms. Dropped work makes room at once, or when the news has arrived.
func TestAbandonedWork(t *testing.T) {
	client := func(s *scenario.Scenario) { s.Client.Timeout = 12 * ms }
	for _, c := range []struct {
		name      string
		abandoned string
		delay     time.Duration
		change    func(*scenario.Scenario)
		want      []row
	}{
		{"finished", scenario.Finish, 0, client, []row{{12, -1, 1, 0}, {22, -1, 1, 0}}},
		{"cancelled", scenario.Cancel, 0, client, []row{{12, -1, 1, 0}, {20, 0, 1, 200}}},
		// The news is there at 13, as a slot is to be had, and the second's answer,
		// begun then and done at 21, is back at 22.
		{"cancelled from afar", scenario.Cancel, 2 * ms, client, []row{{12, -1, 1, 0}, {22, 0, 1, 200}}},
		{"cancelled from too far", scenario.Cancel, 2*ms + 2, client, []row{{12, -1, 1, 0}, {22, -1, 1, 0}}},
		{"given up by the proxy", scenario.Cancel, 0, func(s *scenario.Scenario) { s.Proxy.Timeouts.ResponseHeader = 12 * ms },
			[]row{{12, -1, 1, 504}, {20, 0, 1, 200}}},
		{"given up by the proxy, finished", scenario.Finish, 0, func(s *scenario.Scenario) { s.Proxy.Timeouts.ResponseHeader = 12 * ms },
			[]row{{12, -1, 1, 504}, {22, -1, 1, 504}}},
		{"cancelled in the queue", scenario.Cancel, 0, func(s *scenario.Scenario) {
			client(s)
			s.Faults[0].To, s.Duration = 23*ms, 25*ms
		},
			[]row{{12, -1, 1, 0}, {22, -1, 1, 0}, {31, 0, 1, 200}}},
		{"cancelled where work is shared", scenario.Cancel, 0, func(s *scenario.Scenario) {
			client(s)
			s.Servers.Discipline = scenario.Sharing
		},
			// From 11 to 12 both get half of the speed.
			[]row{{12, -1, 1, 0}, {19.5, 0, 1, 200}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plain(1, 1, "constant", 8*ms, 100, 15*ms)
			s.Servers.Abandoned, s.Network.Delay = c.abandoned, c.delay
			s.Faults = []scenario.Fault{{Kind: scenario.Pause, To: 11 * ms}}
			c.change(s)
			requests := play(t, s, "round-robin", 1).Requests
			if diff := cmp.Diff(c.want, rows(requests), cmp.AllowUnexported(row{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// told is what a probe or an attempt taught, and when.
type told struct {
	at      float64 // ms
	ok      bool
	known   bool    // there was a report of load
	flying  float64 // and what it said
	latency float64
}

func tell(now core.Instant, ok bool, r core.LoadReport) told {
	return told{math.Round(float64(now)/1e3) / 1e3, ok, r.Known, r.InFlight, r.Latency}
}

// spy is an estimator and a prober that keeps what it is told. It probes each member at
// 1 ms, and so many times again, 5 ms after each result.
type spy struct {
	again   int
	wake    core.Instant
	members []*core.Member // to be probed yet
	probes  []told
	ends    []told
}

func (*spy) Cost(core.Instant) float64            { return 0 }
func (*spy) Latency(core.Instant) (float64, bool) { return 0, false }
func (*spy) Begin(core.Instant)                   {}
func (*spy) Answered(core.Instant, core.Sample)   {}
func (s *spy) End(now core.Instant, x core.Sample) {
	s.ends = append(s.ends, tell(now, x.Outcome == core.Success, x.Load))
}

// watcher is the spy as a core.Prober.
type watcher struct{ *spy }

func (s watcher) Watch(_ core.Instant, members []*core.Member) { s.members = slices.Clone(members) }
func (s watcher) Wake() core.Instant {
	if len(s.members) == 0 {
		return core.Never
	}
	return s.wake
}
func (s watcher) Next(now core.Instant, _ rand.Source) (*core.Member, bool) {
	if now < s.Wake() {
		return nil, false
	}
	m := s.members[0]
	s.members = s.members[1:]
	return m, true
}
func (s watcher) Probed(m *core.Member, now core.Instant, r core.LoadReport, ok bool) {
	if s.again--; s.again >= 0 {
		s.members, s.wake = append(s.members, m), now.Add(5*ms)
	}
	s.probes = append(s.probes, tell(now, ok, r))
}

// spied plays a scenario of one proxy with a spy in it.
func spied(t *testing.T, s *scenario.Scenario, again int) *spy {
	t.Helper()
	w := unwatched(t, s, subject(t, s, "round-robin"), 1, func(record.Request) {})
	x := &spy{again: again, wake: core.Instant(ms)}
	w.proxies[0].router = core.NewRouter(core.Config{
		Driver: core.Driver{Source: w.proxies[0].source}, Picker: &pick.RoundRobin{}, Prober: watcher{x},
		Equip: func(*core.Member) core.Parts { return core.Parts{Estimator: x} },
	})
	if err := w.proxies[0].router.Update(0, w.fleet.endpoints()); err != nil {
		t.Fatal(err)
	}
	w.armProber(w.proxies[0])
	if _, err := w.play(t.Context()); err != nil {
		t.Fatal(err)
	}
	return x
}

// A probe leaves at 1 ms, while a request is under way from 0 to 50 ms. Its time is 10 ms.
func TestProbes(t *testing.T) {
	fault := func(f scenario.Fault) func(*scenario.Scenario) {
		return func(s *scenario.Scenario) { s.Faults = []scenario.Fault{f} }
	}
	at := func(at float64, ok bool) []told { return []told{{at: at, ok: ok}} }
	for _, c := range []struct {
		name   string
		delay  time.Duration
		change func(*scenario.Scenario)
		want   []told
	}{
		{"well", 0, nil, at(1, true)},
		{"well and far", 6 * ms, nil, at(7, true)},
		{"further than its time allows", 11 * ms, nil, at(11, false)},
		{"slow is not ill", 0, fault(scenario.Fault{Kind: scenario.Slow, Factor: 100}), at(1, true)},
		{"stopped for a while", 6 * ms, fault(scenario.Fault{Kind: scenario.Pause, To: 5 * ms}), at(8, true)},
		{"stopped for too long", 6 * ms, fault(scenario.Fault{Kind: scenario.Pause, To: 8*ms + 1}), at(11, false)},
		{"hanging", 0, fault(scenario.Fault{Kind: scenario.Hang}), at(11, false)},
		{"down", 0, fault(scenario.Fault{Kind: scenario.Refused}), at(1, false)},
		{"down and far", 6 * ms, fault(scenario.Fault{Kind: scenario.Refused}), at(7, false)},
		{"down when it left, not when it arrived", 6 * ms, fault(scenario.Fault{Kind: scenario.Refused, To: 3 * ms}), at(7, true)},
		{"failing", 0, fault(scenario.Fault{Kind: scenario.Error, Code: 503, Latency: 2 * ms}), at(3, false)},
		{"breaking off", 6 * ms, fault(scenario.Fault{Kind: scenario.Reset, Latency: 2 * ms}), at(9, false)},
		{"failing some", 0, fault(scenario.Fault{Kind: scenario.Error, Code: 503, Share: 0.9}), at(1, true)},
		{"lost", 0, func(s *scenario.Scenario) { s.Network.ProbeLoss = 1 }, at(11, false)},
		{"of one that goes down before the answer", 0, func(s *scenario.Scenario) {
			s.Faults = []scenario.Fault{{Kind: scenario.Pause, To: 5 * ms}, {Kind: scenario.Refused, From: 4 * ms}}
		}, at(4, false)},
		{"without a time of its own it has a client's", 0, func(s *scenario.Scenario) {
			s.Proxy.Health, s.Client.Timeout, s.Network.ProbeLoss = nil, 60*ms, 1
			s.Servers.Service.Mean = 60 * ms
		}, nil}, // lost at 61 ms: the trial is over
		{"reported load", 0, func(s *scenario.Scenario) { s.Servers.Reports.Enabled = true },
			[]told{{1, true, true, 1, -1}}},
		{"no report where there is no answer", 0, func(s *scenario.Scenario) {
			s.Servers.Reports.Enabled = true
			s.Faults = []scenario.Fault{{Kind: scenario.Refused}}
		}, at(1, false)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plain(1, 1, "constant", 50*ms, 1, 100*ms)
			s.Network.Delay = c.delay
			s.Proxy.Health = &config.Health{Path: "/", Interval: time.Second, Timeout: 10 * ms, Rise: 1, Fall: 1}
			if c.change != nil {
				c.change(s)
			}
			if len(s.Faults) > 0 { // that befall the probe, not the request that keeps the trial going
				s.Servers.Count = 2
				for i := range s.Faults {
					s.Faults[i].Servers = []int{1}
				}
			}
			got := spied(t, s, 0).probes
			if s.Servers.Count == 2 { // the first is of the well one
				well := tell(core.Instant(ms+c.delay), true, core.LoadReport{})
				got = slices.DeleteFunc(got, func(x told) bool {
					found := x.at == well.at && x.ok
					if found {
						well.at = -1
					}
					return found
				})
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(told{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What requests bring about is asked for at once: a strategy that wants probes for each
// request has them, not only those of quiet times.
func TestProbesAreDue(t *testing.T) {
	s := plain(10, 4, "exponential", 10*ms, 1000, time.Second)
	s.Servers.Reports.Enabled = true
	w := unwatched(t, s, subject(t, s, "prequal"), 1, func(record.Request) {})
	if _, err := w.play(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.proxies[0].probes; n < 990 {
		t.Errorf("%d probes for 1000 requests", n)
	}
}

// A prober whose next probe hangs on the result of the last one is asked in time.
func TestProbesGoOn(t *testing.T) {
	s := plain(1, 1, "constant", 50*ms, 1, 100*ms)
	s.Network.Delay = 6 * ms
	got := spied(t, s, 2).probes
	want := []told{{at: 7, ok: true}, {at: 18, ok: true}, {at: 29, ok: true}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(told{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What the servers say of their load comes with the answers, as it is when they leave: the
// first of two at once says that one other is inside, the second none; each spent its time
// there.
func TestReports(t *testing.T) {
	s := plain(1, 2, "constant", 15*ms, 100, 15*ms)
	s.Network.Delay = 4 * ms
	s.Servers.Reports.Enabled = true
	got := spied(t, s, 0).ends
	want := []told{{19, true, true, 1, 0.015}, {29, true, true, 0, 0.015}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(told{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Servers.Reports.Loss = 1
	if got := spied(t, s, 0).ends; len(got) != 2 || got[0].known || got[1].known {
		t.Errorf("all reports lost: got %+v", got)
	}
	s.Servers.Reports = scenario.Reports{Enabled: true, Silent: 1}
	if got := spied(t, s, 0).ends; len(got) != 2 || got[0].known || got[1].known {
		t.Errorf("all servers silent: got %+v", got)
	}
	s.Servers.Reports = scenario.Reports{}
	if got := spied(t, s, 0).ends; len(got) != 2 || got[0].known || got[1].known {
		t.Errorf("no reports: got %+v", got)
	}
	s.Servers.Reports.Enabled = true
	for _, f := range []scenario.Fault{{Kind: scenario.Refused}, {Kind: scenario.Reset}} {
		s.Faults = []scenario.Fault{f}
		if got := spied(t, s, 0).ends; len(got) != 2 || got[0].ok || got[0].known || got[1].known {
			t.Errorf("%s: got %+v, want no report without an answer", f.Kind, got)
		}
	}
}

// Which reports get lost hangs on the request, the try and the server alone. Of 6000 a
// third: the standard deviation is √(6000·2/9) = 37.
func TestReportLoss(t *testing.T) {
	s := plain(3, 1, "constant", ms, 100, time.Second)
	s.Servers.Reports = scenario.Reports{Enabled: true, Loss: 1.0 / 3}
	var lost [2][]bool
	for i, name := range []string{"random", "p2c-ewma"} {
		w := unwatched(t, s, subject(t, s, name), 4, nil)
		for n := range uint64(6000) { // ten tries of each request at three servers
			r := w.report(&flight{place: n / 30, try: int(n / 3 % 10)}, int(n%3))
			lost[i] = append(lost[i], !r.Known)
		}
	}
	if !slices.Equal(lost[0], lost[1]) {
		t.Error("the subject makes a difference to which reports get lost")
	}
	n := 0
	for _, x := range lost[0] {
		if x {
			n++
		}
	}
	if n < 2000-5*37 || n > 2000+5*37 {
		t.Errorf("%d of 6000 reports lost, want a third", n)
	}
}

// What a job of a request is at a server hangs on nothing but its place: not on the
// strategy, and its luck is another at another try and at another server.
func TestJobs(t *testing.T) {
	s := plain(3, 1, "exponential", ms, 100, time.Second)
	s.Faults = []scenario.Fault{{Kind: scenario.Error, Code: 500, Share: 0.5}}
	lucks := map[core.Key]bool{}
	var want []model.Job
	for _, name := range strategies {
		w := unwatched(t, s, subject(t, s, name), 4, nil)
		var got []model.Job
		f := w.flights.take()
		for place := range uint64(20) {
			_, work := w.demands.Of(place)
			for try := range 3 {
				for server := range 3 {
					f.place, f.try, f.work = place, try, work
					got = append(got, w.job(f, 0, server))
					lucks[got[len(got)-1].Luck] = true
				}
			}
		}
		if want == nil {
			want = got
		} else if !slices.Equal(got, want) {
			t.Errorf("%s: the jobs are others", name)
		}
	}
	if len(lucks) != 20*3*3 {
		t.Errorf("%d lucks for %d jobs", len(lucks), 20*3*3)
	}
}

// Whether a trouble meets a request is drawn at its place, whatever the strategy.
func TestLuck(t *testing.T) {
	s := plain(3, 4, "constant", ms, 1000, time.Second)
	s.Faults = []scenario.Fault{
		{Kind: scenario.Slow, Servers: []int{0}, Factor: 2}, // so that the luck's place is not the first
		{Kind: scenario.Error, Code: 500, Share: 0.3},
	}
	chance := scenario.NewChance(9)
	for _, name := range strategies {
		failed := 0
		for _, r := range play(t, s, name, 9).Requests {
			k := chance.Luck(uint64(r.Seq), 0, r.Endpoint).At(1)
			if unlucky := k.Float64() < 0.3; unlucky != (r.Code == 500) {
				t.Fatalf("%s: got %+v, where the luck is bad: %v", name, r, unlucky)
			} else if unlucky {
				failed++
			}
		}
		if failed < 300-5*15 || failed > 300+5*15 { // √(1000·0.21) = 14.5
			t.Errorf("%s: %d of 1000 failed, want 300", name, failed)
		}
	}
}
