package live

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/lab/record"
)

// sent is a request planned, sent and done at so many milliseconds.
func sent(seq int64, planned, sent, done float64) record.Request {
	return record.Request{Seq: seq, Planned: at(planned), Sent: at(sent), Done: at(done), Code: 200}
}

func TestGeneratorHealth(t *testing.T) {
	// In flight by the records: 20 + 10 + 10 + 60 ms in all, over 100 ms.
	requests := []record.Request{sent(0, 0, 0, 20), sent(1, 10, 10, 20), sent(2, 19, 20, 30), sent(3, 37, 40, 100)}
	want := &record.Generator{
		LatenessP50: 0, LatenessP99: 3 * ms, LatenessMax: 3 * ms, PeakInFlight: 3,
		MeanInFlight: 1.1, LittleInFlight: 1, GCPauses: 5 * ms, GCLongest: 2 * ms, Busy: 0.4,
		PlannedRate: 3 / 0.037, SentRate: 3 / 0.040,
	}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
	if diff := cmp.Diff(want, generatorHealth(requests, 3, 110*ms, spent{5 * ms, 2 * ms, 0.4}), near); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// One of a hundred may be late without moving the p99; two may not.
	var many []record.Request
	for i := range 100 {
		many = append(many, sent(int64(i), float64(i), float64(i), float64(i)+1))
	}
	many[50].Sent = many[50].Sent.Add(30 * ms)
	if g := generatorHealth(many, 1, 0, spent{}); g.LatenessP99 != 0 || g.LatenessMax != 30*ms {
		t.Errorf("one late: got p99 %v, max %v, want 0 and 30ms", g.LatenessP99, g.LatenessMax)
	}
	many[60].Sent = many[60].Sent.Add(20 * ms)
	if g := generatorHealth(many, 1, 0, spent{}); g.LatenessP99 != 20*ms {
		t.Errorf("two late: got p99 %v, want 20ms", g.LatenessP99)
	}
	// What seems to be early is not late; nobody, and nobody for any time, is fine.
	if g := generatorHealth([]record.Request{sent(0, 5, 4, 5)}, 1, 0, spent{}); g.LatenessMax != 0 {
		t.Errorf("early: got lateness %v, want 0", g.LatenessMax)
	}
	if diff := cmp.Diff(&record.Generator{GCPauses: ms}, generatorHealth(nil, 0, 0, spent{gc: ms})); diff != "" {
		t.Errorf("nothing sent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&record.Generator{PeakInFlight: 1}, generatorHealth([]record.Request{sent(0, 5, 5, 5)}, 1, 0, spent{})); diff != "" {
		t.Errorf("no time (-want +got):\n%s", diff)
	}
}

func TestVoid(t *testing.T) {
	// Three requests that take 10, 100 and 1000 ms: 5 % of the median is 5 ms.
	good := func() []record.Request {
		return []record.Request{sent(0, 0, 0, 10), sent(1, 10, 10, 110), sent(2, 20, 20, 1020)}
	}
	quick := []record.Request{sent(0, 0, 0, 1), sent(1, 10, 10, 11)}
	fine := record.Generator{PeakInFlight: 3, MeanInFlight: 2, LittleInFlight: 2}
	with := func(change func(*record.Generator)) *record.Generator {
		g := fine
		change(&g)
		return &g
	}
	for _, c := range []struct {
		name      string
		requests  []record.Request
		planned   int
		generator *record.Generator
		want      string
	}{
		{"fine", good(), 3, &fine, ""},
		{"nothing planned", nil, 0, &record.Generator{}, ""},
		{"nothing sent", nil, 3, &record.Generator{}, "0 of 3 planned requests were sent"},
		{"one not sent", good()[:2], 3, &fine, "2 of 3 planned requests were sent"},
		{"one missing", []record.Request{sent(0, 0, 0, 1), sent(2, 0, 0, 1), sent(3, 0, 0, 1)}, 3, &fine, "request 1 is missing"},
		{"one twice", []record.Request{sent(0, 0, 0, 1), sent(0, 0, 0, 1), sent(1, 0, 0, 1)}, 3, &fine, "request 1 is missing"},
		{"early", []record.Request{sent(0, 5, 4.949, 10)}, 1, &fine, "request 0 was sent 51µs before its time"},
		{"early by the clock's grain", []record.Request{sent(0, 5, 4.95, 10)}, 1, &fine, ""},
		{"late by what is allowed in any case", quick, 2, with(func(g *record.Generator) { g.LatenessP99 = 2 * ms }), ""},
		{"late", quick, 2, with(func(g *record.Generator) { g.LatenessP99 = 2*ms + 1 }), "the load generator was late: p99 2.000001ms, allowed 2ms"},
		{"late by what is little here", good(), 3, with(func(g *record.Generator) { g.LatenessP99 = 5 * ms }), ""},
		{"late by more", good(), 3, with(func(g *record.Generator) { g.LatenessP99 = 6 * ms }), "the load generator was late: p99 6ms, allowed 5ms"},
		{"late once", good(), 3, with(func(g *record.Generator) { g.LatenessMax = time.Second }), ""},
		{"garbage, allowed", quick, 2, with(func(g *record.Generator) { g.GCPauses, g.GCLongest = time.Second, 2*ms }), ""},
		{"garbage", quick, 2, with(func(g *record.Generator) { g.GCLongest = 3 * ms }), "the load generator stood still for garbage collection: 3ms at a time, allowed 2ms"},
		{"busy", quick, 2, with(func(g *record.Generator) { g.Busy = 0.95 }), ""},
		{"saturated", quick, 2, with(func(g *record.Generator) { g.Busy = 0.96 }), "the machine was saturated: its processors were busy for 96 % of the time, allowed 95 %"},
		// One interval of 10 ms, and a hundredth of it, and 2 ms.
		{"the rate, nearly", quick, 2, with(func(g *record.Generator) { g.PlannedRate, g.SentRate = 100, 1/0.012099 }), ""},
		{"the rate, too low", quick, 2, with(func(g *record.Generator) { g.PlannedRate, g.SentRate = 100, 1/0.012101 }), "the planned rate was missed: 82.6 requests a second sent, 100.0 planned"},
		{"the rate, too high", quick, 2, with(func(g *record.Generator) { g.PlannedRate, g.SentRate = 100, 1/0.007899 }), "the planned rate was missed: 126.6 requests a second sent, 100.0 planned"},
		{"safe", good(), 3, with(func(g *record.Generator) { g.PeakInFlight = 20_000 }), ""},
		{"not safe", good(), 3, with(func(g *record.Generator) { g.PeakInFlight = 20_001 }), "20001 requests in flight: more than 20000, the generator's safe limit"},
		{"Little's law, nearly", good(), 3, with(func(g *record.Generator) { g.MeanInFlight = 2.03 }), ""},
		{"Little's law, above", good(), 3, with(func(g *record.Generator) { g.MeanInFlight = 2.05 }), "Little's law does not hold: 2.05 in flight, 2.00 by the records"},
		{"Little's law, below", good(), 3, with(func(g *record.Generator) { g.MeanInFlight = 1.95 }), "Little's law does not hold: 1.95 in flight, 2.00 by the records"},
	} {
		if got := void(c.requests, c.planned, c.generator); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
