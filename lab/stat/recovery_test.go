package stat

import (
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/google/go-cmp/cmp"
)

// missing makes a trial of 60 s with a request every 10 ms, of which those planned in the
// given stretches miss the objective.
func missing(faults []record.Fault, bad ...stretch) Digest {
	h := header("x", 0)
	h.Duration, h.WarmUp = time.Minute, 5*time.Second
	h.Objective = record.Objective{Latency: 20 * ms, Share: 0.99}
	h.Faults = faults
	d, err := NewDigester(h)
	if err != nil {
		panic(err)
	}
	for i := range 6000 {
		r := record.Request{Seq: int64(i), Planned: core.Instant(i) * core.Instant(10*ms), Code: 200}
		r.Sent, r.Done = r.Planned, r.Planned.Add(10*ms)
		for _, s := range bad {
			if r.Planned >= s.from && r.Planned < s.to {
				r.Done = r.Planned.Add(21 * ms)
			}
		}
		d.Add(r)
	}
	done, err := d.Digest(h)
	if err != nil {
		panic(err)
	}
	return done
}

func TestRecovery(t *testing.T) {
	s := func(seconds float64) core.Instant { return core.Instant(seconds * 1e9) }
	var seldom []stretch // one of a hundred, which is just what the objective allows
	for at := 10.0; at < 40; at++ {
		seldom = append(seldom, stretch{s(at), s(at + 0.01)})
	}
	slow := record.Fault{Kind: "slow", Servers: []int{0}, From: s(10), To: s(40)}
	for name, c := range map[string]struct {
		faults []record.Fault
		bad    []stretch
		want   *Recovery
	}{
		"no fault":               {nil, []stretch{{s(10), s(20)}}, nil},
		"not noticed":            {[]record.Fault{slow}, nil, &Recovery{1, new(0.0), 1, new(0.0)}},
		"routed around":          {[]record.Fault{slow}, []stretch{{s(10), s(12.5)}}, &Recovery{1, new(2.5), 1, new(0.0)}},
		"until it ended":         {[]record.Fault{slow}, []stretch{{s(10), s(40)}}, &Recovery{1, nil, 1, new(0.0)}},
		"and after":              {[]record.Fault{slow}, []stretch{{s(10), s(43)}}, &Recovery{1, nil, 1, new(3.0)}},
		"for ever":               {[]record.Fault{slow}, []stretch{{s(10), s(60)}}, &Recovery{1, nil, 1, nil}},
		"back at the end":        {[]record.Fault{slow}, []stretch{{s(10), s(40)}, {s(55), s(60)}}, &Recovery{1, nil, 1, nil}},
		"one late request":       {[]record.Fault{slow}, []stretch{{s(10), s(12)}, {s(30), s(30.01)}}, &Recovery{1, new(2.0), 1, new(0.0)}},
		"at the last moment":     {[]record.Fault{slow}, []stretch{{s(10), s(39.7)}}, &Recovery{1, nil, 1, new(0.0)}},
		"as often as it may be":  {[]record.Fault{slow}, seldom, &Recovery{1, new(0.05), 1, new(0.0)}},
		"a moment's luck":        {[]record.Fault{slow}, []stretch{{s(10), s(12)}, {s(12.2), s(14)}}, &Recovery{1, new(4.0), 1, new(0.0)}},
		"the longest of two":     {[]record.Fault{slow, {From: s(50), To: s(55)}}, []stretch{{s(10), s(11)}, {s(50), s(52)}, {s(55), s(56)}}, &Recovery{2, new(2.0), 2, new(1.0)}},
		"never is the longest":   {[]record.Fault{slow, {From: s(50), To: s(55)}}, []stretch{{s(10), s(40)}, {s(50), s(52)}}, &Recovery{2, nil, 2, new(0.0)}},
		"two that overlap":       {[]record.Fault{slow, {From: s(35), To: s(50)}}, []stretch{{s(10), s(51)}}, &Recovery{1, nil, 1, new(1.0)}},
		"from the start":         {[]record.Fault{{From: 0, To: s(20)}}, []stretch{{s(0), s(21)}}, &Recovery{Ended: 1, After: new(1.0)}},
		"to the end":             {[]record.Fault{{From: s(30), To: s(60)}}, []stretch{{s(30), s(31)}}, &Recovery{Begun: 1, Within: new(1.0)}},
		"all the time":           {[]record.Fault{{From: 0, To: s(60)}}, nil, nil},
		"missed before, as well": {[]record.Fault{slow}, []stretch{{s(0), s(60)}}, &Recovery{1, nil, 1, nil}},
	} {
		if diff := cmp.Diff(c.want, missing(c.faults, c.bad...).Summary.Recovery); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Without an objective there is nothing to be met again.
func TestRecoveryNeedsAnObjective(t *testing.T) {
	h := header("x", 0)
	h.Objective = record.Objective{}
	h.Faults = []record.Fault{{From: core.Instant(h.WarmUp), To: core.Instant(h.Duration)}}
	d, err := NewDigester(h)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.Digest(h); err != nil || got.Summary.Recovery != nil {
		t.Errorf("%+v, %v", got.Summary.Recovery, err)
	}
}

// A median over trials of which some did not recover.
func TestMedianRecovery(t *testing.T) {
	of := func(list ...*Recovery) []Figures {
		var figures []Figures
		for _, r := range list {
			figures = append(figures, Figures{Recovery: r})
		}
		return figures
	}
	r := func(within, after *float64) *Recovery { return &Recovery{1, within, 1, after} }
	for name, c := range map[string]struct {
		of   []Figures
		want *Recovery
	}{
		"none":      {of(nil, nil), nil},
		"of three":  {of(r(new(1.0), nil), r(new(5.0), new(2.0)), r(new(2.0), nil)), r(new(2.0), nil)},
		"one never": {of(r(nil, new(0.0)), r(new(5.0), new(1.0)), r(new(2.0), new(7.0))), r(new(5.0), new(1.0))},
		"only ends": {of(&Recovery{Ended: 2, After: new(1.0)}, nil), &Recovery{Ended: 2, After: new(1.0)}},
	} {
		if diff := cmp.Diff(c.want, medianRecovery(c.of)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Where just as many miss the objective as it allows, rounding does not add up to a miss.
func TestRecoveryIsNotOfRounding(t *testing.T) {
	h := header("x", 0)
	h.Objective.Share = 0.9 // 1 - 0.9 is less than 0.1
	counted := make([]met, 100)
	for i := range counted {
		counted[i] = met{all: 10, missed: 1}
	}
	if got := metAgain(&h, time.Second, counted, stretch{0, core.Instant(100 * time.Second)}); got == nil || *got != 0 {
		t.Errorf("got %v, want at once", got)
	}
}
