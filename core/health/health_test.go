package health_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/health"
	"github.com/evenkeel/evenkeel/core/pick"
)

const (
	ms  = core.Instant(time.Millisecond)
	sec = core.Instant(time.Second)
)

// rig is a router whose members are checked.
type rig struct {
	*core.Router
	checks *health.Checks
	gates  map[string]*health.Gate
	src    rand.Source
}

func newRig(t testing.TB, s health.Settings) *rig {
	t.Helper()
	checks, err := health.New(s)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{checks: checks, gates: map[string]*health.Gate{}, src: rand.NewPCG(1, 2)}
	r.Router = core.NewRouter(core.Config{
		Driver: core.Driver{Source: r.src},
		Picker: &pick.RoundRobin{},
		Prober: checks,
		Equip: func(m *core.Member) core.Parts {
			r.gates[m.Key] = checks.Gate(m)
			return core.Parts{Gates: []core.Gate{r.gates[m.Key]}}
		},
	})
	return r
}

func (r *rig) update(t testing.TB, now core.Instant, keys ...string) {
	t.Helper()
	var es []core.Endpoint
	for _, k := range keys {
		es = append(es, core.Endpoint{Key: k, Weight: 1})
	}
	if err := r.Update(now, es); err != nil {
		t.Fatal(err)
	}
}

// due are the members whose probes are due at now, in the order they are asked for.
func (r *rig) due(now core.Instant) []string {
	var keys []string
	for {
		m, ok := r.checks.Next(now, r.src)
		if !ok {
			return keys
		}
		keys = append(keys, m.Key)
	}
}

// probe tells the results of probes of the first member: "+" for well, "-" for not.
func (r *rig) probe(results string) {
	for _, c := range results {
		r.checks.Probed(r.View().Members[0], 0, core.LoadReport{}, c == '+')
	}
}

var settings = health.Settings{Interval: time.Second, Rise: 2, Fall: 3}

func TestRiseAndFall(t *testing.T) {
	for results, want := range map[string]core.Verdict{
		"":               core.Ready,
		"--":             core.Ready,
		"---":            core.Barred,
		"--+--":          core.Ready, // in a row
		"--+---":         core.Barred,
		"---+":           core.Barred,
		"---++":          core.Ready,
		"---+-+":         core.Barred,
		"---+-++":        core.Ready,
		"---++--":        core.Ready, // counted anew
		"---++---":       core.Barred,
		"------++":       core.Ready,
		"++++++++---":    core.Barred,
		"---++-+-+--":    core.Ready,
		"---++-+-+---++": core.Ready,
	} {
		r := newRig(t, settings)
		r.update(t, 0, "a")
		r.probe(results)
		if got := r.View().Members[0].Verdict(0); got != want {
			t.Errorf("verdict after %q: got %v, want %v", results, got, want)
		}
	}
}

func TestGate(t *testing.T) {
	r := newRig(t, health.Settings{Interval: time.Second, Rise: 1, Fall: 1})
	r.update(t, 0, "a")
	g := r.gates["a"]
	for _, s := range []struct {
		results      string
		verdict      core.Verdict
		free, forced bool
	}{{"", core.Ready, true, true}, {"-", core.Barred, false, true}, {"+", core.Ready, true, true}} {
		r.probe(s.results)
		_, free := g.Acquire(0, false)
		p, forced := g.Acquire(0, true)
		if g.Peek(0) != s.verdict || free != s.free || forced != s.forced {
			t.Errorf("after %q: got %v, acquired %v, forced %v, want %v, %v, %v", s.results, g.Peek(0), free, forced, s.verdict, s.free, s.forced)
		}
		// Requests teach health nothing.
		for _, o := range []core.Outcome{core.Success, core.ConnectFailure} {
			g.Answered(p, 0, core.Sample{Outcome: o})
			g.Settle(p, 0, core.Sample{Outcome: o})
			g.Release(p, 0)
		}
		if got := g.Peek(0); got != s.verdict {
			t.Errorf("after requests: got %v, want %v", got, s.verdict)
		}
	}
}

