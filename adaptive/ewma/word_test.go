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
	if estimate, _, samples := unpack(pack(0, 1, 0), 0); samples != 1 || estimate > 1e-30 {
		t.Errorf("zero: got %v of %d samples, want next to 0 of 1", estimate, samples)
	}
	for given, want := range map[uint32]uint32{1: 1, 14: 14, 15: 15, 16: 15, math.MaxUint32: 15} {
		if _, _, got := unpack(pack(1, given, 0), 0); got != want {
			t.Errorf("%d samples: got %d, want %d", given, got, want)
		}
	}
}
