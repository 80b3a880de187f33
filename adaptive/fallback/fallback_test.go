package fallback_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/adaptive/fallback"
	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

const (
	ms  = core.Instant(1e6)
	sec = core.Instant(1e9)
)

// Surveys of six members.
var (
	good   = core.Survey{Members: 6, Undrained: 6, Open: 6, Ready: 6, Known: 6, Fresh: 6, Spread: 2, LowCost: 1, HighCost: 3, Level: true, Chance: 1}
	thin   = with(good, func(s *core.Survey) { s.Known, s.Fresh = 2, 2 })
	flat   = with(good, func(s *core.Survey) { s.Spread = 1.1; s.HighCost = 1.05 })
	same   = with(good, func(s *core.Survey) { s.Spread, s.Level = 1.02, false }) // but for what is pending
	hung   = with(good, func(s *core.Survey) { s.HighCost = 4.01 })
	barred = with(good, func(s *core.Survey) { s.Open, s.Ready, s.Known, s.Fresh = 2, 2, 2, 2 })
)

func with(s core.Survey, change func(*core.Survey)) core.Survey {
	change(&s)
	return s
}

// mode is a mode with its reason, in words.
func mode(p *fallback.Picker) string {
	m, r := p.Mode()
	return m.String() + " " + r.String()
}

const (
	adaptive    = "adaptive none"
	fellThin    = "fallback signal-thin"
	fellFlat    = "fallback signal-flat"
	panicked    = "panic few-ready"
	threshold   = 0.5
	goesLatency = true
)

func TestOneSurvey(t *testing.T) {
	cases := map[string]struct {
		latency bool
		panics  float64
		survey  core.Survey
		want    string
	}{
		"good":                               {true, threshold, good, adaptive},
		"nobody":                             {true, threshold, core.Survey{Level: true}, fellThin},
		"nobody, without latency":            {false, threshold, core.Survey{Level: true}, adaptive},
		"one ready":                          {true, threshold, with(good, func(s *core.Survey) { s.Ready, s.Known, s.Fresh = 1, 1, 1 }), fellThin},
		"two of two known":                   {true, threshold, with(good, func(s *core.Survey) { s.Ready, s.Known, s.Fresh = 2, 2, 2 }), adaptive},
		"half of them known":                 {true, threshold, with(good, func(s *core.Survey) { s.Known, s.Fresh = 3, 3 }), adaptive},
		"fewer than half of them":            {true, threshold, thin, fellThin},
		"one of them fresh":                  {true, threshold, with(good, func(s *core.Survey) { s.Fresh = 1 }), adaptive},
		"none of them fresh":                 {true, threshold, with(good, func(s *core.Survey) { s.Fresh = 0 }), fellThin},
		"just flat":                          {true, threshold, with(flat, func(s *core.Survey) { s.LowCost, s.HighCost = 10, 11 }), fellFlat},
		"just not":                           {true, threshold, with(flat, func(s *core.Survey) { s.LowCost, s.HighCost = 10, 11.001 }), adaptive},
		"just flat, of more regular answers": {true, threshold, with(flat, func(s *core.Survey) { s.LowCost, s.HighCost, s.Spread, s.Chance = 100, 106, 1.06, 0.6 }), fellFlat},
		"regular, but not flat by cost":      {true, threshold, with(flat, func(s *core.Survey) { s.LowCost, s.HighCost, s.Spread, s.Chance = 100, 106.1, 1.06, 0.6 }), adaptive},
		"regular, but not flat by latency":   {true, threshold, with(flat, func(s *core.Survey) { s.LowCost, s.HighCost, s.Spread, s.Chance = 100, 106, 1.061, 0.6 }), adaptive},
		"flat because what is near is taken for equal": {true, threshold, with(flat, func(s *core.Survey) { s.Spread = 1.101 }), adaptive},
		"flat, but something to level":                 {true, threshold, with(flat, func(s *core.Survey) { s.Level = false }), adaptive},
		"flat, by half of them":                        {true, threshold, with(flat, func(s *core.Survey) { s.Fresh = 3 }), fellFlat},
		"flat, by fewer than half":                     {true, threshold, with(flat, func(s *core.Survey) { s.Fresh = 2 }), adaptive},
		"flat, by one of two":                          {true, threshold, with(flat, func(s *core.Survey) { s.Ready, s.Known, s.Fresh = 2, 2, 1 }), adaptive},
		"just the same":                                {true, threshold, with(same, func(s *core.Survey) { s.Spread = 1.05 }), fellFlat},
		"just not the same":                            {true, threshold, with(same, func(s *core.Survey) { s.Spread = 1.051 }), adaptive},
		"the same, but not all are fresh":              {true, threshold, with(same, func(s *core.Survey) { s.Fresh = 5 }), adaptive},
		"the same, as rough as may be":                 {true, threshold, with(same, func(s *core.Survey) { s.HighCost = 4 }), fellFlat},
		"the same, but one hangs":                      {true, threshold, with(same, func(s *core.Survey) { s.HighCost = 4.01 }), adaptive},
		"the same, without latency":                    {false, threshold, same, adaptive},
		"thin and flat":                                {true, threshold, with(flat, func(s *core.Survey) { s.Fresh = 0 }), fellThin},
		"thin, without latency":                        {false, threshold, thin, adaptive},
		"flat, without latency":                        {false, threshold, flat, adaptive},
		"half of them open":                            {true, threshold, with(good, func(s *core.Survey) { s.Open, s.Ready, s.Known, s.Fresh = 3, 3, 3, 3 }), adaptive},
		"fewer than half":                              {true, threshold, barred, panicked},
		"without latency":                              {false, threshold, barred, panicked},
		"drained ones do not count":                    {true, threshold, with(barred, func(s *core.Survey) { s.Undrained = 4 }), adaptive},
		"full ones are well":                           {true, threshold, with(barred, func(s *core.Survey) { s.Open = 6 }), adaptive},
		"never":                                        {true, 0, with(barred, func(s *core.Survey) { s.Open = 0 }), adaptive},
		"unless all are":                               {true, 1, with(good, func(s *core.Survey) { s.Open = 5 }), panicked},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := fallback.New(nil, c.latency, c.panics)
			p.Survey(0, c.survey)
			if got := mode(p); got != c.want {
				t.Errorf("mode: got %s, want %s", got, c.want)
			}
		})
	}
}

