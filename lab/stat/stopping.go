package stat

import "math"

// Stopping says when an experiment has enough blocks. Its looks are at the width of the
// intervals, never at what they say, and each is at half as many blocks more: an
// experiment that ended when a difference shows would find differences where there are
// none. `keellab selftest` is played with it.
type Stopping struct {
	First int // blocks before the first look, at least 1
	Most  int // blocks at most
	// HalfWidth is enough: half of the width of the widest interval of a verdict, on the
	// scale of logarithms, where 0.05 is about 5 %. 0 or less asks for First blocks.
	HalfWidth float64
}

// Next returns how many blocks there should be, after so many that have been played and
// judged; the same number when they are enough.
func (s Stopping) Next(blocks int, judged *Scenario) int {
	if s.HalfWidth <= 0 || blocks >= s.Most || judged.halfWidth() <= s.HalfWidth {
		return blocks
	}
	return min(blocks+(blocks+1)/2, s.Most)
}

// halfWidth is that of the widest interval of the verdicts; infinite where one has none,
// and 0 without verdicts.
func (s *Scenario) halfWidth() float64 {
	widest := 0.0
	for i := range s.Verdicts {
		v := &s.Verdicts[i]
		interval, _ := v.interval(0)
		if interval == nil {
			return math.Inf(1)
		}
		widest = max(widest, (interval[1]-interval[0])/2)
	}
	return widest
}
