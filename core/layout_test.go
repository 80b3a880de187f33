package core

import (
	"testing"
	"unsafe"
)

// What stands together on a line of memory is what Member promises, and the allocator has
// to give it whole lines for that.
func TestMemberLayout(t *testing.T) {
	var m Member
	if size := unsafe.Sizeof(m); size%cacheLine != 0 {
		t.Errorf("a member is %d bytes, no whole number of lines", size)
	}
	if end := unsafe.Offsetof(m.gates) + unsafe.Sizeof(m.gates[0]); end > cacheLine {
		t.Errorf("what a look reads, and the first gate, end at %d, beyond the first line", end)
	}
	if end := unsafe.Offsetof(m.pool) + unsafe.Sizeof(m.pool); end > 2*cacheLine {
		t.Errorf("what an attempt goes by ends at %d, beyond the second line", end)
	}
	for i := range someMembers {
		someMembers[i] = new(Member)
		if uintptr(unsafe.Pointer(someMembers[i]))%cacheLine != 0 {
			t.Errorf("member %d begins within a line", i)
		}
	}
}

// someMembers are more than could be aligned by chance, and global, so that it is the heap
// where they are.
var someMembers [9]*Member
