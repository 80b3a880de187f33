package ewma

import (
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

func TestPackAndUnpack(t *testing.T) {
	const tick = core.Instant(1) << tickBits
	const wrap = tick << 32 // some 78 hours
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
		estimate, idle, known := unpack(pack(0.25, c.packed), c.read)
		if want := time.Duration(c.idle).Seconds(); estimate != 0.25 || idle != want || !known {
			t.Errorf("%s: got %v, idle %v, known %v, want 0.25, %v, true", name, estimate, idle, known, want)
		}
	}
	if _, _, known := unpack(0, 5); known {
		t.Error("the zero word: got known, want not")
	}
	// A latency of nothing at the epoch is a sample, too.
	if estimate, _, known := unpack(pack(0, 0), 0); !known || estimate > 1e-30 {
		t.Errorf("zero: got %v, known %v, want next to 0 and known", estimate, known)
	}
}
