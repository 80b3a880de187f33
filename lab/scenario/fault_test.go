package scenario

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
)

// slowness is how much longer than nominal a server's work takes at an instant: the
// inverse of its speed.
func slowness(t model.Timeline, at time.Duration) float64 { return 1 / t.At(core.Instant(at)).Speed }

// hour is a scenario of an hour with the fault.
func hour(f Fault) *Scenario {
	s := Default()
	s.Duration, s.Faults = time.Hour, []Fault{f}
	return &s
}

func timeline(f Fault, seed uint64, server int) model.Timeline {
	return model.NewTimeline(hour(f).effects(0, server, NewChance(seed)))
}

// same tells whether the same holds in two timelines at an instant.
func same(a, b model.Timeline, at time.Duration) bool {
	return cmp.Equal(a.At(core.Instant(at)), b.At(core.Instant(at)))
}

const sec = time.Second

func TestSlopes(t *testing.T) {
	ramp := timeline(Fault{Kind: Slow, Factor: 11, Shape: "ramp", From: 10 * sec, To: 20 * sec}, 1, 0)
	decay := timeline(Fault{Kind: Slow, Factor: 11, Shape: "decay", From: 10 * sec, To: 20 * sec}, 1, 0)
	// A step is a tenth of a second, in which an even slope from 1 to 11 moves by 0.1.
	for _, step := range []struct {
		at          time.Duration
		ramp, decay float64
	}{
		{9 * sec, 1, 1}, {10 * sec, 1, 11}, {12500 * time.Millisecond, 3.5, 8.5},
		{15 * sec, 6, 6}, {20*sec - 1, 11, 1}, {20 * sec, 1, 1},
	} {
		if got := slowness(ramp, step.at); math.Abs(got-step.ramp) > 0.1 {
			t.Errorf("ramp at %v: %v times as long, want %v", step.at, got, step.ramp)
		}
		if got := slowness(decay, step.at); math.Abs(got-step.decay) > 0.1 {
			t.Errorf("decay at %v: %v times as long, want %v", step.at, got, step.decay)
		}
	}
}

// Of n epochs with chance p the slow ones have the mean n·p and the standard deviation
// √(n·p·(1-p)): for 10,000 and 0.3 that is 3,000 ± 46. Five of those leave room.
func TestFlips(t *testing.T) {
	f := Fault{Kind: Flip, Factor: 4, Share: 0.3, Every: 100 * time.Millisecond, To: 1000 * sec}
	one, two := timeline(f, 1, 0), timeline(f, 1, 1)
	slow, differ := 0, 0
	for epoch := range 10_000 {
		at := time.Duration(epoch) * f.Every
		got := slowness(one, at)
		if got != 1 && got != 4 || got != slowness(one, at+f.Every-1) {
			t.Fatalf("epoch %d: %v and %v times as long, want 1 or 4 throughout", epoch, got, slowness(one, at+f.Every-1))
		}
		if got == 4 {
			slow++
		}
		if got != slowness(two, at) {
			differ++
		}
	}
	if math.Abs(float64(slow)-3000) > 5*46 {
		t.Errorf("%d of 10000 epochs are slow, want 3000 ± 230", slow)
	}
	if differ == 0 {
		t.Error("two servers flip together")
	}
}

func TestPauses(t *testing.T) {
	f := Fault{Kind: Pause, Every: 10 * sec, For: 300 * time.Millisecond, From: 5 * sec}
	apart, together := [2]model.Timeline{timeline(f, 1, 0), timeline(f, 1, 1)}, [2]model.Timeline{}
	f.Correlated = true
	together[0], together[1] = timeline(f, 1, 0), timeline(f, 1, 1)
	// Work of 95 s that begins with the trial is held up by all pauses that begin before
	// it is done: ten, if the first begins within ten seconds after the fifth.
	for name, servers := range map[string][2]model.Timeline{"apart": apart, "together": together} {
		first, second := servers[0].Done(0, 95*sec), servers[1].Done(0, 95*sec)
		if held := time.Duration(first) - 95*sec; held < 9*f.For || held > 10*f.For {
			t.Errorf("%s: work was held up for %v, want nine or ten pauses of %v", name, held, f.For)
		}
		alike := true
		for at := time.Duration(0); at < 20*sec; at += 50 * time.Millisecond {
			alike = alike && same(servers[0], servers[1], at)
		}
		if alike != (name == "together") {
			t.Errorf("%s: two servers pause at the same times: %t (%v, %v)", name, alike, first, second)
		}
	}
}

