package config

import (
	"net/url"
	"time"
)

// Pool is a named set of endpoints with one strategy and its policies.
type Pool struct {
	// Name is how routes, metrics and logs call the pool: lower-case letters,
	// digits and . _ - after the first. Required and unique.
	Name string `yaml:"name,required" doc:"name of the pool: lower-case letters, digits, and . _ - inside"`

	// Endpoints are the addresses that serve the pool's requests, at least one.
	Endpoints []Endpoint `yaml:"endpoints" doc:"addresses that serve the requests, at least one"`

	// Upstream is how the endpoints are reached.
	Upstream `yaml:",inline"`

	// Policies say how an endpoint is chosen, guarded and tried again.
	Policies `yaml:",inline"`
}

// Defaults sets p to a pool that says nothing.
func (p *Pool) Defaults() {
	*p = Pool{Upstream: Upstream{Protocol: ProtocolAuto}, Policies: DefaultPolicies()}
}

// Endpoint is one address that serves requests.
type Endpoint struct {
	// URL of the endpoint: http:// or https://, a host and perhaps a port, and no
	// path; or unix:// and the absolute path of a socket, as in unix:///run/app.sock.
	// Required, and unique within its pool by [Endpoint.Key].
	URL string `yaml:"url,scalar,required" doc:"http:// or https://, a host and perhaps a port, without a path; or unix:// and the path of a socket"`

	// Weight is the endpoint's share of the traffic relative to the others, 0 to
	// 1000. Default 1. 0 drains it: it gets no new request, and keeps what was
	// learned of it.
	Weight int `yaml:"weight" doc:"share of the traffic relative to the other endpoints, 0 (drained) to 1000"`
}

// Defaults sets the weight to 1.
func (e *Endpoint) Defaults() { *e = Endpoint{Weight: 1} }

// Key returns host:port in lower case, with the port of the scheme (80 or 443)
// where none is given, or the path of a socket: the name of the endpoint in metrics,
// and what identifies it across reloads. For a URL that is not valid it returns the
// URL.
func (e Endpoint) Key() string {
	if path, ok := e.socket(); ok && path != "" {
		return path
	}
	u, err := url.Parse(e.URL)
	if err != nil || u.Host == "" {
		return e.URL
	}
	return hostPort(u)
}

// Policies say how a pool chooses among its endpoints, guards them and tries
// again. They are embedded wherever a pool's behaviour is described: in [Pool],
// and in the lab's scenarios.
type Policies struct {
	// Strategy is how an endpoint is chosen.
	Strategy Strategy `yaml:"strategy" doc:"how an endpoint is chosen: a name, or a mapping with its settings"`

	// PanicThreshold is the share of endpoints, 0 to 1, below which breakers are
	// overridden: when fewer than this share are usable, requests go to all that
	// are not drained, since the few would only be overrun; where latency is gone by,
	// those that are well first, as far as they have room. Default 0.5, as in
	// Envoy and Finagle; 0 turns it off.
	PanicThreshold float64 `yaml:"panic_threshold" doc:"share of usable endpoints, 0 to 1, below which breakers are overridden; 0: never"`

	// Breaker takes an endpoint that fails out of service for a while.
	Breaker Breaker `yaml:"breaker" doc:"takes an endpoint that fails out of service for a while"`

	// Timeouts bound what a request may take.
	Timeouts Timeouts `yaml:"timeouts" doc:"bounds on what a request may take"`

	// Retries say whether a failed attempt is repeated at another endpoint.
	Retries Retries `yaml:"retries" doc:"whether a failed attempt is repeated at another endpoint"`

	// Hedge sends a second attempt of a request that is not answered for unusually
	// long; nil (the default) means none, since it costs the endpoints work.
	Hedge *Hedge `yaml:"hedge" doc:"sends a second attempt of a request that is not answered for unusually long; absent: none"`

	// Health is the active check of every endpoint; nil (the default) means
	// none: the breaker learns from real requests, which need no agreed path.
	Health *Health `yaml:"health" doc:"active check of every endpoint; absent: none"`

	// Reports say how the endpoints' reports of their load are read, where the strategy
	// goes by them; nil (the default) means the defaults of that.
	Reports *Reports `yaml:"reports" doc:"how the endpoints' reports of their load are read; absent: by the defaults"`

	// Concurrency bounds the requests in progress; nil (the default) means no
	// bound, since a wrong one rejects what could have been served.
	Concurrency *Concurrency `yaml:"concurrency" doc:"bound on the requests in progress; absent: none"`

	// EndpointConcurrency bounds the attempts in progress at each endpoint; nil
	// (the default) means no bound. What one endpoint has no room for goes to
	// another, so it has no queue.
	EndpointConcurrency *Concurrency `yaml:"endpoint_concurrency" doc:"bound on the attempts in progress at each endpoint; absent: none"`

	// Shed turns requests away when there is too much to do; nil (the default)
	// means that nobody is.
	Shed *Shed `yaml:"shed" doc:"turns requests away when there is too much to do; absent: nobody is turned away"`
}

