package ewma

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

func TestPackAndUnpack(t *testing.T) {
	const tick = core.Instant(1) << tickBits
	const wrap = tick << stampBits // some 78 hours
	cases := map[string]struct {
		packed, read core.Instant
		idle         core.Instant
	}{
		"at once":                        {5 * tick, 5 * tick, 0},
		"within a tick":                  {5 * tick, 6*tick - 1, 0},
		"a tick later":                   {5 * tick, 6 * tick, tick},
		"an hour later":                  {0, 3600e9, 3600e9 / tick * tick},
		"a reader a little behind":       {5 * tick, 4 * tick, 0},
		"behind by as much as it may be": {ahead * tick, tick, 0},
		"further ahead is long ago":      {(ahead + 2) * tick, 0, wrap - (ahead+2)*tick},
		"over the wrap":                  {wrap - 3*tick, wrap + 7*tick, 10 * tick},
		"over the wrap and behind":       {wrap, wrap - tick, 0},
		"after many wraps":               {9*wrap + 2*tick, 9*wrap + 5*tick, 3 * tick},
	}
	for name, c := range cases {
		estimate, idle, samples := unpack(pack(0.25, 3, c.packed), c.read)
		if want := time.Duration(c.idle).Seconds(); estimate != 0.25 || math.Abs(idle-want) > 1e-12*want || samples != 3 {
			t.Errorf("%s: got %v, idle %v, %d samples, want 0.25, %v, 3", name, estimate, idle, samples, want)
		}
	}
	if _, _, samples := unpack(0, 5); samples != 0 {
		t.Errorf("the zero word: got %d samples, want none", samples)
	}
	// A latency of nothing at the epoch is a sample, too.
	if estimate, _, samples := unpack(pack(0, 1, 0), 0); samples != 1 || estimate != float64(float32(1e-9)) {
		t.Errorf("zero: got %v of %d samples, want 1e-9 of 1", estimate, samples)
	}
	for given, want := range map[uint32]uint32{1: 1, 14: 14, 15: 15, 16: 15, math.MaxUint32: 15} {
		if _, _, got := unpack(pack(1, given, 0), 0); got != want {
			t.Errorf("%d samples: got %d, want %d", given, got, want)
		}
	}
}

// What is packed is what is unpacked: the estimate to within what a float32 rounds, the
// idle time to within a tick, the samples up to fifteen.
func FuzzWord(f *testing.F) {
	f.Add(0.25, uint32(1), int64(0), int64(0))
	f.Add(0.0, uint32(15), int64(1)<<(tickBits+stampBits)-1, int64(1)<<tickBits)
	f.Add(1e6, uint32(99), int64(math.MaxInt64/2), int64(3600e9))
	f.Fuzz(func(t *testing.T, estimate float64, samples uint32, at, idle int64) {
		const longest = int64(stamps-ahead) << tickBits
		if !(estimate >= 0 && estimate < 1e9) || at < 0 || at > math.MaxInt64/2 || idle < 0 || idle >= longest || samples == 0 {
			return // beyond what a word holds
		}
		word := pack(estimate, samples, core.Instant(at))
		if word == 0 {
			t.Fatal("a sample became the word for none")
		}
		gotEstimate, gotIdle, gotSamples := unpack(word, core.Instant(at+idle))
		if want := max(estimate, 1e-9); math.Abs(gotEstimate-want) > 1e-7*want {
			t.Errorf("estimate: got %v, want %v", gotEstimate, want)
		}
		const tick = float64(1<<tickBits) / 1e9
		if want := float64(idle) / 1e9; math.Abs(gotIdle-want) > tick+1e-9 {
			t.Errorf("idle: got %v, want %v", gotIdle, want)
		}
		if want := min(samples, counted); gotSamples != want {
			t.Errorf("samples: got %d, want %d", gotSamples, want)
		}
	})
}
