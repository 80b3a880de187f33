package config

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Route says which requests go to a pool. Conditions that are empty always hold.
//
// Of the routes that take a request, the first of this order serves it:
//
//  1. an exact host before a wildcard, a longer wildcard before a shorter one, and any
//     host last;
//  2. an exact path before a prefix, a longer prefix before a shorter one;
//  3. named methods before any;
//  4. more header conditions before fewer, and of as many the one that asks for more
//     exact values;
//  5. the one that stands first.
type Route struct {
	// Name labels the route in metrics, by the same rules as a pool's name.
	// Default: the pool's name, with -2, -3 and so on where that is taken.
	Name string `yaml:"name" doc:"label in metrics; default: the name of the pool"`

	// Path that the request has, exactly; it starts with a slash. Default: none, and
	// PathPrefix decides. A route has one of the two.
	Path string `yaml:"path,omitempty" doc:"the path, exactly, starting with /; instead of path_prefix"`

	// PathPrefix that the path of the request starts with, by whole segments: /a takes
	// /a and /a/b, not /ab. It starts with a slash. Default /, or none beside Path.
	PathPrefix string `yaml:"path_prefix,omitempty" doc:"prefix of the path by whole segments, starting with /; default: /, or none beside path"`

	// Hosts that the route serves: names or addresses without a port, in any case
	// (kept in lower case). *.example.com is every name that ends with .example.com,
	// with one label before it or more, and not example.com itself. Default: all.
	Hosts []string `yaml:"hosts" doc:"host names that the route serves, without a port; *.example.com: every name below example.com; empty: all"`

	// Methods that the route serves, in upper case. Default: all.
	Methods []string `yaml:"methods" doc:"methods that the route serves, in upper case; empty: all"`

	// Headers that the request must have, or must not have: all of these conditions
	// hold. Default: none.
	Headers []HeaderMatch `yaml:"headers" doc:"conditions on headers of the request, which all must hold: NAME (it is there), {name, value} or {name, absent: true}"`

	// Pool that the requests go to. Required.
	Pool string `yaml:"pool,required" doc:"name of the pool that requests go to"`

	// Timeouts of the route's requests; nil (the default) means the pool's.
	Timeouts *RouteTimeouts `yaml:"timeouts" doc:"bounds on what a request may take; absent: those of the pool"`

	// Retries of the route's requests; nil (the default) means the pool's.
	Retries *RouteRetries `yaml:"retries" doc:"whether a failed attempt is repeated; absent: as in the pool"`

	// MaxBodyBytes bounds the body of a request, in bytes, 0 to 2^40; more is answered
	// with 413. Default 0, the bound of the listener.
	MaxBodyBytes int64 `yaml:"max_body_bytes" doc:"largest body of a request in bytes; 0: as the listener says"`

	// MaxInFlight is how many requests of the route may be in progress at once, 0 to
	// 1000000; the next is answered with 503. A stream or an upgraded connection is in
	// progress for as long as it lives. Default 0, no bound: a wrong one rejects what could
	// have been served.
	MaxInFlight int `yaml:"max_in_flight" doc:"most requests in progress at once, 0 to 1000000; 0 means no limit"`

	// RateLimit bounds the requests a second; nil (the default) means no bound.
	RateLimit *RateLimit `yaml:"rate_limit" doc:"bound on the requests a second; absent: none"`

	// Cost is how many requests one of this route counts for, in its rate limit
	// and in the global one; at least 1, and no more than their bursts. Default 1.
	Cost int `yaml:"cost" doc:"how many requests one of this route counts for in the rate limits, at least 1"`
}

// Defaults sets the path prefix to / and the cost to 1.
func (r *Route) Defaults() { *r = Route{PathPrefix: "/", Cost: 1} }

// Derive takes the default prefix back where there is an exact path.
func (r *Route) Derive(has func(string) bool) {
	if has("path") && !has("path_prefix") {
		r.PathPrefix = ""
	}
}

// Matched returns the exact path and the prefix as requests are matched with them:
// decoded, since a request's path is compared decoded. One of them is empty.
func (r *Route) Matched() (path, prefix string) {
	decoded := func(s string) string {
		if d, err := url.PathUnescape(s); err == nil {
			return d
		}
		return s
	}
	return decoded(r.Path), decoded(r.PathPrefix)
}

// HeaderMatch is a condition on a header of the request: with a value, that one of the
// header's lines is exactly that; absent, that there is no such header; and otherwise
// that there is one.
type HeaderMatch struct {
	// Name of the header, in any case. Required.
	Name string `yaml:"name,scalar,required" doc:"name of the header"`

	// Value that a line of the header must be, exactly and in this case, without the
	// space around it. Default: any.
	Value string `yaml:"value,omitempty" doc:"what a line of the header must be, exactly; default: anything"`

	// Absent turns the condition round: there must be no such header. Default false.
	Absent bool `yaml:"absent,omitempty" doc:"the request must not have the header"`
}

