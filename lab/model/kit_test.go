package model

import (
	"math/big"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

// op is one call of a server's methods, so that a play can be played again.
type op struct {
	at     core.Instant
	cancel bool
	job    Job // to cancel: its ID
}

// perform plays the calls on a server, taking out in time what ends: before each call what
// ends by then, and in the end what ends by until.
func perform(s *Server, ops []op, until core.Instant) []Done {
	var all []Done
	for _, o := range ops {
		all = append(all, finish(s, o.at)...)
		if o.cancel {
			s.Cancel(o.at, o.job.ID)
		} else {
			s.Arrive(o.at, o.job)
		}
	}
	return append(all, finish(s, until)...)
}

// drawOps draws arrivals at whole microseconds of whole microseconds of work, and if asked
// for cancellations of what may be there still.
func drawOps(t *rapid.T, most int, cancels bool) []op {
	var ops []op
	now := core.Instant(rapid.IntRange(-20, 5).Draw(t, "first")) * 1000
	for id := range uint64(rapid.IntRange(0, most).Draw(t, "requests")) {
		now += core.Instant(rapid.IntRange(0, 6).Draw(t, "gap")) * 1000
		if cancels && id > 0 && rapid.IntRange(0, 3).Draw(t, "cancel") == 0 {
			ops = append(ops, op{at: now, cancel: true, job: Job{ID: rapid.Uint64Range(0, id-1).Draw(t, "whom")}})
			continue
		}
		demand := time.Duration(rapid.IntRange(0, 20).Draw(t, "demand")) * time.Microsecond
		ops = append(ops, op{at: now, job: Job{ID: id, Demand: demand, Luck: core.NewKey(id)}})
	}
	return ops
}

// drawFaults draws effects of every kind. Their bounds are off the microseconds at which
// requests come, and mostly end, by a few nanoseconds or not at all.
func drawFaults(t *rapid.T, crowds bool) []Effect {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Effect {
		from := core.Instant(rapid.IntRange(-20, 80).Draw(t, "from"))*1000 + core.Instant(rapid.SampledFrom([]int{0, 0, 137}).Draw(t, "off"))
		e := Effect{From: from, To: from + core.Instant(rapid.IntRange(0, 40).Draw(t, "length"))*1000}
		if rapid.IntRange(0, 9).Draw(t, "endless") == 0 {
			e.To = core.Never
		}
		kinds := []Fate{Served, Served, Fail, Hang, Break, Refuse, Miss}
		switch e.Fate = rapid.SampledFrom(kinds).Draw(t, "fate"); e.Fate {
		case Served:
			e.Speed = rapid.SampledFrom([]float64{0.25, 0.5, 2}).Draw(t, "speed")
			e.Paused = rapid.IntRange(0, 3).Draw(t, "paused") == 0
			if crowds {
				e.Crowding = rapid.SampledFrom([]float64{0, 0, 0.1}).Draw(t, "crowding")
			}
		default:
			e.Share = rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "share")
			e.Place = rapid.Uint64Range(0, 2).Draw(t, "place")
			e.Code = 500
			e.Latency = time.Duration(rapid.IntRange(0, 30).Draw(t, "latency")) * time.Microsecond
			e.Factor = rapid.SampledFrom([]float64{0.5, 3}).Draw(t, "factor")
		}
		return e
	}), 0, 5).Draw(t, "faults")
}

// fluid is processor sharing by the book: every job's work left, in exact fractions, goes
// down at the rate of what it gets, from one thing that happens to the next. It has room
// for all, and knows of nothing but speeds.
type fluid struct {
	effects []Effect
	cores   int64
	now     *big.Rat
	ids     []uint64
	left    []*big.Rat
	ends    map[uint64]*big.Rat
}

func rat(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

// playFluid plays the calls, each job's work changed by off nanoseconds, and returns when each
// job ends that does by until.
func playFluid(effects []Effect, cores int, ops []op, off int64, until core.Instant) map[uint64]*big.Rat {
	f := &fluid{effects: effects, cores: int64(cores), now: rat(-1 << 40), ends: map[uint64]*big.Rat{}}
	for _, o := range ops {
		f.advance(rat(int64(o.at)))
		if i := slices.Index(f.ids, o.job.ID); o.cancel && i >= 0 {
			f.drop(i)
		} else if !o.cancel {
			f.ids = append(f.ids, o.job.ID)
			f.left = append(f.left, rat(max(0, int64(o.job.Demand)+off)))
		}
	}
	f.advance(rat(int64(until)))
	return f.ends
}

func (f *fluid) drop(i int) {
	f.ids, f.left = slices.Delete(f.ids, i, i+1), slices.Delete(f.left, i, i+1)
}

// advance goes on until an instant, from change to change.
func (f *fluid) advance(until *big.Rat) {
	for {
		for i := 0; i < len(f.ids); { // what has nothing left ends now
			if f.left[i].Sign() > 0 {
				i++
				continue
			}
			f.ends[f.ids[i]] = new(big.Rat).Set(f.now)
			f.drop(i)
		}
		if f.now.Cmp(until) >= 0 {
			return
		}
		rate, next := f.rate(), until
		for _, e := range f.effects {
			for _, bound := range []core.Instant{e.From, e.To} {
				if b := rat(int64(bound)); b.Cmp(f.now) > 0 && b.Cmp(next) < 0 {
					next = b
				}
			}
		}
		if rate.Sign() > 0 {
			for _, left := range f.left {
				if end := new(big.Rat).Add(f.now, new(big.Rat).Quo(left, rate)); end.Cmp(next) < 0 {
					next = end
				}
			}
		}
		got := new(big.Rat).Mul(rate, new(big.Rat).Sub(next, f.now))
		for _, left := range f.left {
			left.Sub(left, got)
		}
		f.now = next
	}
}

// rate is what each job gets now: the product of the speeds, and its share of the cores.
func (f *fluid) rate() *big.Rat {
	rate := rat(1)
	for _, e := range f.effects {
		if rat(int64(e.From)).Cmp(f.now) > 0 || rat(int64(e.To)).Cmp(f.now) <= 0 {
			continue
		}
		if e.Paused {
			return rat(0)
		}
		if e.Speed > 0 {
			rate.Mul(rate, new(big.Rat).SetFloat64(e.Speed))
		}
	}
	if n := int64(len(f.ids)); n > f.cores {
		rate.Mul(rate, big.NewRat(f.cores, n))
	}
	return rate
}
