package p2c_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/evenkeel/evenkeel/adaptive/p2c"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// watched is an estimator that tells how often members are looked at; all cost the same.
type watched struct {
	cost
	looks *int
}

func (w watched) Cost(core.Instant) float64 { *w.looks++; return 1 }

// watch is a view of n members, and how many of them the picker looks at for a decision.
func watch(t *testing.T, p core.Picker, n int) (looks func() int) {
	t.Helper()
	return watchWith(t, p, n, func(int) float64 { return 1 })
}

// watchWeighted is watch for members of weights 4 to 6.
func watchWeighted(t *testing.T, p core.Picker, n int) (looks func() int) {
	t.Helper()
	return watchWith(t, p, n, func(i int) float64 { return float64(4 + i%3) })
}

func watchWith(t *testing.T, p core.Picker, n int, weight func(int) float64) (looks func() int) {
	t.Helper()
	seen := 0
	r := core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)},
		Picker: p,
		Equip:  func(*core.Member) core.Parts { return core.Parts{Estimator: watched{looks: &seen}} },
	})
	es := make([]core.Endpoint, n)
	for i := range es {
		es[i] = core.Endpoint{Key: fmt.Sprint(i), Weight: weight(i)}
	}
	if err := r.Update(0, es); err != nil {
		t.Fatal(err)
	}
	src := rand.NewPCG(3, 4)
	return func() int {
		seen = 0
		if _, ok := p.Pick(r.View(), &core.Ask{}, 0, src); !ok {
			t.Fatal("pick: got nobody")
		}
		return seen
	}
}

// How many are drawn follows the rate and the suspects, within the limits. At 20 ns a draw
// one percent of a core is 500,000 looks a second; with a share s of suspects, s^d is to
// be at most 0.002.
func TestDraws(t *testing.T) {
	two8, three5, four := p2c.Settings{Choices: 2, MostChoices: 8}, p2c.Settings{Choices: 3, MostChoices: 5}, p2c.Settings{Choices: 4, MostChoices: 4}
	const busy = 1e6 // a second: no time for more than the fewest
	for _, c := range []struct {
		what     string
		settings p2c.Settings
		survey   core.Survey
		want     int
	}{
		{"an unknown rate is none", two8, core.Survey{}, 8},
		{"a low rate", two8, core.Survey{Rate: 20}, 8},
		{"just eight", two8, core.Survey{Rate: 62_500}, 8},
		{"just not eight", two8, core.Survey{Rate: 62_501}, 7},
		{"four", two8, core.Survey{Rate: 125_000}, 4},
		{"just not four", two8, core.Survey{Rate: 125_001}, 3},
		{"two", two8, core.Survey{Rate: 250_000}, 2},
		{"a part of a look is none, though nobody met is well", two8, core.Survey{Rate: 62_501, Fresh: 100, Fast: 1e-3}, 7},
		{"never fewer", two8, core.Survey{Rate: busy}, 2},
		{"no suspects", two8, core.Survey{Rate: busy, Fresh: 100}, 2},
		{"0.04^2 is 0.0016", two8, core.Survey{Rate: busy, Fresh: 100, Suspects: 4}, 2},
		{"0.05^2 is 0.0025", two8, core.Survey{Rate: busy, Fresh: 100, Suspects: 5}, 3},
		{"0.0447^2 is 0.001998", two8, core.Survey{Rate: busy, Fresh: 10_000, Suspects: 447}, 2},
		{"0.0448^2 is 0.002007", two8, core.Survey{Rate: busy, Fresh: 10_000, Suspects: 448}, 3},
		{"0.12^3 is 0.0017", two8, core.Survey{Rate: busy, Fresh: 100, Suspects: 12}, 3},
		{"0.13^3 is 0.0022", two8, core.Survey{Rate: busy, Fresh: 100, Suspects: 13}, 4},
		{"0.28^5 is 0.0017", two8, core.Survey{Rate: busy, Fresh: 100, Suspects: 28}, 5},
		{"0.29^5 is 0.0021", two8, core.Survey{Rate: busy, Fresh: 100, Suspects: 29}, 6},
		{"too many", two8, core.Survey{Rate: busy, Fresh: 100, Suspects: 75}, 8},
		{"all but none", two8, core.Survey{Rate: busy, Fresh: 100, Suspects: 100}, 8},
		{"the more of both", two8, core.Survey{Rate: 125_000, Fresh: 100, Suspects: 5}, 4},
		{"within limits, below", three5, core.Survey{Rate: busy}, 3},
		{"within limits, above", three5, core.Survey{}, 5},
		{"within limits, with suspects", three5, core.Survey{Rate: busy, Fresh: 100, Suspects: 75}, 5},
		{"always the same", four, core.Survey{Rate: busy}, 4},
		{"always the same, with suspects", four, core.Survey{Fresh: 100, Suspects: 75}, 4},
	} {
		p := p2c.New(c.settings)
		looks := watch(t, p, 100)
		if got := looks(); got != c.settings.Choices {
			t.Errorf("%s: before a survey: got %d draws, want %d", c.what, got, c.settings.Choices)
		}
		p.Survey(0, c.survey)
		if got := looks(); got != c.want {
			t.Errorf("%s: got %d draws, want %d", c.what, got, c.want)
		}
	}
}

