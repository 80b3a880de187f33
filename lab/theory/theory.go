// Package theory has what queueing theory says a simulator must find: closed formulas
// for means, quantiles and blocking of simple systems. The sources are the standard
// texts (Kleinrock, Queueing Systems I, 1975; Harchol-Balter, Performance Modeling and
// Design of Computer Systems, 2013) unless a function names another.
//
// Rates are per second and times in seconds throughout; a load is a share of capacity
// and below 1 where a system has no bound.
package theory

import "math"

// Law is the distribution of a response time as far as it is known: its mean and its
// tail. Tail is nil where theory has only the mean.
type Law struct {
	Mean float64
	Tail func(t float64) float64 // P(T > t)
}

// Quantile returns the q-quantile of the response time, 0 < q < 1, by bisection.
func (l Law) Quantile(q float64) float64 {
	low, high := 0.0, l.Mean
	for l.Tail(high) > 1-q {
		low, high = high, 2*high
	}
	for range 200 {
		mid := (low + high) / 2
		if l.Tail(mid) > 1-q {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// After is the law of a response time to which a fixed delay is added, as by a network.
// delay is at least 0.
func (l Law) After(delay float64) Law {
	far := Law{Mean: delay + l.Mean}
	if l.Tail != nil {
		far.Tail = func(t float64) float64 {
			if t < delay {
				return 1
			}
			return l.Tail(t - delay)
		}
	}
	return far
}

// exponential is an exponential response time of the given rate.
func exponential(rate float64) Law {
	return Law{Mean: 1 / rate, Tail: func(t float64) float64 { return math.Exp(-rate * t) }}
}

// MM1 is the response time of one server: Poisson arrivals, exponential service, first
// in first out. T is exponential with rate mu-lambda.
func MM1(lambda, mu float64) Law { return exponential(mu - lambda) }

// MMk is the response time of k servers behind one queue:
//
//	E[T] = 1/mu + C/(k·mu - lambda)
//	P(T>t) = e^(-mu·t)·(1 + C·(1 - e^(-mu·t·(k-1-a)))/(k-1-a)),  a = lambda/mu
//
// where C is the probability of having to wait (ErlangC).
func MMk(k int, lambda, mu float64) Law {
	a := lambda / mu
	c := ErlangC(k, a)
	b := float64(k) - 1 - a
	return Law{
		Mean: 1/mu + c/(float64(k)*mu-lambda),
		Tail: func(t float64) float64 {
			rest := mu * t // the limit of (1-e^(-mu·t·b))/b as b goes to 0
			if math.Abs(b) > 1e-9 {
				rest = -math.Expm1(-mu*t*b) / b
			}
			return math.Exp(-mu*t) * (1 + c*rest)
		},
	}
}

// ErlangB is the share of requests that k servers without a queue refuse at an offered
// load of a erlangs, by the recurrence B(j) = a·B(j-1)/(j + a·B(j-1)). It holds for any
// law of service.
func ErlangB(k int, a float64) float64 {
	b := 1.0
	for j := 1; j <= k; j++ {
		b = a * b / (float64(j) + a*b)
	}
	return b
}

// ErlangC is the share of requests that have to wait for one of k servers at an offered
// load of a < k erlangs.
func ErlangC(k int, a float64) float64 {
	b := ErlangB(k, a)
	rho := a / float64(k)
	return b / (1 - rho*(1-b))
}

// MG1 is the response time of one server, first in first out, for any law of service
// with the given mean and squared coefficient of variation (Pollaczek and Khinchine):
//
//	E[T] = S + rho/(1-rho)·(1+C²)/2·S
func MG1(lambda, mean, scv float64) Law {
	rho := lambda * mean
	return Law{Mean: mean + rho/(1-rho)*(1+scv)/2*mean}
}

// MG1PS is the response time of one server that shares its capacity evenly among all
// requests in it. The mean is that of M/M/1 whatever the law of service.
func MG1PS(lambda, mean float64) Law { return Law{Mean: mean / (1 - lambda*mean)} }

// MM1K is one server with room for K requests in all: the share of requests refused,
// and the mean response time of the others.
func MM1K(lambda, mu float64, k int) (refused float64, accepted Law) {
	rho := lambda / mu
	total, jobs, p := 0.0, 0.0, 1.0
	for n := range k + 1 {
		total += p
		jobs += float64(n) * p
		refused = p
		p *= rho
	}
	refused /= total
	jobs /= total
	return refused, Law{Mean: jobs / (lambda * (1 - refused))}
}

// EnM1 is the response time when a Poisson stream is dealt to n equal servers in turn
// (round robin): each sees Erlang-n gaps at the rate lambda, and T is exponential with
// rate mu·(1-sigma), sigma the root in (0, 1) of
//
//	sigma = (n·lambda/(n·lambda + mu·(1-sigma)))^n
//
// lambda is per server.
func EnM1(n int, lambda, mu float64) Law {
	rate := float64(n) * lambda
	// The right side is convex in sigma with a fixed point at 1; from 0 the iteration
	// climbs to the smaller one.
	sigma := 0.0
	for range 10_000 {
		sigma = math.Pow(rate/(rate+mu*(1-sigma)), float64(n))
	}
	return exponential(mu * (1 - sigma))
}

// Supermarket is the response time of very many servers, each request going to the
// shortest of d queues drawn at random (Mitzenmacher, "The power of two choices in
// randomized load balancing", TPDS 2001; Vvedenskaya et al., 1996). lambda is per
// server. With s_i = rho^((d^i-1)/(d-1)) the share of servers with at least i requests,
// a request finds i before it with probability s_i^d - s_(i+1)^d, and then takes
// Erlang(i+1, mu).
func Supermarket(d int, lambda, mu float64) Law {
	rho := lambda / mu
	var find []float64
	mean := 0.0
	for i := 0; ; i++ {
		p := share(i, d, rho) - share(i+1, d, rho)
		if share(i, d, rho) < 1e-18 {
			break
		}
		find = append(find, p)
		mean += p * float64(i+1) / mu
	}
	return Law{Mean: mean, Tail: func(t float64) float64 {
		tail := 0.0
		for i, p := range find {
			tail += p * erlangTail(i+1, mu*t)
		}
		return tail
	}}
}

// share is s_i^d: the chance that all d queues drawn have at least i requests.
func share(i, d int, rho float64) float64 {
	return math.Pow(rho, float64(d)*(math.Pow(float64(d), float64(i))-1)/float64(d-1))
}

// erlangTail is P(X > t) for the sum of k exponentials of rate 1.
func erlangTail(k int, t float64) float64 {
	term, sum := 1.0, 0.0
	for j := range k {
		if j > 0 {
			term *= t / float64(j)
		}
		sum += term
	}
	return math.Exp(-t) * sum
}
