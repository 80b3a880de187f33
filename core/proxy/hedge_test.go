package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/witness"
)

// duel is two endpoints whose first request for /duel is answered by first, and the
// second one, the hedge, by second. All else is answered at once.
type duel struct {
	*rig
	began [2]*gate         // first and second have begun
	off   [2]chan struct{} // first and second were called off
}

func newDuel(t *testing.T, change func(*config.Policies), first, second func(d *duel, w http.ResponseWriter, r *http.Request)) *duel {
	t.Helper()
	d := &duel{began: [2]*gate{newGate(t), newGate(t)}, off: [2]chan struct{}{make(chan struct{}), make(chan struct{})}}
	var asked atomic.Int64
	sides := [2]func(*duel, http.ResponseWriter, *http.Request){first, second}
	backends := newBackends(t, 2, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/duel" {
			return
		}
		side := min(asked.Add(1)-1, 1)
		d.began[side].Open()
		sides[side](d, w, r)
		if r.Context().Err() != nil {
			close(d.off[side])
		}
	})
	d.rig = newRig(t, plan{endpoints: urls(backends...), policies: func(p *config.Policies) {
		p.Hedge = &config.Hedge{AfterPercentile: 0.95, MinDelay: 10 * time.Millisecond, MaxRatio: 1}
		if change != nil {
			change(p)
		}
	}})
	d.learn(t)
	return d
}

// learn teaches the pool how long an answer takes.
func (g *rig) learn(t *testing.T) {
	t.Helper()
	for range 20 {
		wantStatus(t, g.get(t, "/"), 200)
	}
	g.skip(100 * time.Millisecond) // the percentile is taken anew
}

// hang waits until it is called off.
func hang(_ *duel, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// afterHedge does something once the hedge has begun.
func afterHedge(do http.HandlerFunc) func(*duel, http.ResponseWriter, *http.Request) {
	return func(d *duel, w http.ResponseWriter, r *http.Request) {
		<-d.began[1].open
		do(w, r)
	}
}

// atOnce does something at once.
func atOnce(do http.HandlerFunc) func(*duel, http.ResponseWriter, *http.Request) {
	return func(_ *duel, w http.ResponseWriter, r *http.Request) { do(w, r) }
}

// afterOther does something once the other attempt has come to an outcome.
func afterOther(outcome string, do http.HandlerFunc) func(*duel, http.ResponseWriter, *http.Request) {
	return func(d *duel, w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for !strings.Contains(d.scrape(), `outcome="`+outcome+`",pool="web"} 1`) {
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
		do(w, r)
	}
}

// breakOff breaks the connection off within the head of the answer: where nothing has
// been answered yet, the transport would try the endpoint once more by itself.
func breakOff(w http.ResponseWriter, _ *http.Request) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Le")
	c.Close()
}

// A request that is not answered for long is asked for again at the other endpoint: who
// gets the client's ear, and what becomes of the other?
func TestHedge(t *testing.T) {
	for _, tt := range []struct {
		name          string
		first, second func(*duel, http.ResponseWriter, *http.Request)
		status        int
		says          string
		calledOff     int // which side; -1 for none
		outcomes      map[string]float64
		won           float64
	}{
		{"the hedge is first", hang, atOnce(say(200, "second")), 200, "second", 0, map[string]float64{"overtaken": 1, "success": 21}, 1},
		{"the first is first", afterHedge(say(200, "first")), hang, 200, "first", 1, map[string]float64{"abandoned": 1, "success": 21}, 0},
		{"a client error wins", hang, atOnce(say(404, "second")), 404, "second", 0, map[string]float64{"overtaken": 1, "client-error": 1}, 1},
		{"the first breaks off", afterHedge(breakOff), afterOther("reset", say(200, "second")), 200, "second", -1, map[string]float64{"reset": 1, "success": 21}, 1},
		{"the hedge breaks off", afterOther("reset", say(200, "first")), atOnce(breakOff), 200, "first", -1, map[string]float64{"reset": 1, "success": 21}, 0},
		{"the hedge is refused", afterOther("server-error", say(200, "first")), atOnce(say(503, "second")), 200, "first", -1, map[string]float64{"server-error": 1, "success": 21}, 0},
		{"both break off", afterHedge(breakOff), afterHedge(breakOff), 502, "evenkeel: 502 Bad Gateway: reset\n", -1, map[string]float64{"reset": 2, "success": 20}, 0},
		{"both are refused", afterHedge(say(503, "no")), afterHedge(say(503, "no")), 503, "no", -1, map[string]float64{"server-error": 2, "success": 20}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDuel(t, nil, tt.first, tt.second)
			got := d.get(t, "/duel")
			wantStatus(t, got, tt.status)
			if got.body != tt.says {
				t.Errorf("body: got %q, want %q", got.body, tt.says)
			}
			if tt.calledOff >= 0 {
				witness.Await(t, "end of the other attempt", d.off[tt.calledOff])
			}
			for outcome, n := range tt.outcomes {
				wantCount(t, outcome, d.count(t, "evenkeel_attempts_total", `outcome="`+outcome+`"`), n)
			}
			wantCount(t, "attempts", d.count(t, "evenkeel_attempts_total"), 22)
			wantCount(t, "retries", d.count(t, "evenkeel_retries_total", `result="sent"`), 0)
			wantCount(t, "hedges", d.count(t, "evenkeel_hedges_total", `result="sent"`), 1)
			wantCount(t, "hedges that have won", d.count(t, "evenkeel_hedges_total", `result="won"`), tt.won)
		})
	}
}

