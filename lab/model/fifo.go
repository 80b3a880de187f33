package model

import "github.com/evenkeel/evenkeel/core"

// fifo works on as many jobs at once as it has slots; more wait for their turn, first in,
// first out.
type fifo struct {
	*course
	slots, room int

	ends    Heap[ending] // of the jobs in the slots
	seq     uint64
	waiting []job // from head on
	head    int

	// books of the work
	counted core.Instant // up to when worked is counted
	worked  float64      // slots in use × speed, over time
	settled float64      // of jobs that are out of their slots

	// free is when each slot would become free if nothing came any more; of use while
	// projected.
	free      Heap[moment]
	projected bool
}

// ending is a job in a slot, whose end is known.
type ending struct {
	job
	began core.Instant
	at    core.Instant
	seq   uint64 // ends at the same instant come in the order of their beginnings
}

// Before orders endings by instant.
func (e ending) Before(other ending) bool {
	return e.at < other.at || e.at == other.at && e.seq < other.seq
}

// moment is an instant in a heap.
type moment core.Instant

// Before orders moments.
func (m moment) Before(other moment) bool { return m < other }

func (f *fifo) queued() int { return len(f.waiting) - f.head }

func (f *fifo) load() (busy, waiting int) { return len(f.ends), f.queued() }

func (f *fifo) next() core.Instant {
	if len(f.ends) == 0 {
		return core.Never
	}
	return f.ends[0].at
}

func (f *fifo) accept(now core.Instant, j job) bool {
	if len(f.ends) == f.slots && f.queued() == f.room {
		return false
	}
	if f.projected {
		f.project(now, j)
	}
	if len(f.ends) < f.slots {
		f.start(now, j)
	} else {
		f.waiting = append(f.waiting, j)
	}
	return true
}

// start lets a job have a slot.
func (f *fifo) start(now core.Instant, j job) {
	f.count(now)
	if crowding := f.phase(now).Crowding; crowding > 0 {
		j.work *= 1 + crowding*float64(len(f.ends)+f.queued())
		f.projected = false // which knows nothing of crowds to come
	}
	f.ends.Push(ending{j, now, f.finished(now, j.work), f.seq})
	f.seq++
}

// count adds up the work that was done since it was last counted.
func (f *fifo) count(now core.Instant) {
	if now > f.counted && len(f.ends) > 0 {
		f.worked += float64(len(f.ends)) * f.course.worked(f.counted, now)
	}
	f.counted = max(f.counted, now)
}

func (f *fifo) finish() job {
	f.count(f.ends[0].at)
	e := f.ends.Pop()
	f.settled += e.work
	f.refill(e.at)
	return e.job
}

// refill gives a slot that has become free to the first in the queue.
func (f *fifo) refill(now core.Instant) {
	if f.queued() > 0 {
		j := f.dequeue()
		f.start(max(now, j.arrived), j)
	}
}

// dequeue takes the first in the queue out. The space of those gone is used again
// once they are half of it, so that a queue which is never empty does not grow.
func (f *fifo) dequeue() job {
	first := f.waiting[f.head]
	f.head++
	if 2*f.head >= len(f.waiting) {
		f.waiting = f.waiting[:copy(f.waiting, f.waiting[f.head:])]
		f.head = 0
	}
	return first
}

func (f *fifo) cancel(now core.Instant, id uint64) bool {
	for i := range f.ends {
		if f.ends[i].id == id {
			f.leave(now, i)
			f.refill(now)
			return true
		}
	}
	for i := f.head; i < len(f.waiting); i++ {
		if f.waiting[i].id == id {
			f.waiting = append(f.waiting[:i], f.waiting[i+1:]...)
			f.projected = false
			return true
		}
	}
	return false
}

// leave takes a job out of its slot before its end.
func (f *fifo) leave(now core.Instant, i int) {
	f.count(now)
	e := f.ends.Remove(i)
	f.settled += f.done(e, now)
	f.projected = false
}

// done is how much of a job's work is done by now.
func (f *fifo) done(e ending, now core.Instant) float64 {
	return f.course.worked(e.began, now)
}

func (f *fifo) fall(now core.Instant, each func(job)) {
	var cut Heap[ending] // by sequence: that of their arrivals
	for len(f.ends) > 0 {
		e := f.ends[0]
		f.leave(now, 0)
		e.at = 0
		cut.Push(e)
	}
	for len(cut) > 0 {
		each(cut.Pop().job)
	}
	for f.queued() > 0 {
		each(f.dequeue())
	}
}

// preview goes by when the slots become free: the next job begins in the first of them.
// A projection in a crowd is of no use later, when the crowd is another one.
func (f *fifo) preview(now core.Instant, j job) (core.Instant, bool) {
	if len(f.ends) == f.slots && f.queued() == f.room {
		return core.Never, false
	}
	if !f.projected {
		f.reproject(now)
	}
	work := j.work
	if crowding := f.phase(now).Crowding; crowding > 0 {
		work *= 1 + crowding*float64(len(f.ends)+f.queued())
		f.projected = false
	}
	return f.finished(max(now, core.Instant(f.free[0])), work), true
}

// reproject works out anew when the slots become free. That of jobs in a crowd is an
// estimate: each as if the crowd stayed as it is.
func (f *fifo) reproject(now core.Instant) {
	f.free = f.free[:0]
	for _, e := range f.ends {
		f.free.Push(moment(e.at))
	}
	for len(f.free) < f.slots {
		f.free.Push(moment(now))
	}
	f.projected = true
	for i := f.head; i < len(f.waiting); i++ {
		f.project(now, f.waiting[i])
	}
}

// project adds a job to the projection.
func (f *fifo) project(now core.Instant, j job) {
	work := j.work
	if crowding := f.phase(now).Crowding; crowding > 0 {
		work *= 1 + crowding*float64(len(f.ends)+f.queued())
	}
	start := max(now, core.Instant(f.free.Pop()))
	f.free.Push(moment(f.finished(start, work)))
}

func (f *fifo) audit(now core.Instant) (worked, accounted float64) {
	f.count(now)
	accounted = f.settled
	for _, e := range f.ends {
		accounted += f.done(e, max(now, f.counted))
	}
	return f.worked, accounted
}
