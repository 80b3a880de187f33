package scenario

import (
	"iter"
	"math"
)

// piece is a time in which the rate of arrivals is constant. Rates that change evenly are
// cut into such pieces, so many steps to a ramp or to the period of a wave, each as it is
// in its middle: the integral of the rate, by which arrivals are drawn, is then a sum, and
// over a whole ramp or period it is that of the even change.
type piece struct {
	from, until float64 // nanoseconds
	rate        float64 // a second
}

// pieces are the rate of arrivals over the trial: that of the phases, times the wave, times
// the bursts. Times in which nobody arrives are left out.
func (s *Scenario) pieces(c Chance) []piece {
	pieces := s.swell()
	if s.Arrivals.Law == MMPP {
		pieces = cut(pieces, s.Arrivals.Burst.steps(c))
	}
	some := pieces[:0]
	for _, p := range pieces {
		if p.rate > 0 {
			some = append(some, p)
		}
	}
	return some
}

// swell is the rate without the bursts, which leave its mean as it is.
func (s *Scenario) swell() []piece {
	pieces := s.phases()
	if s.Arrivals.Wave.Amplitude > 0 {
		pieces = cut(pieces, s.Arrivals.Wave.steps())
	}
	return pieces
}

// phases is the rate of the phases one after the other; that of the last one stays.
func (s *Scenario) phases() []piece {
	end := float64(s.Duration)
	if len(s.Arrivals.Phases) == 0 {
		return []piece{{0, end, s.rate(s.Arrivals.Load, s.Arrivals.Rate)}}
	}
	var pieces []piece
	from, rate := 0.0, 0.0
	add := func(until, rate float64) {
		if from < end {
			pieces = append(pieces, piece{from, min(until, end), rate})
			from = until
		}
	}
	for _, p := range s.Arrivals.Phases {
		begin, before := from, rate
		rate = s.rate(value(p.Load), value(p.Rate))
		if !p.Ramp {
			add(begin+float64(p.For), rate)
			continue
		}
		for i := range steps {
			part := (float64(i) + 0.5) / steps
			add(begin+float64(p.For)*float64(i+1)/steps, before*(1-part)+rate*part)
		}
	}
	add(end, rate)
	return pieces
}

func value(x *float64) float64 {
	if x == nil {
		return 0
	}
	return *x
}

// rate is a rate in requests a second, given as such or as a load.
func (s *Scenario) rate(load, rate float64) float64 {
	if rate != 0 {
		return rate
	}
	return load * s.Capacity()
}

// steps yields the steps of the wave, without an end: until when, and the factor.
func (w Wave) steps() iter.Seq2[float64, float64] {
	return func(yield func(until, factor float64) bool) {
		for i := 0; ; i++ {
			angle := 2 * math.Pi * (float64(i%steps) + 0.5) / steps
			if !yield(float64(i+1)*float64(w.Period)/steps, 1+w.Amplitude*math.Sin(angle)) {
				return
			}
		}
	}
}

// steps yields the bursts and what is between them, without an end: until when, and the
// factor. With the share p = on/(on+off) of the time in bursts, the factor between them is
// 1/(1-p+p·Factor) and in them Factor times that: the mean factor is 1. The chain begins in
// a burst with chance p, as if it had been running for ever. Each sojourn is drawn at its
// place: no strategy changes it, and a longer trial begins like a shorter one.
func (b Burst) steps(c Chance) iter.Seq2[float64, float64] {
	return func(yield func(until, factor float64) bool) {
		key := c.key.At(streamBursts)
		share := float64(b.On) / (float64(b.On) + float64(b.Off))
		between := 1 / (1 - share + share*b.Factor)
		begin := key.At(0)
		bursting := begin.Float64() < share
		until := 0.0
		for sojourn := uint64(1); ; sojourn++ {
			mean, factor := float64(b.Off), between
			if bursting {
				mean, factor = float64(b.On), b.Factor*between
			}
			k := key.At(sojourn)
			until -= mean * math.Log(k.Float64())
			if !yield(until, factor) {
				return
			}
			bursting = !bursting
		}
	}
}

// cut multiplies the rate with a factor that changes in steps: until when, and the factor.
func cut(pieces []piece, steps iter.Seq2[float64, float64]) []piece {
	all := make([]piece, 0, len(pieces))
	i := 0
	for until, factor := range steps {
		for i < len(pieces) && pieces[i].until <= until {
			p := pieces[i]
			all = append(all, piece{p.from, p.until, factor * p.rate})
			i++
		}
		if i == len(pieces) {
			break
		}
		if p := &pieces[i]; p.from < until {
			all = append(all, piece{p.from, until, factor * p.rate})
			p.from = until
		}
	}
	return all
}

// Rate is the mean rate of arrivals over the duration, requests a second: for mmpp the mean
// over all seeds. It is 0 where it is not known beforehand: for closed, where it hangs on
// the answers, and where it hangs on a file that has not been read (a trace, or a load of
// servers with an empirical law and no mean; see [Load]).
func (s *Scenario) Rate() float64 {
	a := s.Arrivals
	switch {
	case a.Law == Trace:
		n := 0
		for stream := (Stream{trace: a.Instants, speed: a.speed(), end: float64(s.Duration)}); ; n++ {
			if _, ok := stream.fromTrace(); !ok {
				return float64(n) / s.Duration.Seconds()
			}
		}
	case len(a.Phases) == 0 && a.Wave.Amplitude == 0:
		return s.rate(a.Load, a.Rate)
	}
	requests := 0.0
	for _, p := range s.swell() {
		requests += p.rate * (p.until - p.from) / 1e9
	}
	return requests / s.Duration.Seconds()
}

// Offered is the mean load offered over the duration, as a share of the nominal capacity.
// It is 0 where [Scenario.Rate] is.
func (s *Scenario) Offered() float64 { return s.share(s.Rate()) }

// MaxOffered is the highest load offered at any time, phases and waves considered but not
// bursts, as a share of the nominal capacity. For a trace it is the mean; it is 0 where
// [Scenario.Rate] is.
func (s *Scenario) MaxOffered() float64 {
	if s.Arrivals.Law == Trace {
		return s.Offered()
	}
	highest := 0.0
	for _, p := range s.swell() {
		highest = max(highest, p.rate)
	}
	return s.share(highest)
}

func (s *Scenario) share(rate float64) float64 {
	if capacity := s.Capacity(); capacity > 0 {
		return rate / capacity
	}
	return 0
}
