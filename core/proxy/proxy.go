// Package proxy is the standard plane: it forwards HTTP with net/http and executes
// what the kernel's state machines say.
//
// The walk of a request: the route is matched, its rate limiter asked, and then
// httputil.ReverseProxy cleans the headers and calls back for the answer. That call
// runs the request's state machine (core.Request): it leases an endpoint, sends the
// attempt, tries another when it may, and hands over the first answer that is to be
// delivered. The lease is settled when the last byte of the body has passed, or when
// whatever went wrong went wrong.
package proxy

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/explain"
	"github.com/evenkeel/evenkeel/core/limit"
	"github.com/evenkeel/evenkeel/core/orca"
	"github.com/evenkeel/evenkeel/core/telemetry"
)

// Pool is a router with what it takes to reach its members.
type Pool struct {
	Name      string
	Router    *core.Router
	Transport http.RoundTripper
	Metrics   *telemetry.Pool
	// Idle is how long an endpoint may be silent amid its answer; 0 for no bound.
	Idle time.Duration
	// Affinity is what of a request its strategy goes by.
	Affinity Affinity
	// PriorityHeader says how important a request is; empty for all alike.
	PriorityHeader string
	// Reports reads what endpoints say of their load; nil where nobody wants to know.
	Reports *orca.Reader
	// KeepReports passes that header on to the client.
	KeepReports bool
	// ProbeDue says that the strategy has a probe to send (core.Driver.ProbeDue); nil for
	// a strategy that sends none.
	ProbeDue chan struct{}
	// Defect hears of a panic of a probe, from the deferred call that has caught it;
	// required for a pool that is probed.
	Defect func(what string, fault any)
	// Decisions keeps sampled decisions; nil for none.
	Decisions *explain.Log
}

// Route says which requests go to a pool, and how many.
type Route struct {
	Name    string
	Match   Match
	Pool    *Pool
	Limit   *Limit // nil for none
	Cost    int    // how many requests one counts for in the limits; 0 counts as 1
	Metrics *telemetry.Route
	// InFlight counts the requests in progress; nil for a count of its own. MaxInFlight
	// is how many there may be, 0 for no bound. The count goes with the route's name
	// from one configuration to the next.
	InFlight    *limit.Places
	MaxInFlight int
	// Policy stands in for the pool's; nil for the pool's.
	Policy *core.Policy
	// MaxBodyBytes bounds the body of a request; 0 for the bound of its listener.
	MaxBodyBytes int64

	class uint8 // its number among the routes to its pool, as they were given
}

// Options are what a Proxy is made of.
type Options struct {
	Routes []Route
	// Limit is the rate limit of all routes together; nil for none.
	Limit *Limit
	// Unrouted counts requests that no route matches.
	Unrouted *telemetry.Route
	// Trusted are the peers whose X-Forwarded-* headers are believed.
	Trusted []netip.Prefix
	// Explain are the peers that are told why, when they ask; nil for nobody.
	Explain []netip.Prefix
	// Defect hears of a panic that has cost a request, from the deferred call that has
	// caught it; required.
	Defect func(what string, fault any)
	// Closing says that the proxy stops: from now on each answer is the last on its
	// connection. nil for never.
	Closing *atomic.Bool
	// Now is the clock that the routers were built on.
	Now func() core.Instant
	// Log hears of what goes wrong inside; Access of every request, nil for none.
	Log, Access *slog.Logger
}

// Proxy is an http.Handler that forwards to the endpoints of its pools.
type Proxy struct {
	options Options
	table   table
	reverse httputil.ReverseProxy
}

