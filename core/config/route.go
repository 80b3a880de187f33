package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Route says which requests go to a pool. Conditions that are empty always hold.
type Route struct {
	// Name labels the route in metrics, by the same rules as a pool's name.
	// Default: the pool's name, with -2, -3 and so on where that is taken.
	Name string `yaml:"name" doc:"label in metrics; default: the name of the pool"`

	// PathPrefix that the path of the request starts with; it starts with a
	// slash. Default /.
	PathPrefix string `yaml:"path_prefix" doc:"prefix of the path, starting with /"`

	// Hosts that the route serves: exact names or addresses without a port, in
	// any case (kept in lower case). Default: all.
	Hosts []string `yaml:"hosts" doc:"host names that the route serves, without a port; empty: all"`

	// Methods that the route serves, in upper case. Default: all.
	Methods []string `yaml:"methods" doc:"methods that the route serves, in upper case; empty: all"`

	// Pool that the requests go to. Required.
	Pool string `yaml:"pool,required" doc:"name of the pool that requests go to"`

	// RateLimit bounds the requests a second; nil (the default) means no bound.
	RateLimit *RateLimit `yaml:"rate_limit" doc:"bound on the requests a second; absent: none"`

	// Cost is how many requests one of this route counts for, in its rate limit
	// and in the global one; at least 1, and no more than their bursts. Default 1.
	Cost int `yaml:"cost" doc:"how many requests one of this route counts for in the rate limits, at least 1"`
}

// Defaults sets the path prefix to / and the cost to 1.
func (r *Route) Defaults() { *r = Route{PathPrefix: "/", Cost: 1} }

// RateLimit bounds the requests a second, as a token bucket: of a route, or of all
// together.
type RateLimit struct {
	// Rate is the number of requests a second, above 0 to 1e9. Required.
	Rate float64 `yaml:"rate,required" doc:"requests a second, above 0"`

	// Burst is the number of requests that may come at once, 1 to 1e9. Default:
	// one second's worth, at least 1.
	Burst int `yaml:"burst" doc:"requests that may come at once; default: one second's worth, at least 1"`

	// Key says who shares a bucket: "" (the default), all of them; "client", each
	// client address has its own.
	Key string `yaml:"key" enum:",client" doc:"who shares a bucket: empty, all; client, each client address has its own"`

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

// Derive sets the default of Burst.
func (l *RateLimit) Derive(has func(string) bool) {
	if !has("burst") {
		l.Burst = int(math.Ceil(min(max(l.Rate, 1), maxRate)))
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
