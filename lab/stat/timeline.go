package stat

import (
	"slices"
	"time"
)

// Timeline is a trial over its planned time, warm-up included: for pictures.
type Timeline struct {
	Bin  time.Duration `json:"bin_ns"`
	Bins []Bin         `json:"bins"` // the i-th has the requests planned in [i·Bin, (i+1)·Bin)
}

// Bin is a stretch of a Timeline. Latencies are response times in seconds, to 0.8 %,
// with the rule for failures of Figures.Latency.
type Bin struct {
	Count  int `json:"count"`            // requests planned
	Errors int `json:"errors,omitempty"` // of which failed
	// P50 and P99 need 6 and 100 requests: a bin with fewer borrows from its
	// neighbours, one on either side, then two; then they are nil. A hundred is fewer
	// than a summary asks for: many bins show by themselves how much they scatter.
	P50 *float64 `json:"p50,omitempty"`
	P99 *float64 `json:"p99,omitempty"`
	// Answered is how many requests each of the trial's Groups answered.
	Answered []uint64 `json:"answered"`
}

// Answers is how many requests were answered by an endpoint that is known.
func (b *Bin) Answers() uint64 {
	var total uint64
	for _, n := range b.Answered {
		total += n
	}
	return total
}

// binP99 is the number of requests that a bin's P99 needs; reach is how many
// neighbours on either side may lend them.
const (
	binP99 = 100
	reach  = 2
)

// tally is what is counted of a bin.
type tally struct {
	count, errors int
	latency       histogram
	answered      []uint64 // by group
}

func newTallies(bins, groups int) []tally {
	list := make([]tally, bins)
	for i := range list {
		list[i] = tally{latency: newHistogram(coarse), answered: make([]uint64, groups)}
	}
	return list
}

// newTimeline makes the timeline of what was counted.
func newTimeline(bin time.Duration, counted []tally) Timeline {
	t := Timeline{Bin: bin, Bins: make([]Bin, len(counted))}
	for i := range counted {
		c := &counted[i]
		t.Bins[i] = Bin{
			Count: c.count, Errors: c.errors, Answered: slices.Clone(c.answered),
			P50: around(counted, i, 0.50, floorP50),
			P99: around(counted, i, 0.99, binP99),
		}
	}
	return t
}

// around returns the q-quantile of the i-th bin and as few of its neighbours as
// make up floor requests; nil when those within reach do not.
func around(counted []tally, i int, q float64, floor uint64) *float64 {
	sample := &counted[i].latency
	for k := 1; sample.count < floor; k++ {
		if k > reach {
			return nil
		}
		together := newHistogram(coarse)
		for j := max(i-k, 0); j <= min(i+k, len(counted)-1); j++ {
			together.merge(&counted[j].latency)
		}
		sample = &together
	}
	return new(sample.quantiles(q)[0].Seconds())
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
// of other bins or another number of groups than the first, are left out.
func MedianTimeline(digests []Digest) Timeline {
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
		return Timeline{}
	}
	t := Timeline{Bin: used[0].Bin, Bins: make([]Bin, len(used[0].Bins))}
	for i := range t.Bins {
		b := &t.Bins[i]
		b.Answered = make([]uint64, len(used[0].Bins[i].Answered))
		var p50, p99 []*float64
		for _, u := range used {
			of := &u.Bins[i]
			b.Count += of.Count
			b.Errors += of.Errors
			for g, n := range of.Answered {
				b.Answered[g] += n
			}
			p50, p99 = append(p50, of.P50), append(p99, of.P99)
		}
		b.P50, b.P99 = medianOf(p50), medianOf(p99)
	}
	return t
}

// matches reports whether two timelines can be put together. Neither is empty.
func (t *Timeline) matches(u *Timeline) bool {
	return t.Bin == u.Bin && len(t.Bins) == len(u.Bins) && len(t.Bins[0].Answered) == len(u.Bins[0].Answered)
}
