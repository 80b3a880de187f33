package theory

import (
	"math"
	"testing"
)

func near(t *testing.T, name string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*math.Abs(want) {
		t.Errorf("%s = %v, want %v", name, got, want)
	}
}

// Special cases in which two formulas say the same, and values from the literature's
// tables. The identities are exact; 1e-9 is for rounding.
func TestIdentities(t *testing.T) {
	const exact = 1e-9
	near(t, "MM1 mean", MM1(0.8, 1).Mean, 5, exact)
	near(t, "MM1 p99", MM1(0.8, 1).Quantile(0.99), math.Log(100)*5, exact)
	near(t, "MMk with one server", MMk(1, 0.8, 1).Mean, MM1(0.8, 1).Mean, exact)
	near(t, "MMk with one server, p99", MMk(1, 0.8, 1).Quantile(0.99), MM1(0.8, 1).Quantile(0.99), exact)
	near(t, "MMk where k-1 = a", MMk(3, 2, 1).Tail(1), math.Exp(-1)*(1+ErlangC(3, 2)), exact)
	near(t, "MG1 of exponential service", MG1(0.8, 1, 1).Mean, 5, exact)
	near(t, "MG1 of constant service", MG1(0.5, 1, 0).Mean, 1.5, exact)
	near(t, "MG1PS", MG1PS(0.8, 1).Mean, 5, exact)
	near(t, "MM1 at a distance", MM1(0.8, 1).After(3).Mean, 8, exact)
	near(t, "MM1 at a distance, p99", MM1(0.8, 1).After(3).Quantile(0.99), 3+math.Log(100)*5, exact)
	near(t, "nothing comes sooner than the distance", MM1(0.8, 1).After(3).Tail(2.9), 1, exact)
	near(t, "a mean at a distance", MG1PS(0.8, 1).After(3).Mean, 8, exact)
	near(t, "EnM1 of one server", EnM1(1, 0.7, 1).Mean, MM1(0.7, 1).Mean, 1e-6)
	near(t, "Supermarket at d=2", Supermarket(2, 0.9, 1).Mean, 2.6141, 1e-3) // Mitzenmacher's table: 2.614
	refused, law := MM1K(0.8, 1, 200)
	near(t, "MM1K with much room", law.Mean, 5, exact)
	if refused > 1e-18 {
		t.Errorf("MM1K with much room refuses %v", refused)
	}
	refused, _ = MM1K(1, 1, 4)
	near(t, "MM1K at load 1", refused, 0.2, exact)
	near(t, "Erlang B, 10 servers, 5 erlangs", ErlangB(10, 5), 0.018385, 1e-4) // tables: 0.0184
	near(t, "Erlang C, 10 servers, 5 erlangs", ErlangC(10, 5), 0.036105, 1e-4) // tables: 0.0361
}

// A tail begins at 1 and integrates to the mean.
func TestTails(t *testing.T) {
	for name, law := range map[string]Law{
		"MM1":         MM1(0.7, 1),
		"MMk":         MMk(4, 2.8, 1),
		"distant":     MMk(4, 2.8, 1).After(3),
		"EnM1":        EnM1(10, 0.8, 1),
		"Supermarket": Supermarket(2, 0.8, 1),
		"three":       Supermarket(3, 0.8, 1),
	} {
		near(t, name+" tail at 0", law.Tail(0), 1, 1e-9)
		const step = 1e-3
		sum := 0.0
		for x := step / 2; x < 100; x += step {
			sum += law.Tail(x) * step
		}
		near(t, name+" integral of the tail", sum, law.Mean, 1e-4)
	}
}