func TestModesOverTime(t *testing.T) {
	type step struct {
		at     core.Instant
		survey core.Survey
		want   string
	}
	for name, steps := range map[string][]step{
		"a worse one is entered at once": {
			{0, good, adaptive}, {1, thin, fellThin}, {2, barred, panicked},
		},
		"straight into panic": {{0, good, adaptive}, {1, barred, panicked}},
		"a better one after a second": {
			{0, flat, fellFlat}, {ms, good, fellFlat}, {sec, good, fellFlat}, {sec + ms, good, adaptive},
		},
		"a second without a break": {
			{0, flat, fellFlat}, {ms, good, fellFlat}, {sec, flat, fellFlat}, {sec + ms, good, fellFlat},
			{2 * sec, good, fellFlat}, {2*sec + ms, good, adaptive},
		},
		"a second since one was due, not since the last look": {
			{0, flat, fellFlat}, {ms, good, fellFlat}, {5 * sec, good, adaptive},
		},
		"out of panic": {
			{0, barred, panicked}, {ms, good, panicked}, {sec, good, panicked}, {sec + ms, good, adaptive},
		},
		"out of panic into what is due then": {
			{0, barred, panicked}, {ms, good, panicked}, {sec, flat, panicked}, {sec + ms, flat, fellFlat},
		},
		"the reason follows at once":             {{0, thin, fellThin}, {1, flat, fellFlat}, {2, thin, fellThin}},
		"out of flat at once, when one hangs":    {{0, flat, fellFlat}, {1, hung, adaptive}},
		"and when it hung while another was due": {{0, same, fellFlat}, {ms, good, fellFlat}, {2 * ms, hung, adaptive}, {3 * ms, flat, fellFlat}, {4 * ms, good, fellFlat}},
		"out of thin at once":                    {{0, thin, fellThin}, {1, good, adaptive}, {2, thin, fellThin}, {3, flat, fellFlat}, {4, good, fellFlat}},
		"out of panic, too":                      {{0, barred, panicked}, {ms, hung, panicked}, {sec + ms, hung, adaptive}},
		"back in panic":                          {{0, barred, panicked}, {ms, good, panicked}, {2 * ms, barred, panicked}, {sec + ms, good, panicked}},
	} {
		t.Run(name, func(t *testing.T) {
			p := fallback.New(nil, goesLatency, threshold)
			for _, s := range steps {
				p.Survey(s.at, s.survey)
				if got := mode(p); got != s.want {
					t.Fatalf("mode at %v: got %s, want %s", s.at.Sub(0), got, s.want)
				}
			}
		})
	}
}

