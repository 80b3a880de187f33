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
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/explain"
	"github.com/evenkeel/evenkeel/core/orca"
	"github.com/evenkeel/evenkeel/core/telemetry"
)

// Upstream is where an endpoint is: the core.Member's Target.
type Upstream struct{ URL *url.URL }

// String returns the endpoint's URL.
func (u Upstream) String() string { return u.URL.String() }

// Pool is a router with what it takes to reach its members.
type Pool struct {
	Name      string
	Router    *core.Router
	Transport http.RoundTripper
	Metrics   *telemetry.Pool
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
	// Now is the clock that the routers were built on.
	Now func() core.Instant
	// Log hears of what goes wrong inside; Access of every request, nil for none.
	Log, Access *slog.Logger
}

// Proxy is an http.Handler that forwards to the endpoints of its pools.
type Proxy struct {
	options Options
	routes  []*Route // most specific first
	reverse httputil.ReverseProxy
}

// New returns a proxy.
func New(o Options) *Proxy {
	classify(o.Routes)
	p := &Proxy{options: o, routes: ordered(o.Routes)}
	p.reverse = httputil.ReverseProxy{
		Rewrite:      p.rewrite,
		Transport:    attempts{},
		ErrorHandler: p.failed,
		BufferPool:   &buffers{},
		ErrorLog:     slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return p
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := p.options.Now()
	out := &response{ResponseWriter: w, receives: r.ContentLength != 0}
	route, pool := p.options.Unrouted, (*Pool)(nil)
	attempts := 0
	defer func() {
		fault := recover()
		aborted := p.recovered(fault, out)
		took := p.options.Now().Sub(began)
		route.Finished(out.status, took)
		if p.options.Access != nil {
			logAccess(p.options.Access, r, out, took, pool, attempts)
		}
		if aborted {
			panic(http.ErrAbortHandler) // the connection is of no use any more
		}
	}()

	matched := p.route(r)
	switch {
	case r.Method == http.MethodConnect:
		out.Header().Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
		out.reject(route, http.StatusMethodNotAllowed, telemetry.RejectMethod)
		return
	case matched == nil:
		out.reject(route, http.StatusNotFound, telemetry.RejectNoRoute)
		return
	}
	route, pool = matched.Metrics, matched.Pool
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
	x := &exchange{pool: pool, now: p.options.Now, client: r.Context(), out: out}
	x.request.Ask.Key = p.key(pool.Affinity, r)
	x.request.Ask.Class = matched.class
	x.request.Ask.Priority = p.priority(pool, r)
	if x.why = p.account(matched, r, began); x.why != nil {
		x.request.Ask.Why = &x.why.Decision
	}
	defer func() {
		attempts = x.request.Attempts()
		x.end()
	}()
	p.reverse.ServeHTTP(out, r.WithContext(with(r.Context(), x, matched)))
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
		p.options.Log.Error("panic while serving a request", "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
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

// response remembers what was answered.
type response struct {
	http.ResponseWriter
	status   int
	bytes    int64
	receives bool // the request has a body
}

// Unwrap lets http.ResponseController find the flusher and the hijacker.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack implements http.Hijacker: an upgrade does not pass WriteHeader.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.status = http.StatusSwitchingProtocols
	}
	return conn, buffer, err
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
		if h := w.Header(); h["Content-Type"] == nil {
			h["Content-Type"] = nil // where the endpoint does not say, net/http is not to guess
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// reject counts a request that the proxy answers itself, and answers it.
func (w *response) reject(route *telemetry.Route, status int, reason string) {
	route.Rejected(reason)
	w.refuse(status, reason)
}

// refuse answers for the proxy itself. reason is a fixed word: never an address,
// never an error text.
func (w *response) refuse(status int, reason string) {
	if w.receives {
		w.readBy(linger)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	fmt.Fprintf(w, "evenkeel: %d %s: %s\n", status, http.StatusText(status), reason)
}

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