// Where most are slow, sixteen draws meet nobody that is well now and then: of 200 of which 140
// are slow, once in 440 times. Then it draws anew, as often as brings that below 0.2 %, four
// times at most; not where nobody has said so, nor where so many are always drawn. Of N = 20,000
// decisions the share p has a standard deviation of sqrt(p(1-p)/N): 0.0003 of 0.0023, 0.0014 of
// 0.04; the bounds are more than six off.
func TestDrawsAnew(t *testing.T) {
	mostly := p2c.Settings{Choices: 2, MostChoices: 16}
	for _, c := range []struct {
		what        string
		settings    p2c.Settings
		slow        int // of 200
		fast        float64
		least, most float64 // share of decisions for a slow one
	}{
		{"seven of ten", mostly, 140, 1, 0, 0.0003},
		{"not known who is fast", mostly, 140, 0, 0.0003, 0.02},
		{"always sixteen", p2c.Settings{Choices: 16, MostChoices: 16}, 140, 1, 0.0003, 0.02},
		{"one in forty is well: 0.975^64 is 0.2, less since they are distinct", mostly, 195, 1, 0.1, 0.3},
	} {
		p := p2c.New(c.settings)
		costs, es := map[string]float64{}, make([]core.Endpoint, 200)
		for i := range es {
			key := fmt.Sprint(i)
			es[i], costs[key] = core.Endpoint{Key: key, Weight: 1}, 1
			if i < c.slow {
				costs[key] = 10 + float64(i)
			}
		}
		r := routerWith(t, p, costs, es...)
		p.Survey(0, core.Survey{Rate: 20_000, Fresh: 200, Suspects: c.slow, Fast: c.fast})
		v, src := r.View(), rand.NewPCG(3, 4)
		const decisions = 20_000
		slow := 0
		for range decisions {
			got, ok := p.Pick(v, &core.Ask{}, 0, src)
			if !ok {
				t.Fatal("pick: got nobody")
			}
			if v.Members[got.Slot].Cost(0) > 1 {
				slow++
			}
		}
		if share := float64(slow) / decisions; share < c.least || share > c.most {
			t.Errorf("%s: share of slow ones: got %v, want %v to %v", c.what, share, c.least, c.most)
		}
	}
}

// trying is a gate that says what it is told to.
type trying core.Verdict

func (g trying) Peek(core.Instant) core.Verdict                { return core.Verdict(g) }
func (trying) Acquire(core.Instant, bool) (core.Permit, bool)  { return 0, true }
func (trying) Release(core.Permit, core.Instant)               {}
func (trying) Answered(core.Permit, core.Instant, core.Sample) {}
func (trying) Settle(core.Permit, core.Instant, core.Sample)   {}

