package live

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/lab/record"
)

// reading is what the proxy's metrics look like, as far as they are read.
func reading(t *testing.T, text string) metrics {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(text)) }))
	defer server.Close()
	m, err := readMetrics(server.Client(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const firstReading = `
evenkeel_decisions_total{mode="adaptive",pool="p",reason="none"} 10
evenkeel_decisions_total{mode="fallback",pool="p",reason="signal-thin"} 4
evenkeel_pending_attempts{endpoint="127.0.0.1:1",pool="p"} 3
evenkeel_pending_attempts{endpoint="127.0.0.1:2",pool="p"} 1
evenkeel_pending_attempts{endpoint="127.0.0.1:9",pool="p"} 7
evenkeel_breaker_state{endpoint="127.0.0.1:2",pool="p",state="open"} 1
evenkeel_breaker_state{endpoint="127.0.0.1:2",pool="p",state="half-open"} 0
evenkeel_pool_concurrency_limit{pool="p"} 20
evenkeel_pool_in_flight_requests{pool="p"} 8
evenkeel_pool_waiting_requests{pool="p"} 2
evenkeel_rejections_total{reason="queue-full",route="r"} 5
evenkeel_rejections_total{reason="timeout",route="r"} 50
`

const secondReading = `
evenkeel_decisions_total{mode="adaptive",pool="p",reason="none"} 16
evenkeel_decisions_total{mode="fallback",pool="p",reason="signal-thin"} 4
evenkeel_pending_attempts{endpoint="127.0.0.1:1",pool="p"} 1
evenkeel_breaker_state{endpoint="127.0.0.1:2",pool="p",state="half-open"} 1
evenkeel_pool_concurrency_limit{pool="p"} 30
evenkeel_pool_in_flight_requests{pool="p"} 4
evenkeel_rejections_total{reason="queue-full",route="r"} 6
evenkeel_rejections_total{reason="shed",route="r"} 2
`

// Two readings of a stretch are averaged where they are gauges; counters count on.
func TestViewer(t *testing.T) {
	v := newViewer([]string{"http://127.0.0.1:1", "http://127.0.0.1:2"}, 3*time.Millisecond)
	bins := record.BinCount(3*time.Millisecond, v.inside.Bin)
	v.look(reading(t, firstReading), 1)
	v.look(reading(t, secondReading), 1)
	v.look(reading(t, secondReading), 2)
	in := v.inside
	in.Decisions = v.counts.OverTime()
	if wrong := in.Wrong(3*time.Millisecond, 2); wrong != "" {
		t.Fatalf("expected %s", wrong)
	}
	row := func(at1, at2 float64) []float64 {
		list := make([]float64, bins)
		list[1], list[2] = at1, at2
		return list
	}
	whole := func(at1, at2 uint64) []uint64 {
		list := make([]uint64, bins)
		list[1], list[2] = at1, at2
		return list
	}
	want := &record.Inside{
		Bin:      in.Bin,
		Pending:  [][]float64{row(2, 0.5), row(0.5, 0)},
		Open:     [][]float64{nil, row(0.5, 0)},
		HalfOpen: [][]float64{nil, row(0.5, 0.5)},
		Limiter:  &record.LimiterOverTime{Limit: row(25, 15), InFlight: row(6, 2), Waiting: row(1, 0)},
		Rejected: whole(8, 0),
		Decisions: []record.DecisionsOverTime{
			{Mode: "adaptive", Reason: "none", Counts: whole(16, 0)},
			{Mode: "fallback", Reason: "signal-thin", Counts: whole(4, 0)},
		},
	}
	if diff := cmp.Diff(want, in); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A watch reads twice a stretch until the planned time is over, and ends with its context.
func TestWatch(t *testing.T) {
	readings := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		readings++
		w.Write([]byte(firstReading))
	}))
	defer server.Close()
	const d = 120 * time.Millisecond
	got := watch(t.Context(), server.URL, []string{"http://127.0.0.1:1"}, time.Now(), d)
	if got.err != nil {
		t.Fatal(got.err)
	}
	if want := looksPer * record.BinCount(d, record.BinFor(d)); readings != want {
		t.Errorf("%d readings, want %d", readings, want)
	}
	if p := got.inside.Pending[0]; p[0] != 3 || p[len(p)-1] != 3 {
		t.Errorf("pending %v, want 3 throughout", p)
	}
	server.Close()
	if got := watch(t.Context(), server.URL, nil, time.Now(), d); got.err == nil {
		t.Error("a proxy that is gone was read")
	}
}
