package scenario

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
)

func TestSpeeds(t *testing.T) {
	s := Default()
	for _, c := range []struct {
		name  string
		speed Speed
		want  []float64
	}{
		{"all alike", Speed{}, []float64{1, 1, 1, 1}},
		{"a spread of one", Speed{Spread: 1}, []float64{1, 1, 1, 1}},
		{"a quarter is slow", Speed{SlowShare: 0.25, SlowFactor: 4}, []float64{0.25, 1, 1, 1}},
		{"so is what is nearer to one than to none", Speed{SlowShare: 0.15, SlowFactor: 4}, []float64{0.25, 1, 1, 1}},
		{"and a quarter is fast", Speed{SlowShare: 0.25, SlowFactor: 0.5}, []float64{2, 1, 1, 1}},
		{"half, and as much in all", Speed{SlowShare: 0.5, SlowFactor: 3, KeepCapacity: true}, []float64{0.5, 0.5, 1.5, 1.5}},
	} {
		s.Servers.Count, s.Servers.Speed = 4, c.speed
		if diff := cmp.Diff(c.want, s.Speeds(NewChance(1))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// The speeds of a spread lie between its roots, and their mean is what the capacity is
// reckoned with. For u even from -L to L the second moment of e^u is sinh(2L)/(2L), and the
// mean sinh(L)/L: for a spread of 9, L = ln 3, these are 2.0227 and 1.2137, so the standard
// deviation of the mean of 100,000 is 0.7413/√100000 = 0.00234. Five of those leave room.
func TestSpread(t *testing.T) {
	s := Default()
	s.Servers.Count, s.Servers.Speed = MaxServers, Speed{Spread: 9, SlowShare: 0.5, SlowFactor: 2}
	speeds := s.Speeds(NewChance(1))
	sum := 0.0
	for i, speed := range speeds {
		if i < MaxServers/2 {
			speed *= 2
		}
		if speed < 1.0/3 || speed > 3 {
			t.Fatalf("server %d: speed %v", i, speeds[i])
		}
		sum += speed
	}
	l := math.Log(3)
	if mean := sum / MaxServers; math.Abs(mean-math.Sinh(l)/l) > 5*0.00234 {
		t.Errorf("mean speed %v, want %v ± 0.0117", mean, math.Sinh(l)/l)
	}
	if low, high := slices.Min(speeds[MaxServers/2:]), slices.Max(speeds[MaxServers/2:]); low > 0.334 || high < 2.99 {
		t.Errorf("speeds from %v to %v, want from 1/3 to 3", low, high)
	}
	if got, want := s.Servers.power(), MaxServers*0.75*math.Sinh(l)/l; math.Abs(got-want) > 1e-6*want {
		t.Errorf("power: got %v, want %v", got, want)
	}
	if slices.Equal(speeds[:10], s.Speeds(NewChance(2))[:10]) {
		t.Error("another seed draws the same speeds")
	}
	// A fleet that grows keeps the speeds it had, as long as the capacity may change.
	s.Servers.Count, s.Servers.Speed.SlowShare = 5, 0
	few := s.Speeds(NewChance(1))
	if !slices.Equal(few, s.Speeds(NewChance(1))) {
		t.Error("the same seed draws other speeds")
	}

	s.Servers.Speed = Speed{Spread: 100, SlowShare: 0.4, SlowFactor: 7, KeepCapacity: true}
	total := 0.0
	for _, speed := range s.Speeds(NewChance(3)) {
		total += speed
	}
	if math.Abs(total-5) > 1e-9 || s.Servers.power() != 5 {
		t.Errorf("kept capacity: %v, power %v, want 5", total, s.Servers.power())
	}
	if s.Capacity() != 5*4/0.01 {
		t.Errorf("capacity %v, want %v", s.Capacity(), 5*4/0.01)
	}
}

// A server works at its own speed at any time, as one of the fleet as by itself, and is of the
// kind that the scenario says.
func TestFleet(t *testing.T) {
	s := Default()
	s.Servers.Count, s.Servers.Slots, s.Servers.Queue = 3, 1, 1
	s.Servers.Speed = Speed{Spread: 4, SlowShare: 0.34, SlowFactor: 10, KeepCapacity: true}
	s.Faults = []Fault{{Kind: Slow, Servers: []int{1}, Factor: 2, From: 10 * sec, To: 20 * sec}}
	c := NewChance(1)
	for _, discipline := range []string{Queueing, Sharing} {
		s.Servers.Discipline = discipline
		fleet := s.Fleet(c)
		for i, speed := range s.Speeds(c) {
			for _, server := range []*model.Server{fleet[i], s.Server(i, c)} {
				for id, from := range []core.Instant{-core.Instant(time.Hour), core.Instant(10 * sec)} {
					want := time.Duration(float64(sec) / speed)
					if i == 1 && from > 0 {
						want *= 2
					}
					server.Arrive(from, model.Job{ID: uint64(id), Demand: sec})
					d, ok := server.Finish(core.Never)
					if got := d.At.Sub(from); !ok || got < want-2 || got > want+2 {
						t.Errorf("%s, server %d from %v: took %v, want %v", discipline, i, time.Duration(from), got, want)
					}
				}
			}
		}
		server := s.Server(0, c)
		for id := range uint64(3) {
			server.Arrive(0, model.Job{ID: id, Demand: sec})
		}
		if d, _ := server.Finish(0); d.Code != model.Overfull {
			t.Errorf("%s: the third in one slot and one place: got %+v", discipline, d)
		}
		if shares := server.Busy() == 2; shares != (discipline == Sharing) {
			t.Errorf("%s: %d worked on, %d wait", discipline, server.Busy(), server.Queued())
		}
	}
	for _, measured := range []bool{false, true} {
		s.Servers.Reports.Enabled = measured
		server := s.Server(2, c)
		server.Arrive(0, model.Job{Demand: sec})
		server.Finish(core.Never)
		if got := server.Report(0).Latency >= 0; got != measured {
			t.Errorf("reports %t: a latency in them: %t", measured, got)
		}
	}
	s.Servers.Count, s.Servers.Reports = 4, Reports{Enabled: true, Silent: 0.4}
	for server, want := range []bool{true, true, false, false} { // what is nearer to two than to one
		if got := s.Servers.Report(server); got != want {
			t.Errorf("two of four are silent: server %d reports: %t", server, got)
		}
	}
	for abandoned, want := range map[string]bool{Finish: false, Cancel: true, "": false} {
		s.Servers.Abandoned = abandoned
		if s.Cancels() != want {
			t.Errorf("abandoned %q: cancels: %t", abandoned, s.Cancels())
		}
	}
}

// The classes have their shares (of 100,000 with share p: standard deviation √(p·(1-p)/n),
// below 0.0016; five of those) and each its own times, with its own mean (of n exponential times
// the standard deviation is the mean over √n; five of those, too); and the quantile of a request's time
// does not hang on its class, nor its class on the laws.
func TestDemands(t *testing.T) {
	const n = 100_000
	service := func(mean time.Duration) Service { return Service{Law: "exponential", Mean: mean} }
	s := Default()
	plain := s.Demands(NewChance(1))
	s.Classes = []Class{
		{Name: "a", Share: 3, Service: service(time.Second)},
		{Name: "b", Share: 1, Service: service(10 * time.Second)},
		{Name: "c", Share: 4, Service: service(100 * time.Second)},
	}
	d, again, other := s.Demands(NewChance(1)), s.Demands(NewChance(1)), s.Demands(NewChance(2))
	counts, sums := make([]float64, 3), make([]float64, 3)
	differ := 0
	for i := range uint64(n) {
		class, work := d.Of(i)
		counts[class]++
		sums[class] += float64(work) / float64(s.Classes[class].Service.Mean)
		if c, w := again.Of(i); c != class || w != work {
			t.Fatalf("request %d: got class %d and %v, and then %d and %v", i, class, work, c, w)
		}
		if _, w := other.Of(i); w != work {
			differ++
		}
		one, alone := plain.Of(i)
		ratio := float64(s.Classes[class].Service.Mean) / float64(s.Servers.Service.Mean)
		if one != 0 || math.Abs(float64(work)-ratio*float64(alone)) > ratio+1 {
			t.Fatalf("request %d: %v of class %d, but without classes %v of class %d", i, work, class, alone, one)
		}
	}
	for class, want := range []float64{0.375, 0.125, 0.5} {
		if got := counts[class] / n; math.Abs(got-want) > 5*0.0016 {
			t.Errorf("class %d: share %v, want %v", class, got, want)
		}
		if mean := sums[class] / counts[class]; math.Abs(mean-1) > 5/math.Sqrt(counts[class]) {
			t.Errorf("class %d: its requests take %v of its mean", class, mean)
		}
	}
	if differ < n-1 {
		t.Errorf("another seed: only %d of %d requests differ", differ, n)
	}
	// 3/8 of one second, 1/8 of ten and half of a hundred.
	if got, want := s.meanService(), 51625*time.Millisecond; got != want {
		t.Errorf("mean service time: got %v, want %v", got, want)
	}
}

func TestRoundTrip(t *testing.T) {
	n := Network{Delay: 10, Zones: 3, Between: 100, Links: []Link{
		{Proxies: []int{1}, Servers: []int{2, 4}, Delay: 1000}, {Servers: []int{2}, Delay: 10_000}, {Proxies: []int{5}, Delay: 100_000},
	}}
	for _, c := range []struct {
		proxy, server int
		want          time.Duration
	}{
		{0, 0, 10}, {0, 3, 10}, {0, 1, 110}, {1, 0, 110}, {1, 4, 1010}, {1, 2, 11_110}, {2, 2, 10_010}, {5, 8, 100_010}, {5, 2, 110_010},
	} {
		if got := n.RoundTrip(c.proxy, c.server); got != c.want {
			t.Errorf("from proxy %d to server %d: got %d, want %d", c.proxy, c.server, got, c.want)
		}
	}
	if got := (&Network{Between: 100}).RoundTrip(0, 1); got != 0 {
		t.Errorf("without zones: got %v between them", got)
	}
	for _, c := range []struct {
		n   Network
		nil bool
	}{
		{Network{}, true}, {Network{Zones: 3, ProbeLoss: 0.5}, true},
		{Network{Delay: 1}, false}, {Network{Between: 1}, false}, {Network{Links: []Link{{Delay: 1}}}, false},
	} {
		if got := c.n.Nil(); got != c.nil {
			t.Errorf("%+v: no distance at all: %t, want %t", c.n, got, c.nil)
		}
	}
}
