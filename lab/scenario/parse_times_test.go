package scenario

import (
	"slices"
	"strings"
	"testing"
)

// Whatever stands in a file of times, it is read to ascending times that can be, or
// refused with at most so many mistakes.
func FuzzTimes(f *testing.F) {
	for _, text := range []string{"", "1\n2.5\n", "seconds\n1e-9\n", "# x\n\n0\n", "nan", "-1", "1e999", "0x1p-2", "1_0", "\xff\n1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		times, err := parseTimes("f", strings.NewReader(text))
		switch {
		case err != nil && times != nil:
			t.Fatalf("times and an error: %v", err)
		case err != nil:
			if n := strings.Count(err.Error(), "\n") + 1; n > maxMistakes+1 || err.Error() == "" {
				t.Fatalf("%d mistakes", n)
			}
		case len(times) == 0 || !slices.IsSorted(times) || times[0] < 0 || times[len(times)-1].Seconds() > maxSeconds:
			t.Fatalf("got %v", times)
		}
	})
}

// A file may have so many lines, and not one more.
func TestMaxLines(t *testing.T) {
	text := strings.Repeat("\n", MaxLines-1) + "1\n"
	if times, err := parseTimes("f", strings.NewReader(text)); err != nil || len(times) != 1 {
		t.Errorf("%d lines: got %d times, %v", MaxLines, len(times), err)
	}
	_, err := parseTimes("f", strings.NewReader(text+"\n"))
	if err == nil || err.Error() != "f:10000001:1: expected at most 10000000 lines" {
		t.Errorf("one more: got %v", err)
	}
}