// Nobody draws anew who has met one that is well, or one on probation, however slow that looks.
func TestDrawsOnce(t *testing.T) {
	mostly := core.Survey{Rate: 1e6, Fresh: 100, Suspects: 75}
	p := p2c.New(p2c.Settings{Choices: 2, MostChoices: 8})
	looks := watch(t, p, 100)
	mostly.Fast = 0.67
	p.Survey(0, mostly)
	if got := looks(); got != 3 { // two draws, and whether that will do
		t.Errorf("with one that is well: got %d looks, want 3", got)
	}
	mostly.Fast = 0.01
	p.Survey(0, mostly)
	if got := looks(); got <= 3*8 {
		t.Errorf("with nobody that is well: got %d looks, want more than %d", got, 3*8)
	}

	r := core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)},
		Picker: p,
		Equip: func(m *core.Member) core.Parts {
			parts := core.Parts{Estimator: cost(1)}
			if m.Key == "0" {
				parts = core.Parts{Estimator: cost(5), Gates: []core.Gate{trying(core.Probing)}}
			}
			return parts
		},
	})
	var es []core.Endpoint
	for i := range 10 {
		es = append(es, core.Endpoint{Key: fmt.Sprint(i), Weight: 1})
	}
	if err := r.Update(0, es); err != nil {
		t.Fatal(err)
	}
	// Whoever is on probation comes first: of eight distinct draws from ten it is one in 80 % of
	// N = 1,000 decisions, with a standard deviation of 13.
	tried, src := 0, rand.NewPCG(3, 4)
	for range 1000 {
		if got, _ := p.Pick(r.View(), &core.Ask{}, 0, src); got.Slot == 0 {
			tried++
		}
	}
	if tried < 720 {
		t.Errorf("decisions for the one on probation: got %d of 1000, want about 800", tried)
	}
}

// fading is a gate that lets so many looks see it open, which all its members share, and bars
// them from then on.
type fading struct {
	trying
	left *int
}

func (g fading) Peek(core.Instant) core.Verdict {
	if *g.left--; *g.left < 0 {
		return core.Barred
	}
	return core.Ready
}

// Where everybody is barred between two draws, the first one counts, and never a member that
// was not to be had.
func TestDrawsAnewFindsNobody(t *testing.T) {
	p := p2c.New(p2c.Settings{Choices: 2, MostChoices: 8})
	left := 0
	r := core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)},
		Picker: p,
		Equip: func(m *core.Member) core.Parts {
			if m.Key == "0" { // as cheap as can be
				return core.Parts{Estimator: cost(0), Gates: []core.Gate{trying(core.Barred)}}
			}
			return core.Parts{Estimator: cost(10), Gates: []core.Gate{fading{left: &left}}}
		},
	})
	es := make([]core.Endpoint, 100)
	for i := range es {
		es[i] = core.Endpoint{Key: fmt.Sprint(i), Weight: 1}
	}
	if err := r.Update(0, es); err != nil {
		t.Fatal(err)
	}
	p.Survey(0, core.Survey{Rate: 1e6, Fresh: 100, Suspects: 90, Fast: 1})
	src := rand.NewPCG(3, 4)
	for range 100 {
		left = 9 // a draw of eight, and a look at the best of them
		if got, ok := p.Pick(r.View(), &core.Ask{}, 0, src); !ok || got.Slot == 0 {
			t.Fatalf("pick: got slot %d, %v; want one that was open", got.Slot, ok)
		}
	}
}