// The other attempt is called off when an answer begins, not when it is complete.
func TestHedgeCallsOffAtTheAnswer(t *testing.T) {
	d := newDuel(t, func(p *config.Policies) { p.Timeouts = config.Timeouts{} }, hang, func(d *duel, w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a long ")
		http.NewResponseController(w).Flush()
		select {
		case <-d.off[0]:
			io.WriteString(w, "stream")
		case <-r.Context().Done():
		}
	})
	if got := d.get(t, "/duel"); got.body != "a long stream" {
		t.Errorf("body: got %q, want a long stream", got.body)
	}
}

// An answer that comes although its attempt was called off is closed, be it the first's or
// the hedge's.
func TestHedgeClosesLateAnswers(t *testing.T) {
	for late, name := range []string{"the first", "the hedge"} {
		t.Run(name, func(t *testing.T) {
			tr := &tardy{late: int64(late), closed: newGate(t), hedged: newGate(t)}
			b := newBackends(t, 2, say(200, "well"))
			transport := newTransport(t, config.Timeouts{})
			t.Cleanup(transport.CloseIdleConnections)
			tr.RoundTripper = transport
			g := newRig(t, plan{endpoints: urls(b...), transport: tr, policies: func(p *config.Policies) {
				p.Hedge = &config.Hedge{AfterPercentile: 0.95, MinDelay: 10 * time.Millisecond, MaxRatio: 1}
			}})
			g.learn(t)
			if got := g.get(t, "/tardy"); got.body != "well" {
				t.Errorf("body: got %q, want well", got.body)
			}
			witness.Await(t, "end of the late answer", tr.closed.open)
		})
	}
}

// tardy is a transport that answers one of the two attempts for /tardy once it is called off.
type tardy struct {
	http.RoundTripper
	asked          atomic.Int64
	late           int64 // which
	hedged, closed *gate
}

func (tr *tardy) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/tardy" {
		return tr.RoundTripper.RoundTrip(r)
	}
	n := tr.asked.Add(1) - 1
	if n == 1 {
		tr.hedged.Open()
	}
	if n != tr.late {
		<-tr.hedged.open
		return tr.RoundTripper.RoundTrip(r)
	}
	<-r.Context().Done()
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: closing{strings.NewReader("late"), tr.closed}}, nil
}

// closing is a body that tells that it was closed.
type closing struct {
	io.Reader
	closed *gate
}

func (c closing) Close() error {
	c.closed.Open()
	return nil
}