// The neighbour is there for on/(on+off) of the time. Over a time T of independent
// cycles of exponential sojourns the standard deviation of that share is
// √(2·on²·off²/((on+off)³·T)): for 2 s, 1 s and an hour 0.0091. Five of those leave room.
func TestVisits(t *testing.T) {
	f := Fault{Kind: Antagonist, Share: 0.6, On: 2 * sec, Off: sec}
	line := timeline(f, 1, 0)
	there, n := 0, 0
	for at := time.Duration(0); at < time.Hour; at += 10 * time.Millisecond {
		n++
		switch speed := line.At(core.Instant(at)).Speed; speed {
		case 0.4:
			there++
		case 1:
		default:
			t.Fatalf("at %v: speed %v, want 0.4 or 1", at, speed)
		}
	}
	if share := float64(there) / float64(n); math.Abs(share-2.0/3) > 5*0.0091 {
		t.Errorf("it is there for %v of the time, want 0.667 ± 0.046", share)
	}
}

// The same seed brings the same faults, another one others.
func TestFaultsAreKeyed(t *testing.T) {
	for _, f := range []Fault{
		{Kind: Flip, Factor: 4, Share: 0.5, Every: sec, To: 100 * sec},
		{Kind: Pause, Every: 10 * sec, For: sec},
		{Kind: Antagonist, Share: 0.6, On: sec, Off: sec, To: 100 * sec},
		{Kind: Refused, Every: 10 * sec, For: sec},
		{Kind: Slow, Factor: 2, Every: 10 * sec, For: sec, Correlated: true},
	} {
		x, y, z := timeline(f, 1, 3), timeline(f, 1, 3), timeline(f, 2, 3)
		again, other := true, true
		for at := time.Duration(0); at < 100*sec; at += 100 * time.Millisecond {
			again = again && same(x, y, at)
			other = other && same(x, z, at)
		}
		if !again || other {
			t.Errorf("%s: same with the same seed: %t, with another: %t, want true and false", f.Kind, again, other)
		}
	}
}