// RouteTimeouts stand in for the pool's. What is nil (the default) is as in the pool; 0
// means none.
type RouteTimeouts struct {
	// ResponseHeader is how long an attempt may wait for the head of its response; at
	// most Total, be it this one or the pool's.
	ResponseHeader *time.Duration `yaml:"response_header" doc:"how long an attempt may wait for the head of its response; 0 means no limit; absent: as in the pool"`

	// Total is how long a request may take with all its attempts.
	Total *time.Duration `yaml:"total" doc:"how long a request may take with all its attempts; 0 means no limit; absent: as in the pool"`
}

// RouteRetries stand in for the pool's. The budget remains the pool's: it keeps retries
// from overrunning the endpoints, whoever sends them.
type RouteRetries struct {
	// Attempts is how often a request is tried in all, 1 (no retry) to 4. Required.
	Attempts int `yaml:"attempts,scalar,required" doc:"how often a request is tried in all, 1 (no retry) to 4"`
}

// RateLimit bounds the requests a second, as a token bucket: of a route, or of all
// together.
type RateLimit struct {
	// Rate is the number of requests a second, above 0 to 1e9. Required.
	Rate float64 `yaml:"rate,required" doc:"requests a second, above 0"`

	// Burst is the number of requests that may come at once, 1 to 1e9. Default:
	// one second's worth, at least 1.
	Burst int `yaml:"burst" doc:"requests that may come at once; default: one second's worth, at least 1"`

	// Key says who shares a bucket: "" (the default), all of them; "client", each client
	// has its own, by its address (behind trusted proxies the real client's).
	Key string `yaml:"key" enum:",client" doc:"who shares a bucket: empty, all; client, each client has its own, by its address"`

	// IPv4Prefix and IPv6Prefix are how many bits of an address make a client, 1 to 32 and 1
	// to 128. Defaults 32, and 64, which is what a single customer is given at least (RFC
	// 6177): the rest is theirs to choose, and a new address for each request would be a new
	// bucket each. A provider may give 56 or 48; where the clients are machines of one subnet
	// it is 128. An IPv4 address that is written as an IPv6 one is an IPv4 address, and a
	// link-local one counts whole. Only with Key client.
	IPv4Prefix int `yaml:"ipv4_prefix,omitempty" doc:"bits of an IPv4 address that make a client, 1 to 32; only with key: client"`
	IPv6Prefix int `yaml:"ipv6_prefix,omitempty" doc:"bits of an IPv6 address that make a client, 1 to 128; only with key: client"`

	// MaxDelay is how long a request that comes too early may wait for its turn
	// before it goes on; what would have to wait longer is rejected. 0 to 1h.
	// Default 0: it is rejected at once, with the time to come back.
	MaxDelay time.Duration `yaml:"max_delay" doc:"how long a request that comes too early may wait for its turn; 0: it is rejected at once"`

	// Headers tells clients their quota and what is left of it, in the response
	// headers RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers).
	// Default true: a client that knows can slow down before it is rejected.
	Headers bool `yaml:"headers" doc:"tell clients their quota in the headers RateLimit-Policy and RateLimit"`
}

// Defaults has the headers sent.
func (l *RateLimit) Defaults() { *l = RateLimit{Headers: true} }

// Derive sets the default of Burst, and what makes a client.
func (l *RateLimit) Derive(has func(string) bool) {
	if !has("burst") {
		l.Burst = int(math.Ceil(min(max(l.Rate, 1), maxRate)))
	}
	if l.Key != KeyClient {
		return
	}
	if !has("ipv4_prefix") {
		l.IPv4Prefix = 32
	}
	if !has("ipv6_prefix") {
		l.IPv6Prefix = 64
	}
}

// complete fills in what depends on more than one part of the file: the default
// route, the names of the routes, and the case of their hosts.
func (f *File) complete() {
	if len(f.Routes) == 0 && len(f.Pools) == 1 {
		f.Routes = []Route{{PathPrefix: "/", Pool: f.Pools[0].Name, Cost: 1}}
	}
	taken := map[string]bool{}
	for _, r := range f.Routes {
		taken[r.Name] = true
	}
	for i := range f.Routes {
		r := &f.Routes[i]
		for j, host := range r.Hosts {
			r.Hosts[j] = strings.ToLower(host)
		}
		if r.Name != "" || r.Pool == "" {
			continue
		}
		r.Name = r.Pool
		for n := 2; taken[r.Name]; n++ {
			r.Name = r.Pool + "-" + strconv.Itoa(n)
		}
		taken[r.Name] = true
	}
}
