package backend

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// servers is a scenario of servers with so many slots and room.
func servers(slots, queue int, law string, mean time.Duration, faults ...scenario.Fault) *scenario.Scenario {
	s := scenario.Default()
	s.Servers = scenario.Servers{Count: 2, Slots: slots, Queue: queue, Service: scenario.Service{Law: law, Mean: mean}}
	s.Faults = faults
	return &s
}

// start starts a server of the scenario and ends it with the test.
func start(t *testing.T, s *scenario.Scenario, index int) *Backend {
	t.Helper()
	b, err := Start(s, index)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// client is a client with connections of its own, closed with the test.
func client(t *testing.T) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// get asks for a path and returns the status, 0 if there was no answer, the server
// that the answer names, and its body.
func get(ctx context.Context, c *http.Client, url string) (code int, server, body string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err.Error()
	}
	answer, err := c.Do(r)
	if err != nil {
		return 0, "", err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, "", err.Error()
	}
	return answer.StatusCode, answer.Header.Get(ServerHeader), string(text)
}

// until waits for something to become true, and gives up when the test would hang.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for given := time.Now().Add(30 * time.Second); !is(); runtime.Gosched() {
		if time.Now().After(given) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// state is how many slots are busy, how many requests queue, and how many clients wait.
func (b *Backend) state() (busy, queued, clients int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.model.Busy(), b.model.Queued(), len(b.waiting)
}

// hold sends n requests at once that nobody will answer soon, waits until the server
// has them, and returns how they end.
func hold(t *testing.T, ctx context.Context, b *Backend, c *http.Client, n int) (codes func() []int) {
	t.Helper()
	var mu sync.Mutex
	var all []int
	var under sync.WaitGroup
	_, _, before := b.state()
	for range n {
		under.Go(func() {
			code, _, _ := get(ctx, c, b.URL())
			mu.Lock()
			defer mu.Unlock()
			all = append(all, code)
		})
	}
	until(t, "the requests' arrival", func() bool {
		_, _, clients := b.state()
		return clients == before+n
	})
	return func() []int {
		under.Wait()
		return all
	}
}

func TestAnswers(t *testing.T) {
	b := start(t, servers(4, 10, "constant", time.Millisecond), 1)
	c := client(t)
	for range 20 {
		if code, server, body := get(t.Context(), c, b.URL()+"/any/path"); code != 200 || server != "1" || body != "server 1\n" {
			t.Fatalf("got %d from %q: %q, want 200 from 1", code, server, body)
		}
	}
	if got := b.Served(200); got != 20 {
		t.Errorf("served: got %d, want 20", got)
	}
	if _, _, metrics := get(t.Context(), c, b.URL()+"/debug/metrics"); !strings.Contains(metrics, `lab_backend_requests_total{server="1",code="200"} 20`) ||
		!strings.Contains(metrics, `lab_backend_request_duration_seconds_count{server="1"} 20`) ||
		!strings.Contains(metrics, `lab_backend_busy_slots{server="1"} 0`) {
		t.Errorf("metrics:\n%s", metrics)
	}
}

// Work that takes an hour shows the slots and the queue at rest.
func TestSlotsAndQueue(t *testing.T) {
	const slots, queue = 3, 2
	b := start(t, servers(slots, queue, "constant", time.Hour), 0)
	c := client(t)
	held := hold(t, t.Context(), b, c, slots+queue)
	if busy, queued, _ := b.state(); busy != slots || queued != queue {
		t.Errorf("got %d busy and %d queued, want %d and %d", busy, queued, slots, queue)
	}
	for range 3 {
		if code, server, _ := get(t.Context(), c, b.URL()); code != 503 || server != "0" {
			t.Errorf("a full queue: got %d from %q, want 503 from 0", code, server)
		}
	}
	if _, _, metrics := get(t.Context(), c, b.URL()+"/debug/metrics"); !strings.Contains(metrics, `lab_backend_busy_slots{server="0"} 3`) ||
		!strings.Contains(metrics, `lab_backend_queued_requests{server="0"} 2`) ||
		!strings.Contains(metrics, `lab_backend_requests_total{server="0",code="503"} 3`) {
		t.Errorf("metrics:\n%s", metrics)
	}

	// A new trial begins with an idle server; who waits from before is told so.
	b.Begin(time.Now(), scenario.NewChance(1))
	for _, code := range held() {
		if code != 503 {
			t.Errorf("from before: got %d, want 503", code)
		}
	}
	if busy, queued, clients := b.state(); busy != 0 || queued != 0 || clients != 0 {
		t.Errorf("begun: got %d busy, %d queued, %d clients, want none", busy, queued, clients)
	}
	if got := b.Served(503); got != 3+slots+queue {
		t.Errorf("served 503: got %d, want %d", got, 3+slots+queue)
	}
	again := hold(t, t.Context(), b, c, 1)
	if busy, _, _ := b.state(); busy != 1 {
		t.Errorf("in the new trial: got %d busy, want 1", busy)
	}
	b.Begin(time.Now(), scenario.NewChance(1))
	again()
}

