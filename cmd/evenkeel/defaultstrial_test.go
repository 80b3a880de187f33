//go:build conformance

package main

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/witness"
	"github.com/evenkeel/evenkeel/lab/backend"
)

// never is how long it takes until something that does not happen.
const never = time.Duration(math.MaxInt64)

// trial is how one subject did in one situation, once.
type trial struct {
	requests       int
	lost           [2]int // GET and POST
	p50, p99, most time.Duration
	hurt           time.Duration // from the beginning of the trouble until it no longer hurts
	felt           int           // requests that the trouble made late, or lost, at the endpoint
	used           time.Duration // from the endpoint's return to its next request; 0: nobody looked
}

// feltAt is how many requests reached the endpoint while it was bad, and were late or lost.
// Unlike other times it is hardly longer on a machine that is busy with other things.
func feltAt(log []backend.Entry, all []ended) (n int) {
	there := map[int64]bool{}
	for _, e := range log {
		at := time.Duration(e.Arrived)
		there[e.Seq] = there[e.Seq] || at >= badFrom && at < badUntil
	}
	for _, e := range all {
		seq := (int64(e.due)*pressure + int64(time.Second) - 1) / int64(time.Second) // due was rounded down
		if there[seq] && (e.status != http.StatusOK || e.took > good) {
			n++
		}
	}
	return n
}

// judge sums up a load. In percentiles a request that was lost counts as no quicker than
// the clients' patience: failing fast is not being fast. The worst is how long somebody
// waited, for whatever.
func judge(all []ended) (one trial) {
	slices.SortFunc(all, func(a, b ended) int { return int(a.due - b.due) })
	one.requests = len(all)
	var times []time.Duration
	score, least := 0.0, 0.0
	for _, e := range all {
		took := e.took
		one.most = max(one.most, took)
		if e.status != http.StatusOK {
			one.lost[e.kind]++
			took = max(took, witness.Bound)
		}
		times = append(times, took)
		// From the instant after the least sum on, every stretch of time has its share of
		// good ones: that is when it no longer hurts.
		if e.due < badFrom {
			continue
		}
		if took <= good {
			score += 1 - goodShare
		} else {
			score -= goodShare
		}
		if score < least {
			least, one.hurt = score, e.due-badFrom
		}
	}
	slices.Sort(times)
	at := func(q float64) time.Duration { return times[int(q*float64(len(times)-1))] }
	one.p50, one.p99 = at(0.5), at(0.99)
	return one
}

// Felt is what reached the endpoint while it was bad, and was late or lost.
func TestFeltAt(t *testing.T) {
	const seq = 1000 // due after 3.33 s
	at := core.Instant(3500 * time.Millisecond)
	for _, tt := range []struct {
		name   string
		arrive core.Instant
		seq    int64
		took   time.Duration
		status int
		want   int
	}{
		{"late", at, seq, good + 1, 200, 1},
		{"in time", at, seq, good, 200, 0},
		{"lost", at, seq, 0, 503, 1},
		{"another request's", at, seq - 1, good + 1, 200, 0},
		{"before the trouble", core.Instant(badFrom) - 1, seq, good + 1, 200, 0},
		{"after it", core.Instant(badUntil), seq, good + 1, 200, 0},
	} {
		due := time.Duration(seq) * time.Second / pressure
		got := feltAt([]backend.Entry{{Seq: tt.seq, Arrived: tt.arrive}}, []ended{{due: due, took: tt.took, status: tt.status}})
		if got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

// The measure itself: what hurts, and for how long.
func TestJudge(t *testing.T) {
	const each, n = 10 * time.Millisecond, 1000
	between := func(from, to int) func(i int) bool { return func(i int) bool { return i >= from && i < to } }
	for _, tt := range []struct {
		name      string
		bad       func(i int) bool // of the requests, one each 10 ms; the trouble begins with number 200
		hurt      time.Duration
		p99, most time.Duration
	}{
		{"nothing", between(0, 0), 0, each, each},
		{"bad before the trouble", between(0, 200), 0, witness.Bound, each},
		{"bad for a second from its beginning", between(200, 300), 990 * time.Millisecond, witness.Bound, each},
		{"bad to the end", between(200, n), 7990 * time.Millisecond, witness.Bound, each},
		{"one alone, long after", between(500, 501), 0, each, each},
		{"one alone, after 50 good ones", between(250, 251), 500 * time.Millisecond, each, each},
		{"each tenth in the first two seconds", func(i int) bool { return i >= 200 && i < 400 && i%10 == 0 }, 1900 * time.Millisecond, witness.Bound, each},
	} {
		var all []ended
		for i := n - 1; i >= 0; i-- { // in no order
			e := ended{due: time.Duration(i) * each, took: each, status: 200}
			if tt.bad(i) {
				e.status = 503
			}
			all = append(all, e)
		}
		got := judge(all)
		if got.hurt != tt.hurt || got.p99 != tt.p99 || got.most != tt.most || got.requests != n {
			t.Errorf("%s: got %+v, want hurt %v, p99 %v, most %v of %d", tt.name, got, tt.hurt, tt.p99, tt.most, n)
		}
	}
}

// median of what each trial has; of an even number the lower one.
func median[T int | time.Duration](trials []trial, of func(trial) T) T {
	var all []T
	for _, one := range trials {
		all = append(all, of(one))
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}

// sumUp has the medians of the trials.
func sumUp(all []trial) trial {
	return trial{
		requests: all[0].requests,
		lost: [2]int{
			median(all, func(one trial) int { return one.lost[0] }),
			median(all, func(one trial) int { return one.lost[1] }),
		},
		p50:  median(all, func(one trial) time.Duration { return one.p50 }),
		p99:  median(all, func(one trial) time.Duration { return one.p99 }),
		most: median(all, func(one trial) time.Duration { return one.most }),
		hurt: median(all, func(one trial) time.Duration { return one.hurt }),
		felt: median(all, func(one trial) int { return one.felt }),
		used: median(all, func(one trial) time.Duration { return one.used }),
	}
}

// String returns the figures as they stand in the README.
func (one trial) String() string {
	used := ""
	if one.used > 0 {
		used = fmt.Sprintf(", used again after %v", one.used.Round(10*time.Millisecond))
	}
	lost := one.lost[0] + one.lost[1]
	return fmt.Sprintf("%.2f %% lost (%d GET, %d POST), p50 %v, p99 %v, worst %v, hurts for %v, felt by %d%s",
		100*float64(lost)/float64(one.requests), one.lost[0], one.lost[1],
		one.p50.Round(time.Millisecond), one.p99.Round(time.Millisecond), one.most.Round(time.Millisecond),
		one.hurt.Round(10*time.Millisecond), one.felt, used)
}
