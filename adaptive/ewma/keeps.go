package ewma

import "math"

// Of what exp is needed for here, math.Exp takes a third of a look at a member: its argument
// may have any sign and size, and its result has to be right to the last bit. Hence keeps.
const (
	// rootsOfTwo is how many there are in the table: so many steps to a halving.
	rootsOfTwo = 1 << rootBits
	rootBits   = 6
	// keepsNothing is from how many time constants on nothing is left to speak of.
	keepsNothing = 500
)

// roots are the powers of two to -i/rootsOfTwo.
var roots = func() (r [rootsOfTwo]float64) {
	for i := range r {
		r[i] = math.Exp2(-float64(i) / rootsOfTwo)
	}
	return r
}()

// keeps is exp(-x), what is left of an estimate after x time constants, x at least 0. Most
// samples come at short intervals, where the first terms of its series are exact to 1e-7. The
// rest is exact to 1e-12: a power of two by its exponent, a root of two from the table, and
// for what lies between, which is below 0.011, the first terms again (Tang, "Table-driven
// implementation of the exponential function in IEEE floating-point arithmetic", 1989).
func keeps(x float64) float64 {
	if x < 0.01 {
		return 1 - x + x*x/2
	}
	if !(x < keepsNothing) {
		return 0
	}
	n := uint64(x * (rootsOfTwo / math.Ln2))
	r := x - float64(n)*(math.Ln2/rootsOfTwo)
	root := roots[n%rootsOfTwo]
	power := math.Float64frombits(math.Float64bits(root) - n>>rootBits<<52)
	return power * (1 - r*(1-r*(1./2-r*(1./6-r*(1./24)))))
}
