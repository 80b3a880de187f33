package stat

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The order in which requests end says nothing.
func TestDigestOfAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trial := steady("x", 0, rapid.IntRange(0, 800).Draw(t, "requests"), ms)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		for i := range trial.Requests {
			r := &trial.Requests[i]
			r.Planned = core.Instant(rng.Int64N(int64(10 * time.Second)))
			r.Done = r.Planned.Add(time.Duration(rng.ExpFloat64() * float64(50*ms)))
			r.Code = []int{200, 200, 200, 503, 0}[rng.IntN(5)]
			r.Endpoint = rng.IntN(3) - 1
		}
		play := func() Digest {
			d, err := NewDigester(trial.Header)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range trial.Requests {
				d.Add(r)
			}
			done, err := d.Digest(trial.Header)
			if err != nil {
				t.Fatal(err)
			}
			return done
		}
		want := play()
		rng.Shuffle(len(trial.Requests), func(i, j int) {
			trial.Requests[i], trial.Requests[j] = trial.Requests[j], trial.Requests[i]
		})
		if diff := cmp.Diff(want, play()); diff != "" {
			t.Fatalf("(-in one order +in another):\n%s", diff)
		}
	})
}

// What the driver counts is known at the end only; what is void or unstable says so.
func TestDigestOfFinalHeader(t *testing.T) {
	h := header("x", 0)
	d, err := NewDigester(h)
	if err != nil {
		t.Fatal(err)
	}
	h.Decisions = []record.Decisions{{Mode: "panic", Count: 3}}
	h.Void, h.Unstable = "late", "offered load 1.20 of the capacity"
	got, err := d.Digest(h)
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Summary; s.Modes.Panic != 1 || s.Void != h.Void || s.Unstable != h.Unstable {
		t.Errorf("got %+v, want what the header says", s)
	}
	h.Decisions[0].Mode = "clever"
	if _, err := d.Digest(h); err == nil {
		t.Error("an unknown mode: no error")
	}
}

// Nothing is allocated for a request once its bin and octaves are there.
func TestAddAllocates(t *testing.T) {
	for _, driver := range []string{record.Sim, record.Live} {
		h := header("x", 0)
		h.Driver = driver
		d, err := NewDigester(h)
		if err != nil {
			t.Fatal(err)
		}
		at := core.Instant(2 * time.Second)
		r := record.Request{Planned: at, Sent: at, Done: at.Add(20 * ms), Code: 200}
		failed := r
		failed.Code, failed.Endpoint = 503, -1
		if n := testing.AllocsPerRun(1000, func() { d.Add(r); d.Add(failed) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", driver, n)
		}
	}
}

// many is the header of a trial over n endpoints, the first of which have a fault.
func many(n, faulty int) record.Header {
	h := header("x", 0)
	h.Endpoints = nil
	for i := range n {
		h.Endpoints = append(h.Endpoints, fmt.Sprintf("s%03d", i))
	}
	for i := range faulty { // twice each: that counts once
		h.Faults = append(h.Faults, record.Fault{Servers: []int{i, -1, n}}, record.Fault{Servers: []int{i}})
	}
	return h
}

func TestGroups(t *testing.T) {
	name := func(g Group) string {
		text := fmt.Sprintf("%s×%d", g.Name, g.Members)
		if g.Faulty {
			text += "!"
		}
		return text
	}
	for _, c := range []struct {
		endpoints, faulty int
		groups            int
		first, last       string
	}{
		{0, 0, 0, "", ""},
		{1, 1, 1, "s000×1", "s000×1"}, // all of them: none stands out
		{64, 5, 64, "s000×1!", "s063×1"},
		{65, 0, 1, "65 endpoints×65", "65 endpoints×65"},
		{65, 65, 1, "65 endpoints×65", "65 endpoints×65"},
		{1000, 4, 5, "s000×1!", "996 other endpoints×996"},
		{1000, 5, 2, "5 endpoints with faults×5!", "995 other endpoints×995"},
		{1000, 999, 2, "999 endpoints with faults×999!", "1 other endpoints×1"},
	} {
		h := many(c.endpoints, c.faulty)
		list, of := Groups(&h)
		if len(list) != c.groups || len(of) != c.endpoints {
			t.Errorf("%d endpoints, %d with faults: %d groups of %d endpoints, want %d", c.endpoints, c.faulty, len(list), len(of), c.groups)
			continue
		}
		if len(list) > 0 && (name(list[0]) != c.first || name(list[len(list)-1]) != c.last) {
			t.Errorf("%d endpoints, %d with faults: %s … %s, want %s … %s",
				c.endpoints, c.faulty, name(list[0]), name(list[len(list)-1]), c.first, c.last)
		}
		members := make([]int, len(list))
		for _, g := range of {
			members[g]++
		}
		for i, g := range list {
			if members[i] != g.Members {
				t.Errorf("%d endpoints, %d with faults: %s has %d", c.endpoints, c.faulty, name(g), members[i])
			}
		}
	}
}

// Of a group together, and of the least and the most loaded of it.
func TestSharesOfGroups(t *testing.T) {
	trial := &record.Trial{Header: many(100, 1)}
	at := core.Instant(2 * time.Second)
	for _, endpoint := range []int{0, 0, 1, 1, 1, 99, -1} {
		trial.Requests = append(trial.Requests, record.Request{Planned: at, Sent: at, Done: at, Endpoint: endpoint, Code: 200})
	}
	got := digests(t, trial)[0]
	want := []Share{
		{Endpoint: "s000", Share: 2.0 / 6},
		{Endpoint: "99 other endpoints", Share: 4.0 / 6, Members: 99, Least: new(0.0), Most: new(0.5)},
	}
	if diff := cmp.Diff(want, got.Summary.Shares); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]uint64{2, 4}, got.Timeline.Bins[10].Answered); diff != "" {
		t.Errorf("in the timeline (-want +got):\n%s", diff)
	}
}

// scattered are requests of ten seconds in order, of 2 to 100 ms, a hundredth of them
// failures.
func scattered(n int) []record.Request {
	list := make([]record.Request, n)
	for i := range list {
		at := core.Instant(10*time.Second) * core.Instant(i) / core.Instant(n)
		took := 2*ms + time.Duration(uint32(i)*2654435761%98_000_000)
		list[i] = record.Request{Seq: int64(i), Planned: at, Sent: at, Done: at.Add(took), Endpoint: i % 2, Code: 200}
		if i%100 == 0 {
			list[i].Code = 503
		}
	}
	return list
}

func BenchmarkAdd(b *testing.B) {
	const n = 1 << 17
	list := scattered(n)
	d, err := NewDigester(header("x", 0))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		d.Add(list[i])
		i = (i + 1) % n
	}
}

func BenchmarkDigest(b *testing.B) {
	d, err := NewDigester(header("x", 0))
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range scattered(1 << 17) {
		d.Add(r)
	}
	for b.Loop() {
		if _, err := d.Digest(d.header); err != nil {
			b.Fatal(err)
		}
	}
}