// Of several draws the best is taken: it costs as little as the best of as many as all of them.
func TestDrawsAnewTakesTheBest(t *testing.T) {
	p := p2c.New(p2c.Settings{Choices: 2, MostChoices: 4})
	costs, es := map[string]float64{}, make([]core.Endpoint, 100)
	for i := range es {
		key := fmt.Sprint(i)
		es[i], costs[key] = core.Endpoint{Key: key, Weight: 1}, float64(10+i)
	}
	r := routerWith(t, p, costs, es...)
	p.Survey(0, core.Survey{Rate: 1e6, Fresh: 100, Suspects: 99, Fast: 1})
	v, src := r.View(), rand.NewPCG(3, 4)
	sum := 0.0
	const decisions = 10_000
	for range decisions {
		got, _ := p.Pick(v, &core.Ask{}, 0, src)
		sum += float64(got.Slot)
	}
	// The least of four distinct slots of a hundred is 101/5 - 1 = 19.2 on average, of sixteen
	// 101/17 - 1 = 4.9, a little more where some of them are the same. The standard deviation of
	// the mean is 0.05.
	if mean := sum / decisions; mean < 4.6 || mean > 5.8 {
		t.Errorf("mean of the slots taken: got %v, want 4.9 or little more", mean)
	}
}

// From two on, no more are drawn once the best of them costs at most one and a half times
// what the fastest quarter takes, whatever its weight.
func TestDrawsUntilContent(t *testing.T) {
	for _, c := range []struct {
		fast float64
		want int
	}{{0, 8}, {0.66, 8}, {0.67, 2}, {5, 2}} { // all cost 1
		p := p2c.New(p2c.Settings{Choices: 2, MostChoices: 8})
		for what, looks := range map[string]func() int{"even": watch(t, p, 100), "weighted": watchWeighted(t, p, 100)} {
			p.Survey(0, core.Survey{Fast: c.fast})
			if got := looks(); got != c.want {
				t.Errorf("%s, with the fast at %v: got %d draws, want %d", what, c.fast, got, c.want)
			}
		}
	}
}

// A scan is made as long as it can be afforded: of twelve up to 41,666 times a second.
func TestScanAfforded(t *testing.T) {
	p := p2c.New(p2c.Settings{Choices: 2, MostChoices: 8, ScanUpTo: 12})
	looks := watch(t, p, 12)
	for _, step := range []struct {
		rate float64
		want int
	}{{0, 12}, {41_666, 12}, {41_667, 8}, {62_500, 8}, {250_000, 2}, {1e300, 2}, {1e-300, 12}, {20, 12}} {
		p.Survey(0, core.Survey{Members: 12, Rate: step.rate})
		if got := looks(); got != step.want {
			t.Errorf("at %v a second: got %d looks, want %d", step.rate, got, step.want)
		}
		if got := p.Whole(); got != (step.want == 12) {
			t.Errorf("at %v a second: whole: got %t", step.rate, got)
		}
	}
}

// Up to so many members all are looked at, beyond it some are drawn; the scan looks at all.
func TestScan(t *testing.T) {
	drawn := p2c.New(p2c.Settings{Choices: 2, MostChoices: 2, ScanUpTo: 12})
	for _, c := range []struct {
		picker     core.Picker
		what       string
		size, want int
	}{
		{drawn, "at the limit", 12, 12},
		{drawn, "beyond the limit", 13, 2},
		{p2c.New(p2c.Settings{Choices: 2, MostChoices: 2}), "never", 12, 2},
		{p2c.NewScan(), "always", 100, 100},
	} {
		if got := watch(t, c.picker, c.size)(); got != c.want {
			t.Errorf("%s: got %d looks at %d members, want %d", c.what, got, c.size, c.want)
		}
	}
}

