package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"

	"github.com/evenkeel/evenkeel/core"
)

// Pool is a pool as the admin listener knows it.
type Pool struct {
	Name     string
	Strategy string
	Router   *core.Router
	// Limiter is the name of what limits the pool's requests in flight, if anything does.
	Limiter string
	// Routes are those to the pool whose requests in flight are limited.
	Routes []Route
}

// Route is a route whose requests in flight are limited.
type Route struct {
	Name     string `json:"name"`
	InFlight int    `json:"in_flight"`
	Limit    int    `json:"limit"`
}

// ErrNoEndpoint says that there are pools, and no endpoint in any of them is usable.
var ErrNoEndpoint = errors.New("no usable endpoint in any pool")

// Usable returns nil when at least one pool has an endpoint that is neither barred
// nor drained at now, or when there are no pools; ErrNoEndpoint otherwise. An
// endpoint at its limit is usable: a proxy that called itself unready because it is
// busy would throw its load upon its peers.
func Usable(pools []Pool, now core.Instant) error {
	for _, p := range pools {
		for _, m := range p.Router.View().Members {
			if m.Verdict(now) < core.Barred {
				return nil
			}
		}
	}
	if len(pools) == 0 {
		return nil
	}
	return ErrNoEndpoint
}

// poolsAnswer is the answer of /api/v1/pools.
type poolsAnswer struct {
	Pools []poolState `json:"pools"`
}

type poolState struct {
	Name        string            `json:"name"`
	Strategy    string            `json:"strategy"`
	Mode        string            `json:"mode"`
	Reason      string            `json:"reason"`
	Endpoints   []endpointState   `json:"endpoints"`
	Concurrency *concurrencyState `json:"concurrency,omitempty"` // absent without a limit
	Routes      []Route           `json:"routes,omitempty"`      // those with a limit
}

// concurrencyState is the limit of a pool's requests in flight.
type concurrencyState struct {
	Name     string `json:"name"`
	Limit    int    `json:"limit"`
	InFlight int    `json:"in_flight"`
	Queue    int    `json:"queue"` // how many wait
}

type endpointState struct {
	URL     string   `json:"url"`
	Weight  float64  `json:"weight"`
	Verdict string   `json:"verdict"`
	Breaker string   `json:"breaker"`
	Pending int      `json:"pending"`
	Cost    *float64 `json:"cost_seconds"`    // null until there is an estimate
	Latency *float64 `json:"latency_seconds"` // null until there is an estimate
	// Requests is how many attempts the endpoint was given by this router; Share
	// is its part of all that the pool's present endpoints were given, 0 to 1.
	Requests uint64  `json:"requests"`
	Share    float64 `json:"share"`
	Limit    int     `json:"limit,omitempty"` // of what is pending; absent without one
}

// pools answers /api/v1/pools.
func pools(o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer := poolsAnswer{Pools: []poolState{}}
		if o.Pools != nil {
			now := o.Now()
			for _, p := range o.Pools() {
				answer.Pools = append(answer.Pools, stateOf(p, now))
			}
		}
		tell(w, answer)
	})
}

// tell answers with JSON.
func tell(w http.ResponseWriter, answer any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // an & in a URL stays one; this is no HTML
	if err := encoder.Encode(answer); err != nil {
		say(w, http.StatusInternalServerError, "cannot tell the state of the pools\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body.Bytes()) // whoever asked may have left
}

// stateOf reads the state of a pool at now.
func stateOf(p Pool, now core.Instant) poolState {
	mode, reason := p.Router.Mode()
	members := p.Router.View().Members
	state := poolState{
		Name:      p.Name,
		Strategy:  p.Strategy,
		Mode:      mode.String(),
		Reason:    reason.String(),
		Endpoints: make([]endpointState, 0, len(members)),
		Routes:    p.Routes,
	}
	if a := p.Router.Admission(); a != nil {
		inFlight, waiting := a.InFlight()
		state.Concurrency = &concurrencyState{Name: p.Limiter, Limit: a.Limiter().Limit(), InFlight: inFlight, Queue: waiting}
	}
	var sum uint64
	for _, m := range members {
		e := endpointState{
			URL:      address(m),
			Weight:   m.Weight(),
			Verdict:  m.Verdict(now).String(),
			Breaker:  m.Breaker(now).String(),
			Pending:  m.Pending(),
			Requests: m.Leases(),
		}
		if l := m.Limiter(); l != nil {
			e.Limit = l.Limit()
		}
		// Before the first sample the cost is a stand-in far beyond any latency.
		if latency, fresh := m.Latency(now); fresh || latency > 0 {
			e.Latency, e.Cost = finite(latency), finite(m.Cost(now))
		}
		sum += e.Requests
		state.Endpoints = append(state.Endpoints, e)
	}
	if sum > 0 {
		for i := range state.Endpoints {
			e := &state.Endpoints[i]
			e.Share = float64(e.Requests) / float64(sum)
		}
	}
	return state
}

// address is what to show as the member's URL: its target, when that has a text, and
// never with a password.
func address(m *core.Member) string {
	target, ok := m.Target.(fmt.Stringer)
	if !ok {
		return m.Key
	}
	if u, err := url.Parse(target.String()); err == nil && u.User != nil {
		return u.Redacted()
	}
	return target.String()
}

// finite is v, or nil for what JSON cannot say.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