// Faults are those of the server, and begin with the trial.
func TestErrorFault(t *testing.T) {
	s := servers(1, 0, "constant", time.Millisecond,
		scenario.Fault{Kind: scenario.Error, Servers: []int{0}, Code: 500, Latency: time.Millisecond})
	b, other := start(t, s, 0), start(t, s, 1)
	c := client(t)
	ask := func(when string, b *Backend, want int) {
		t.Helper()
		if code, _, _ := get(t.Context(), c, b.URL()); code != want {
			t.Errorf("%s: got %d, want %d", when, code, want)
		}
		if want != 200 {
			want = 503
		}
		if code, _, _ := get(t.Context(), c, b.URL()+"/healthz"); code != want {
			t.Errorf("%s: health: got %d, want %d", when, code, want)
		}
	}
	ask("before the trial", b, 200)
	b.Begin(time.Now(), scenario.NewChance(1))
	other.Begin(time.Now(), scenario.NewChance(1))
	ask("in the trial", b, 500)
	ask("another server", other, 200)
	// The health check counts nowhere.
	if ok, failed := b.Served(200), b.Served(500); ok != 1 || failed != 1 {
		t.Errorf("served: got %d and %d, want 1 and 1", ok, failed)
	}
}

// numbered is a request with a sequence number; without one below zero.
func numbered(seq int) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if seq >= 0 {
		r.Header.Set(SeqHeader, strconv.Itoa(seq))
	}
	return r
}

// The work that a request asks for goes by its number, wherever it arrives; that of
// requests without one is their own. The end of the work is known as it begins: so
// long after an instant between two looks at the clock.
func TestDemand(t *testing.T) {
	s := servers(1, 0, "exponential", time.Hour)
	chance := scenario.NewChance(3)
	took := func(b *Backend, seq int, demand time.Duration) bool {
		b.Begin(time.Now(), chance)
		before := b.now()
		b.arrive(numbered(seq), make(chan model.Done, 1))
		after := b.now()
		b.mu.Lock()
		defer b.mu.Unlock()
		next := b.model.Next()
		return next >= before.Add(demand) && next <= after.Add(demand)
	}
	one, other := start(t, s, 0), start(t, s, 1)
	demands := s.Demands(chance)
	for seq := range 20 {
		_, demand := demands.Of(uint64(seq))
		if !took(one, seq, demand) || !took(other, seq, demand) {
			t.Errorf("request %d: want %v of work on either server", seq, demand)
		}
		if took(one, seq+1, demand) {
			t.Errorf("request %d: as much work as request %d", seq+1, seq)
		}
	}
	ends := map[core.Instant]bool{}
	for _, b := range []*Backend{one, other} {
		for range 5 {
			b.Begin(time.Now(), chance)
			before := b.now()
			b.arrive(numbered(-1), make(chan model.Done, 1))
			b.mu.Lock()
			ends[core.Instant(b.model.Next().Sub(before).Round(time.Second))] = true
			b.mu.Unlock()
		}
	}
	if len(ends) != 10 {
		t.Errorf("ten requests without a number: %d different demands, want 10", len(ends))
	}
}

// A client that leaves is forgotten; the work goes on.
func TestClientLeaves(t *testing.T) {
	b := start(t, servers(1, 5, "constant", time.Hour), 0)
	ctx, leave := context.WithCancel(t.Context())
	held := hold(t, ctx, b, client(t), 3)
	leave()
	for _, code := range held() {
		if code != 0 {
			t.Errorf("got %d, want no answer", code)
		}
	}
	until(t, "the server to forget them", func() bool {
		_, _, clients := b.state()
		return clients == 0
	})
	if busy, queued, _ := b.state(); busy != 1 || queued != 2 {
		t.Errorf("got %d busy and %d queued, want 1 and 2", busy, queued)
	}
}

// Who waits as a backend closes is cut off: an answer would be one that nobody gave.
func TestClose(t *testing.T) {
	for range 20 { // the ways to end race
		b, err := Start(servers(10, 0, "constant", time.Hour), 0)
		if err != nil {
			t.Fatal(err)
		}
		held := hold(t, t.Context(), b, client(t), 10)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		for _, code := range held() {
			if code != 0 {
				t.Fatalf("got %d, want no answer", code)
			}
		}
	}
}

// An idle server has nothing to do, before the trial as in it.
func TestIdle(t *testing.T) {
	b := start(t, servers(1, 0, "constant", time.Hour), 0)
	if got, _ := b.due(); got != math.MaxInt64 {
		t.Errorf("before the trial: looks again after %v, want never", got)
	}
	b.Begin(time.Now(), scenario.NewChance(1))
	if got, _ := b.due(); got != math.MaxInt64 {
		t.Errorf("in the trial: looks again after %v, want never", got)
	}
	b.arrive(numbered(1), make(chan model.Done, 1))
	if got, _ := b.due(); got <= 0 || got > time.Hour {
		t.Errorf("with an hour's work: looks again after %v, want within it", got)
	}
}

// A slot is free when its work is done, not when the timer gets round to it. (The
// backend is closed, so nobody looks but the requests themselves.)
func TestLateTimer(t *testing.T) {
	b, err := Start(servers(1, 0, "constant", time.Minute), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b.Begin(time.Now(), scenario.NewChance(1))
	first, second := make(chan model.Done, 1), make(chan model.Done, 1)
	b.arrive(numbered(1), first)
	b.epoch = b.epoch.Add(-time.Hour) // an hour later
	b.arrive(numbered(2), second)
	select {
	case d := <-first:
		if d.Code != 200 {
			t.Errorf("the first: got %d, want 200", d.Code)
		}
	default:
		t.Error("the first has no answer")
	}
	if busy, _, clients := b.state(); busy != 1 || clients != 1 {
		t.Errorf("the second: got %d busy and %d clients, want it in the slot", busy, clients)
	}
}
