package explain_test

import (
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/explain"
)

func TestNoLog(t *testing.T) {
	for _, l := range []*explain.Log{nil, explain.NewLog("a", 0, 5), explain.NewLog("a", 5, 0), explain.NewLog("a", -1, -1)} {
		if l != nil || l.Wants(0, 0) {
			t.Errorf("got %v, want none, which wants nothing", l)
		}
	}
}

// One in n draws is wanted: those below 2^64/n.
func TestWantsOneInSo(t *testing.T) {
	const ms = core.Instant(time.Millisecond)
	for _, n := range []int{1, 2, 1000} {
		l := explain.NewLog("web", n, 1)
		now := core.Instant(0)
		edge := uint64(math.MaxUint64 / uint64(n)) // rounded down: the last that is wanted
		for draw, want := range map[uint64]bool{0: true, edge / 2: true, edge: true, edge + 2: n == 1, math.MaxUint64: n == 1} {
			now += ms
			if got := l.Wants(now, draw); got != want {
				t.Errorf("one in %d, draw %d: got %v, want %v", n, draw, got, want)
			}
		}
	}
}

// At most one request a millisecond is wanted, and one that is not wanted costs the next
// nothing.
func TestWantsAreApart(t *testing.T) {
	l := explain.NewLog("web", 2, 1)
	for _, step := range []struct {
		at   core.Instant
		draw uint64
		want bool
	}{
		{0, math.MaxUint64, false}, {0, 0, true}, {0, 0, false}, {999_999, 0, false}, {1_000_000, 0, true},
		{1_999_999, 0, false}, {5_000_000, math.MaxUint64, false}, {5_000_001, 0, true}, {5_999_999, 0, false}, {6_000_001, 0, true},
	} {
		if got := l.Wants(step.at, step.draw); got != step.want {
			t.Errorf("at %d: got %v, want %v", step.at, got, step.want)
		}
	}
}

func TestWantsAllocatesNothing(t *testing.T) {
	l := explain.NewLog("web", 1000, 1)
	now, draw := core.Instant(0), uint64(0)
	if got := testing.AllocsPerRun(1000, func() {
		now += 500_000
		draw += math.MaxUint64 / 10_000
		l.Wants(now, draw)
	}); got != 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}

func TestLogKeepsTheLatest(t *testing.T) {
	l := explain.NewLog("web", 1, 3)
	if l.Pool() != "web" {
		t.Errorf("pool: got %s", l.Pool())
	}
	want := ""
	for i := range 8 {
		got := ""
		for _, r := range l.Latest(100) {
			got += string(rune('0'+int(r.At))) + r.Route + string(rune('0'+r.Attempt))
		}
		if got != want {
			t.Errorf("after %d: got %s, want %s", i, got, want)
		}
		l.Keep(&core.Decision{At: core.Instant(i)}, "r", i%3)
		want = string(rune('0'+i)) + "r" + string(rune('0'+i%3)) + want
		want = want[:min(len(want), 9)]
	}
	for limit, want := range map[int]int{-1: 0, 0: 0, 1: 1, 2: 2, 3: 3, 4: 3} {
		list := l.Latest(limit)
		if len(list) != want || want > 0 && list[0].At != 7 {
			t.Errorf("the latest %d: got %d, want %d beginning with the last", limit, len(list), want)
		}
	}
}

// What is kept is a copy.
func TestLogCopies(t *testing.T) {
	l := explain.NewLog("web", 1, 3)
	d := core.Decision{At: 1}
	l.Keep(&d, "r", 1)
	d.At = 2
	l.Latest(1)[0].At = 3
	if got := l.Latest(1)[0].At; got != 1 {
		t.Errorf("got %d, want 1", got)
	}
}

// Everybody at once: what is read is whole, and no decision is there twice.
func TestLogUnderRace(t *testing.T) {
	l := explain.NewLog("web", 1, 16)
	var wait sync.WaitGroup
	for g := range 4 {
		wait.Go(func() {
			for i := range 1000 {
				at := core.Instant(g*1000 + i)
				if l.Wants(at*1e6, 0) || i%2 == 0 {
					l.Keep(&core.Decision{At: at, Considered: int(at)}, strings.Repeat("r", g), int(at))
				}
			}
		})
	}
	for range 2 {
		wait.Go(func() {
			for range 500 {
				seen := map[core.Instant]bool{}
				for _, r := range l.Latest(16) {
					if r.Considered != int(r.At) || r.Attempt != int(r.At) || len(r.Route) != int(r.At)/1000 || seen[r.At] {
						t.Errorf("half a record, or one twice: %v", r)
					}
					seen[r.At] = true
				}
			}
		})
	}
	wait.Wait()
	for i := range 16 { // whoever found a reader at the log has kept nothing, and that may have been all
		l.Keep(&core.Decision{At: core.Instant(i)}, "", i)
	}
	if got := len(l.Latest(100)); got != 16 {
		t.Errorf("kept: got %d, want 16", got)
	}
}

func BenchmarkWants(b *testing.B) {
	l := explain.NewLog("web", 1000, 64)
	draw := uint64(1)
	for i := range b.N {
		draw = draw*6364136223846793005 + 1442695040888963407
		l.Wants(core.Instant(i*1000), draw)
	}
}

func BenchmarkKeep(b *testing.B) {
	l := explain.NewLog("web", 1000, 64)
	var d core.Decision
	b.ReportAllocs()
	for range b.N {
		l.Keep(&d, "route", 1)
	}
}
