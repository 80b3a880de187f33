package stat

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
)

// Recovery is how long the objective was missed because of faults. Faults that overlap or
// follow each other at once are one. It is met again at the first instant from which on
// every stretch of the time that is looked at has the objective's share of its requests
// within the objective's latency: with a score of 1 - share for each that is, and -share
// for each that is not, where the sum of the scores is least. So a moment's luck ends
// nothing, and one late request long after extends nothing.
//
// Both figures are the longest over the trial's faults, in seconds, to about a 1000th of the
// trial. Null: not met again before the last fiftieth of that time.
type Recovery struct {
	// Begun is how many faults began after the warm-up; Within is the time from such a
	// beginning until the objective is met again while the fault is on.
	Begun  int      `json:"begun"`
	Within *float64 `json:"within_seconds"`
	// Ended is how many faults ended before the trial; After is the time from such an end
	// until the objective is met again, before the next fault: 0 where the end itself is
	// enough.
	Ended int      `json:"ended"`
	After *float64 `json:"after_seconds"`
}

// recoveryStep is how finely a trial of duration d is cut to look for the instant of its
// recovery: 20 times as finely as for pictures, so that faults begin and end at an edge.
func recoveryStep(d time.Duration) time.Duration { return record.BinFor(d / 20) }

// met counts requests by when they were planned: all, and those that missed the objective.
type met struct{ all, missed uint32 }

// stretch is a part of a trial.
type stretch struct{ from, to core.Instant }

// faultsOf are the stretches in which any fault is on, in order; those closer than gap are
// one.
func faultsOf(h *record.Header, gap time.Duration) []stretch {
	end := core.Instant(h.Duration)
	var list []stretch
	for _, f := range h.Faults {
		if s := (stretch{max(f.From, 0), min(f.To, end)}); s.to > s.from {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b stretch) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var joined []stretch
	for _, s := range list {
		if n := len(joined); n > 0 && s.from <= joined[n-1].to.Add(gap) {
			joined[n-1].to = max(joined[n-1].to, s.to)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// recovery finds the trial's; nil where no fault begins after the warm-up or ends, or where
// there is no objective.
func recovery(h *record.Header, bin time.Duration, counted []met) *Recovery {
	if h.Objective.Latency <= 0 {
		return nil
	}
	var r Recovery
	faults := faultsOf(h, bin)
	for i, f := range faults {
		end := core.Instant(h.Duration)
		if f.from >= core.Instant(h.WarmUp) {
			r.Begun++
			r.Within = longer(r.Begun, r.Within, metAgain(h, bin, counted, f))
		}
		if i+1 < len(faults) {
			end = faults[i+1].from
		}
		if f.to < core.Instant(h.Duration) && f.to >= core.Instant(h.WarmUp) {
			r.Ended++
			r.After = longer(r.Ended, r.After, metAgain(h, bin, counted, stretch{f.to, end}))
		}
	}
	if r.Begun == 0 && r.Ended == 0 {
		return nil
	}
	return &r
}

// longer is the longer of the n-th time and those before it; nil is the longest.
func longer(n int, before, this *float64) *float64 {
	if n == 1 || this == nil {
		return this
	}
	if before == nil || *before > *this {
		return before
	}
	return this
}

// metAgain is how long after the beginning of s the objective is met for the rest of it; nil
// when it is not.
func metAgain(h *record.Header, bin time.Duration, counted []met, s stretch) *float64 {
	first, last := int(s.from/core.Instant(bin)), int((s.to+core.Instant(bin)-1)/core.Instant(bin))
	var sum, least float64
	at := first
	for i := first; i < min(last, len(counted)); i++ {
		c := counted[i]
		sum += (1-h.Objective.Share)*float64(c.all) - float64(c.missed)
		if sum < least-1e-9 { // what rounding leaves of a sum that is 0 is no less
			least, at = sum, i+1
		}
	}
	if last-at <= (last-first)/50 {
		return nil
	}
	return new(max(0, (core.Instant(at)*core.Instant(bin) - s.from).Seconds()))
}

// medianRecovery takes the median of either figure over the trials; of more than half that
// did not recover there is none. Nil where no trial has a fault.
func medianRecovery(of []Figures) *Recovery {
	var m Recovery
	var within, after []float64
	add := func(list *[]float64, n int, seconds *float64) {
		switch {
		case n == 0:
		case seconds == nil:
			*list = append(*list, math.Inf(1))
		default:
			*list = append(*list, *seconds)
		}
	}
	any := false
	for i := range of {
		if r := of[i].Recovery; r != nil {
			any = true
			m.Begun, m.Ended = max(m.Begun, r.Begun), max(m.Ended, r.Ended)
			add(&within, r.Begun, r.Within)
			add(&after, r.Ended, r.After)
		}
	}
	if !any {
		return nil
	}
	m.Within, m.After = finite(median(within)), finite(median(after))
	return &m
}

// finite is x, nil where it is no number.
func finite(x float64) *float64 {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return nil
	}
	return &x
}
