package regret

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Ratio is the geometric mean of paired ratios, with its 95 % interval: that of Student's t
// for the mean of their logarithms.
type Ratio struct {
	Value, Low, High float64
	Seeds            int // pairs
}

// ratioOf is the ratio of the first of each pair to the second. Of fewer than two pairs
// the interval is all there is.
func ratioOf(pairs [][2]float64) Ratio {
	logs := make([]float64, len(pairs))
	for i, p := range pairs {
		logs[i] = math.Log(p[0] / p[1])
	}
	n := float64(len(logs))
	if len(logs) < 2 {
		return Ratio{math.Exp(stat.Mean(logs, nil)), 0, math.Inf(1), len(logs)}
	}
	mean, sd := stat.MeanStdDev(logs, nil)
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975) * sd / math.Sqrt(n)
	return Ratio{math.Exp(mean), math.Exp(mean - half), math.Exp(mean + half), len(logs)}
}

// HalfWidth is half of the width of the interval of the logarithm: 0.02 is 2 %.
func (r Ratio) HalfWidth() float64 { return math.Log(r.High/r.Low) / 2 }

// geometricMean is the geometric mean of what f takes from each.
func geometricMean[T any](of []T, f func(T) float64) float64 {
	sum := 0.0
	for _, x := range of {
		sum += math.Log(f(x))
	}
	return math.Exp(sum / float64(len(of)))
}

// mean is the arithmetic mean of what f takes from each.
func mean[T any](of []T, f func(T) float64) float64 {
	sum := 0.0
	for _, x := range of {
		sum += f(x)
	}
	return sum / float64(len(of))
}