// What each kind does to a server while it holds, and that before and after nothing does.
func TestKinds(t *testing.T) {
	always := func(p model.Phase) model.Phase {
		if p.Speed == 0 {
			p.Speed = 1
		}
		return p
	}
	trouble := func(tr model.Trouble) model.Phase { return model.Phase{Speed: 1, Troubles: []model.Trouble{tr}} }
	for _, c := range []struct {
		f    Fault
		want model.Phase
		text string
	}{
		{Fault{Kind: Slow, Factor: 4}, model.Phase{Speed: 0.25}, "4x slower"},
		{Fault{Kind: Slow, Factor: 4, Shape: "step"}, model.Phase{Speed: 0.25}, "4x slower"},
		{Fault{Kind: Crowding, Slope: 0.1}, model.Phase{Speed: 1, Crowding: 0.1}, "slower by 10% for each other request"},
		{Fault{Kind: Error, Code: 500, Latency: sec}, trouble(model.Trouble{Fate: model.Fail, Code: 500, Latency: sec}), "answers 500 after 1s"},
		{Fault{Kind: Error, Code: 429, Share: 0.5}, trouble(model.Trouble{Fate: model.Fail, Code: 429, Share: 0.5}), "answers 50% of the requests 429 after 0s"},
		{Fault{Kind: Hang}, trouble(model.Trouble{Fate: model.Hang}), "never answers"},
		{Fault{Kind: Hang, Share: 0.25}, trouble(model.Trouble{Fate: model.Hang, Share: 0.25}), "never answers 25% of the requests"},
		{Fault{Kind: Refused}, trouble(model.Trouble{Fate: model.Refuse}), "down"},
		{Fault{Kind: Reset, Latency: sec, Share: 1}, trouble(model.Trouble{Fate: model.Break, Latency: sec, Share: 1}), "breaks off after 1s"},
		{Fault{Kind: Drain}, model.Phase{Speed: 1}, "drained"},
		{Fault{Kind: Remove}, model.Phase{Speed: 1}, "removed"},
		{Fault{Kind: Restart}, model.Phase{Speed: 1}, "all proxies restart"},
		{Fault{Kind: Restart, Proxies: []int{0, 2}}, model.Phase{Speed: 1}, "proxies 0 2 restart"},
	} {
		c.f.From, c.f.To = 10*sec, 20*sec
		line := timeline(c.f, 1, 0)
		nothing := model.Phase{Speed: 1}
		for at, want := range map[time.Duration]model.Phase{
			0: nothing, 10*sec - 1: nothing, 10 * sec: always(c.want), 20*sec - 1: always(c.want), 20 * sec: nothing,
		} {
			if diff := cmp.Diff(want, line.At(core.Instant(at))); diff != "" {
				t.Errorf("%s at %v (-want +got):\n%s", c.text, at, diff)
			}
		}
		if got := c.f.String(); got != c.text {
			t.Errorf("got %q, want %q", got, c.text)
		}
	}
	for text, f := range map[string]Fault{
		"stops for 1s each 10s, all together":                          {Kind: Pause, Every: 10 * sec, For: sec, Correlated: true},
		"down for 1s each 10s":                                         {Kind: Refused, Every: 10 * sec, For: sec},
		"each 10s anew 4x slower with chance 0.3":                      {Kind: Flip, Every: 10 * sec, Factor: 4, Share: 0.3},
		"a neighbour takes 60% for 1s in 3s":                           {Kind: Antagonist, Share: 0.6, On: sec, Off: 2 * sec},
		"20% of the requests, falling to nothing, 5x slower":           {Kind: ColdCache, Share: 0.2, Factor: 5},
		"growing to 4x slower":                                         {Kind: Slow, Shape: "ramp", Factor: 4},
		"falling from 4x slower":                                       {Kind: Slow, Shape: "decay", Factor: 4},
		"down, 2 at a time, 5s apart":                                  {Kind: Refused, Batch: 2, Stagger: 5 * sec},
		"drained for 1s each 10s, all together, 1 at a time, 5s apart": {Kind: Drain, Every: 10 * sec, For: sec, Correlated: true, Stagger: 5 * sec},
	} {
		if got := f.String(); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
}

// Faults that meet a share of the requests do so independently of each other: each draws
// at a place of its own.
func TestPlaces(t *testing.T) {
	s := hour(Fault{Kind: Refused, From: 50 * sec})
	s.Faults = append(s.Faults, Fault{Kind: Error, Code: 500, Share: 0.5}, Fault{Kind: Hang, Share: 0.5}, Fault{Kind: ColdCache, Share: 0.5, Factor: 2})
	for i := 1; i < 4; i++ {
		for _, e := range s.effects(i, 0, NewChance(1)) {
			if e.Place != uint64(i) {
				t.Errorf("%s: draws at place %d, want %d", s.Faults[i].Kind, e.Place, i)
			}
		}
	}
}

// A cold cache misses a share of the requests that falls evenly, and that alone: a step is
// a hundredth of it.
func TestColdCache(t *testing.T) {
	s := hour(Fault{Kind: ColdCache, Share: 0.5, Factor: 8, From: 10 * sec, To: 20 * sec})
	line := model.NewTimeline(s.effects(0, 0, NewChance(1)))
	for at, want := range map[time.Duration]float64{10 * sec: 0.5, 15 * sec: 0.25, 20*sec - 1: 0} {
		p := line.At(core.Instant(at))
		if len(p.Troubles) != 1 || p.Speed != 1 {
			t.Fatalf("at %v: got %+v", at, p)
		}
		m := p.Troubles[0]
		if m.Fate != model.Miss || m.Factor != 8 || math.Abs(m.Share-want) > 0.005 || m.Share == 0 {
			t.Errorf("at %v: got %+v, want a share of %v, and never none, which is all", at, m, want)
		}
	}
	for _, at := range []time.Duration{10*sec - 1, 20 * sec} {
		if p := line.At(core.Instant(at)); len(p.Troubles) != 0 {
			t.Errorf("at %v: got %+v, want nothing", at, p)
		}
	}
	for lucky, faults := range map[bool][]Fault{
		true:  {{Kind: ColdCache, Share: 1}, {Kind: Error, Share: 0.5}, {Kind: Hang, Share: 0.1}, {Kind: Reset, Share: 0.9}},
		false: {{Kind: Flip, Share: 0.5}, {Kind: Antagonist, Share: 0.5}, {Kind: Error, Share: 1}, {Kind: Hang}, {Kind: Refused}},
	} {
		for _, f := range faults {
			if got := hour(f).Lucky(); got != lucky {
				t.Errorf("%+v: meets only some requests: %t, want %t", f, got, lucky)
			}
		}
	}
}

// A slope that the trial does not live to see the end of keeps its steepness; without an
// end it is over with the trial. Times that are too long to be multiplied are none.
func TestSlopeBeyondTheTrial(t *testing.T) {
	s := Default() // a minute, and five seconds for the last to be answered
	for _, c := range []struct {
		to, at time.Duration
		want   float64
	}{
		{130 * sec, 65 * sec, 6}, {0, 65*sec - 1, 11}, {0, 32500 * time.Millisecond, 6},
		{2_000_000 * time.Hour, 1_000_000 * time.Hour, 6},
	} {
		s.Faults = []Fault{{Kind: Slow, Factor: 11, Shape: "ramp", To: c.to}}
		line := model.NewTimeline(s.effects(0, 0, NewChance(1)))
		if got := slowness(line, c.at); math.Abs(got-c.want) > 0.1 {
			t.Errorf("to %v, at %v: %v times as long, want %v", c.to, c.at, got, c.want)
		}
	}
}

// hits says for each server when a fault holds for it, by its speed.
func hits(s *Scenario, seed uint64, step, until time.Duration) []string {
	var all []string
	for server := range s.Servers.Count {
		line := model.NewTimeline(s.effects(0, server, NewChance(seed)))
		text := ""
		for at := time.Duration(0); at < until; at += step {
			if slowness(line, at) == 1 {
				text += "."
			} else {
				text += "x"
			}
		}
		all = append(all, text)
	}
	return all
}

func TestWhomAndWhen(t *testing.T) {
	slow := Fault{Kind: Slow, Factor: 2, From: 2 * sec, To: 4 * sec}
	with := func(change func(f *Fault)) Fault {
		f := slow
		change(&f)
		return f
	}
	none := "............"
	for _, c := range []struct {
		name  string
		f     Fault
		zones int
		whom  []int
		want  []string
	}{
		{"all", slow, 0, []int{0, 1, 2, 3, 4}, []string{"..xx........", "..xx........", "..xx........", "..xx........", "..xx........"}},
		{"some", with(func(f *Fault) { f.Servers = []int{3, 1} }), 0, []int{3, 1}, []string{none, "..xx........", none, "..xx........", none}},
		{"no end", with(func(f *Fault) { f.Servers, f.To = []int{0}, 0 }), 0, []int{0}, []string{"..xxxxxxxxxx", none, none, none, none}},
		{"a zone", with(func(f *Fault) { f.Zone = 2 }), 3, []int{1, 4}, []string{none, "..xx........", none, none, "..xx........"}},
		{"a zone without servers", with(func(f *Fault) { f.Zone = 7 }), 9, nil, []string{none, none, none, none, none}},
		{"one after the other", with(func(f *Fault) { f.Stagger = 2 * sec }), 0, []int{0, 1, 2, 3, 4},
			[]string{"..xx........", "....xx......", "......xx....", "........xx..", "..........xx"}},
		{"in twos", with(func(f *Fault) { f.Batch, f.Stagger = 2, 3*sec }), 0, []int{0, 1, 2, 3, 4},
			[]string{"..xx........", "..xx........", ".....xx.....", ".....xx.....", "........xx.."}},
		{"in the order of the list", with(func(f *Fault) { f.Servers, f.Stagger = []int{4, 0}, 3*sec }), 0, []int{4, 0},
			[]string{".....xx.....", none, none, none, "..xx........"}},
		{"through a zone", with(func(f *Fault) { f.Zone, f.Stagger = 1, 3*sec }), 2, []int{0, 2, 4},
			[]string{"..xx........", none, ".....xx.....", none, "........xx.."}},
		{"staggered without an end", with(func(f *Fault) { f.To, f.Stagger = 0, 2*sec }), 0, []int{0, 1, 2, 3, 4},
			[]string{"..xxxxxxxxxx", "....xxxxxxxx", "......xxxxxx", "........xxxx", "..........xx"}},
	} {
		s := hour(c.f)
		s.Servers.Count, s.Network.Zones = 5, c.zones
		if diff := cmp.Diff(c.whom, s.Befalls(&c.f)); diff != "" {
			t.Errorf("%s: befalls (-want +got):\n%s", c.name, diff)
		}
		if diff := cmp.Diff(c.want, hits(s, 1, sec, 12*sec)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	restart := Fault{Kind: Restart}
	if got := hour(restart).Befalls(&restart); len(got) != 0 {
		t.Errorf("a restart befalls the servers %v", got)
	}
}

// What comes and goes lasts for For, each Every, from somewhere within the first one on, and
// not beyond its end; all servers together, or each at its own time.
func TestComesAndGoes(t *testing.T) {
	for _, correlated := range []bool{false, true} {
		s := hour(Fault{Kind: Slow, Factor: 2, From: 10 * sec, To: 95 * sec, Every: 20 * sec, For: 5 * sec, Correlated: correlated})
		s.Servers.Count = 4
		all := hits(s, 1, 100*time.Millisecond, 200*sec)
		alike := true
		for _, text := range all {
			first := strings.Index(text, "x")
			if first < 100 || first >= 300 {
				t.Errorf("correlated %t: begins at %d tenths, want within 20 s after the tenth", correlated, first)
			}
			want := strings.Repeat(".", 2000)
			for from := first; from < 950; from += 200 {
				to := min(from+50, 950)
				want = want[:from] + strings.Repeat("x", to-from) + want[to:]
			}
			// Where in a tenth of a second it begins is not seen: one more or less.
			differ := 0
			for i := range want {
				if want[i] != text[i] {
					differ++
				}
			}
			if differ > 10 {
				t.Errorf("correlated %t:\ngot  %s\nwant %s", correlated, text, want)
			}
			alike = alike && text == all[0]
		}
		if alike != correlated {
			t.Errorf("correlated %t: all at the same times: %t", correlated, alike)
		}
	}
	// A stagger moves what is correlated as it moves all else.
	s := hour(Fault{Kind: Slow, Factor: 2, Every: 20 * sec, For: 5 * sec, Correlated: true, Stagger: 2 * sec})
	s.Servers.Count = 3
	all := hits(s, 1, 100*time.Millisecond, 60*sec)
	if all[0][:400] != all[1][20:420] || all[0][:400] != all[2][40:440] {
		t.Errorf("not two seconds apart:\n%s", strings.Join(all, "\n"))
	}
}

func TestChanges(t *testing.T) {
	s := hour(Fault{})
	s.Servers.Count, s.Proxies, s.Network.Zones = 4, 3, 2
	at := func(seconds int) core.Instant { return core.Instant(seconds) * core.Instant(sec) }
	s.Faults = []Fault{
		{Kind: Restart, From: 20 * sec, Stagger: 5 * sec, Batch: 2},
		{Kind: Restart, Proxies: []int{2}, From: 3 * sec},
		{Kind: Drain, Servers: []int{3, 1}, From: 10 * sec, To: 20 * sec, Stagger: 10 * sec},
		{Kind: Remove, Zone: 1, From: 20 * sec, To: 30 * sec},
		{Kind: Drain, Servers: []int{0}, From: 40 * sec},
		{Kind: Slow, Factor: 2, From: 5 * sec},
	}
	want := []Change{
		{at(3), Restart, 2, false},
		{at(10), Drain, 3, false},
		{at(20), Drain, 3, true}, // ends come first
		{at(20), Restart, 0, false}, {at(20), Restart, 1, false},
		{at(20), Drain, 1, false},
		{at(20), Remove, 0, false}, {at(20), Remove, 2, false},
		{at(25), Restart, 2, false},
		{at(30), Drain, 1, true},
		{at(30), Remove, 0, true}, {at(30), Remove, 2, true},
		{at(40), Drain, 0, false}, // and has no end
	}
	if diff := cmp.Diff(want, s.Changes(NewChance(1))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := s.effects(2, 3, NewChance(1)); got != nil {
		t.Errorf("a drain has effects on the server itself: %v", got)
	}

	// What comes and goes is told each time.
	s.Faults = []Fault{{Kind: Drain, Servers: []int{0}, Every: 60 * sec, For: 10 * sec, To: 600 * sec}}
	changes := s.Changes(NewChance(1))
	for i, c := range changes {
		if c.Over != (i%2 == 1) || i > 0 && c.At.Sub(changes[i-1].At) != map[bool]time.Duration{true: 10 * sec, false: 50 * sec}[c.Over] && c.At != at(600) {
			t.Errorf("change %d: got %+v after %+v", i, c, changes[max(i-1, 0)])
		}
	}
	if len(changes) != 20 {
		t.Errorf("%d changes, want ten comings and goings", len(changes))
	}
}

// A large fleet is made in the time that its size takes, not its square: a hundred thousand
// servers, each asked for its place among all, would be ten billion steps.
func TestLargeFleet(t *testing.T) {
	s := hour(Fault{Kind: Slow, Factor: 2, Stagger: 1})
	s.Servers.Count, s.Network.Zones = MaxServers, 7
	s.Faults = append(s.Faults, Fault{Kind: Slow, Factor: 2, Zone: 3, Stagger: 1})
	if got := len(s.Fleet(NewChance(1))); got != MaxServers {
		t.Errorf("%d servers, want %d", got, MaxServers)
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		for place, server := range s.Befalls(f) {
			if got := s.place(f, server); got != place {
				t.Fatalf("fault %d: server %d has place %d, want %d", i, server, got, place)
			}
		}
	}
}