// DefaultPolicies returns the policies of a pool that says nothing.
func DefaultPolicies() Policies {
	p := Policies{Strategy: NewStrategy(DefaultStrategy), PanicThreshold: 0.5}
	p.Breaker.Defaults()
	p.Timeouts.Defaults()
	p.Retries.Defaults()
	return p
}

// Defaults sets p to [DefaultPolicies]; structs that embed Policies inherit it.
func (p *Policies) Defaults() { *p = DefaultPolicies() }

// Timeouts bound what a request may take. 0 means none.
type Timeouts struct {
	// Connect is how long a connection to an endpoint may take to open. Default
	// 2s: one lost SYN is repeated after 1 s, and an endpoint that needs longer
	// is better replaced by another.
	Connect time.Duration `yaml:"connect" doc:"how long opening a connection to an endpoint may take; 0 means no limit"`

	// ResponseHeader is how long an attempt may wait for the head of its
	// response, connecting included; while the client sends a body, the wait
	// begins anew with each part that arrives. At most Total when both are set.
	// Default 10s, or Total if that is less: it tells a hung endpoint while
	// there is time for another try.
	ResponseHeader time.Duration `yaml:"response_header" doc:"how long an attempt may wait for the head of its response; 0 means no limit"`

	// Total is how long a request may take with all its attempts, to the end of
	// the response. Default 30s: past that clients have commonly given up, and
	// finishing is waste. 0, no bound, is for downloads and streams.
	Total time.Duration `yaml:"total" doc:"how long a request may take with all its attempts; 0 means no limit"`

	// Idle is how long an endpoint may be silent amid its answer. It matters where Total
	// is longer, or none; a stream without end (an upgraded connection, a stream of
	// events or of gRPC) may be silent for as long as it likes. Default 60s, as in nginx
	// (proxy_read_timeout): an endpoint that hangs amid an answer is not waited for
	// for ever, and one that computes may take its time.
	Idle time.Duration `yaml:"idle" doc:"how long an endpoint may be silent amid its answer, if that is no stream without end; 0 means no limit"`
}

// Defaults sets every field.
func (t *Timeouts) Defaults() {
	*t = Timeouts{Connect: 2 * time.Second, ResponseHeader: 10 * time.Second, Total: 30 * time.Second, Idle: 60 * time.Second}
}

// Derive lowers the defaults that a shorter Total makes pointless.
func (t *Timeouts) Derive(has func(string) bool) {
	if t.Total <= 0 {
		return
	}
	if !has("connect") {
		t.Connect = min(t.Connect, t.Total)
	}
	if !has("response_header") {
		t.ResponseHeader = min(t.ResponseHeader, t.Total)
	}
}

// Retries say whether a failed attempt is repeated at another endpoint. A budget
// keeps retries from multiplying the load of a pool that is failing because of
// its load.
type Retries struct {
	// Attempts is how often a request is tried in all, 1 (no retry) to 4.
	// Default 2: a second try at another endpoint gains most of what there is to
	// gain. Only safe methods (GET, HEAD, OPTIONS) without a body are
	// tried again.
	Attempts int `yaml:"attempts" doc:"how often a request is tried in all, 1 to 4"`

	// HungAfter is how long an attempt may be unanswered, at least, before it is taken for
	// hung and its request, if it may be tried again, is sent to another endpoint, too; 0
	// for never. Where answers commonly take long it is four times the 99th percentile of
	// the recent ones (see core.Hung). Default 1s: hardly a client has left by then, and
	// hardly an answer takes so long where four times the percentile is less.
	HungAfter time.Duration `yaml:"hung_after" doc:"how long an attempt may be unanswered, at least, before the request is sent to another endpoint, too; 0: never"`

	// BudgetRatio is the number of retries allowed for each request, above 0 to
	// 1. Default 0.2, as in Finagle, Linkerd and Envoy: at worst a fifth more
	// load.
	BudgetRatio float64 `yaml:"budget_ratio" doc:"retries allowed for each request, above 0 to 1"`

	// BudgetMinPerSecond is the number of retries a second that are allowed
	// besides, 0 or more, so that a pool with little traffic may retry at all.
	// Default 10, as in Finagle and Linkerd.
	BudgetMinPerSecond float64 `yaml:"budget_min_per_second" doc:"retries a second that are allowed besides, 0 or more"`
}

// Defaults sets every field.
func (r *Retries) Defaults() {
	*r = Retries{Attempts: 2, HungAfter: time.Second, BudgetRatio: 0.2, BudgetMinPerSecond: 10}
}
