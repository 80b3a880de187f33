package backend

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// fresh is a client that makes a new connection for each request, so that none is sent again
// silently on another one.
func fresh(t *testing.T) *http.Client {
	c := client(t)
	c.Transport.(*http.Transport).DisableKeepAlives = true
	return c
}

// fails asks for a path, and returns the error instead of an answer.
func fails(t *testing.T, c *http.Client, url string) error {
	t.Helper()
	answer, err := c.Get(url)
	if err == nil {
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		t.Errorf("got an answer: %d %q", answer.StatusCode, text)
	}
	return err
}

// A connection that breaks is reset, before any answer.
func TestReset(t *testing.T) {
	b := start(t, servers(1, 0, "constant", time.Hour, scenario.Fault{Kind: scenario.Reset, Latency: time.Millisecond}), 0)
	b.Begin(time.Now(), scenario.NewChance(1))
	c := fresh(t)
	for range 5 {
		if err := fails(t, c, b.URL()); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v, want a reset", err)
		}
	}
	if err := fails(t, c, b.URL()+"/healthz"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("health: got %v, want a reset", err)
	}
	if got := b.Served(model.Broken); got != 5 {
		t.Errorf("broken: got %d, want 5", got)
	}
	if _, _, metrics := get(t.Context(), c, b.URL()+"/debug/metrics"); !strings.Contains(metrics, `lab_backend_requests_total{server="0",code="broken"} 5`) {
		t.Errorf("metrics:\n%s", metrics)
	}
}

// What hangs is not answered until the client leaves, the trial ends or the backend does; and
// neither is a health check.
func TestHang(t *testing.T) {
	b, err := Start(servers(1, 0, "constant", time.Millisecond, scenario.Fault{Kind: scenario.Hang}), 0)
	if err != nil {
		t.Fatal(err)
	}
	chance := scenario.NewChance(1)
	b.Begin(time.Now(), chance)
	c := client(t)
	ctx, leave := context.WithCancel(t.Context())
	left := hold(t, ctx, b, c, 2)
	if busy, queued, _ := b.state(); busy != 0 || queued != 0 {
		t.Errorf("got %d busy and %d queued, want none", busy, queued)
	}
	leave()
	for _, code := range left() {
		if code != 0 {
			t.Errorf("left: got %d, want no answer", code)
		}
	}
	until(t, "the server to forget them", func() bool {
		_, _, clients := b.state()
		return clients == 0
	})
	over := hold(t, t.Context(), b, c, 2)
	b.Begin(time.Now(), chance)
	for _, code := range over() {
		if code != 503 {
			t.Errorf("the trial is over: got %d, want 503", code)
		}
	}
	waits(t, b)
	closed := hold(t, t.Context(), b, c, 2)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	for _, code := range closed() {
		if code != 0 {
			t.Errorf("closed: got %d, want no answer", code)
		}
	}
}

// listened is a context that knows when somebody waits for its end.
type listened struct {
	context.Context
	waits func()
}

func (c listened) Done() <-chan struct{} {
	c.waits()
	return c.Context.Done()
}

// waits checks that a health check waits, until its client leaves.
func waits(t *testing.T, b *Backend) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	waited := false
	check := httptest.NewRequestWithContext(listened{ctx, func() {
		waited = true
		leave()
	}}, http.MethodGet, "/healthz", nil)
	answer := httptest.NewRecorder()
	b.health(answer, check)
	leave()
	if !waited || answer.Body.Len() > 0 {
		t.Errorf("a health check waits: %t; is answered: %q", waited, answer.Body)
	}
}

// A trouble that meets a share of the requests meets those whose luck says so, by their
// numbers, at this server.
func TestLuck(t *testing.T) {
	s := servers(1, 0, "constant", time.Nanosecond, scenario.Fault{Kind: scenario.Error, Code: 500, Share: 0.5})
	chance := scenario.NewChance(7)
	for index := range 2 {
		b, twin := start(t, s, index), s.Server(index, chance)
		b.Begin(time.Now(), chance)
		met := 0
		for seq := range 40 {
			done := make(chan model.Done, 1)
			b.arrive(numbered(seq), done)
			code := (<-done).Code
			twin.Arrive(0, model.Job{ID: uint64(seq), Luck: chance.Luck(uint64(seq), 0, index)})
			if want, _ := twin.Finish(core.Never); code != want.Code {
				t.Errorf("server %d, request %d: got %d, want %d", index, seq, code, want.Code)
			}
			if code == 500 {
				met++
			}
		}
		if met == 0 || met == 40 {
			t.Errorf("server %d: %d of 40 are met", index, met)
		}
	}
}

// Work that nobody waits for any more is dropped where the scenario says so: the next in the
// queue has its slot at once.
func TestCancel(t *testing.T) {
	s := servers(1, 5, "constant", time.Hour)
	s.Servers.Abandoned = scenario.Cancel
	b := start(t, s, 0)
	b.Begin(time.Now(), scenario.NewChance(1))
	ctx, leave := context.WithCancel(t.Context())
	c := client(t)
	first := hold(t, ctx, b, c, 1)
	second := hold(t, t.Context(), b, c, 1)
	if busy, queued, _ := b.state(); busy != 1 || queued != 1 {
		t.Errorf("before: got %d busy and %d queued, want 1 and 1", busy, queued)
	}
	leave()
	first()
	until(t, "the work to be dropped", func() bool {
		busy, queued, clients := b.state()
		return busy == 1 && queued == 0 && clients == 1
	})
	b.mu.Lock()
	if err := b.model.Audit(b.now()); err != nil {
		t.Error(err)
	}
	b.mu.Unlock()
	b.Begin(time.Now(), scenario.NewChance(1))
	second()
}

