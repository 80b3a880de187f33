package fallback_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/adaptive/fallback"
	"github.com/evenkeel/evenkeel/adaptive/p2c"
	"github.com/evenkeel/evenkeel/core"
)

// priced is an estimator that says what it is told to.
type priced struct{ cost float64 }

func (p *priced) Cost(core.Instant) float64          { return p.cost }
func (*priced) Latency(core.Instant) (float64, bool) { return 0, false }
func (*priced) Begin(core.Instant)                   {}
func (*priced) Answered(core.Instant, core.Sample)   {}
func (*priced) End(core.Instant, core.Sample)        {}

// priceds is a view of members with these verdicts, and what they cost.
func priceds(t *testing.T, p core.Picker, verdicts ...core.Verdict) (*core.View, []*priced) {
	t.Helper()
	var costs []*priced
	var es []core.Endpoint
	for i := range verdicts {
		es = append(es, core.Endpoint{Key: strconv.Itoa(i), Weight: 1})
	}
	r := core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)},
		Picker: p,
		Equip: func(*core.Member) core.Parts {
			costs = append(costs, &priced{1})
			return core.Parts{Gates: []core.Gate{&gate{verdicts[len(costs)-1]}}, Estimator: costs[len(costs)-1]}
		},
	})
	if err := r.Update(0, es); err != nil {
		t.Fatal(err)
	}
	return r.View(), costs
}

// calm and alarm are surveys before a panic, where an attempt costs 10 ms·(1+3), and in it.
var (
	calm  = with(good, func(s *core.Survey) { s.Fast, s.Pending = 0.01, 3 })
	alarm = with(barred, func(s *core.Survey) { s.Fast, s.Pending = 10, 10 })
)

// In panic the turn of a barred member goes to whom the strategy would take, if that one
// costs no more than four times what it usually does.
func TestStandIns(t *testing.T) {
	B, R, P, F := core.Barred, core.Ready, core.Probing, core.Full
	for name, c := range map[string]struct {
		verdicts []core.Verdict
		latency  bool
		before   core.Survey
		cost     float64 // of the first
		want     []int
	}{
		"room":                             {[]core.Verdict{R, B, B, R}, true, calm, 0.16, []int{0, 0, 0, 3, 0}},
		"just none":                        {[]core.Verdict{R, B, B, R}, true, calm, 0.161, []int{0, 1, 2, 3, 0}},
		"nothing is known of it":           {[]core.Verdict{R, B, B, R}, true, with(calm, func(s *core.Survey) { s.Fast = 0 }), 0, []int{0, 1, 2, 3, 0}},
		"a strategy that knows no latency": {[]core.Verdict{R, B, B, R}, false, calm, 0, []int{0, 1, 2, 3, 0}},
		"nobody is well":                   {[]core.Verdict{B, B, B}, true, calm, 0, []int{0, 1, 2, 0}},
		"nobody but a full one":            {[]core.Verdict{F, B, B}, true, calm, 0, []int{1, 2, 1, 2}},
		"one on probation, as it costs":    {[]core.Verdict{P, B, R}, true, calm, 9, []int{0, 0, 2, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			p := fallback.New(p2c.NewScan(), c.latency, threshold)
			view, costs := priceds(t, p, c.verdicts...)
			costs[0].cost = c.cost
			p.Survey(0, c.before)
			p.Survey(1, alarm)
			var got []int
			for range c.want {
				choice, ok := p.Pick(view, &core.Ask{}, 1, rand.NewPCG(1, 2))
				if !ok || choice.Mode != core.Panic || choice.Reason != core.FewReady {
					t.Fatalf("choice: got %v (%t), want one in panic", choice, ok)
				}
				got = append(got, choice.Slot)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("slots (-want +got):\n%s", diff)
			}
		})
	}
}

// Who is tried already, and costs as much as may be, does not stand in for others: a retry
// goes to whom the strategy would take then.
func TestStandInsForRetries(t *testing.T) {
	p := fallback.New(p2c.NewScan(), goesLatency, threshold)
	view, costs := priceds(t, p, core.Ready, core.Barred, core.Barred, core.Ready)
	costs[0].cost, costs[3].cost = 0.01, 0.02
	p.Survey(0, calm)
	p.Survey(1, alarm)
	ask := core.Ask{Tried: [4]*core.Member{view.Members[0]}}
	for range 4 {
		if c, ok := p.Pick(view, &ask, 1, rand.NewPCG(1, 2)); !ok || c.Slot != 3 {
			t.Errorf("retry: got %d (%t), want 3", c.Slot, ok)
		}
	}
}

// What members usually cost is a mean over ten seconds, of which a panic is no part, nor the
// time until it has been left.
func TestUsualCost(t *testing.T) {
	p := fallback.New(p2c.NewScan(), goesLatency, threshold)
	view, costs := priceds(t, p, core.Barred, core.Ready)
	twice := with(calm, func(s *core.Survey) { s.Fast *= 2 })
	now := core.Instant(0)
	survey := func(s core.Survey, after time.Duration) {
		now = now.Add(after)
		p.Survey(now, s)
	}
	limited := func(what string, want float64) {
		t.Helper()
		survey(alarm, 0)
		for _, c := range []struct {
			cost float64
			sum  int // of two slots: of the turns of both, or of the one that is ready twice
		}{{want * (1 - 1e-9), 2}, {want * (1 + 1e-9), 1}} {
			costs[1].cost = c.cost
			first, _ := p.Pick(view, &core.Ask{}, now, rand.NewPCG(1, 2))
			second, _ := p.Pick(view, &core.Ask{}, now, rand.NewPCG(1, 2))
			if got := first.Slot + second.Slot; got != c.sum {
				t.Errorf("%s: at a cost of %v s: got slots %d and %d, want a sum of %d", what, c.cost, first.Slot, second.Slot, c.sum)
			}
		}
		survey(alarm, time.Hour)
		survey(twice, time.Millisecond)
		survey(twice, fallback.Calm) // panic is left
	}
	usual := 0.04
	survey(calm, 0)
	limited("the first", 4*usual)
	survey(with(calm, func(s *core.Survey) { s.Fast = 0 }), time.Minute) // nothing is known
	survey(twice, 10*time.Second)
	usual += (0.08 - usual) * (1 - math.Exp(-1))
	limited("after ten seconds of twice as much", 4*usual)
	survey(calm, 5*time.Second)
	usual += (0.04 - usual) * (1 - math.Exp(-0.5))
	limited("after five seconds as at first", 4*usual)
}
