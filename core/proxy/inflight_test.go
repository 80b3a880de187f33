package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/evenkeel/evenkeel/core/limit"
	"github.com/evenkeel/evenkeel/core/proxy"
	"github.com/evenkeel/evenkeel/core/witness"
)

// crowded gives the route so many places.
func crowded(places *limit.Places, most int) func([]proxy.Route) []proxy.Route {
	return func(routes []proxy.Route) []proxy.Route {
		routes[0].InFlight, routes[0].MaxInFlight = places, most
		return routes
	}
}

// A route has as many requests in progress as it may. The next is refused, and the one after
// another's end is not.
func TestInFlightOfARoute(t *testing.T) {
	let := newGate(t)
	arrived := make(chan struct{}, 2)
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-let.open
	})
	var places limit.Places
	g := newRig(t, plan{endpoints: urls(b), routes: crowded(&places, 2)})
	var answers []<-chan answer
	for range 2 {
		answers = append(answers, g.ask(t, g.request(t, "GET", "/", nil)))
		witness.Await(t, "request at the backend", arrived)
	}
	wantRejected(t, g.get(t, "/"), 503, "in-flight", "1")
	let.Open()
	for _, a := range answers {
		wantStatus(t, witness.Await(t, "answer", a), 200)
	}
	g.settled(t)
	wantStatus(t, g.get(t, "/"), 200)
	wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total", `route="web"`, `reason="in-flight"`), 1)
	wantCount(t, "requests at the backend", b.requests.Load(), 3)
	wantCount(t, "in flight at the end", int64(places.Taken()), 0)
}

// What a full route refuses costs nothing of its rate limit, and what the rate limit refuses
// keeps no place.
func TestInFlightAndRateLimit(t *testing.T) {
	b := newBackend(t, say(200, ""))
	var places limit.Places
	rated := limited(t, 1.0/60, 1, false)
	g := newRig(t, plan{endpoints: urls(b), routes: func(routes []proxy.Route) []proxy.Route {
		return crowded(&places, 1)(rated(routes))
	}})
	places.Enter(1)
	wantRejected(t, g.get(t, "/"), 503, "in-flight", "1")
	places.Leave()
	wantStatus(t, g.get(t, "/"), 200)
	for range 2 {
		g.settled(t)
		wantRejected(t, g.get(t, "/"), 429, "rate-limit", "60")
	}
	g.settled(t)
	wantCount(t, "in flight at the end", int64(places.Taken()), 0)
}

// An upgraded connection and a stream are in progress for as long as they live.
func TestInFlightWhileItLives(t *testing.T) {
	for _, tt := range []struct {
		name, head string
		serve      func(w http.ResponseWriter, r *http.Request)
		until      string // what the client reads before it looks
	}{
		{"upgrade", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n", func(w http.ResponseWriter, r *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			defer c.Close()
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nhello\n")
			io.Copy(io.Discard, c)
		}, "hello\n"},
		{"stream", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "data: hello\n\n")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "data: hello\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked sync.Once
			b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Do(func() { tt.serve(w, r) })
			})
			var places limit.Places
			g := newRig(t, plan{endpoints: urls(b), routes: crowded(&places, 1)})
			c := g.dial(t)
			io.WriteString(c, tt.head)
			from := bufio.NewReader(c)
			for line := ""; !strings.HasSuffix(line, tt.until); {
				var err error
				if line, err = from.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			wantRejected(t, g.get(t, "/"), 503, "in-flight", "1")
			c.Close()
			witness.Eventually(t, "the place is free", func() bool { return places.Taken() == 0 })
			wantStatus(t, g.get(t, "/"), 200)
		})
	}
}

// However requests end, they give their place back: clients that leave, endpoints that break
// off, defects.
func TestInFlightReturnsToZero(t *testing.T) {
	const clients, each = 8, 12
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hang":
			<-r.Context().Done()
		case "/break":
			io.WriteString(w, "a part")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	})
	var places limit.Places
	g := newRig(t, plan{endpoints: urls(b), routes: crowded(&places, clients)})
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := range each {
				path := []string{"/", "/hang", "/break"}[i%3]
				c := g.dial(t)
				fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path)
				if path != "/hang" {
					io.Copy(io.Discard, c)
				}
				c.Close()
			}
		})
	}
	wg.Wait()
	g.settled(t)
	wantCount(t, "in flight at the end", int64(places.Taken()), 0)
}
