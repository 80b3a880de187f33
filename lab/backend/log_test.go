package backend

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/lab/model"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// asked asks for a path as request seq.
func asked(t *testing.T, ctx context.Context, c *http.Client, url string, seq int) int {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(SeqHeader, strconv.Itoa(seq))
	answer, err := c.Do(r)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// A server says of each request with a number what it did, before the answer is out.
func TestLog(t *testing.T) {
	b := start(t, servers(1, 0, "constant", 2*time.Millisecond), 1)
	c := client(t)
	asked(t, t.Context(), c, b.URL(), 5)
	if got := b.Log(); len(got) != 0 {
		t.Errorf("nobody asked for a log: got %v", got)
	}
	b.Keep(10)
	b.Begin(time.Now(), scenario.NewChance(1))
	for _, path := range []string{"/", "/healthz"} { // a path of the load's own is no health check
		if code := asked(t, t.Context(), c, b.URL()+path, 7); code != 200 {
			t.Fatalf("%s: got %d", path, code)
		}
	}
	get(t.Context(), c, b.URL())            // has no number
	get(t.Context(), c, b.URL()+"/healthz") // nor is it work
	got := b.Log()
	if len(got) != 2 {
		t.Fatalf("got %v, want two entries", got)
	}
	for _, e := range got {
		if e.Seq != 7 || e.Server != 1 || e.Code != 200 || e.Done.Sub(e.Arrived) < 2*time.Millisecond {
			t.Errorf("got %+v, want request 7 of server 1, after its work of 2ms", e)
		}
	}
	if got[1].Arrived < got[0].Done {
		t.Errorf("got %v, want one after the other", got)
	}
	b.Begin(time.Now(), scenario.NewChance(1))
	if got := b.Log(); len(got) != 0 {
		t.Errorf("after Begin: got %v", got)
	}
}

// How requests end that are not served: no room, the connection cut, the client gone.
func TestLogOfFailures(t *testing.T) {
	c := client(t)
	full := start(t, servers(1, 0, "constant", time.Hour), 0)
	full.Keep(1)
	full.Begin(time.Now(), scenario.NewChance(1))
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan int)
	go func() { gone <- asked(t, ctx, c, full.URL(), 1) }()
	until(t, "the slot to be taken", func() bool { busy, _, _ := full.state(); return busy == 1 })
	if code := asked(t, t.Context(), c, full.URL(), 2); code != 503 {
		t.Errorf("no room: got %d", code)
	}
	leave()
	<-gone
	until(t, "both entries", func() bool { return len(full.Log()) == 2 })
	if got := full.Log(); got[0].Seq != 2 || got[0].Code != 503 || got[1].Seq != 1 || got[1].Code != 0 {
		t.Errorf("got %+v, want 503 for 2, then 1 gone", got)
	}
	if _, _, metrics := get(t.Context(), c, full.URL()+"/debug/metrics"); strings.Contains(metrics, `code="0"`) || !strings.Contains(metrics, `code="503"} 1`) {
		t.Errorf("who has left was not answered: got\n%s", metrics)
	}
	cutting := start(t, servers(1, 0, "constant", time.Millisecond, scenario.Fault{Kind: scenario.Reset, Servers: []int{0}}), 0)
	cutting.Keep(1)
	cutting.Begin(time.Now(), scenario.NewChance(1))
	if code := asked(t, t.Context(), c, cutting.URL(), 3); code != 0 {
		t.Errorf("cut: got %d", code)
	}
	got := cutting.Log()
	if len(got) == 0 || slices.ContainsFunc(got, func(e Entry) bool { return e.Seq != 3 || e.Code >= 0 || e.Code == model.Overfull }) {
		t.Errorf("cut: got %+v, want it below zero", got)
	}
}

func TestCuts(t *testing.T) {
	sec := time.Second
	faulty := servers(1, 1, "constant", 1, scenario.Fault{From: 4 * sec, To: 6 * sec}, scenario.Fault{From: 6 * sec})
	faulty.Duration, faulty.WarmUp = 10*sec, 2*sec
	phased := servers(1, 1, "constant", 1)
	phased.Duration, phased.WarmUp = 10*sec, 3*sec
	phased.Arrivals.Phases = []scenario.Phase{{For: 3 * sec}, {For: 4 * sec}, {For: 4 * sec}}
	many := servers(1, 1, "constant", 1)
	many.Duration, many.WarmUp = 100*sec, 3*sec
	for i := range 30 {
		many.Faults = append(many.Faults, scenario.Fault{From: time.Duration(i) * sec, To: 50 * sec})
	}
	cold := servers(1, 1, "constant", 1)
	cold.Duration, cold.WarmUp = 10*sec, 0
	for name, c := range map[string]struct {
		s    *scenario.Scenario
		want []time.Duration
	}{
		"faults":     {faulty, []time.Duration{0, 2 * sec, 4 * sec, 6 * sec}},
		"phases":     {phased, []time.Duration{0, 3 * sec, 7 * sec}},
		"too many":   {many, []time.Duration{0, 3 * sec}},
		"no warm-up": {cold, []time.Duration{0}},
	} {
		if got := cuts(c.s); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// A request counts in the phase in which it arrived.
func TestPhases(t *testing.T) {
	s := servers(4, 0, "constant", time.Millisecond)
	s.Duration, s.WarmUp = time.Hour, 30*time.Minute
	b := start(t, s, 1)
	c := client(t)
	for after, n := range map[time.Duration]int{time.Minute: 1, 40 * time.Minute: 2, 2 * time.Hour: 1} {
		b.Begin(time.Now().Add(-after), scenario.NewChance(1))
		for range n {
			get(t.Context(), c, b.URL())
		}
	}
	_, _, metrics := get(t.Context(), c, b.URL()+"/debug/metrics")
	for _, want := range []string{
		`lab_backend_phase_requests_total{server="1",phase="0s to 30m0s",code="200"} 1`,
		`lab_backend_phase_requests_total{server="1",phase="30m0s to 1h0m0s",code="200"} 3`,
		`lab_backend_phase_duration_seconds_count{server="1",phase="0s to 30m0s"} 1`,
		`lab_backend_phase_duration_seconds_count{server="1",phase="30m0s to 1h0m0s"} 3`,
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}
}
