package breaker

import (
	"testing"
	"unsafe"
)

// All that an attempt that goes well reads of a closed breaker is on its first line of
// memory, and it begins with one.
func TestBreakerLayout(t *testing.T) {
	const line = 64
	var b Breaker
	if end := unsafe.Offsetof(b.units) + unsafe.Sizeof(b.units); end > line || unsafe.Offsetof(b.settings) < end {
		t.Errorf("the outcomes' units end at %d: expected the first line, before the settings", end)
	}
	for i := range someBreakers {
		someBreakers[i] = new(Breaker)
		if uintptr(unsafe.Pointer(someBreakers[i]))%line != 0 {
			t.Errorf("breaker %d begins within a line", i)
		}
	}
}

// someBreakers are more than could be aligned by chance, and global, so that it is the heap
// where they are.
var someBreakers [9]*Breaker
