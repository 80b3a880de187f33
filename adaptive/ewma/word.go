package ewma

import (
	"math"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// An estimate, the stamp of its last sample and how many samples it is made of are one
// atomic word, so that a sample is taken in by one compare-and-swap and a reader never sees
// parts of two: a float32 of seconds; 4 bits that count samples up to 15; 28 bits of time in
// ticks of 2^20 ns (1.05 ms), which wrap after 78 hours. Of the samples within a tick the
// first weighs for all: at thousands of answers a second still an unbiased choice among
// them. A word of 0 means no sample yet.
const (
	tickBits  = 20
	stampBits = 28
	stamps    = 1<<stampBits - 1
	// ahead is how many ticks a stamp may lie ahead of a reader that read its
	// clock a little earlier; further ahead is long ago.
	ahead = 1 << 12
	// counted is how far samples are counted.
	counted = 15
	// least is the least estimate, in seconds: one that is known is above 0, and still is
	// when it has been taken from a median and added again.
	least = 1e-9
)

// tick is the length of one in seconds.
const tick = float64(1<<tickBits) / float64(time.Second)

func pack(estimate float64, samples uint32, now core.Instant) uint64 {
	bits := math.Float32bits(float32(max(estimate, least)))
	return uint64(bits)<<32 | uint64(min(samples, counted))<<stampBits | uint64(now>>tickBits)&stamps
}

// unpack returns the estimate and its age, both in seconds, and how many samples it is made
// of, up to 15; 0 when there is none.
func unpack(word uint64, now core.Instant) (estimate, idle float64, samples uint32) {
	if word == 0 {
		return 0, 0, 0
	}
	ticks := (uint32(now>>tickBits) - uint32(word)) & stamps
	if ticks > stamps-ahead {
		ticks = 0
	}
	return float64(math.Float32frombits(uint32(word >> 32))), float64(ticks) * tick, uint32(word) >> stampBits
}