// The first probes are spread over the interval; each due one is given once.
// A member that its checks let back in has returned at that instant; one that they take
// out has not.
func TestReturned(t *testing.T) {
	r := newRig(t, health.Settings{Interval: time.Second, Rise: 2, Fall: 1})
	r.update(t, sec, "a")
	m := r.View().Members[0]
	for i, step := range []struct {
		at   core.Instant
		well bool
		want core.Instant
	}{
		{2 * sec, true, sec}, {3 * sec, false, sec}, {4 * sec, true, sec}, {5 * sec, true, 5 * sec}, {6 * sec, true, 5 * sec},
	} {
		r.checks.Probed(m, step.at, core.LoadReport{}, step.well)
		if got := m.Returned(); got != step.want {
			t.Errorf("step %d: returned at %v, want %v", i, got.Sub(0), step.want.Sub(0))
		}
	}
}

func TestScheduleSpreads(t *testing.T) {
	r := newRig(t, settings)
	if got := r.checks.Wake(); got != core.Never {
		t.Errorf("wake without members: got %v, want never", got)
	}
	start := 10 * sec
	r.update(t, start, "a", "b", "c", "d")
	for _, s := range []struct {
		at   core.Instant
		want []string
		wake core.Instant
	}{
		{start - 1, nil, start},
		{start, []string{"a"}, start + 250*ms},
		{start, nil, start + 250*ms},
		{start + 250*ms - 1, nil, start + 250*ms},
		{start + 500*ms, []string{"b", "c"}, start + 750*ms},
		{start + 750*ms, []string{"d"}, 0},
		{start + 750*ms, nil, 0},
	} {
		if diff := cmp.Diff(s.want, r.due(s.at)); diff != "" {
			t.Errorf("due at %v (-want +got):\n%s", s.at.Sub(0), diff)
		}
		if got := r.checks.Wake(); s.wake != 0 && got != s.wake {
			t.Errorf("wake after %v: got %v, want %v", s.at.Sub(0), got.Sub(0), s.wake.Sub(0))
		}
	}
}

// Invariants: a driver that asks at each wake gets one probe at least; the gaps of a
// member's probes lie within 90 % and 110 % of the interval, and are not all alike.
func TestScheduleGaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		interval := time.Duration(rapid.Int64Range(1e6, 1e10).Draw(t, "interval"))
		checks, err := health.New(health.Settings{Interval: interval, Rise: 1, Fall: 1})
		if err != nil {
			t.Fatal(err)
		}
		members := make([]*core.Member, rapid.IntRange(1, 5).Draw(t, "members"))
		for i := range members {
			members[i] = &core.Member{Key: fmt.Sprint(i)}
			checks.Gate(members[i])
		}
		checks.Watch(0, members)
		src := rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)
		last, gaps := map[*core.Member]core.Instant{}, map[time.Duration]bool{}
		for range 40 {
			now := checks.Wake()
			m, ok := checks.Next(now, src)
			if !ok {
				t.Fatalf("next at %v, when it wanted to be woken: got nobody", now.Sub(0))
			}
			if before, ok := last[m]; ok {
				gap := now.Sub(before)
				gaps[gap] = true
				if gap < interval*9/10-1 || gap > interval*11/10+1 {
					t.Fatalf("gap: got %v, want %v ± 10 %%", gap, interval)
				}
			} else if now.Sub(0) >= interval {
				t.Fatalf("first probe of %s: got at %v, want within %v", m.Key, now.Sub(0), interval)
			}
			last[m] = now
		}
		if len(last) != len(members) || len(gaps) < 10 {
			t.Fatalf("members probed: got %d of %d, with %d different gaps", len(last), len(members), len(gaps))
		}
	})
}

