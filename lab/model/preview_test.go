package model

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

func TestPreview(t *testing.T) {
	effects := []Effect{
		down(5, 6), trouble(20, 21, Trouble{Fate: Hang}), trouble(21, 22, Trouble{Fate: Fail, Code: 500, Latency: 9 * ms}),
		trouble(22, 23, Trouble{Fate: Break, Latency: 2 * ms}), down(30, 40), trouble(50, 51, Trouble{Fate: Hang}),
		{From: at(60), To: core.Never, Paused: true},
	}
	for _, c := range []struct {
		name   string
		at     float64
		demand time.Duration
		want   core.Instant
		ok     bool
	}{
		{"done as it falls", 4, ms, at(5), true},
		{"broken as it falls", 4, ms + 1, at(5), false},
		{"refused", 5, ms, at(5), false},
		{"long after a fall that nobody was told of", 10, ms, at(11), true},
		{"hangs until it falls", 20, ms, at(30), false},
		{"fails as it falls", 21, ms, at(30), false},
		{"breaks before it falls", 22, ms, at(24), false},
		{"hangs for good", 50, ms, core.Never, false},
		{"is stopped for good", 60, ms, core.Never, false},
		{"has no work", 60, 0, at(60), true},
	} {
		for _, sharing := range []bool{false, true} {
			s := New(Settings{Slots: 1, Sharing: sharing}, NewTimeline(effects))
			if got, ok := s.Preview(at(c.at), Job{Demand: c.demand}); got != c.want || ok != c.ok {
				t.Errorf("%s, sharing %t: got %v, %t, want %v, %t", c.name, sharing, time.Duration(got), ok, time.Duration(c.want), c.ok)
			}
			s.Arrive(at(c.at), Job{ID: 1, Demand: time.Hour})
			if got, ok := s.Preview(at(c.at), Job{Demand: c.demand}); s.Busy() == 1 && (got != at(c.at) || ok) {
				t.Errorf("%s, sharing %t, but no room: got %v, %t", c.name, sharing, time.Duration(got), ok)
			}
		}
	}
}

// What a preview foretells is what comes about when the request comes and nothing after
// it; and to look ahead changes nothing. For any servers, faults (crowds only where the
// preview is exact), arrivals and cancellations, at any instant.
func TestPreviewComesTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := Settings{
			Slots: rapid.IntRange(1, 3).Draw(t, "slots"), Room: rapid.IntRange(0, 4).Draw(t, "room"),
			Sharing: rapid.Bool().Draw(t, "sharing"),
		}
		timeline := NewTimeline(drawFaults(t, v.Sharing))
		ops := drawOps(t, 15, true)
		s := New(v, timeline)
		for i, o := range append(slices.Clone(ops), op{at: at(0.2)}, op{at: core.Instant(time.Hour)}) {
			finish(s, o.at)
			job := Job{ID: 1000, Demand: time.Duration(rapid.IntRange(0, 30_000).Draw(t, "demand")), Luck: core.NewKey(77)}
			when, ok := s.Preview(o.at, job)

			again := New(v, timeline)
			var want Done
			for _, d := range perform(again, append(slices.Clone(ops[:min(i, len(ops))]), op{at: o.at, job: job}), core.Never) {
				if d.ID == job.ID {
					want = d
				}
			}
			switch {
			case want == Done{} && (when != core.Never || ok):
				t.Fatalf("at %d: foreseen %d, %t, but it never ends", o.at, when, ok)
			case want != Done{} && (when != want.At || ok != (want.Code == OK)):
				t.Fatalf("at %d: foreseen %d, %t, but it ends at %d with %d", o.at, when, ok, want.At, want.Code)
			}
			if i >= len(ops) {
				continue
			}
			if o.cancel {
				s.Cancel(o.at, o.job.ID)
			} else {
				s.Arrive(o.at, o.job)
			}
		}
	})
}

// A reference that looks ahead at every server for every request makes no garbage of it.
func TestPreviewAllocates(t *testing.T) {
	for _, sharing := range []bool{false, true} {
		s := New(Settings{Slots: 2, Room: 4, Sharing: sharing}, NewTimeline(nil))
		for id := range uint64(5) {
			s.Arrive(0, Job{ID: id, Demand: ms})
		}
		if n := testing.AllocsPerRun(100, func() { s.Preview(0, Job{ID: 9, Demand: ms}) }); n != 0 {
			t.Errorf("sharing %t: %v allocations, want none", sharing, n)
		}
	}
}
