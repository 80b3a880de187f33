package regret

import (
	"math"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/sim"
)

// A trial is played in virtual time: its figures are those of its requests, the same ones
// for the same seed, and its course is its own.
func TestSimulate(t *testing.T) {
	s := parse(t, "duration: 3s\nwarm_up: 1s\nclient: {timeout: 700ms}\narrivals: {rate: 1000}\nfaults: [{kind: error, servers: [0], code: 500, share: 0.5, latency: 1ms}]\n")
	who := subjects(t, s, "random+retries{attempts=1}+breaker{enabled=false}", "random+retries{attempts=1}", "round-robin+retries{attempts=1}")
	got, err := Simulate(t.Context(), s, who[0], 3)
	if err != nil {
		t.Fatal(err)
	}
	failed, counted := 0, 0
	if _, err := sim.Run(t.Context(), s, who[0], 3, func(r record.Request) {
		if r.Planned >= core.Instant(s.WarmUp) {
			counted++
			if !r.OK() {
				failed++
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	// More than one of a hundred fails: the 99th percentile is the client's timeout.
	if want := float64(failed) / float64(counted); got.Errors != want || failed < counted/50 || !near(got.P99, 0.7, 0.001) || got.Unstable {
		t.Errorf("got %+v, want %v of errors and a p99 of 0.7 s", got, want)
	}
	if again, err := Simulate(t.Context(), s, who[0], 3); err != nil || again != got {
		t.Errorf("again: got %+v, %v, want %+v", again, err, got)
	}
	courses := map[uint64]bool{got.Course: true}
	for i, seed := range []uint64{4, 3, 3} {
		other, err := Simulate(t.Context(), s, who[i], seed)
		if err != nil || courses[other.Course] {
			t.Errorf("%s, seed %d: got %+v, %v, want another course", who[i].Name, seed, other, err)
		}
		courses[other.Course] = true
	}
	overloaded := parse(t, "duration: 3s\nwarm_up: 1s\narrivals: {load: 1.5}\n")
	if got, err := Simulate(t.Context(), overloaded, subjects(t, overloaded, "random")[0], 1); err != nil || !got.Unstable {
		t.Errorf("overloaded: got %+v, %v, want it unstable", got, err)
	}
	tiny := parse(t, "duration: 1s\nwarm_up: 0s\narrivals: {rate: 100}\n")
	if _, err := Simulate(t.Context(), tiny, subjects(t, tiny, "random")[0], 1); err == nil || !strings.Contains(err.Error(), "test, random: ") || !strings.Contains(err.Error(), "too few for a p99") {
		t.Errorf("a hundred requests: got %v, want an error", err)
	}
}

// Each of what the course is made of makes a difference, and so does the order.
func TestCourse(t *testing.T) {
	of := func(requests ...record.Request) (c course) {
		for _, r := range requests {
			c.add(r)
		}
		return c
	}
	a, b := record.Request{Seq: 1, Endpoint: 2, Done: 3}, record.Request{Seq: 2, Endpoint: 2, Done: 3}
	seen := map[course]int{}
	for i, c := range []course{
		of(), of(a), of(b), of(a, b), of(b, a), of(a, a),
		of(record.Request{Seq: 1, Endpoint: -1, Done: 3}), of(record.Request{Seq: 1, Endpoint: 2, Done: math.MaxInt64}),
	} {
		if j, twice := seen[c]; twice {
			t.Errorf("courses %d and %d are the same", i, j)
		}
		seen[c] = i
	}
}
