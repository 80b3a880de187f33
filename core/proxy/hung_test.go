package proxy_test

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/witness"
)

// hungAfter has requests sent elsewhere after so long, and not at all hedged.
func hungAfter(d time.Duration) func(*config.Policies) {
	return func(p *config.Policies) {
		p.Hedge = nil
		p.Retries.HungAfter = d
	}
}

// A request whose endpoint hangs is answered by the other. It is a retry, and no hedge; the
// one that hung is called off, and counts as overtaken.
func TestHungAttemptIsNotWaitedFor(t *testing.T) {
	d := newDuel(t, hungAfter(10*time.Millisecond), hang, atOnce(say(200, "second")))
	if got := d.get(t, "/duel"); got.status != 200 || got.body != "second" {
		t.Errorf("got %d %q, want 200 and second", got.status, got.body)
	}
	witness.Await(t, "end of the one that hung", d.off[0])
	wantCount(t, "overtaken", d.count(t, "evenkeel_attempts_total", `outcome="overtaken"`), 1)
	wantCount(t, "retries", d.count(t, "evenkeel_retries_total", `result="sent"`), 1)
	wantCount(t, "hedges", d.count(t, "evenkeel_hedges_total"), 0)
}

// What is slow and does not hang is waited for, and wins if it is first.
func TestSlowAttemptIsWaitedFor(t *testing.T) {
	d := newDuel(t, hungAfter(10*time.Millisecond), afterHedge(say(200, "first")), hang)
	if got := d.get(t, "/duel"); got.status != 200 || got.body != "first" {
		t.Errorf("got %d %q, want 200 and first", got.status, got.body)
	}
	witness.Await(t, "end of the second", d.off[1])
	wantCount(t, "abandoned", d.count(t, "evenkeel_attempts_total", `outcome="abandoned"`), 1)
}

// Of two that hang, both end when the first has taken as long as it may: nobody waits for
// longer than for one.
func TestHungTwiceIsOneTimeout(t *testing.T) {
	d := newDuel(t, func(p *config.Policies) {
		hungAfter(10 * time.Millisecond)(p)
		p.Timeouts.ResponseHeader = time.Second
	}, hang, hang)
	wantRejected(t, d.get(t, "/duel"), 504, "timeout", "")
	witness.Await(t, "end of the first", d.off[0])
	witness.Await(t, "end of the second", d.off[1])
	wantCount(t, "timeouts", d.count(t, "evenkeel_attempts_total", `outcome="timeout"`), 2)
}

// What may be sent only once is waited for.
func TestHungPostIsNotSentTwice(t *testing.T) {
	d := newDuel(t, func(p *config.Policies) {
		hungAfter(10 * time.Millisecond)(p)
		p.Timeouts.ResponseHeader = time.Second
	}, hang, hang)
	wantRejected(t, d.do(t, d.request(t, "POST", "/duel", nil)), 504, "timeout", "")
	wantCount(t, "retries", d.count(t, "evenkeel_retries_total", `result="sent"`), 0)
}

// Where no hedge is to be had, what hangs is asked elsewhere when it is taken for hung.
func TestHungWithoutHedges(t *testing.T) {
	d := newDuel(t, func(p *config.Policies) { p.Hedge.MaxRatio, p.Retries.HungAfter = 1e-9, 20*time.Millisecond }, hang, atOnce(say(200, "second")))
	if got := d.get(t, "/duel"); got.body != "second" {
		t.Errorf("body: got %q, want second", got.body)
	}
	wantCount(t, "retries", d.count(t, "evenkeel_retries_total", `result="sent"`), 1)
	wantCount(t, "hedges refused", d.count(t, "evenkeel_hedges_total", `result="no-budget"`), 1)
}

// An answer whose head was there in time may take longer than a head may, whoever won; and
// the other is called off when it begins.
func TestAnswerAfterHungIsWhole(t *testing.T) {
	for winner, name := range []string{"the first", "the second"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sides := [2]func(*duel, http.ResponseWriter, *http.Request){hang, hang}
			sides[winner] = func(d *duel, w http.ResponseWriter, r *http.Request) {
				<-d.began[1].open
				io.WriteString(w, "a long ")
				http.NewResponseController(w).Flush()
				rest := time.NewTimer(1100 * time.Millisecond)
				defer rest.Stop()
				unlessLeft(r, d.off[1-winner])
				unlessLeft(r, rest.C)
				if r.Context().Err() == nil {
					io.WriteString(w, "answer")
				}
			}
			d := newDuel(t, func(p *config.Policies) {
				hungAfter(10 * time.Millisecond)(p)
				p.Timeouts.ResponseHeader = time.Second
			}, sides[0], sides[1])
			if got := d.get(t, "/duel"); got.body != "a long answer" {
				t.Errorf("got %q, want a long answer", got.body)
			}
		})
	}
}

// A panic where a second attempt is begun or taken in costs the request, and nothing else.
func TestDefectInTheSecondAttempt(t *testing.T) {
	tr := &empty{}
	b := newBackends(t, 2, say(200, "well"))
	transport := newTransport(t, config.Timeouts{})
	t.Cleanup(transport.CloseIdleConnections)
	tr.RoundTripper = transport
	g := newRig(t, plan{endpoints: urls(b...), transport: tr, policies: hungAfter(10 * time.Millisecond)})
	g.learn(t)
	wantStatus(t, g.get(t, "/empty"), 500)
	g.settled(t)
	if got := g.defects.Load(); got != 1 {
		t.Errorf("defects: got %d, want 1", got)
	}
	wantStatus(t, g.get(t, "/"), 200)
}

// empty is a transport that hangs on the first attempt for /empty, and answers the second
// with what nothing can be read from.
type empty struct {
	http.RoundTripper
	asked atomic.Int64
}

func (tr *empty) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/empty" {
		return tr.RoundTripper.RoundTrip(r)
	}
	if tr.asked.Add(1) == 1 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return nil, nil
}

// unlessLeft waits for a channel, unless the client leaves.
func unlessLeft[T any](r *http.Request, c <-chan T) {
	select {
	case <-c:
	case <-r.Context().Done():
	}
}
