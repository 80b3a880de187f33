package ewma

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// The first terms are as good as the exponential, and there is no step where they end.
func TestKeepsLittle(t *testing.T) {
	for x := 0.0; x < 0.01; x += 1e-5 {
		if got, want := keeps(x), math.Exp(-x); math.Abs(got-want) > 2e-7 {
			t.Errorf("keeps(%v): got %v, want %v", x, got, want)
		}
	}
}

// Beyond, it is the exponential to 1e-12 of it, as long as there is anything.
func TestKeepsMuch(t *testing.T) {
	exact := func(t interface{ Errorf(string, ...any) }, x float64) {
		if got, want := keeps(x), math.Exp(-x); math.Abs(got-want) > 2e-12*want {
			t.Errorf("keeps(%v): got %v, want %v", x, got, want)
		}
	}
	for n := 1; n < 700; n++ { // where one root takes over from another, and a power from the next
		at := float64(n) * math.Ln2 / rootsOfTwo
		for _, x := range []float64{math.Nextafter(at, 0), at, math.Nextafter(at, 1)} {
			exact(t, max(x, 0.01))
		}
	}
	rapid.Check(t, func(t *rapid.T) { exact(t, rapid.Float64Range(0.01, keepsNothing-1).Draw(t, "x")) })
	for _, x := range []float64{keepsNothing, 1e9, math.MaxFloat64, math.Inf(1)} {
		if got := keeps(x); got != 0 {
			t.Errorf("keeps(%v): got %v, want 0", x, got)
		}
	}
}
