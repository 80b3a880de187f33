package trial_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/trial"
)

func subjects(names ...string) (all []scenario.Subject) {
	for _, name := range names {
		all = append(all, scenario.Subject{Name: name})
	}
	return all
}

// In each block every subject is played once, all with the block's seed.
func TestBlocks(t *testing.T) {
	const blocks = 600
	names := []string{"a", "b", "c"}
	plans := trial.Blocks(7, subjects(names...), blocks)
	if len(plans) != blocks*len(names) {
		t.Fatalf("got %d trials, want %d", len(plans), blocks*len(names))
	}
	orders := map[string]int{}
	for b := range blocks {
		order := ""
		for place, p := range plans[b*len(names) : (b+1)*len(names)] {
			if want := scenario.BlockSeed(7, b); p.Block != b || p.Order != place || p.Seed != want {
				t.Fatalf("got block %d, place %d, seed %d, want %d, %d, %d", p.Block, p.Order, p.Seed, b, place, want)
			}
			order += p.Subject.Name
		}
		orders[order]++
		letters := strings.Split(order, "")
		slices.Sort(letters)
		if !slices.Equal(letters, names) {
			t.Fatalf("block %d plays %q, want each of %v once", b, order, names)
		}
	}
	// Each of the six orders has the chance 1/6: of 600 blocks 100, with the standard
	// deviation √(600·5/36) = 9.1.
	if len(orders) != 6 {
		t.Errorf("orders: got %d, want 6", len(orders))
	}
	for order, n := range orders {
		if n < 100-46 || n > 100+46 {
			t.Errorf("order %s: %d times, want 100 ± 46", order, n)
		}
	}
	if again := trial.Blocks(7, subjects(names...), blocks); !cmp.Equal(plans, again) {
		t.Error("the same seed plans something else")
	}
	// More blocks go on where fewer have ended.
	if more := trial.Blocks(7, subjects(names...), blocks+1); !cmp.Equal(plans, more[:len(plans)]) {
		t.Error("one more block changes the earlier ones")
	}
	if other := trial.Blocks(8, subjects(names...), blocks); cmp.Equal(plans, other) {
		t.Error("another seed plans the same")
	}
	if got := trial.Blocks(7, nil, 3); len(got) != 0 {
		t.Errorf("nobody to compare: got %v", got)
	}
}

// fake plays what the schedule says, changed by a function, void as told.
type fake struct {
	void     []string // try by try; further ones are not
	change   func([]record.Request) []record.Request
	unstable string
	fail     error
	tries    int
	seeds    []uint64
}

func (*fake) Name() string { return record.Live }

func (f *fake) Play(_ context.Context, s *scenario.Scenario, _ scenario.Subject, seed uint64, each func(record.Request)) (record.Header, error) {
	f.tries++
	f.seeds = append(f.seeds, seed)
	if f.fail != nil {
		return record.Header{}, f.fail
	}
	requests := scheduled(s, seed)
	if f.change != nil {
		requests = f.change(requests)
	}
	for _, r := range requests {
		each(r)
	}
	h := record.Header{
		Subject: "not the driver's to say", Unstable: f.unstable,
		Decisions: []record.Decisions{{Mode: "adaptive", Count: 5}}, Generator: &record.Generator{PeakInFlight: 7},
	}
	if f.tries <= len(f.void) {
		h.Void = f.void[f.tries-1]
	}
	return h, nil
}

// scheduled are the requests of the schedule.
func scheduled(s *scenario.Scenario, seed uint64) (list []record.Request) {
	for at := range s.Schedule(scenario.NewChance(seed)) {
		list = append(list, record.Request{
			Seq: int64(len(list)), Planned: at, Sent: at, Done: at + 1, Code: 200, Attempts: 1,
		})
	}
	return list
}

// play plays a trial and returns what was told of its last try.
func play(d trial.Driver, s *scenario.Scenario, void func(string)) (h record.Header, told []record.Request, err error) {
	h, err = trial.Play(context.Background(), d, s, plan, trial.Watch{
		Begin: func(record.Header) (func(record.Request), error) {
			told = nil
			return func(r record.Request) { told = append(told, r) }, nil
		},
		Void: void,
	})
	return h, told, err
}

func small() *scenario.Scenario {
	s := scenario.Default()
	s.Name, s.Duration, s.WarmUp = "small", time.Second, 100*time.Millisecond
	s.Arrivals = scenario.Arrivals{Law: "poisson", Rate: 20}
	s.Servers.Count = 3
	return &s
}

var plan = trial.Plan{Subject: scenario.Subject{Name: "random"}, Seed: 9, Block: 2, Order: 1}

