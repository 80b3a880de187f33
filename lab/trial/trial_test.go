package trial_test

import (
	"context"
	"errors"
	"fmt"
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
	void   []string // try by try; further ones are not
	change func([]record.Request) []record.Request
	fail   error
	tries  int
	seeds  []uint64
}

func (*fake) Name() string { return record.Live }

func (f *fake) Play(_ context.Context, s *scenario.Scenario, _ scenario.Subject, seed uint64) (*record.Trial, error) {
	f.tries++
	f.seeds = append(f.seeds, seed)
	if f.fail != nil {
		return nil, f.fail
	}
	t := new(record.Trial)
	for at := range s.Schedule(scenario.NewChance(seed)) {
		t.Requests = append(t.Requests, record.Request{
			Seq: int64(len(t.Requests)), Planned: at, Sent: at, Done: at + 1, Code: 200, Attempts: 1,
		})
	}
	if f.change != nil {
		t.Requests = f.change(t.Requests)
	}
	if f.tries <= len(f.void) {
		t.Header.Void = f.void[f.tries-1]
	}
	t.Header.Decisions = []record.Decisions{{Mode: "adaptive", Count: 5}}
	return t, nil
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
	s.Faults = []scenario.Fault{
		{Kind: "slow", Servers: []int{0, 2}, From: 100 * time.Millisecond, To: 300 * time.Millisecond, Factor: 5},
		{Kind: "error", Servers: []int{1}, From: 200 * time.Millisecond, Code: 503, Latency: time.Millisecond},
	}
	got, err := trial.Play(context.Background(), &fake{}, s, plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	ms := core.Instant(time.Millisecond)
	want := record.Header{
		Version: record.Version, Scenario: "small", Driver: record.Live, Subject: "random", Seed: 9, Block: 2, Order: 1,
		Duration: time.Second, WarmUp: 100 * time.Millisecond, ClientTimeout: s.Client.Timeout,
		Objective: record.Objective{Latency: 50 * time.Millisecond, Share: 0.9},
		Endpoints: []string{"server-0", "server-1", "server-2"},
		Faults: []record.Fault{
			{Kind: "slow", Servers: []int{0, 2}, From: 100 * ms, To: 300 * ms, Note: "5x slower"},
			{Kind: "error", Servers: []int{1}, From: 200 * ms, To: 1000 * ms, Note: "answers 503 after 1ms"},
		},
		Decisions: []record.Decisions{{Mode: "adaptive", Count: 5}},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Faults = nil
	if got, err := trial.Play(context.Background(), &fake{}, s, plan, nil); err != nil || got.Header.Faults == nil {
		t.Errorf("without faults: got %v, %v, want an empty list", got.Header.Faults, err)
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
		got, err := trial.Play(context.Background(), d, small(), plan, func(why string) { retried = append(retried, why) })
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if d.tries != c.tries || got.Header.Void != c.want || !slices.Equal(retried, c.retried) {
			t.Errorf("%s: got %d tries, void %q, retried for %q, want %d, %q, %q",
				c.name, d.tries, got.Header.Void, retried, c.tries, c.want, c.retried)
		}
		for _, seed := range d.seeds {
			if seed != plan.Seed {
				t.Errorf("%s: played with seed %d, want %d", c.name, seed, plan.Seed)
			}
		}
	}
	if got, err := trial.Play(context.Background(), &fake{void: []string{"late"}}, small(), plan, nil); err != nil || got.Header.Void != "" {
		t.Errorf("nobody to tell: got %v", err)
	}
}

// A void trial is one in which requests may be missing: it is played again, not
// taken for a driver's bug.
func TestPlayVoidWithRequestsMissing(t *testing.T) {
	cut := func(r []record.Request) []record.Request { return r[:len(r)/2] }
	d := &fake{void: []string{"10 of 20 sent", "again", "and again"}, change: cut}
	got, err := trial.Play(context.Background(), d, small(), plan, nil)
	if err != nil || d.tries != trial.MaxTries || got.Header.Void != "and again" {
		t.Errorf("got %v after %d tries, want it returned void after %d", err, d.tries, trial.MaxTries)
	}
}

func TestPlayChecks(t *testing.T) {
	type requests = []record.Request
	for _, c := range []struct {
		name   string
		change func(requests) requests
		want   string // empty for none
	}{
		{"as planned", nil, ""},
		{"late", func(r requests) requests { r[3].Sent += 1e6; r[3].Done += 2e6; return r }, ""},
		{"none", func(r requests) requests { return nil }, "request 0 is missing"},
		{"the last missing", func(r requests) requests { return r[:len(r)-1] }, "is missing"},
		{"the first missing", func(r requests) requests { return r[1:] }, "request 0, planned for"},
		{"one missing in the middle", func(r requests) requests { return slices.Delete(r, 4, 5) }, "request 4, planned for"},
		{"one twice", func(r requests) requests { return slices.Insert(r, 4, r[3]) }, "request 4, planned for"},
		{"one too many", func(r requests) requests {
			last := r[len(r)-1]
			last.Seq++
			return append(r, last)
		}, "requests instead of"},
		{"one moved", func(r requests) requests { r[5].Planned++; return r }, "request 5, planned for"},
		{"ended before it was due", func(r requests) requests { r[5].Done = r[5].Planned - 1; return r }, "request 5, planned for"},
		{"two swapped", func(r requests) requests { r[2], r[3] = r[3], r[2]; return r }, "request 2, planned for"},
	} {
		d := &fake{change: c.change}
		got, err := trial.Play(context.Background(), d, small(), plan, nil)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || got != nil || !strings.Contains(err.Error(), c.want) ||
			!strings.HasPrefix(err.Error(), "small, random, block 2: the records are not those of the schedule")):
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
		if d.tries != 1 {
			t.Errorf("%s: got %d tries, want 1", c.name, d.tries)
		}
	}
}

func TestPlayFails(t *testing.T) {
	broken := errors.New("broken")
	d := &fake{fail: broken}
	_, err := trial.Play(context.Background(), d, small(), plan, nil)
	if want := "small, random, block 2: broken"; !errors.Is(err, broken) || fmt.Sprint(err) != want || d.tries != 1 {
		t.Errorf("got %v after %d tries, want %s after one", err, d.tries, want)
	}
}
