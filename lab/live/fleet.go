package live

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/evenkeel/evenkeel/lab/backend"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// fleet are the servers of a trial.
type fleet []*backend.Backend

// startFleet starts a scenario's servers, which keep a log of some n requests together.
// What has been started is returned also with an error.
func startFleet(s *scenario.Scenario, n int) (fleet, error) {
	var f fleet
	for i := range s.Servers.Count {
		b, err := backend.Start(s, i)
		if err != nil {
			return f, fmt.Errorf("starting backend %d: %w", i, err)
		}
		b.Keep(2 * n / s.Servers.Count)
		f = append(f, b)
	}
	return f, nil
}

// begin begins the trial at every server.
func (f fleet) begin(began time.Time, chance scenario.Chance) {
	for _, b := range f {
		b.Begin(began, chance)
	}
}

func (f fleet) close() (err error) {
	for _, b := range f {
		err = errors.Join(err, b.Close())
	}
	return err
}

func (f fleet) urls() (all []string) {
	for _, b := range f {
		all = append(all, b.URL())
	}
	return all
}

// hosts are the addresses, host:port.
func (f fleet) hosts() (all []string) {
	for _, b := range f {
		all = append(all, strings.TrimPrefix(b.URL(), "http://"))
	}
	return all
}

// log has the entries of all servers, each one's in its order.
func (f fleet) log() (all []backend.Entry) {
	for _, b := range f {
		all = append(all, b.Log()...)
	}
	return all
}

// Exposition shows the metrics of the servers of whatever trial runs just now, in the
// Prometheus text format. The zero value shows nothing until a driver has it. Safe for
// concurrent use.
type Exposition struct {
	mu    sync.Mutex
	fleet fleet
}

// show has the servers shown until the returned function is called; nothing of nil.
func (e *Exposition) show(f fleet) (hide func()) {
	if e == nil {
		return func() {}
	}
	e.set(f)
	return func() { e.set(nil) }
}

func (e *Exposition) set(f fleet) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fleet = f
}

// ServeHTTP implements http.Handler.
func (e *Exposition) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	for _, b := range e.fleet {
		b.WriteMetrics(w)
	}
}
