package core

// nth puts the k-th least of xs, counted from 0, in its place, nothing greater before it and
// nothing less after it, and returns it: the quickselect of Hoare ("Algorithm 65: FIND",
// 1961), with the median of three as the pivot. It takes time in proportion to len(xs), as a
// rule, where sorting takes longer. No NaN.
func nth(xs []float64, k int) float64 {
	low, high := 0, len(xs)-1
	for low < high {
		pivot := middle(xs[low], xs[low+(high-low)/2], xs[high])
		i, j := low, high
		for i <= j {
			for xs[i] < pivot {
				i++
			}
			for xs[j] > pivot {
				j--
			}
			if i <= j {
				xs[i], xs[j] = xs[j], xs[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k <= j:
			high = j
		case k >= i:
			low = i
		default:
			return pivot // between them is nothing else
		}
	}
	return xs[k]
}

// middle is the second of three by size.
func middle(a, b, c float64) float64 { return max(min(a, b), min(max(a, b), c)) }