// gate says what it is told to.
type gate struct{ verdict core.Verdict }

func (g *gate) Peek(core.Instant) core.Verdict                 { return g.verdict }
func (g *gate) Acquire(core.Instant, bool) (core.Permit, bool) { return 0, true }
func (*gate) Release(core.Permit, core.Instant)                {}
func (*gate) Answered(core.Permit, core.Instant, core.Sample)  {}
func (*gate) Settle(core.Permit, core.Instant, core.Sample)    {}

// last is a strategy of its own: the last slot, whatever it is.
type last struct{}

func (last) Pick(v *core.View, _ *core.Ask, _ core.Instant, _ rand.Source) (core.Choice, bool) {
	return core.Choice{Slot: len(v.Members) - 1}, true
}

// drawn is a source that draws the same number again and again.
type drawn uint64

func (d drawn) Uint64() uint64 { return uint64(d) }

// The turns of fallback begin anywhere, so that proxies which start together do not all ask the
// same members first; and they begin once.
func TestTurnsBeginAnywhere(t *testing.T) {
	for number, want := range map[drawn][]int{0: {0, 1, 2, 0}, 2: {1, 2, 0, 1}, 4: {2, 0, 1, 2}, math.MaxUint64: {1, 2, 0, 1}} {
		p := fallback.New(last{}, goesLatency, threshold)
		r := core.NewRouter(core.Config{
			Driver: core.Driver{Source: number},
			Picker: p,
			Equip:  func(*core.Member) core.Parts { return core.Parts{} },
		})
		if err := r.Update(0, []core.Endpoint{{Key: "0", Weight: 1}, {Key: "1", Weight: 1}, {Key: "2", Weight: 1}}); err != nil {
			t.Fatal(err)
		}
		p.Survey(0, thin)
		var got []int
		for range want {
			c, _ := p.Pick(r.View(), &core.Ask{}, 0, number)
			got = append(got, c.Slot)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("drawn %d: turns (-want +got):\n%s", number, diff)
		}
	}
}

// Each mode chooses in its own way, and says so.
func TestPick(t *testing.T) {
	verdicts := []core.Verdict{core.Ready, core.Barred, core.Ready, core.Full, core.Drained}
	p := fallback.New(last{}, goesLatency, threshold)
	slot := 0
	r := core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)},
		Picker: p,
		Equip: func(*core.Member) core.Parts {
			slot++
			return core.Parts{Gates: []core.Gate{&gate{verdicts[slot-1]}}}
		},
	})
	if err := r.Update(0, []core.Endpoint{{Key: "0", Weight: 1}, {Key: "1", Weight: 1}, {Key: "2", Weight: 1}, {Key: "3", Weight: 1}, {Key: "4"}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		survey core.Survey
		want   core.Choice
		slots  []int
	}{
		{good, core.Choice{}, []int{4, 4, 4}},
		{thin, core.Choice{Mode: core.Fallback, Reason: core.SignalThin}, []int{0, 2, 0, 2}},
		{flat, core.Choice{Mode: core.Fallback, Reason: core.SignalFlat}, []int{0, 2, 0, 2}},
		{barred, core.Choice{Mode: core.Panic, Reason: core.FewReady}, []int{0, 1, 2, 0, 1, 2}},
	} {
		p.Survey(0, c.survey)
		var slots []int
		for range c.slots {
			got, ok := p.Pick(r.View(), &core.Ask{}, 0, drawn(0))
			if !ok {
				t.Fatalf("pick in %s: got nobody", mode(p))
			}
			slots = append(slots, got.Slot)
			if got.Slot = 0; got != c.want {
				t.Errorf("choice: got %v, want %v", got, c.want)
			}
		}
		if diff := cmp.Diff(c.slots, slots); diff != "" {
			t.Errorf("slots in %s (-want +got):\n%s", mode(p), diff)
		}
	}
	if _, ok := p.Pick(&core.View{}, &core.Ask{}, 0, nil); ok {
		t.Error("panic with nobody: got somebody")
	}
}

