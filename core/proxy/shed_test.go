package proxy_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/witness"
)

// throttle is a pool that sheds no more than a share, and goes by a priority header.
func throttle(most float64) func(*config.Policies) {
	return func(p *config.Policies) {
		s := config.NewShed("accept-ratio")
		s.MaxRatio, s.PriorityHeader = most, "X-Priority"
		p.Shed = &s
	}
}

// A shed request is answered 503 with the time to come back, and counted for what it
// is.
func TestShed(t *testing.T) {
	b := newBackend(t, say(500, ""))
	g := newRig(t, plan{endpoints: urls(b), policies: throttle(1)})
	for range 2000 { // of which nothing is accepted
		g.router.Shedder().Begun(g.now(), 1)
	}
	g.skip(time.Second) // the share is worked out anew
	wantRejected(t, g.get(t, "/"), 503, "shed", "1")
	wantCount(t, "requests at the backend", b.requests.Load(), 0)
	wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total", `route="web"`, `reason="shed"`), 1)
	if got := g.read(t, "evenkeel_pool_shed_ratio"); got < 0.99 {
		t.Errorf("share that is shed: got %v, want nearly all", got)
	}
}

// How important a request is, its header says, when it comes from a trusted peer.
func TestPriorityHeader(t *testing.T) {
	for _, tt := range []struct {
		name    string
		trusted []string
		header  string // "" for none
		class   uint8
	}{
		{"says nothing", []string{"127.0.0.0/8"}, "", 1},
		{"most important", []string{"127.0.0.0/8"}, "0", 0},
		{"least important", []string{"127.0.0.0/8"}, "3", 3},
		{"beyond the last", []string{"127.0.0.0/8"}, "200", 3},
		{"no number", []string{"127.0.0.0/8"}, "high", 1},
		{"below the first", []string{"127.0.0.0/8"}, "-1", 1},
		{"larger than any", []string{"127.0.0.0/8"}, "256", 1},
		{"not trusted", nil, "0", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// A thousand of each class, nothing of which has come to anything: of a
			// quarter to shed the last class is all, of a half the last two.
			for last := range uint8(3) {
				g := newRig(t, plan{endpoints: urls(newBackend(t, say(200, ""))), policies: throttle(0.75 - 0.25*float64(last)), trusted: tt.trusted})
				for class := range uint8(4) {
					for range 1000 {
						g.router.Shedder().Begun(g.now(), class)
					}
				}
				g.skip(time.Second) // the shares are worked out anew
				r := g.request(t, http.MethodGet, "/", nil)
				if tt.header != "" {
					r.Header.Set("X-Priority", tt.header)
				}
				want := http.StatusOK
				if tt.class > last {
					want = http.StatusServiceUnavailable
				}
				if got := g.do(t, r); got.status != want {
					t.Errorf("with the classes up to %d let in: got %d, want %d", last, got.status, want)
				}
			}
		})
	}
}

// A queue that has been standing lets requests wait for as long as target, no more;
// they are shed, not timed out.
func TestCoDelInTheProxy(t *testing.T) {
	b, arrived, let := line(t)
	g := newRig(t, plan{endpoints: urls(b), policies: func(p *config.Policies) {
		limiter, shed := config.NewConcurrency("fixed"), config.NewShed("codel")
		limiter.Limit, limiter.Queue = 1, 10
		shed.Target, shed.Interval = 5*time.Millisecond, 10*time.Millisecond
		p.Concurrency, p.Shed = &limiter, &shed
	}})
	first := g.ask(t, g.request(t, "GET", "/", nil))
	witness.Await(t, "first request", arrived)
	wantRejected(t, g.get(t, "/"), 503, "shed", "1")
	wantCount(t, "waiting", g.waiting(), 0)
	let <- struct{}{}
	wantStatus(t, witness.Await(t, "first answer", first), 200)
	wantCount(t, "shed", g.count(t, "evenkeel_rejections_total", `reason="shed"`), 1)
}

// A pool whose limit grows lets everybody in whom it has room for, by one request that
// ends.
func TestAGrowingLimitWakesSeveral(t *testing.T) {
	b, arrived, let := line(t)
	g := newRig(t, plan{endpoints: urls(b), policies: func(p *config.Policies) {
		limiter := config.NewConcurrency("aimd")
		limiter.Initial, limiter.Queue, limiter.MaxWait = 1, 10, witness.Bound
		limiter.Samples, limiter.Window = 1, time.Millisecond
		p.Concurrency = &limiter
	}})
	limiter := g.router.Admission().Limiter()
	answers := []<-chan answer{g.ask(t, g.request(t, "GET", "/", nil))}
	witness.Await(t, "first request", arrived)
	for range 5 {
		answers = append(answers, g.ask(t, g.request(t, "GET", "/", nil)))
	}
	witness.Eventually(t, "five in the queue", func() bool { return g.waiting() == 5 })
	for i := range 8 {
		s := core.Sample{Outcome: core.Success, FirstAnswer: time.Millisecond, Total: time.Millisecond}
		limiter.Learn(g.now()+core.Instant(i)*core.Instant(2*time.Millisecond), s, 100)
	}
	if got := limiter.Limit(); got < 4 {
		t.Fatalf("limit: got %d, want at least 4", got)
	}
	let <- struct{}{}
	for range 3 { // beside the one that takes the first one's place
		witness.Await(t, "a request of those that waited", arrived)
	}
	for range 5 {
		let <- struct{}{}
	}
	for i, a := range answers {
		wantStatus(t, witness.Await(t, fmt.Sprint("answer ", i), a), 200)
	}
}