// A member of weight 4 beside twelve of weight 1, and the best for its weight, wins
// whenever it is looked at. By scan that is always; in two draws without putting back
// 4/16 + 12/16·4/15 = 0.45 of the time, and not the 2/13 of even draws. The count of
// 12,000 attempts has a standard deviation of 55; six are 327.
func TestWeights(t *testing.T) {
	costs := map[string]float64{"heavy": 3.9}
	es := []core.Endpoint{{Key: "heavy", Weight: 4}}
	for i := range 12 {
		key := fmt.Sprint(i)
		costs[key] = 1
		es = append(es, core.Endpoint{Key: key, Weight: 1})
	}
	const attempts = 12_000
	if got := picked(t, newRouter(t, 2, costs, es...), attempts)["heavy"]; math.Abs(float64(got)-0.45*attempts) > 327 {
		t.Errorf("by draws: got %d of %d, want %v ± 327", got, attempts, 0.45*attempts)
	}
	for name, p := range map[string]core.Picker{"scan": p2c.NewScan(), "small pool": p2c.New(p2c.Settings{Choices: 2, MostChoices: 2, ScanUpTo: 13})} {
		if got := picked(t, routerWith(t, p, costs, es...), 100)["heavy"]; got != 100 {
			t.Errorf("by %s: got %d of 100, want all", name, got)
		}
	}
}

func TestSettingsValidate(t *testing.T) {
	for s, want := range map[p2c.Settings]bool{
		{Choices: 2, MostChoices: pick.MaxChoices, ScanUpTo: 1000}: true,
		{Choices: 2, MostChoices: 2}:                               true,
		{Choices: 1, MostChoices: 2}:                               false,
		{Choices: 3, MostChoices: 2}:                               false,
		{Choices: 2, MostChoices: pick.MaxChoices + 1}:             false,
		{Choices: 2, MostChoices: 2, ScanUpTo: -1}:                 false,
		{Choices: pick.MaxChoices, MostChoices: pick.MaxChoices}:   true,
	} {
		if got := s.Validate() == nil; got != want {
			t.Errorf("%+v: valid: got %v, want %v", s, got, want)
		}
	}
}

// A pool beyond what is to be scanned is not looked at as a whole, however much time there is.
func TestWhole(t *testing.T) {
	p := p2c.New(p2c.Settings{Choices: 2, MostChoices: 8, ScanUpTo: 100})
	for _, c := range []struct {
		members int
		rate    float64
		want    bool
	}{
		{100, 0, true}, {101, 0, false}, {100, 5000, true}, {100, 5001, false}, {2, 250_000, true},
	} {
		p.Survey(0, core.Survey{Members: c.members, Rate: c.rate})
		if got := p.Whole(); got != c.want {
			t.Errorf("%d members, %v decisions a second: got %v, want %v", c.members, c.rate, got, c.want)
		}
	}
}

// steady is a member whose answers always take as long; all cost the same.
type steady struct{ cost }

func (steady) Latency(core.Instant) (float64, bool) { return 1, true }
func (steady) Variation() float64                   { return 0 }

// Of equals the scan takes one by lot where answers are irregular, or nothing is known of
// that, and in turn where they are regular: of two the other one, then.
func TestScanTakesTurnsWhereRegular(t *testing.T) {
	for name, c := range map[string]struct {
		estimator core.Estimator
		turns     bool
	}{
		"regular":   {steady{1}, true},
		"irregular": {cost(1), false},
	} {
		r := core.NewRouter(core.Config{
			Driver: core.Driver{Source: rand.NewPCG(1, 2)},
			Picker: p2c.NewScan(),
			Equip:  func(*core.Member) core.Parts { return core.Parts{Estimator: c.estimator} },
		})
		if err := r.Update(0, []core.Endpoint{{Key: "a", Weight: 1}, {Key: "b", Weight: 1}}); err != nil {
			t.Fatal(err)
		}
		const attempts = 1000
		again, last := 0, ""
		for i := range attempts {
			var l core.Lease
			if !r.Begin(core.Instant(i+1), &core.Ask{}, &l) {
				t.Fatal("begin: got no lease")
			}
			if l.Member().Key == last {
				again++
			}
			last = l.Member().Key
			l.Settle(core.Instant(i+1), core.Sample{Outcome: core.Abandoned})
		}
		// By lot, the same again half of the time, with a standard deviation of 16; six are 95.
		if turns := again == 0; turns != c.turns || !turns && (again < 405 || again > 595) {
			t.Errorf("%s: got the same again %d times of %d", name, again, attempts)
		}
	}
}
