package pick

import (
	"math"

	"github.com/evenkeel/evenkeel/core"
)

// maxShares is the most that the shares of a view add up to, before what is too small
// is rounded up to 1.
const maxShares = 1 << 31

// shares are the members' weights as whole numbers, and their sum; what is drained has
// none. Weights that are whole and add up to no more than maxShares stay as they are.
// Others are scaled so that they do and rounded, to 1 at least: a share of the traffic
// is then off by no more than one in 2^31 for each member of the pool.
func shares(members []*core.Member) (list []uint64, total uint64) {
	weights := make([]float64, len(members))
	for i, m := range members {
		weights[i] = m.Weight()
	}
	return sharesOf(weights)
}

// sharesOf are those of weights that are finite and not negative.
func sharesOf(weights []float64) (list []uint64, total uint64) {
	list = make([]uint64, len(weights))
	exact, most, sum := true, 0.0, 0.0
	for i, w := range weights {
		most = max(most, w)
		if exact = exact && w <= maxShares && w == math.Trunc(w); exact {
			list[i] = uint64(w)
			total += list[i]
		}
	}
	if exact && total <= maxShares {
		return list, total
	}
	for _, w := range weights {
		sum += w / most // by the greatest first: the sum of all might be infinite
	}
	total = 0
	for i, w := range weights {
		list[i] = 0
		if w > 0 {
			list[i] = max(1, uint64(math.Round(w/most/sum*maxShares)))
		}
		total += list[i]
	}
	return list, total
}

// level reports whether no share differs from another: weights do not matter then.
func level(list []uint64) bool {
	for _, s := range list {
		if s != list[0] {
			return false
		}
	}
	return true
}