// hearing is a strategy that writes down what it hears and plans.
type hearing struct {
	last
	heard []core.Survey
}

func (h *hearing) Survey(_ core.Instant, s core.Survey) { h.heard = append(h.heard, s) }

// planning is a strategy that goes by its own plan: a slot.
type planning struct{ slot int }

func (p planning) Plan(*core.View) any { return p.slot }
func (planning) Pick(v *core.View, _ *core.Ask, _ core.Instant, _ rand.Source) (core.Choice, bool) {
	return core.Choice{Slot: v.Plan.(int)}, true
}

// The strategy inside hears every survey, whatever the mode.
func TestSurveysAreForwarded(t *testing.T) {
	h := &hearing{}
	p := fallback.New(h, goesLatency, threshold)
	surveys := []core.Survey{good, thin, flat, barred, good}
	for i, s := range surveys {
		p.Survey(core.Instant(i), s)
	}
	if diff := cmp.Diff(surveys, h.heard); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

// The strategy inside sees its own plan, the turns of fallback follow the weights.
func TestPlans(t *testing.T) {
	p := fallback.New(planning{1}, goesLatency, threshold)
	r := core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)},
		Picker: p,
		Equip:  func(*core.Member) core.Parts { return core.Parts{} },
	})
	if err := r.Update(0, []core.Endpoint{{Key: "0", Weight: 5}, {Key: "1", Weight: 1}, {Key: "2", Weight: 2}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		survey core.Survey
		want   [3]int
	}{{good, [3]int{0, 80, 0}}, {thin, [3]int{50, 10, 20}}, {flat, [3]int{50, 10, 20}}} {
		p.Survey(0, c.survey)
		var got [3]int
		for range 80 {
			choice, ok := p.Pick(r.View(), &core.Ask{}, 0, drawn(0))
			if !ok {
				t.Fatalf("pick in %s: got nobody", mode(p))
			}
			got[choice.Slot]++
		}
		if got != c.want {
			t.Errorf("turns in %s: got %v, want %v", mode(p), got, c.want)
		}
	}
}

// wholly is a picker that looks at everybody, or not.
type wholly struct {
	core.Picker
	yes bool
}

func (w wholly) Whole() bool { return w.yes }

// Who looks at everybody is told to take turns when nobody has cost more than another for a
// second: of few members that is soon so by chance.
func TestRestsToWhoLooksAtEverybody(t *testing.T) {
	p := fallback.New(wholly{pick.Random{}, true}, goesLatency, threshold)
	for _, step := range []struct {
		at     core.Instant
		survey core.Survey
		want   string
	}{
		{0, flat, adaptive}, {sec - 1, flat, adaptive}, {sec, flat, fellFlat}, // for a second
		{sec + ms, good, fellFlat}, {2 * sec, good, fellFlat}, {2*sec + ms, good, adaptive},
		{3 * sec, flat, adaptive}, {4*sec - ms, good, adaptive}, {4 * sec, flat, adaptive}, // with a break
		{5*sec - 1, flat, adaptive}, {5 * sec, flat, fellFlat},
	} {
		p.Survey(step.at, step.survey)
		if got := mode(p); got != step.want {
			t.Errorf("at %v: got %s, want %s", step.at, got, step.want)
		}
	}
}

// Who looks at everybody finds by itself what turns would find, and does not take them at once
// when nobody costs more than another.
func TestSameToWhoLooksAtEverybody(t *testing.T) {
	for _, c := range []struct {
		whole  bool
		survey core.Survey
		want   string
	}{
		{false, same, fellFlat}, {true, same, adaptive},
		{false, flat, fellFlat}, {true, flat, adaptive},
	} {
		p := fallback.New(wholly{pick.Random{}, c.whole}, goesLatency, threshold)
		p.Survey(0, c.survey)
		if got := mode(p); got != c.want {
			t.Errorf("whole %t, spread %v: got %s, want %s", c.whole, c.survey.Spread, got, c.want)
		}
	}
}
