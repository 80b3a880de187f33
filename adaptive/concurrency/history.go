package concurrency

import "math"

// point is one window: how many were in flight in the mean, answers a second, and seconds.
type point struct{ inFlight, throughput, latency float64 }

// history is the last windows that say something.
type history struct {
	points [50]point
	next   int // where the next one goes
	size   int // how many there are, the latest before next
}

// leastHistory is how many windows it takes for a correlation to mean something: at
// ten, chance alone goes beyond 0.63 one time in twenty.
const leastHistory = 10

func (h *history) add(p point) {
	h.points[h.next] = p
	h.next = (h.next + 1) % len(h.points)
	h.size = min(h.size+1, len(h.points))
}

// forget drops the oldest window, so that none is older than fifty.
func (h *history) forget() { h.size = max(h.size-1, 0) }

// at is the i-th latest window, from 0.
func (h *history) at(i int) *point {
	return &h.points[(h.next-1-i+len(h.points))%len(h.points)]
}

// correlations are Pearson's, of what was in flight with the throughput and with the
// latency. NaN while there are too few windows, or when the same number was in flight
// in all; 0 for a throughput or a latency that stays the same all the while.
func (h *history) correlations() (throughput, latency float64) {
	if h.size < leastHistory {
		return math.NaN(), math.NaN()
	}
	var mean point
	for i := range h.size {
		p := h.at(i)
		mean.inFlight += p.inFlight
		mean.throughput += p.throughput
		mean.latency += p.latency
	}
	n := float64(h.size)
	mean = point{mean.inFlight / n, mean.throughput / n, mean.latency / n}
	var nn, tt, ll, nt, nl float64
	for i := range h.size {
		p := h.at(i)
		a, b, c := p.inFlight-mean.inFlight, p.throughput-mean.throughput, p.latency-mean.latency
		nn, tt, ll = nn+a*a, tt+b*b, ll+c*c
		nt, nl = nt+a*b, nl+a*c
	}
	return correlation(nt, nn, tt, mean.inFlight, mean.throughput), correlation(nl, nn, ll, mean.inFlight, mean.latency)
}

// correlation of x and y from the sums of their products. A spread below a millionth of
// the mean is that of the arithmetic.
func correlation(xy, xx, yy, x, y float64) float64 {
	const noise = 1e-12 // of squares
	switch {
	case xx <= noise*x*x:
		return math.NaN()
	case yy <= noise*y*y:
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

// histogram counts latencies in buckets a sixteenth of a power of two wide, from a
// microsecond to a minute: a quantile is read to within 6 %.
type histogram struct {
	counts [buckets]uint32
	total  uint32
}

const (
	octaves     = 26
	perOctave   = 16
	buckets     = octaves * perOctave
	leastBucket = 1e-6 // seconds
)

// bucket is where a latency is counted; what lies beyond the ends is counted there.
func bucket(seconds float64) int {
	if !(seconds > leastBucket) {
		return 0
	}
	fraction, exponent := math.Frexp(seconds / leastBucket) // fraction from 0.5
	return min((exponent-1)*perOctave+int((fraction-0.5)*2*perOctave), buckets-1)
}

func (h *histogram) add(seconds float64) {
	h.counts[bucket(seconds)]++
	h.total++
}

// quantile is the middle of the bucket in which the quantile lies.
func (h *histogram) quantile(q float64) float64 {
	rank := uint32(math.Ceil(q * float64(h.total)))
	seen := uint32(0)
	for i, n := range h.counts {
		if seen += n; seen >= rank && n > 0 {
			low := leastBucket * math.Ldexp(1+float64(i%perOctave)/perOctave, i/perOctave)
			width := leastBucket * math.Ldexp(1.0/perOctave, i/perOctave)
			return low + width/2
		}
	}
	return leastBucket
}

// latency is the mean latency of the windows; NaN without any.
func (h *history) latency() float64 {
	sum := 0.0
	for i := range h.size {
		sum += h.at(i).latency
	}
	return sum / float64(h.size)
}
