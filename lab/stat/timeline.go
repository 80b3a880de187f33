package stat

import (
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
)

// Timeline is a trial over its planned time, warm-up included: for pictures.
type Timeline struct {
	Bin       time.Duration
	Endpoints []string
	Bins      []Bin // the i-th holds the requests planned in [i·Bin, (i+1)·Bin)
}

// Bin is a stretch of a Timeline. Latencies are response times in seconds, with
// the rule for failures of Figures.Latency.
type Bin struct {
	Count  int // requests planned
	Errors int // of which failed
	// P50 and P99 need 6 and 100 requests: a bin with fewer borrows from its
	// neighbours, one on either side, then two; then they are nil. A hundred is fewer
	// than a summary asks for: many bins show by themselves how much they scatter.
	P50, P99 *float64
	// Share is each endpoint's share of the answered requests; nil when there were
	// none.
	Share []float64

	answered []uint32 // by endpoint
}

// binP99 is the number of requests that a bin's P99 needs; reach is how many
// neighbours on either side may lend them.
const (
	binP99 = 100
	reach  = 2
)

// NewTimeline cuts the trial into bins; the last one may be shorter. bin must be
// positive.
func NewTimeline(t *record.Trial, bin time.Duration) Timeline {
	h := &t.Header
	n := max(int((h.Duration+bin-1)/bin), 0)
	tl := Timeline{Bin: bin, Endpoints: h.Endpoints, Bins: make([]Bin, n)}
	latencies := make([][]time.Duration, n)
	for i := range tl.Bins {
		tl.Bins[i].answered = make([]uint32, len(h.Endpoints))
	}
	for i := range t.Requests {
		r := &t.Requests[i]
		at := int(r.Planned / core.Instant(bin))
		if at < 0 || at >= n {
			continue
		}
		b := &tl.Bins[at]
		b.Count++
		if !r.OK() {
			b.Errors++
		}
		if r.Endpoint >= 0 && r.Endpoint < len(b.answered) {
			b.answered[r.Endpoint]++
		}
		latencies[at] = append(latencies[at], responseTime(h, r))
	}
	for i := range tl.Bins {
		tl.Bins[i].P50 = around(latencies, i, 0.50, floorP50)
		tl.Bins[i].P99 = around(latencies, i, 0.99, binP99)
		tl.Bins[i].share()
	}
	return tl
}

// around returns the q-quantile of the i-th bin and as few of its neighbours as
// make up floor requests; nil when those within reach do not.
func around(bins [][]time.Duration, i int, q float64, floor int) *float64 {
	slices.Sort(bins[i])
	sorted := bins[i]
	for k := 1; len(sorted) < floor; k++ {
		if k > reach {
			return nil
		}
		sorted = slices.Concat(bins[max(i-k, 0) : min(i+k, len(bins)-1)+1]...)
		slices.Sort(sorted)
	}
	return new(quantile(q, sorted).Seconds())
}

func (b *Bin) share() {
	var total uint64
	for _, n := range b.answered {
		total += uint64(n)
	}
	if total == 0 {
		b.Share = nil
		return
	}
	b.Share = make([]float64, len(b.answered))
	for i, n := range b.answered {
		b.Share[i] = float64(n) / float64(total)
	}
}

// BinFor is the width of the bins in the timeline of a trial of duration d: the
// next of 1, 2 or 5 times a power of ten above a 60th of it. It depends on
// nothing else, so that the trials of a scenario share it.
func BinFor(d time.Duration) time.Duration { return roundUp(d / 60) }

// roundUp returns the next of 1, 2, 5, 10, 20, 50, … ns.
func roundUp(d time.Duration) time.Duration {
	d = max(d, 1)
	decade := time.Duration(1)
	for 10*decade <= d {
		decade *= 10
	}
	for _, f := range []time.Duration{1, 2, 5} {
		if d <= f*decade {
			return f * decade
		}
	}
	return 10 * decade
}

// MedianTimeline puts the trials of one subject into one picture: counts are
// summed, percentiles are the medians over the trials. Void trials, and trials
// of other bins or another number of endpoints than the first, are left out.
func MedianTimeline(digests []Digest) Timeline {
	var tl Timeline
	var used []*Timeline
	for i := range digests {
		d := &digests[i]
		if d.Header.Void != "" || len(d.Timeline.Bins) == 0 {
			continue
		}
		if len(used) > 0 && !used[0].matches(&d.Timeline) {
			continue
		}
		used = append(used, &d.Timeline)
	}
	if len(used) == 0 {
		return tl
	}
	tl = Timeline{Bin: used[0].Bin, Endpoints: used[0].Endpoints, Bins: make([]Bin, len(used[0].Bins))}
	for i := range tl.Bins {
		b := &tl.Bins[i]
		b.answered = make([]uint32, len(tl.Endpoints))
		var p50, p99 []*float64
		for _, u := range used {
			of := &u.Bins[i]
			b.Count += of.Count
			b.Errors += of.Errors
			for e, n := range of.answered {
				b.answered[e] += n
			}
			p50, p99 = append(p50, of.P50), append(p99, of.P99)
		}
		b.P50, b.P99 = medianOf(p50), medianOf(p99)
		b.share()
	}
	return tl
}

func (t *Timeline) matches(u *Timeline) bool {
	return t.Bin == u.Bin && len(t.Bins) == len(u.Bins) && len(t.Endpoints) == len(u.Endpoints)
}
