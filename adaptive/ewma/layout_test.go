package ewma

import (
	"testing"
	"unsafe"
)

// An estimator is one line of memory, and where it has classes, as well, it begins with one.
func TestEstimatorLayout(t *testing.T) {
	const line = 64
	if size := unsafe.Sizeof(Estimator{}); size != line {
		t.Errorf("an estimator is %d bytes: expected one line, of %d", size, line)
	}
	for i := range somePlain {
		somePlain[i], someClassed[i] = new(Estimator), new(ClassedEstimator)
		if uintptr(unsafe.Pointer(somePlain[i]))%line != 0 || uintptr(unsafe.Pointer(someClassed[i]))%line != 0 {
			t.Errorf("estimator %d begins within a line", i)
		}
	}
}

// More than could be aligned by chance, and global, so that it is the heap where they are.
var (
	somePlain   [9]*Estimator
	someClassed [9]*ClassedEstimator
)
