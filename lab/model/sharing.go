package model

import "github.com/evenkeel/evenkeel/core"

// sharing works on all its jobs at once: n jobs share c cores evenly, and none gets more
// than one, so each gets min(1, c/n) of the server's speed.
//
// It keeps what a job that has been there all along would have got so far; a job is done
// when that has grown by its work. The order in which jobs end is then known when they
// arrive, and only the time at which the first of them ends changes with n.
type sharing struct {
	*course
	cores, most int

	share   float64 // what each job got so far, in nanoseconds of work
	reached float64 // what the last job to end was to get: any other of that ends with it
	counted core.Instant
	ends    Heap[portion]
	seq     uint64
	due     core.Instant // of the first; of use while known
	known   bool

	worked, settled float64 // books of the work

	ahead Heap[portion] // of use during a preview: kept for the next one
}

// portion is a job that is done when the share has come to until.
type portion struct {
	job
	until float64
	seq   uint64
}

// Before orders portions by their ends.
func (p portion) Before(other portion) bool {
	return p.until < other.until || p.until == other.until && p.seq < other.seq
}

func (s *sharing) load() (busy, waiting int) { return len(s.ends), 0 }

// rate is what each of n jobs gets of the speed.
func (s *sharing) rate(n int) float64 { return min(1, float64(s.cores)/float64(n)) }

// count adds up what was done since it was last counted.
func (s *sharing) count(now core.Instant) {
	if n := len(s.ends); n > 0 && now > s.counted {
		got := s.rate(n) * s.course.worked(s.counted, now)
		s.share += got
		s.worked += float64(n) * got
	}
	s.counted = max(s.counted, now)
	s.known = false
}

func (s *sharing) accept(now core.Instant, j job) bool {
	if len(s.ends) == s.most {
		return false
	}
	s.count(now)
	j.work = s.crowded(now, j.work)
	s.ends.Push(portion{j, s.share + j.work, s.seq})
	s.seq++
	return true
}

// crowded is the work of a job that finds the others there.
func (s *sharing) crowded(now core.Instant, work float64) float64 {
	return work * (1 + s.phase(now).Crowding*float64(len(s.ends)))
}

func (s *sharing) next() core.Instant {
	if len(s.ends) == 0 {
		return core.Never
	}
	if !s.known {
		s.due, s.known = s.counted, true
		if first := s.ends[0].until; first > s.reached {
			s.due = s.finished(s.counted, (first-s.share)/s.rate(len(s.ends)))
		}
	}
	return s.due
}

func (s *sharing) finish() job {
	at := s.next()
	s.count(at)
	p := s.ends.Pop()
	s.settled += p.work
	s.reached = max(s.reached, p.until)
	return p.job
}

func (s *sharing) cancel(now core.Instant, id uint64) bool {
	for i := range s.ends {
		if s.ends[i].id == id {
			s.leave(now, i)
			return true
		}
	}
	return false
}

// leave takes a job out before its end.
func (s *sharing) leave(now core.Instant, i int) job {
	s.count(now)
	p := s.ends.Remove(i)
	s.settled += p.work - (p.until - s.share)
	return p.job
}

func (s *sharing) fall(now core.Instant, each func(job)) {
	var cut Heap[portion] // by sequence: that of their arrivals
	for len(s.ends) > 0 {
		seq := s.ends[0].seq
		cut.Push(portion{job: s.leave(now, 0), seq: seq})
	}
	for len(cut) > 0 {
		each(cut.Pop().job)
	}
}

// preview lets a copy take the job in and end one job after the other.
func (s *sharing) preview(now core.Instant, j job) (core.Instant, bool) {
	ahead := *s
	ahead.ends = append(s.ahead[:0], s.ends...)
	if !ahead.accept(now, j) {
		return core.Never, false
	}
	s.ahead = ahead.ends
	for {
		at, last := ahead.next(), ahead.ends[0].seq == s.seq
		if last || at == core.Never {
			return at, true
		}
		ahead.finish()
	}
}

func (s *sharing) audit(now core.Instant) (worked, accounted float64) {
	s.count(now)
	accounted = s.settled
	for _, p := range s.ends {
		accounted += p.work - (p.until - s.share)
	}
	return s.worked, accounted
}
