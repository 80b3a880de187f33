package stat

import "slices"

// holm adjusts the p values of one family so that the chance of any false rejection in it
// is at most the level at which they are read (Holm, "A simple sequentially rejective
// multiple test procedure", 1979), whatever hangs together among them.
func holm(p []float64) []float64 {
	adjusted := make([]float64, len(p))
	most := 0.0
	for i, at := range ascending(p) {
		most = max(most, min(1, float64(len(p)-i)*p[at]))
		adjusted[at] = most
	}
	return adjusted
}

// benjaminiHochberg turns p values into the shares of false discoveries that are expected
// among what is at least as significant ("Controlling the false discovery rate", 1995), for
// p values that are independent or hang together positively, as comparisons with one
// baseline do.
func benjaminiHochberg(p []float64) []float64 {
	adjusted := make([]float64, len(p))
	least := 1.0
	order := ascending(p)
	for i := len(order) - 1; i >= 0; i-- {
		least = min(least, float64(len(p))/float64(i+1)*p[order[i]])
		adjusted[order[i]] = least
	}
	return adjusted
}

// ascending are the indices of values in their order.
func ascending(values []float64) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return 0
	})
	return order
}