// New returns a proxy.
func New(o Options) *Proxy {
	classify(o.Routes)
	for i := range o.Routes {
		if o.Routes[i].InFlight == nil {
			o.Routes[i].InFlight = new(limit.Places)
		}
	}
	p := &Proxy{options: o, table: newTable(o.Routes)}
	p.reverse = httputil.ReverseProxy{
		Rewrite:      p.rewrite,
		Transport:    attempts{},
		ErrorHandler: p.failed,
		BufferPool:   &buffers{},
		ErrorLog:     slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return p
}

// ServeHTTP implements http.Handler, without bounds on what clients may do.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.Serve(w, r, &Clients{}) }

// Serve serves a request of a listener whose clients are held to bounds.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request, clients *Clients) {
	began := p.options.Now()
	out := &response{ResponseWriter: w, request: r, pace: clients.pace(), closing: p.options.Closing, defect: p.options.Defect}
	route, pool := p.options.Unrouted, (*Pool)(nil)
	attempts := 0
	defer func() {
		fault := recover()
		aborted := p.recovered(fault, out)
		out.finish()
		took := p.options.Now().Sub(began)
		route.Finished(out.status, took)
		route.Cut(out.slowness())
		if p.options.Access != nil {
			logAccess(p.options.Access, r, out, took, pool, attempts)
		}
		if aborted {
			panic(http.ErrAbortHandler) // the connection is of no use any more
		}
	}()

	matched := p.accept(r, out, clients.MaxHeaders)
	if matched == nil {
		return
	}
	route, pool = matched.Metrics, matched.Pool
	if !matched.InFlight.Enter(matched.MaxInFlight) {
		out.Header().Set("Retry-After", "1")
		out.reject(route, http.StatusServiceUnavailable, telemetry.RejectInFlight)
		return
	}
	defer matched.InFlight.Leave()
	wait, ok := p.admit(matched, r, out.Header(), began)
	if !ok {
		out.Header().Set("Retry-After", wholeSeconds(wait))
		out.reject(route, http.StatusTooManyRequests, telemetry.RejectRateLimit)
		return
	}
	if !delay(r.Context(), wait) {
		out.status = statusClientLeft
		return
	}
	if !fits(matched, clients, r) {
		out.reject(route, http.StatusRequestEntityTooLarge, telemetry.RejectLargeBody)
		return
	}
	x := &exchange{pool: pool, now: p.options.Now, client: r.Context(), out: out, maxBody: maxBody(matched, clients)}
	x.request.Ask.Key = p.key(pool.Affinity, r)
	x.request.Ask.Class = matched.class
	x.request.Policy = matched.Policy
	if x.call = isGRPC(r); x.call {
		x.request.Policy = callPolicy(x.policy(), r.Header)
	}
	x.request.Ask.Priority = p.priority(pool, r)
	if x.why = p.account(matched, r, began); x.why != nil {
		x.request.Ask.Why = &x.why.Decision
	}
	defer func() {
		attempts = x.request.Attempts()
		x.end()
	}()
	in := r.WithContext(with(r.Context(), x, matched))
	settle(in)
	out.keep()
	p.reverse.ServeHTTP(out, in)
	dropTrailers(out.Header())
}

// recovered sees to a request that ended in a panic: ReverseProxy aborts so when an
// answer breaks off, and anything else is a defect, which costs this request only. It
// reports whether the answer broke off, so that the connection has to be closed: an
// answer of 500 is complete, and would be lost with it.
func (p *Proxy) recovered(fault any, out *response) (aborted bool) {
	switch {
	case fault == nil:
		return false
	case fault != http.ErrAbortHandler:
		out.defect("panic while serving a request", fault)
		if out.status == 0 {
			clear(out.Header()) // of an answer that is not sent
			out.refuse(http.StatusInternalServerError, "internal")
			return false
		}
	case out.status == 0:
		out.status = statusClientLeft
	}
	return true
}

// failed answers for a request that got no answer of an endpoint.
func (p *Proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	out := w.(*response)
	route := routeOf(r.Context())
	var failure gaveUp
	switch {
	case errors.As(err, &failure):
		status := core.Failure(failure).Status()
		if status == http.StatusServiceUnavailable {
			out.Header().Set("Retry-After", "1")
		}
		out.reject(route.Metrics, status, failure.String())
	case errors.Is(err, errLargeUpload):
		out.reject(route.Metrics, http.StatusRequestEntityTooLarge, telemetry.RejectLargeBody)
	case errors.Is(err, errSlowUpload):
		out.reject(route.Metrics, http.StatusRequestTimeout, telemetry.RejectSlowBody)
	case r.Context().Err() != nil:
		panic(http.ErrAbortHandler) // there is nobody to answer
	case errors.Is(err, errUpload):
		out.reject(route.Metrics, http.StatusBadRequest, telemetry.RejectBadBody)
	default:
		// An upgrade that went wrong after the answer: ReverseProxy's own.
		p.options.Log.Warn("forwarding failed", "route", route.Name, "error", err)
		out.reject(route.Metrics, http.StatusBadGateway, telemetry.RejectBadAnswer)
	}
}

// statusClientLeft is what logs and metrics show for a client that left before its
// answer (nginx's 499). It is never sent.
const statusClientLeft = 499

// gaveUp is a core.Failure as an error.
type gaveUp core.Failure

func (g gaveUp) String() string { return core.Failure(g).String() }
func (g gaveUp) Error() string  { return "gave up: " + g.String() }

// wholeSeconds is a wait as Retry-After has it: rounded up, at least 1.
func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(seconds(min(d, 24*time.Hour)), 10)
}

// Source draws from the runtime's generator: a rand.Source without state, safe for
// concurrent use.
type Source struct{}

// Uint64 implements rand.Source.
func (Source) Uint64() uint64 { return rand.Uint64() }

// buffers are ReverseProxy's copy buffers, so that it does not make 32 KiB for every
// answer.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return p[:]
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(s []byte) { b.pool.Put((*[bufferSize]byte)(s)) }

// peer is the address of the client's end of the connection, without its port.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
