package regret

import (
	"slices"
	"testing"
)

// Large trials have fewer seeds in proportion, but not too few of any; nobody has more
// than were asked for.
func TestEffort(t *testing.T) {
	for _, c := range []struct {
		arrivals     string // for a minute
		choose, most int
		want         effort
	}{
		{"{rate: 1000}", 4, 100, effort{4, 10, 100, 0.02}},
		{"{rate: 1666}", 8, 100, effort{8, 10, 100, 0.02}},
		{"{rate: 3334}", 8, 100, effort{4, 5, 50, 0.02}},
		{"{rate: 100000}", 8, 100, effort{2, 5, 10, 0.02}},
		{"{rate: 100000}", 1, 5, effort{1, 5, 5, 0.02}},
		{"{rate: 1000}", 1, 2, effort{1, 2, 2, 0.02}},
		{"{rate: 100000}", 1, 2, effort{1, 2, 2, 0.02}},
		{"{law: closed, clients: 9}", 4, 100, effort{4, 10, 100, 0.02}},
	} {
		o := Options{Choose: c.choose, MostSeeds: c.most, Precision: 0.02}
		if got := o.effort(parse(t, "arrivals: "+c.arrivals+"\n")); got != c.want {
			t.Errorf("%+v: got %+v", c, got)
		}
	}
}

// Seeds are added until the interval is narrow enough, half as many more at each look, and
// no more than there may be.
func TestStopping(t *testing.T) {
	s := parse(t, "")
	both := subjects(t, s, "p2c-ewma", "random")
	for _, c := range []struct {
		noise float64
		e     effort
		want  []int // that it may stop at
	}{
		{0, effort{first: 10, most: 100, precision: 0.02}, []int{10}},
		{0, effort{first: 4, most: 100, precision: 0.02}, []int{4}},
		{0, effort{first: 6, most: 6, precision: 0.02}, []int{6}},
		{1, effort{first: 10, most: 100, precision: 0.02}, []int{100}},
		{1, effort{first: 10, most: 12, precision: 0.02}, []int{12}},
		{0.05, effort{first: 10, most: 1000, precision: 0.02}, []int{15, 22, 33, 49, 73, 109}},
		{0.05, effort{first: 5, most: 1000, precision: 0.02}, []int{5, 7, 10, 15, 22, 33, 49, 73, 109}},
		{0.05, effort{first: 10, most: 1000, precision: 0.2}, []int{10}},
	} {
		for seed := range uint64(20) {
			trials := newLab(new(defaults(speeds(c.noise, equal)))).series(s, seed, 0)
			r, err := trials.compare(t.Context(), c.e, both[0], both[1])
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(c.want, r.Seeds) || r.HalfWidth() > c.e.precision && r.Seeds < c.e.most {
				t.Errorf("%+v: stopped at %d seeds with %.4f", c, r.Seeds, r.HalfWidth())
			}
			// It was not narrow enough at the looks before.
			for n := c.e.first; n < r.Seeds; n += n / 2 {
				if early := trials.ratio(n, both[0], both[1]); early.HalfWidth() <= c.e.precision {
					t.Errorf("%+v: stopped at %d seeds, and %d would have done", c, r.Seeds, n)
				}
			}
		}
	}
}