// A server that is down refuses connections, has broken off what was under way, and is there
// again on the same port when it is up.
func TestDown(t *testing.T) {
	const from = 24 * time.Hour
	s := servers(1, 5, "constant", 2*from, scenario.Fault{Kind: scenario.Refused, Servers: []int{0}, From: from, To: 2 * from})
	b, other := start(t, s, 0), start(t, s, 1)
	chance := scenario.NewChance(1)
	url := b.URL()
	c := fresh(t)
	idle, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	refused := func() bool {
		_, err := c.Get(url + "/healthz")
		return errors.Is(err, syscall.ECONNREFUSED)
	}
	healthy := func() bool {
		code, _, body := get(t.Context(), c, url+"/healthz")
		return code == 200 && body == "ok\n"
	}
	for range 3 { // a trial after the other
		for _, backend := range []*Backend{b, other} {
			backend.Begin(time.Now(), chance)
		}
		until(t, "the server to be up", healthy)
		broken := b.Served(model.Broken)
		held := hold(t, t.Context(), b, c, 3)
		b.mu.Lock()
		b.epoch = b.epoch.Add(-from) // a day later
		b.mu.Unlock()
		b.look()
		for _, code := range held() {
			if code != 0 {
				t.Errorf("under way: got %d, want no answer", code)
			}
		}
		until(t, "the count of what broke", func() bool { return b.Served(model.Broken) == broken+3 })
		until(t, "connections to be refused", refused)
		if b.URL() != url {
			t.Errorf("it has moved from %s to %s", url, b.URL())
		}
		if code, _, _ := get(t.Context(), c, other.URL()+"/healthz"); code != 200 {
			t.Errorf("another server: got %d, want it up", code)
		}
		b.mu.Lock()
		b.epoch = b.epoch.Add(-from) // another day
		b.mu.Unlock()
		b.look()
		until(t, "the server to be up again", healthy)
	}
	if n, err := idle.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("an idle connection: got %d bytes, %v, want it cut", n, err)
	}
}

// Though nobody asks for anything, it looks when it is to go down and when it is to come up.
func TestDownInTime(t *testing.T) {
	b := start(t, servers(1, 5, "constant", time.Hour, scenario.Fault{Kind: scenario.Refused, From: time.Hour, To: 3 * time.Hour}), 0)
	b.Begin(time.Now(), scenario.NewChance(1))
	for _, want := range []struct {
		down   bool
		within time.Duration
	}{{false, time.Hour}, {true, time.Hour}, {false, math.MaxInt64}} {
		next, down := b.due()
		if down != want.down || next > want.within || next < want.within-time.Minute {
			t.Errorf("down %t, looks again after %v, want %t and %v", down, next, want.down, want.within)
		}
		b.mu.Lock()
		b.epoch = b.epoch.Add(-2 * time.Hour) // from 0 h to 2 h and 4 h
		b.mu.Unlock()
	}
}

// A backend whose port somebody else has taken while it was down says so, and is there as
// soon as the port is free.
func TestPortTaken(t *testing.T) {
	s := servers(1, 5, "constant", time.Millisecond, scenario.Fault{Kind: scenario.Refused, To: 24 * time.Hour})
	b, err := Start(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	looked := func() {
		until(t, "the loop to look", func() bool { return len(b.changed) == 0 })
		b.look()
		until(t, "the loop to look again", func() bool { return len(b.changed) == 0 })
	}
	looked() // and has nothing to do for a year
	b.Begin(time.Now(), scenario.NewChance(1))
	address := strings.TrimPrefix(b.URL(), "http://")
	var taken net.Listener
	until(t, "the port to be free", func() bool {
		taken, err = net.Listen("tcp", address)
		return err == nil
	})
	b.mu.Lock()
	b.epoch = b.epoch.Add(-24 * time.Hour) // it is up
	b.mu.Unlock()
	b.look()
	looked()
	if err := b.Close(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("closed: got %v, want that the address is in use", err)
	}
	// As if it had not been closed.
	b.closed, b.closing = make(chan struct{}), sync.Once{}
	b.loop.Go(b.finish)
	looked()
	taken.Close()
	until(t, "the server to be up", func() bool {
		code, _, _ := get(t.Context(), fresh(t), b.URL())
		return code == 200
	})
	if err := b.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

// A health check of a server that is stopped waits until it goes on.
func TestHealthOfStopped(t *testing.T) {
	s := servers(1, 0, "constant", time.Millisecond, scenario.Fault{Kind: scenario.Pause, Every: 48 * time.Hour, For: 24 * time.Hour})
	s.Duration = 1000 * time.Hour
	b := start(t, s, 0)
	b.Begin(time.Now(), scenario.NewChance(1))
	b.mu.Lock()
	begins := core.Instant(0) // of the first pause, to the minute
	for fate, at := b.model.Check(begins); fate == model.Served && at <= begins.Add(1); fate, at = b.model.Check(begins) {
		begins = begins.Add(time.Minute)
	}
	b.epoch = b.epoch.Add(-time.Duration(begins))
	b.mu.Unlock()
	waits(t, b)
	c := client(t)
	b.mu.Lock()
	b.epoch = b.epoch.Add(-25 * time.Hour)
	b.mu.Unlock()
	if code, _, _ := get(t.Context(), c, b.URL()+"/healthz"); code != 200 {
		t.Errorf("it goes on: got %d, want 200", code)
	}
}
