package live

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/backend"
	"github.com/evenkeel/evenkeel/lab/record"
)

const ms = time.Millisecond

// at is the instant so many milliseconds into the trial.
func at(milliseconds float64) core.Instant { return core.Instant(milliseconds * float64(ms)) }

func TestPacer(t *testing.T) {
	var began []time.Time
	p := &pacer{plan: []core.Instant{at(1), at(2), at(2), at(9)}, start: func(t time.Time) { began = append(began, t) }}
	type answer struct {
		wait time.Duration
		stop bool
	}
	var got []answer
	done := make(chan struct{})
	go func() { // a thread of its own
		defer close(done)
		for hits := range uint64(6) {
			wait, stop := p.Pace(time.Hour, hits) // whatever is left is due long since
			got = append(got, answer{wait, stop})
		}
	}()
	before := time.Now()
	<-done
	// It waits by itself, sends each of the plan however late it is, and then stops.
	want := []answer{{0, false}, {0, false}, {0, false}, {0, false}, {0, true}, {0, true}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(answer{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(began) != 1 || began[0].After(before) {
		t.Errorf("began: got %v, want once, an hour before %v", began, before)
	}
	if got, want := p.Rate(0), 4/0.009; got != want {
		t.Errorf("rate: got %v, want %v", got, want)
	}
	if got := (&pacer{}).Rate(0); got != 0 {
		t.Errorf("rate of nothing: got %v, want 0", got)
	}
	if _, stop := (&pacer{start: func(time.Time) {}}).Pace(0, 0); !stop {
		t.Error("nothing planned: it goes on")
	}
}

func TestPacerDoesNotHurry(t *testing.T) {
	var began time.Time
	p := &pacer{plan: []core.Instant{at(5)}, start: func(t time.Time) { began = t }}
	done := make(chan time.Duration)
	go func() {
		p.Pace(0, 0)
		done <- time.Since(began)
	}()
	if got := <-done; got < 5*ms {
		t.Errorf("planned after 5ms: sent after %v", got)
	}
}

// stub is a server that counts the requests by their numbers.
func stub(t *testing.T, serve http.HandlerFunc) (url string, seen func() map[string]int) {
	var mu sync.Mutex
	all := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		all[r.Header.Get(backend.SeqHeader)]++
		mu.Unlock()
		serve(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// What is planned is sent, each once, even if all of it is late from the beginning and
// nothing is answered before everything has arrived.
func TestAttack(t *testing.T) {
	const n = 100
	var arrived sync.WaitGroup
	arrived.Add(n)
	url, seen := stub(t, func(w http.ResponseWriter, r *http.Request) {
		arrived.Done()
		arrived.Wait()
		w.Header().Set(backend.ServerHeader, "7")
	})
	began := 0
	var m meter
	requests, err := attack(t.Context(), url, "test", make([]core.Instant, n), time.Minute, &way{seen: &m}, func(time.Time) { began++ })
	if err != nil || len(requests) != n || began != 1 {
		t.Fatalf("got %d requests, %v, begun %d times, want %d, once", len(requests), err, began, n)
	}
	numbers := map[int64]bool{}
	for _, r := range requests {
		numbers[r.Seq] = true
		if r.Code != 200 || r.Endpoint != 7 || r.Planned != 0 || r.Sent < 0 || r.Done < r.Sent {
			t.Fatalf("got %+v", r)
		}
	}
	if peak, area := m.read(); peak != n || area <= 0 || m.now != 0 {
		t.Errorf("metered: peak %d, area %v, now %d, want all %d at once, some time, and none left", peak, area, m.now, n)
	}
	if got := seen(); len(numbers) != n || len(got) != n {
		t.Errorf("got %d different numbers, the server saw %d, want %d", len(numbers), len(got), n)
	}
}

func TestAttackKeepsPlan(t *testing.T) {
	url, _ := stub(t, func(http.ResponseWriter, *http.Request) {})
	plan := []core.Instant{at(1), at(5), at(5), at(20), at(30)}
	requests, err := attack(t.Context(), url, "test", plan, time.Minute, &way{seen: &meter{}}, func(time.Time) {})
	if err != nil || len(requests) != len(plan) {
		t.Fatalf("got %d requests, %v, want %d", len(requests), err, len(plan))
	}
	for _, r := range requests {
		if r.Planned != plan[r.Seq] || r.Sent < r.Planned.Add(-early) {
			t.Errorf("request %d: planned %v, sent %v, want it planned for %v and not sent before", r.Seq, r.Planned, r.Sent, plan[r.Seq])
		}
	}
}

// A failure keeps its place: no code, no endpoint. Redirects are answers.
func TestAttackFailures(t *testing.T) {
	url, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get(backend.SeqHeader) {
		case "0":
			panic(http.ErrAbortHandler)
		case "1":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "2":
			w.WriteHeader(503)
		}
	})
	var m meter
	requests, err := attack(t.Context(), url, "test", []core.Instant{0, at(1), at(2)}, time.Minute, &way{seen: &m}, func(time.Time) {})
	if err != nil {
		t.Fatal(err)
	}
	if peak, _ := m.read(); peak < 1 || m.now != 0 {
		t.Errorf("metered: peak %d, now %d, want at least 1, and none left", peak, m.now)
	}
	got := map[int64]int{}
	for _, r := range requests {
		got[r.Seq] = r.Code
		if r.Endpoint != -1 {
			t.Errorf("request %d: got endpoint %d, want -1", r.Seq, r.Endpoint)
		}
	}
	if diff := cmp.Diff(map[int64]int{0: 0, 1: 302, 2: 503}, got); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
}

func TestAttackCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	url, _ := stub(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get(backend.SeqHeader) == "3" {
			cancel()
		}
	})
	plan := make([]core.Instant, 360_000) // an hour
	for i := range plan {
		plan[i] = at(10 * float64(i))
	}
	requests, err := attack(ctx, url, "test", plan, time.Minute, &way{seen: &meter{}}, func(time.Time) {})
	if !errors.Is(err, context.Canceled) || len(requests) < 4 || len(requests) == len(plan) {
		t.Errorf("got %d requests, %v, want it cancelled after the fourth", len(requests), err)
	}
}

func TestAsRecord(t *testing.T) {
	began := time.Now()
	plan := []core.Instant{at(10), at(20), at(30)}
	named := func(server string) http.Header { return http.Header{backend.ServerHeader: {server}} }
	for _, c := range []struct {
		name   string
		result vegeta.Result
		want   record.Request
	}{
		{"in time", vegeta.Result{Seq: 1, Code: 200, Timestamp: began.Add(20 * ms), Latency: 5 * ms, Headers: named("3")},
			record.Request{Seq: 1, Planned: at(20), Sent: at(20), Done: at(25), Endpoint: 3, Code: 200}},
		{"late: the time runs from the plan", vegeta.Result{Seq: 1, Code: 200, Timestamp: began.Add(120 * ms), Latency: 5 * ms, Headers: named("0")},
			record.Request{Seq: 1, Planned: at(20), Sent: at(120), Done: at(125), Endpoint: 0, Code: 200}},
		{"an answer of the proxy itself", vegeta.Result{Seq: 2, Code: 503, Timestamp: began.Add(30 * ms), Latency: ms, Headers: http.Header{}},
			record.Request{Seq: 2, Planned: at(30), Sent: at(30), Done: at(31), Endpoint: -1, Code: 503}},
		{"a server's name that is no number", vegeta.Result{Seq: 2, Code: 200, Timestamp: began.Add(30 * ms), Latency: ms, Headers: named("x")},
			record.Request{Seq: 2, Planned: at(30), Sent: at(30), Done: at(31), Endpoint: -1, Code: 200}},
		{"no answer", vegeta.Result{Seq: 0, Error: "reset", Timestamp: began.Add(11 * ms), Latency: 2 * ms},
			record.Request{Seq: 0, Planned: at(10), Sent: at(11), Done: at(13), Endpoint: -1}},
		{"ended before it was due", vegeta.Result{Seq: 0, Code: 200, Timestamp: began.Add(8 * ms), Latency: ms, Headers: named("1")},
			record.Request{Seq: 0, Planned: at(10), Sent: at(8), Done: at(10), Endpoint: 1, Code: 200}},
	} {
		if diff := cmp.Diff(c.want, asRecord(&c.result, began, plan)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestScrape(t *testing.T) {
	const page = `# TYPE evenkeel_decisions_total counter
evenkeel_decisions_total{pool="a",mode="adaptive",reason="none"} 3
evenkeel_decisions_total{pool="a",mode="fallback",reason="signal-thin"} 5
evenkeel_decisions_total{pool="b",mode="fallback",reason="signal-thin"} 2
evenkeel_decisions_total{pool="b",mode="panic",reason="few-ready"} 1
evenkeel_decisions_total{pool="b",mode="of-another-version",reason="few-ready"} 9
# TYPE evenkeel_requests_total counter
evenkeel_requests_total{route="/",code="200"} 70
`
	for _, c := range []struct {
		name, page string
		status     int
		want       map[[2]string]uint64
		err        string
	}{
		{"counts", page, 200, map[[2]string]uint64{{"adaptive", "none"}: 3, {"fallback", "signal-thin"}: 7, {"panic", "few-ready"}: 1}, ""},
		{"none yet", "# TYPE up gauge\nup 1\n", 200, map[[2]string]uint64{}, ""},
		{"no metrics", "<html>", 200, nil, "reading the proxy's metrics: "},
		{"not well", "", 503, nil, "reading the proxy's metrics: 503"},
	} {
		url, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/metrics" {
				t.Errorf("%s: asked for %s", c.name, r.URL.Path)
			}
			w.WriteHeader(c.status)
			w.Write([]byte(c.page))
		})
		d, err := scrape(url)
		if c.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("%s: got %v, want an error with %q", c.name, err, c.err)
			}
			continue
		}
		got := map[[2]string]uint64{}
		for mode := range d {
			for reason, n := range d[mode] {
				if n > 0 {
					got[[2]string{core.Mode(mode).String(), core.Reason(reason).String()}] = n
				}
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
	if _, err := scrape("http://127.0.0.1:1"); err == nil {
		t.Error("nobody there: got no error")
	}
	var a, b decisions
	a[0][0], a[1][1], b[1][1] = 9, 7, 3
	if got := a.minus(b); got[0][0] != 9 || got[1][1] != 4 || a[1][1] != 7 {
		t.Errorf("minus: got %v from %v", got, a)
	}
}
