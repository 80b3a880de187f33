package stat

import (
	"math"
	"math/bits"
	"time"
)

// The cells per power of two, as powers of two. A percentile is the middle of its cell,
// so with 1024 cells it lies within 1/2048, or 0.05 %, of the duration that it stands
// for; in a timeline, which is only looked at, 64 cells (0.8 %) will do.
const (
	fine   = 10
	coarse = 6
)

// histogram counts durations in cells that grow with them, the log-linear layout of
// HdrHistogram (Tene, hdrhistogram.org): every power of two of nanoseconds is cut into
// 2^grain cells of equal width, and below 2^grain ns each nanosecond has its own. An
// octave is allocated when it is first used, so a histogram takes as much memory as its
// durations are spread, however many they are.
//
// Count, sum, smallest and largest are exact. The zero value is empty and of grain 0;
// newHistogram sets another. A negative duration counts as 0. Not safe for concurrent
// use.
type histogram struct {
	grain     int
	count     uint64
	sum       [2]uint64 // 128 bits, the high half first
	low, high time.Duration
	octaves   [][]uint64 // nil where nothing has been counted
}

func newHistogram(grain int) histogram { return histogram{grain: grain} }

// add counts d.
func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	octave, cell := h.place(uint64(d))
	if octave >= len(h.octaves) || h.octaves[octave] == nil {
		h.open(octave)
	}
	h.octaves[octave][cell]++
	if h.count == 0 || d < h.low {
		h.low = d
	}
	h.high = max(h.high, d)
	h.count++
	var carry uint64
	h.sum[1], carry = bits.Add64(h.sum[1], uint64(d), 0)
	h.sum[0] += carry
}

// place is where v is counted. Octave 0 has the values below 2^grain, octave k those
// of grain+k binary digits.
func (h *histogram) place(v uint64) (octave int, cell uint64) {
	octave = bits.Len64(v) - h.grain
	if octave <= 0 {
		return 0, v
	}
	return octave, v>>(octave-1) - 1<<h.grain
}

// middle is the duration in the middle of a cell.
func (h *histogram) middle(octave, cell int) time.Duration {
	if octave == 0 {
		return time.Duration(cell)
	}
	width := time.Duration(1) << (octave - 1)
	return (1<<h.grain+time.Duration(cell))*width + width/2
}

// open makes room for an octave.
func (h *histogram) open(octave int) {
	for len(h.octaves) <= octave {
		h.octaves = append(h.octaves, nil)
	}
	h.octaves[octave] = make([]uint64, 1<<h.grain)
}

// merge adds what o has counted, which must be of the same grain.
func (h *histogram) merge(o *histogram) {
	if o.count == 0 {
		return
	}
	for octave, cells := range o.octaves {
		if cells == nil {
			continue
		}
		if octave >= len(h.octaves) || h.octaves[octave] == nil {
			h.open(octave)
		}
		for cell, n := range cells {
			h.octaves[octave][cell] += n
		}
	}
	if h.count == 0 || o.low < h.low {
		h.low = o.low
	}
	h.high = max(h.high, o.high)
	h.count += o.count
	var carry uint64
	h.sum[1], carry = bits.Add64(h.sum[1], o.sum[1], 0)
	h.sum[0] += o.sum[0] + carry
}

// mean is the exact mean, rounded to a float64 of seconds. There must be something to
// take it of.
func (h *histogram) mean() float64 {
	// The mean of 63-bit numbers has 63 bits, so the quotient fits.
	whole, rest := bits.Div64(h.sum[0], h.sum[1], h.count)
	return (float64(whole) + float64(rest)/float64(h.count)) / 1e9
}

// quantiles returns the quantiles at the given places, which must ascend: the
// p-quantile of n durations is the ⌈p·n⌉-th smallest, to the grain of the histogram and
// never outside of what was counted. The histogram must not be empty.
func (h *histogram) quantiles(places ...float64) []time.Duration {
	at := make([]time.Duration, 0, len(places))
	rank := func() uint64 {
		r := math.Ceil(places[len(at)] * float64(h.count))
		return min(max(uint64(r), 1), h.count)
	}
	var below uint64
	for octave, cells := range h.octaves {
		for cell, n := range cells {
			if n == 0 {
				continue
			}
			below += n
			for len(at) < len(places) && rank() <= below {
				at = append(at, min(max(h.middle(octave, cell), h.low), h.high))
			}
		}
	}
	return at
}
