package sim

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/lab/scenario"
)

// erlangC is the probability that a request waits in an M/M/k queue at load a = λ/μ.
func erlangC(k int, a float64) float64 {
	term, sum := 1.0, 0.0 // a^i/i!
	for i := range k {
		sum += term
		term *= a / float64(i+1)
	}
	wait := term / (1 - a/float64(k))
	return wait / (sum + wait)
}

// mmk returns mean and p99 of the time in an M/M/k queue, in units of the mean service
// time, at the load a < k, a ≠ k-1:
//
//	E[T]   = 1 + C/(k-a)
//	P(T>t) = e^-t [1 + C (1 - e^(-t(k-1-a))) / (k-1-a)]
//
// With k = 1 that is M/M/1: E[T] = 1/(1-a), P(T>t) = e^(-(1-a)t).
func mmk(k int, a float64) (mean, p99 float64) {
	c, spare := erlangC(k, a), float64(k)-1-a
	low, high := 0.0, 1000.0
	for range 100 {
		mid := (low + high) / 2
		if math.Exp(-mid)*(1+c*(1-math.Exp(-mid*spare))/spare) > 0.01 {
			low = mid
		} else {
			high = mid
		}
	}
	return 1 + c/(float64(k)-a), low
}

// The formulas themselves, against known values: Erlang's C(4 servers, 2.8) is 0.4286,
// and M/M/1 at 0.7 has the mean 1/0.3 and the p99 ln(100)/0.3.
func TestFormulas(t *testing.T) {
	mean1, p991 := mmk(1, 0.7)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"Erlang C, 1 at 0.7", erlangC(1, 0.7), 0.7},
		{"Erlang C, 2 at 1", erlangC(2, 1), 1.0 / 3},
		{"Erlang C, 4 at 2.8", erlangC(4, 2.8), 0.42858},
		{"mean of M/M/1", mean1, 1 / 0.3},
		{"p99 of M/M/1", p991, math.Log(100) / 0.3},
	} {
		if math.Abs(c.got-c.want) > 1e-4 {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
}

// interval is the mean of some independent measurements, and half the width of its
// 99.9 % confidence interval by Student's t.
func interval(x []float64) (mean, half float64) {
	const t9 = 4.781 // quantile 0.9995 at 9 degrees of freedom
	if len(x) != 10 {
		panic("t9 is for ten")
	}
	for _, v := range x {
		mean += v / 10
	}
	sum := 0.0
	for _, v := range x {
		sum += (v - mean) * (v - mean)
	}
	return mean, t9 * math.Sqrt(sum/9/10)
}

// The simulator against queueing theory, at rho 0.7: the interval of ten seeds has to
// contain the formula's value, and to be narrow enough to say something. How narrow:
// the average of n successive times in an M/M/1 queue has, in units of the service
// time, the variance ρ(2+5ρ-4ρ²+ρ³)/(1-ρ)⁴/n (Daley 1968), which is 336/n at 0.7: with
// a mean of 3.33 that is a standard deviation of 5.5/√n of it, and 1.3 % for the 18,000
// requests of a seed times ten. The interval is 4.8 of them to each side, some 6 %;
// it is estimated from ten seeds itself, so up to 10 % pass, and for the 99th
// percentile, of which there are fewer independent samples, 15 %. More slots, and more
// servers, vary less. The run is seeded: it passes or fails for ever.
//
// Four servers of one slot behind random are four M/M/1 queues: a share of a Poisson
// stream chosen by chance is one. The first five seconds, in which the queues fill, do
// not count: five hundred service times, where an M/M/1 queue at 0.7 forgets with
// 1/(1-√0.7)² = 37 of them.
func TestTheory(t *testing.T) {
	const (
		mean     = 10 * time.Millisecond
		rho      = 0.7
		requests = 18_000
	)
	for _, c := range []struct {
		servers, slots int
		k              int // of the M/M/k queue that it is
	}{{1, 1, 1}, {1, 4, 4}, {4, 1, 1}} {
		t.Run(fmt.Sprintf("%d of %d", c.servers, c.slots), func(t *testing.T) {
			t.Parallel()
			rate := rho * float64(c.servers*c.slots) / mean.Seconds()
			s := plain(c.servers, c.slots, "exponential", mean, rate, 5*time.Second+time.Duration(requests/rate*1e9))
			s.Arrivals.Law = "poisson"
			s.Servers.Queue = 1 << 20
			s.Client.Timeout = time.Hour
			s.Proxy.Timeouts.ResponseHeader, s.Proxy.Timeouts.Total = 0, 0
			var means, tails []float64
			for block := range 10 {
				counted := after(play(t, s, "random", scenario.BlockSeed(11, block)).Requests, 5*time.Second)
				sum := 0.0
				for _, r := range counted {
					sum += r.ResponseTime().Seconds()
				}
				means = append(means, sum/float64(len(counted))/mean.Seconds())
				tails = append(tails, quantile(s, counted, 0.99).Seconds()/mean.Seconds())
			}
			wantMean, wantTail := mmk(c.k, rho*float64(c.k))
			for _, m := range []struct {
				name    string
				of      []float64
				want    float64
				percent float64
			}{{"mean", means, wantMean, 10}, {"p99", tails, wantTail, 15}} {
				got, half := interval(m.of)
				if math.Abs(got-m.want) > half {
					t.Errorf("%s: got %.3f ± %.3f service times, want %.3f", m.name, got, half, m.want)
				}
				if half > m.percent/100*m.want {
					t.Errorf("%s: ± %.3f of %.3f says too little: want ± %v %%", m.name, half, m.want, m.percent)
				}
				t.Logf("%s %.3f ± %.3f, theory %.3f", m.name, got, half, m.want)
			}
		})
	}
}
