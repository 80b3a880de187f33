package model

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

// Whatever happens, no request gets lost and no work: at any instant of any play with
// every kind of fault the books add up; each request ends once at most, not before it came,
// and in the order of time; and what is to end is foretold by Next.
func TestConservation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := Settings{
			Slots: rapid.IntRange(1, 3).Draw(t, "slots"), Room: rapid.IntRange(0, 4).Draw(t, "room"),
			Sharing: rapid.Bool().Draw(t, "sharing"),
		}
		effects := append(drawFaults(t, true), Effect{
			From: math.MinInt64, To: core.Never,
			Speed: rapid.SampledFrom([]float64{1, 1e-3, 100, 1000}).Draw(t, "speed"),
		})
		s := New(v, NewTimeline(effects))
		came := map[uint64]core.Instant{}
		var last core.Instant = math.MinInt64
		take := func(until core.Instant) {
			for s.Next() <= until && s.Next() != core.Never {
				next := s.Next()
				d, ok := s.Finish(next)
				if !ok || d.At != next {
					t.Fatalf("foretold for %d: got %+v, %t", next, d, ok)
				}
				if from, ok := came[d.ID]; !ok || d.At < from || d.At < last {
					t.Fatalf("ends at %d, after one at %d, but came at %d (%t)", d.At, last, from, ok)
				}
				delete(came, d.ID)
				last = d.At
			}
			if d, ok := s.Finish(until); ok {
				t.Fatalf("not foretold: %+v", d)
			}
		}
		ops := append(drawOps(t, 40, true), op{at: core.Instant(time.Second), cancel: true, job: Job{ID: 1 << 40}})
		for _, o := range ops {
			take(o.at)
			before := s.cancelled
			if o.cancel {
				s.Cancel(o.at, o.job.ID)
				if _, there := came[o.job.ID]; there != (s.cancelled > before) {
					t.Fatalf("request %d: there %t, cancelled %t", o.job.ID, there, s.cancelled > before)
				}
				delete(came, o.job.ID)
			} else {
				s.Arrive(o.at, o.job)
				came[o.job.ID] = o.at
			}
			if err := s.Audit(o.at); err != nil {
				t.Fatalf("after %+v: %v", o, err)
			}
			if inside := s.inside(); inside != len(came) {
				t.Fatalf("%d inside, want %d", inside, len(came))
			}
		}
		if s.Next() != core.Never && len(came) == 0 {
			t.Fatalf("empty, and yet next at %d", s.Next())
		}
	})
}

// The books tell when anything is not as it should be.
func TestAudit(t *testing.T) {
	for _, shares := range []bool{false, true} {
		fresh := func() *Server {
			s := New(Settings{Slots: 2, Room: 5, Sharing: shares}, NewTimeline([]Effect{
				trouble(20, 30, Trouble{Fate: Fail, Code: 500, Latency: time.Second}), trouble(30, 40, Trouble{Fate: Hang}),
			}))
			steps := []step{{0, 1, 4 * ms}, {0, 2, 9 * ms}, {1, 3, 60 * ms}, {2, 4, 60 * ms}, {3, 5, 60 * ms}, {10, 5, gone}, {25, 6, ms}, {35, 7, ms}}
			perform(s, calls(steps), at(35))
			return s
		}
		if err := fresh().Audit(at(36)); err != nil {
			t.Errorf("sharing %t: %v", shares, err)
		}
		for _, c := range []struct {
			name   string
			tamper func(*Server)
			want   string
		}{
			{"one more arrived", func(s *Server) { s.arrived++ }, "requests"},
			{"one less ended", func(s *Server) { s.ended-- }, "requests"},
			{"one less cancelled", func(s *Server) { s.cancelled-- }, "requests"},
			{"one hangs no more", func(s *Server) { s.hanging = nil }, "requests"},
			{"an answer is lost", func(s *Server) { s.answers = nil }, "requests"},
			{"a job is lost", func(s *Server) {
				if s.station == &s.queue {
					s.queue.ends.Pop()
				} else {
					s.station.(*sharing).ends.Pop()
				}
			}, "requests"},
			{"a job ends too soon", func(s *Server) {
				if s.station == &s.queue {
					s.queue.ends[0].at -= at(5)
				} else {
					shared := s.station.(*sharing)
					shared.ends[0].until -= 1e6
					shared.known = false
				}
				finish(s, at(100))
			}, "work"},
			{"too much work done", func(s *Server) { *worked(s) += 1000 }, "work"},
			{"too little work done", func(s *Server) { *worked(s) -= 1000 }, "work"},
			{"not a number", func(s *Server) { *worked(s) = math.NaN() }, "work"},
		} {
			s := fresh()
			c.tamper(s)
			if err := s.Audit(at(36)); err == nil || !strings.HasPrefix(err.Error(), c.want+" ") {
				t.Errorf("sharing %t, %s: got %v, want that %s is not conserved", shares, c.name, err, c.want)
			}
		}
	}
}

// worked is where a server's station counts its work.
func worked(s *Server) *float64 {
	if s.station == &s.queue {
		return &s.queue.worked
	}
	return &s.station.(*sharing).worked
}
