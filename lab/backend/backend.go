// Package backend is a simulated server behind real HTTP: the same state machine as
// in the simulator (lab/model), driven by timers instead of events. It sleeps instead
// of working, so that many of them fit on a small machine and none takes the others'
// processor.
//
// A request's demand is keyed by its sequence number, which the load generator sends
// along; so the same request asks for the same work whichever backend it reaches, and
// whatever the strategy.
package backend

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Headers between the lab's load generator and its backends.
const (
	SeqHeader    = "X-Vegeta-Seq"      // of the request: its sequence number
	ServerHeader = "X-Evenkeel-Server" // of the answer: the index of the server
)

// Backend is one simulated server on a port of its own.
type Backend struct {
	index    int
	scenario *scenario.Scenario
	law      model.Law
	listener net.Listener
	server   http.Server
	changed  chan struct{} // the next ending may be earlier than it was
	closed   chan struct{}
	closing  sync.Once
	loop     sync.WaitGroup

	mu      sync.Mutex
	chance  scenario.Chance
	epoch   time.Time // of the model's instants
	model   *model.Server
	waiting map[uint64]chan<- model.Done
	next    uint64 // id of the next request

	set     *metrics.Set
	seconds *metrics.Histogram
}

// Start starts server index of the scenario on a port of the loopback interface that
// the system chooses. Until Begin the time is before the trial: no fault holds.
func Start(s *scenario.Scenario, index int) (*Backend, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Backend{
		index: index, scenario: s, law: s.Law(), listener: listener,
		changed: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	b.instrument()
	b.Begin(time.Now().Add(beforehand), scenario.NewChance(s.Seed))
	b.server = http.Server{Handler: b.handler(), ReadHeaderTimeout: 10 * time.Second}
	b.loop.Go(b.finish)
	go b.server.Serve(listener)
	return b, nil
}

// beforehand is how far the trial is away as long as nobody has begun it.
const beforehand = 365 * 24 * time.Hour

// URL is where the backend is.
func (b *Backend) URL() string { return "http://" + b.listener.Addr().String() }

// Begin starts a trial at the given time: an idle server, at the beginning of its
// faults. Requests under way from before are answered with 503.
func (b *Backend) Begin(epoch time.Time, chance scenario.Chance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, answer := range b.waiting {
		answer <- model.Done{Code: model.Overfull}
	}
	b.epoch, b.chance = epoch, chance
	b.model = b.scenario.Server(b.index, chance)
	b.waiting = map[uint64]chan<- model.Done{}
}

// Close stops the backend; requests under way are cut off. To close it again does
// nothing.
func (b *Backend) Close() error {
	b.closing.Do(func() { close(b.closed) })
	err := b.server.Close()
	b.loop.Wait()
	return err
}

func (b *Backend) now() core.Instant { return core.Instant(time.Since(b.epoch)) }

func (b *Backend) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", b.serve)
	mux.HandleFunc("GET /healthz", b.health)
	mux.HandleFunc("GET /debug/metrics", func(w http.ResponseWriter, _ *http.Request) { b.WriteMetrics(w) })
	return mux
}

// serve answers a request when the model has done its work. A client that leaves does
// not stop the work.
func (b *Backend) serve(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	done := make(chan model.Done, 1)
	id := b.arrive(r, done)
	select {
	case d := <-done:
		w.Header().Set(ServerHeader, strconv.Itoa(b.index))
		w.WriteHeader(d.Code)
		fmt.Fprintf(w, "server %d\n", b.index)
		b.counter(d.Code).Inc()
		b.seconds.UpdateDuration(began)
	case <-r.Context().Done():
		b.forget(id)
	case <-b.closed:
		panic(http.ErrAbortHandler) // cut off: to return would be to answer 200
	}
}

// arrive gives the request to the model.
func (b *Backend) arrive(r *http.Request, done chan<- model.Done) (id uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id = b.next
	b.next++
	// Requests that nobody has numbered get numbers of their own.
	seq, err := strconv.ParseUint(r.Header.Get(SeqHeader), 10, 63)
	if err != nil {
		seq = 1<<63 | uint64(b.index)<<40 | id
	}
	b.waiting[id] = done
	now := b.now()
	b.answer(now) // the timer may be late: what has ended by now holds no slot
	b.model.Arrive(now, id, b.law.Draw(b.chance.Demand(seq)))
	select {
	case b.changed <- struct{}{}:
	default: // it will look anyway
	}
	return id
}

func (b *Backend) forget(id uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.waiting, id)
}

func (b *Backend) health(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	healthy := b.model.Healthy(b.now())
	b.mu.Unlock()
	if !healthy {
		http.Error(w, "failing", http.StatusServiceUnavailable)
		return
	}
	io.WriteString(w, "ok\n")
}

// finish hands out the answers as their time comes.
func (b *Backend) finish() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-b.closed:
			return
		case <-b.changed:
		case <-timer.C:
		}
		timer.Reset(b.due())
	}
}

// due answers what has come to its end and returns how long it is until the next.
func (b *Backend) due() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.answer(now)
	next := b.model.Next()
	if next == core.Never {
		return math.MaxInt64 // and not the difference: before Begin now is far below zero
	}
	return next.Sub(now)
}

// answer answers what has come to its end by now.
func (b *Backend) answer(now core.Instant) {
	for {
		d, ok := b.model.Finish(now)
		if !ok {
			return
		}
		if answer := b.waiting[d.ID]; answer != nil {
			answer <- d
			delete(b.waiting, d.ID)
		}
	}
}
