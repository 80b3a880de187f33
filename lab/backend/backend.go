// Package backend is a simulated server behind real HTTP: the same state machine as
// in the simulator (lab/model), driven by timers instead of events. It sleeps instead
// of working, so that many of them fit on a small machine and none takes the others'
// processor.
//
// Its instruments (histograms of VictoriaMetrics/metrics) are counted for the whole and for
// each phase of the trial, and are at /debug/metrics while it runs.
//
// A request's demand is keyed by its sequence number, which the load generator sends
// along; so the same request asks for the same work whichever backend it reaches, and
// whatever the strategy.
package backend

import (
	"errors"
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
	address  string // of its port, once it has one
	url      string
	changed  chan struct{} // the next ending may be earlier than it was
	closed   chan struct{}
	closing  sync.Once
	loop     sync.WaitGroup

	// While it is down there is neither. The loop's until Close.
	listener net.Listener
	server   *http.Server
	failed   error // to listen again

	mu      sync.Mutex
	chance  scenario.Chance
	demands scenario.Demands
	epoch   time.Time // of the model's instants
	model   *model.Server
	down    bool         // whether the model is
	turns   core.Instant // when that is to be looked at again
	waiting map[uint64]chan<- model.Done
	next    uint64 // id of the next request
	keep    bool   // a log
	room    int
	log     []Entry

	set     *metrics.Set
	seconds *metrics.Histogram
	phases  phases
}

// Start starts server index of the scenario on a port of the loopback interface that
// the system chooses. Until Begin the time is before the trial: no fault holds.
func Start(s *scenario.Scenario, index int) (*Backend, error) {
	b := &Backend{
		index: index, scenario: s, address: "127.0.0.1:0",
		changed: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	b.instrument()
	b.Begin(time.Now().Add(beforehand), scenario.NewChance(s.Seed))
	if err := b.open(); err != nil {
		return nil, err
	}
	b.url = "http://" + b.address
	b.loop.Go(b.finish)
	return b, nil
}

// beforehand is how far the trial is away as long as nobody has begun it.
const beforehand = 365 * 24 * time.Hour

// URL is where the backend is, or will be again when it is down.
func (b *Backend) URL() string { return b.url }

// Begin starts a trial at the given time: an idle server, at the beginning of its
// faults. Requests under way from before are answered with 503.
func (b *Backend) Begin(epoch time.Time, chance scenario.Chance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, answer := range b.waiting {
		answer <- model.Done{Code: model.Overfull}
	}
	b.epoch, b.chance, b.demands = epoch, chance, b.scenario.Demands(chance)
	b.model = b.scenario.Server(b.index, chance)
	b.turns = math.MinInt64
	b.waiting = map[uint64]chan<- model.Done{}
	if b.log = nil; b.keep {
		b.log = make([]Entry, 0, b.room)
	}
	b.look()
}

// Close stops the backend; requests under way are cut off. To close it again does
// nothing. It is an error when the backend was down and could not listen again.
func (b *Backend) Close() error {
	b.closing.Do(func() { close(b.closed) })
	b.loop.Wait()
	return errors.Join(b.shut(), b.failed)
}

// look lets the loop look at the model again.
func (b *Backend) look() {
	select {
	case b.changed <- struct{}{}:
	default: // it will look anyway
	}
}

func (b *Backend) now() core.Instant { return core.Instant(time.Since(b.epoch)) }

func (b *Backend) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", b.serve)
	mux.HandleFunc("GET /healthz", b.health)
	mux.HandleFunc("GET /debug/metrics", func(w http.ResponseWriter, _ *http.Request) { b.WriteMetrics(w) })
	return mux
}

// serve answers a request when the model has done its work, or does what befalls it. A
// client that leaves stops the work only where servers.abandoned says so.
func (b *Backend) serve(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	done := make(chan model.Done, 1)
	id, arrived := b.arrive(r, done)
	var d model.Done
	select {
	case d = <-done:
	case <-r.Context().Done():
		if b.forget(id) {
			b.note(r, arrived, left)
			return
		}
		d = <-done // it was quicker
	case <-b.closed:
		panic(http.ErrAbortHandler) // cut off: to return would be to answer 200
	}
	b.counter(d.Code).Inc()
	b.seconds.UpdateDuration(began)
	b.note(r, arrived, d.Code)
	if d.Code < 0 {
		cut(w)
		return
	}
	w.Header().Set(ServerHeader, strconv.Itoa(b.index))
	w.WriteHeader(d.Code)
	fmt.Fprintf(w, "server %d\n", b.index)
}

// arrive gives the request to the model, and returns when that was.
func (b *Backend) arrive(r *http.Request, done chan<- model.Done) (id uint64, now core.Instant) {
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
	now = b.now()
	b.answer(now) // the timer may be late: what has ended by now holds no slot
	_, work := b.demands.Of(seq)
	b.model.Arrive(now, model.Job{ID: id, Demand: work, Luck: b.chance.Luck(seq, 0, b.index)})
	b.look()
	return id, now
}

// forget is told that the client has left. It returns false when the request has its answer
// already.
func (b *Backend) forget(id uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting[id] == nil {
		return false
	}
	delete(b.waiting, id)
	if b.scenario.Cancels() {
		now := b.now()
		b.answer(now)
		b.model.Cancel(now, id)
		b.look()
	}
	return true
}

// health answers a health check as the model would, in its time.
func (b *Backend) health(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(SeqHeader) != "" {
		b.serve(w, r) // one of the load's, which happens to have this path
		return
	}
	b.mu.Lock()
	now := b.now()
	fate, at := b.model.Check(now)
	b.mu.Unlock()
	if fate == model.Hang {
		at = core.Never
	}
	if at > now.Add(1) { // no work takes less than a nanosecond
		timer := time.NewTimer(wait(now, at))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		case <-b.closed:
			panic(http.ErrAbortHandler)
		}
	}
	switch fate {
	case model.Served:
		io.WriteString(w, "ok\n")
	case model.Fail:
		http.Error(w, "failing", http.StatusServiceUnavailable)
	default:
		cut(w)
	}
}

// finish hands out the answers as their time comes, and goes down and up.
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
		next, down := b.due() // who is broken off hears of it before the connections are cut
		timer.Reset(min(next, b.follow(down)))
	}
}

// due answers what has come to its end, and returns how long it is until it has to look
// again and whether the server is down.
func (b *Backend) due() (next time.Duration, down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.answer(now)
	if now >= b.turns {
		b.down, b.turns = b.model.Down(now)
	}
	return wait(now, min(b.model.Next(), b.turns)), b.down
}

// wait is how long it is from now to an instant; as long as can be to core.Never.
func wait(now, at core.Instant) time.Duration {
	if at == core.Never {
		return math.MaxInt64 // and not the difference: before Begin now is far below zero
	}
	return at.Sub(now)
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
