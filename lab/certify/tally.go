package certify

import (
	"math"

	"github.com/evenkeel/evenkeel/lab/record"
)

// tally counts what a case measures, in bounded memory: response times in buckets that
// grow by grain, so that a quantile is within half of that.
type tally struct {
	requests, failed int
	total            float64 // response time of the successes, in units
	buckets          []int
}

const (
	grain    = 0.0005
	least    = 1e-6 // units; shorter ones share the first bucket
	greatest = 1e6
)

func newTally() *tally {
	return &tally{buckets: make([]int, bucket(greatest)+1)}
}

func bucket(t float64) int {
	return int(math.Log(min(max(t, least), greatest)/least) / math.Log1p(grain))
}

func (t *tally) add(r record.Request) {
	t.requests++
	if !r.OK() {
		t.failed++
		return
	}
	x := float64(r.ResponseTime()) / float64(unit)
	t.total += x
	t.buckets[bucket(x)]++
}

// mean is the mean response time of the successes.
func (t *tally) mean() float64 { return t.total / float64(t.requests-t.failed) }

// refused is the share of requests that were not served.
func (t *tally) refused() float64 { return float64(t.failed) / float64(t.requests) }

// p99 is the 99th percentile of the successes' response times: the middle of the bucket
// that it lies in.
func (t *tally) p99() float64 {
	left := 0.99 * float64(t.requests-t.failed)
	for i, n := range t.buckets {
		if left -= float64(n); left <= 0 {
			return least * math.Exp((float64(i)+0.5)*math.Log1p(grain))
		}
	}
	return math.Inf(1)
}