// What is known of a member, its schedule too, is kept when others come and go.
func TestChangesKeepState(t *testing.T) {
	r := newRig(t, settings)
	r.update(t, 0, "a", "b")
	a, b := r.gates["a"], r.gates["b"]
	r.probe("---") // a is down
	r.due(0)       // a's next probe is at 0.9 s or later
	r.checks.Probed(r.View().Members[1], 0, core.LoadReport{}, false)

	r.update(t, 0, "b", "c", "a")
	if r.gates["a"] != a || r.gates["b"] != b {
		t.Error("gates: got new ones, want the old")
	}
	if got := a.Peek(0); got != core.Barred {
		t.Errorf("a: got %v, want barred", got)
	}
	// c is new: its turn is at a third of the interval.
	if diff := cmp.Diff([]string{"c"}, r.due(sec/3)); diff != "" {
		t.Errorf("due at a third (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b"}, r.due(sec/2)); diff != "" {
		t.Errorf("due at a half (-want +got):\n%s", diff)
	}
	r.probe("--") // b: the third in a row, with the one before the change
	if got := b.Peek(0); got != core.Barred {
		t.Errorf("b: got %v, want barred", got)
	}

	gone := r.View().Members[2]
	r.update(t, sec/2, "b", "c")
	r.checks.Probed(gone, sec, core.LoadReport{}, true) // a late result
	r.checks.Probed(gone, sec, core.LoadReport{}, true)
	if got := a.Peek(0); got != core.Barred {
		t.Errorf("a member that left: got %v, want it left alone", got)
	}
	for _, key := range r.due(10 * sec) {
		if key == "a" {
			t.Error("due: got a, who left")
		}
	}
	r.update(t, sec, "a", "b", "c")
	if got := r.gates["a"].Peek(0); got != core.Ready {
		t.Errorf("a came back: got %v, want ready: it is a new member", got)
	}
}

func TestValidate(t *testing.T) {
	for _, s := range []health.Settings{{}, {Interval: 1, Rise: 1}, {Interval: 1, Fall: 1}, {Rise: 1, Fall: 1}, {Interval: -1, Rise: 1, Fall: 1}} {
		if _, err := health.New(s); err == nil {
			t.Errorf("settings %+v: got no error", s)
		}
	}
}

// least draws the shortest gap each time.
type least struct{}

func (least) Uint64() uint64 { return 0 }

// Of several that are due together the oldest is the first, whatever their order was before.
func TestOldestFirst(t *testing.T) {
	checks, err := health.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	const n = 9
	members := make([]*core.Member, n)
	var oldest []string
	for i := range n {
		members[n-1-i] = &core.Member{Key: fmt.Sprint(i)}
		checks.Gate(members[n-1-i])
		oldest = append(oldest, fmt.Sprint(i))
	}
	checks.Watch(0, members) // the youngest is due first
	for round := range 3 {
		var got []string
		for {
			m, ok := checks.Next(core.Instant(1+round)*10*sec, least{})
			if !ok {
				break
			}
			got = append(got, m.Key)
		}
		if round > 0 { // all are due at once
			if diff := cmp.Diff(oldest, got); diff != "" {
				t.Errorf("round %d (-want +got)\n%s", round, diff)
			}
		}
	}
}

// Invariants, against a list: whatever comes and goes, and in whatever order, each member is
// due once, when its time has come, and those that have left are not.
func TestScheduleAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		checks, err := health.New(settings)
		if err != nil {
			rt.Fatal(err)
		}
		all := make([]*core.Member, 8)
		for i := range all {
			all[i] = &core.Member{Key: fmt.Sprint(i)}
		}
		due := map[*core.Member]core.Instant{}
		now, src := core.Instant(0), least{}
		for range rapid.IntRange(1, 10).Draw(rt, "changes") {
			members := rapid.SliceOfNDistinct(rapid.SampledFrom(all), 0, len(all), rapid.ID[*core.Member]).Draw(rt, "members")
			checks.Watch(now, members)
			next := map[*core.Member]core.Instant{}
			for i, m := range members {
				at, old := due[m]
				if !old {
					at = now.Add(settings.Interval * time.Duration(i) / time.Duration(len(members)))
				}
				next[m] = at
			}
			due = next
			for range rapid.IntRange(0, 10).Draw(rt, "probes") {
				first := core.Never
				for _, at := range due {
					first = min(first, at)
				}
				if got := checks.Wake(); got != first {
					rt.Fatalf("wake: got %v, want %v", got.Sub(0), first.Sub(0))
				}
				if len(due) == 0 {
					break
				}
				if m, ok := checks.Next(first-1, src); ok {
					rt.Fatalf("next before its time: got %s", m.Key)
				}
				m, ok := checks.Next(first, src)
				if at, known := due[m]; !ok || !known || at != first {
					rt.Fatalf("next at %v: got %v, due at %v", first.Sub(0), ok, at.Sub(0))
				}
				now = max(now, first)
				due[m] = first.Add(time.Duration(0.9 * float64(settings.Interval)))
			}
		}
	})
}