func TestPlayFillsHeader(t *testing.T) {
	s := small()
	s.Objective = scenario.Objective{Latency: 50 * time.Millisecond, Share: 0.9}
	s.Metric = "goodput_rps"
	s.Faults = []scenario.Fault{
		{Kind: "slow", Servers: []int{0, 2}, From: 100 * time.Millisecond, To: 300 * time.Millisecond, Factor: 5},
		{Kind: "error", Servers: []int{1}, From: 200 * time.Millisecond, Code: 503, Latency: time.Millisecond},
	}
	got, told, err := play(&fake{unstable: "too much"}, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(scheduled(s, plan.Seed), told); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	ms := core.Instant(time.Millisecond)
	want := record.Header{
		Version: record.Version, Scenario: "small", Driver: record.Live, Subject: "random", Seed: 9, Block: 2, Order: 1,
		Duration: time.Second, WarmUp: 100 * time.Millisecond, ClientTimeout: s.Client.Timeout,
		Objective: record.Objective{Latency: 50 * time.Millisecond, Share: 0.9}, Metric: "goodput_rps",
		Endpoints: []string{"server-0", "server-1", "server-2"},
		Faults: []record.Fault{
			{Kind: "slow", Servers: []int{0, 2}, From: 100 * ms, To: 300 * ms, Note: "5x slower"},
			{Kind: "error", Servers: []int{1}, From: 200 * ms, To: 1000 * ms, Note: "answers 503 after 1ms"},
		},
		Decisions: []record.Decisions{{Mode: "adaptive", Count: 5}}, Generator: &record.Generator{PeakInFlight: 7},
		Unstable: "too much",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Faults = nil
	if got, _, err := play(&fake{}, s, nil); err != nil || got.Faults == nil {
		t.Errorf("without faults: got %v, %v, want an empty list", got.Faults, err)
	}
}

func TestPlayVoid(t *testing.T) {
	for _, c := range []struct {
		name    string
		void    []string
		tries   int
		retried []string
		want    string
	}{
		{"at once", nil, 1, nil, ""},
		{"the second time", []string{"late"}, 2, []string{"late"}, ""},
		{"the last time", []string{"late", "early"}, 3, []string{"late", "early"}, ""},
		{"never", []string{"late", "early", "late again", "not played"}, trial.MaxTries, []string{"late", "early"}, "late again"},
	} {
		d := &fake{void: c.void}
		var retried []string
		got, told, err := play(d, small(), func(why string) { retried = append(retried, why) })
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if d.tries != c.tries || got.Void != c.want || !slices.Equal(retried, c.retried) {
			t.Errorf("%s: got %d tries, void %q, retried for %q, want %d, %q, %q",
				c.name, d.tries, got.Void, retried, c.tries, c.want, c.retried)
		}
		if want := len(scheduled(small(), plan.Seed)); len(told) != want {
			t.Errorf("%s: %d requests of the last try, want %d", c.name, len(told), want)
		}
		for _, seed := range d.seeds {
			if seed != plan.Seed {
				t.Errorf("%s: played with seed %d, want %d", c.name, seed, plan.Seed)
			}
		}
	}
	if got, _, err := play(&fake{void: []string{"late"}}, small(), nil); err != nil || got.Void != "" {
		t.Errorf("nobody to tell: got %v", err)
	}
}

// A void trial is one in which requests may be missing: it is played again, not
// taken for a driver's bug.
func TestPlayVoidWithRequestsMissing(t *testing.T) {
	cut := func(r []record.Request) []record.Request { return r[:len(r)/2] }
	d := &fake{void: []string{"10 of 20 sent", "again", "and again"}, change: cut}
	got, _, err := play(d, small(), nil)
	if err != nil || d.tries != trial.MaxTries || got.Void != "and again" {
		t.Errorf("got %v after %d tries, want it returned void after %d", err, d.tries, trial.MaxTries)
	}
}

type requests = []record.Request

// changed is what may go wrong with the requests of a driver, of which there are 24.
var changed = []struct {
	name   string
	change func(requests) requests
	want   string // empty for nothing
	closed string // the same of a closed loop, which has no schedule
	stop   string // the same of an unstable trial, which may be stopped
}{
	{name: "as planned"},
	{name: "late", change: func(r requests) requests { r[3].Sent += 1e6; r[3].Done += 2e6; return r }},
	{name: "in another order", change: func(r requests) requests { slices.Reverse(r); return r }},
	{"none", func(r requests) requests { return nil }, "0 of 24 requests ended, request 0 is missing", "nothing to measure", ""},
	{"the last missing", func(r requests) requests { return r[:len(r)-1] }, "23 of 24 requests ended, request 23 is missing", "", ""},
	{"the first missing", func(r requests) requests { return r[1:] }, "request 0 is missing", "request 0 is missing", ""},
	{"one missing in the middle", func(r requests) requests { return slices.Delete(r, 4, 5) }, "request 4 is missing", "request 4 is missing", ""},
	{"one twice", func(r requests) requests { return slices.Insert(r, 7, r[3]) }, "request 3 ended twice", "request 3 ended twice", "request 3 ended twice"},
	{"one in place of another", func(r requests) requests { r[5].Seq = 4; return r }, "request 4 ended twice", "request 4 ended twice", "request 4 ended twice"},
	{"one too many", func(r requests) requests {
		last := r[len(r)-1]
		last.Seq++
		return append(r, last)
	}, "1 requests ended that are not among the 24 planned", "", "1 requests ended that are not among"},
	{"one moved", func(r requests) requests { r[5].Planned--; return r }, "planned for other instants", "", "planned for other instants"},
	{"one moved to the other's side", func(r requests) requests { r[5].Planned--; r[6].Planned++; r[6].Done++; return r },
		"planned for other instants", "", "planned for other instants"},
	{"two changed places", func(r requests) requests { r[2].Seq, r[3].Seq = 3, 2; return r },
		"planned for other instants", "", "planned for other instants"},
	{"ended before it was due", func(r requests) requests { r[5].Done = r[5].Planned - 1; return r }, "cannot be", "cannot be", "cannot be"},
	{"below the first", func(r requests) requests { r[5].Seq = -1; return r }, "cannot be", "cannot be", "cannot be"},
}

func TestPlayChecks(t *testing.T) {
	loop := small()
	loop.Arrivals.Law = scenario.Closed
	for _, c := range changed {
		stopped := c.closed // of a closed loop that was stopped, whatever is missing is nothing
		if strings.Contains(stopped, "missing") || strings.Contains(stopped, "nothing") {
			stopped = ""
		}
		for _, kind := range []struct {
			name     string
			scenario *scenario.Scenario
			unstable string
			want     string
		}{{"open", small(), "", c.want}, {"closed", loop, "", c.closed}, {"stopped", small(), "too much", c.stop}, {"closed and stopped", loop, "too much", stopped}} {
			d := &fake{change: c.change, unstable: kind.unstable}
			_, _, err := play(d, kind.scenario, nil)
			switch {
			case kind.want == "" && err != nil:
				t.Errorf("%s, %s: %v", c.name, kind.name, err)
			case kind.want != "" && (err == nil || !strings.Contains(err.Error(), kind.want) || !strings.HasPrefix(err.Error(), "small, random, block 2: ")):
				t.Errorf("%s, %s: got %v, want an error with %q", c.name, kind.name, err, kind.want)
			}
			if d.tries != 1 {
				t.Errorf("%s, %s: got %d tries, want 1", c.name, kind.name, d.tries)
			}
		}
	}
}

// A trial of many words of bits, in a strange order.
func TestPlayChecksMany(t *testing.T) {
	s := small()
	s.Arrivals.Rate = 5000
	const missing = 1234
	for name, c := range map[string]struct {
		change func(requests) requests
		want   string
	}{
		"all": {func(r requests) requests { return r }, ""},
		"but one": {func(r requests) requests {
			return slices.DeleteFunc(r, func(r record.Request) bool { return r.Seq == missing })
		}, "request 1234 is missing"},
	} {
		shuffle := func(r requests) requests {
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(r), func(i, j int) { r[i], r[j] = r[j], r[i] })
			return c.change(r)
		}
		if _, _, err := play(&fake{change: shuffle}, s, nil); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// A trial in which nothing is measured is a mistake of the scenario.
func TestPlayNothing(t *testing.T) {
	s := small()
	s.WarmUp = s.Duration - 1
	if _, _, err := play(&fake{}, s, nil); err == nil || !strings.Contains(err.Error(), "nothing to measure") {
		t.Errorf("got %v", err)
	}
	if _, _, err := play(&fake{unstable: "stopped"}, s, nil); err != nil {
		t.Errorf("stopped early: %v", err)
	}
}

func TestPlayFails(t *testing.T) {
	broken := errors.New("broken")
	d := &fake{fail: broken}
	_, _, err := play(d, small(), nil)
	if want := "small, random, block 2: broken"; !errors.Is(err, broken) || fmt.Sprint(err) != want || d.tries != 1 {
		t.Errorf("got %v after %d tries, want %s after one", err, d.tries, want)
	}
}

// Who listens may refuse: nothing is played then.
func TestPlayRefused(t *testing.T) {
	broken := errors.New("broken")
	d := &fake{}
	_, err := trial.Play(context.Background(), d, small(), plan, trial.Watch{
		Begin: func(record.Header) (func(record.Request), error) { return nil, broken },
	})
	if !errors.Is(err, broken) || d.tries != 0 {
		t.Errorf("got %v after %d tries, want it broken after none", err, d.tries)
	}
}
