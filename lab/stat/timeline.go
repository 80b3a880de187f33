package stat

import (
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/lab/record"
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
	// Late is by how much the generator was late at most, in seconds. Live only.
	Late *float64 `json:"late,omitempty"`
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
	answered      []uint64      // by group
	late          time.Duration // the most
}

func newTallies(bins, groups int) []tally {
	list := make([]tally, bins)
	for i := range list {
		list[i] = tally{latency: newHistogram(coarse), answered: make([]uint64, groups)}
	}
	return list
}

// newTimeline makes the timeline of what was counted.
func newTimeline(bin time.Duration, counted []tally, live bool) Timeline {
	t := Timeline{Bin: bin, Bins: make([]Bin, len(counted))}
	for i := range counted {
		c := &counted[i]
		t.Bins[i] = Bin{
			Count: c.count, Errors: c.errors, Answered: slices.Clone(c.answered),
			P50: around(counted, i, 0.50, floorP50),
			P99: around(counted, i, 0.99, binP99),
		}
		if live {
			t.Bins[i].Late = new(significant(c.late.Seconds(), 3))
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
	return new(significant(sample.quantiles(q)[0].Seconds(), 3)) // the grain says no more
}

// BinFor is the width of the bins in the timeline of a trial of duration d, see
// record.BinFor.
func BinFor(d time.Duration) time.Duration { return record.BinFor(d) }

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
		var p50, p99, late []*float64
		for _, u := range used {
			of := &u.Bins[i]
			b.Count += of.Count
			b.Errors += of.Errors
			for g, n := range of.Answered {
				b.Answered[g] += n
			}
			p50, p99, late = append(p50, of.P50), append(p99, of.P99), append(late, of.Late)
		}
		b.P50, b.P99, b.Late = medianOf(p50), medianOf(p99), medianOf(late)
	}
	return t
}

// matches reports whether two timelines can be put together. Neither is empty.
func (t *Timeline) matches(u *Timeline) bool {
	return t.Bin == u.Bin && len(t.Bins) == len(u.Bins) && len(t.Bins[0].Answered) == len(u.Bins[0].Answered)
}