// The connection of an answer that did not win is used again.
func TestRefusedHedgesDoNotCostConnections(t *testing.T) {
	const duels = 25
	var asked atomic.Int64
	var g *rig
	backends := newBackends(t, 2, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/duel" {
			return
		}
		n := asked.Add(1)
		if n%2 == 0 {
			say(503, "no")(w, r)
			return
		}
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for g.read(t, "evenkeel_attempts_total", `outcome="server-error"`) <= float64(n/2) && r.Context().Err() == nil {
			<-tick.C
		}
	})
	g = newRig(t, plan{endpoints: urls(backends...), policies: func(p *config.Policies) {
		p.Breaker.Enabled = false
		p.Hedge = &config.Hedge{AfterPercentile: 0.5, MinDelay: 5 * time.Millisecond, MaxRatio: 1}
	}})
	g.learn(t)
	for range duels {
		wantStatus(t, g.get(t, "/duel"), 200)
		// The hedge may have been asked once more by the transport itself.
		asked.Add(asked.Load() % 2)
	}
	wantCount(t, "refused", g.count(t, "evenkeel_attempts_total", `outcome="server-error"`), duels)
	for _, b := range backends {
		// Reading the rest may be cut short by the end of the request: most
		// connections survive, not every one.
		if got := b.connections.Load(); got > duels/2 {
			t.Errorf("connections of %d attempts at %s: got %d, want most of the attempts to share some", duels, b.host(), got)
		}
	}
}

// A client that leaves takes both attempts with it.
func TestHedgeAndTheClientLeaves(t *testing.T) {
	d := newDuel(t, nil, hang, hang)
	c := d.dial(t)
	if _, err := c.Write([]byte("GET /duel HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	witness.Await(t, "the hedge", d.began[1].open)
	c.Close()
	witness.Await(t, "end of the first", d.off[0])
	witness.Await(t, "end of the hedge", d.off[1])
	wantCount(t, "abandoned attempts", d.count(t, "evenkeel_attempts_total", `outcome="abandoned"`), 2)
}

// When both take too long, the client hears of it once, and both are called off.
func TestHedgeTimesOut(t *testing.T) {
	d := newDuel(t, func(p *config.Policies) { p.Timeouts.ResponseHeader = 200 * time.Millisecond }, hang, hang)
	wantRejected(t, d.get(t, "/duel"), 504, "timeout", "")
	witness.Await(t, "end of the first", d.off[0])
	witness.Await(t, "end of the hedge", d.off[1])
	wantCount(t, "timeouts", d.count(t, "evenkeel_attempts_total", `outcome="timeout"`), 2)
}

// Without a bound in time, nothing but the client ends a race of two that hang; with
// neither an end nor an answer there is one attempt more than without hedging.
func TestHedgeWithoutTimeouts(t *testing.T) {
	d := newDuel(t, func(p *config.Policies) { p.Timeouts = config.Timeouts{} }, hang, atOnce(say(200, "second")))
	if got := d.get(t, "/duel"); got.body != "second" {
		t.Errorf("body: got %q, want second", got.body)
	}
	witness.Await(t, "end of the first", d.off[0])
}

// The pool of a black hole and of endpoints that answer: every request that falls into
// it is answered all the same, and nothing is left over.
func TestManyHedgesLeaveNothingBehind(t *testing.T) {
	well := newBackends(t, 2, say(200, "well"))
	var hole atomic.Bool
	black := newBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		if hole.Load() {
			<-r.Context().Done()
		}
	})
	g := newRig(t, plan{endpoints: urls(append(well, black)...), policies: func(p *config.Policies) {
		p.Breaker.Enabled = false // it would find the black hole
		p.Hedge = &config.Hedge{AfterPercentile: 0.95, MinDelay: 10 * time.Millisecond, MaxRatio: 1}
	}})
	g.learn(t)
	wantStatus(t, g.get(t, "/"), 200) // takes the percentile: who comes meanwhile is not hedged
	hole.Store(true)
	const clients, each = 8, 12
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range each {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.URL, nil)
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := g.Client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				answer.Body.Close()
				if answer.StatusCode != 200 {
					t.Errorf("status: got %d, want 200", answer.StatusCode)
				}
			}
		})
	}
	wg.Wait()
	if got := g.count(t, "evenkeel_attempts_total", `outcome="overtaken"`); got < clients*each/6 {
		t.Errorf("overtaken: got %v, want about a third of %d", got, clients*each)
	}
	wantCount(t, "failures", g.count(t, "evenkeel_attempts_total", `outcome="timeout"`), 0)
}
