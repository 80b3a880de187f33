// Package admin is the proxy's admin listener: metrics, health and readiness of the
// process, the state of the pools, and profiles on request. One call changes something,
// and needs a token.
//
//	/metrics            Prometheus metrics
//	/healthz            200: the process is alive
//	/readyz             200 when it may be sent traffic; 503 with the reason otherwise
//	/api/v1/pools       pools and endpoints, as JSON
//	/api/v1/decisions   sampled decisions with their reasons, where there is a sampler
//	/api/v1/reload      POST: the configuration is read again; needs the token
//	/debug/pprof/       profiles of the Go runtime, when enabled
//
// Whoever reaches the listener may read: it is for the machine itself, or for a
// network that one trusts. Against the one stranger who sits on every machine, a
// browser that runs other people's pages, Handler checks where a request comes from
// (see [Options.Hosts]).
package admin

import (
	"io"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/evenkeel/evenkeel/core"
)

// Options are what the admin listener shows. A nil Metrics, Decisions or Pprof at
// false leaves its path out; a nil Pools has no pools; a nil Ready is always ready.
type Options struct {
	// Metrics answers /metrics.
	Metrics http.Handler
	// Decisions answers /api/v1/decisions; the function of that name makes it.
	Decisions http.Handler
	// Pools returns the pools that there are now, in the order they are shown.
	Pools func() []Pool
	// Ready returns why the proxy is not to be sent traffic; nil when it is. Its
	// text is shown to whoever asks.
	Ready func() error
	// Pprof serves /debug/pprof/. Profiles cost CPU and show the inside of the
	// process.
	Pprof bool
	// Reload reads the configuration again, for /api/v1/reload; nil leaves that out. What
	// it says is wrong is shown to whoever asks with the token.
	Reload func() error
	// Token is what calls have to show that change something; empty, and nobody may.
	Token string
	// Now is the clock of the pools' routers; required with Pools.
	Now func() core.Instant
	// Hosts are the further names under which requests that arrive at a loopback
	// address may ask for the admin listener; IP addresses and localhost are
	// always good. A page whose own name was made to point to 127.0.0.1 (DNS
	// rebinding) could read everything otherwise. At any other address every name
	// is good: whoever listens there gave it its name.
	Hosts []string
}

// page is one path of the listener.
type page struct {
	path, says string
	methods    string // as in Allow
	handler    http.Handler
}

const readOnly = "GET, HEAD"

// Handler answers the requests to the admin listener.
func Handler(o Options) http.Handler {
	all := pages(o)
	var list strings.Builder
	mux := http.NewServeMux()
	for _, p := range all {
		if p.says != "" {
			list.WriteString(p.path + strings.Repeat(" ", max(1, 20-len(p.path))) + p.says + "\n")
		}
		mux.Handle(p.path, allow(p.methods, p.handler))
	}
	index := list.String()
	mux.Handle("/{$}", allow(readOnly, text(http.StatusOK, "evenkeel admin\n\n"+index)))
	mux.Handle("/", text(http.StatusNotFound, "nothing here; there is:\n\n"+index))
	return guard{o.Hosts, mux}
}

// pages are the paths that these options serve.
func pages(o Options) []page {
	var all []page
	if o.Metrics != nil {
		all = append(all, page{"/metrics", "Prometheus metrics", readOnly, o.Metrics})
	}
	all = append(all,
		page{"/healthz", "whether the process is alive", readOnly, text(http.StatusOK, "ok\n")},
		page{"/readyz", "whether it may be sent traffic", readOnly, ready(o.Ready)},
		page{"/api/v1/pools", "pools and endpoints", readOnly, pools(o)},
	)
	if o.Decisions != nil {
		all = append(all, page{"/api/v1/decisions", "sampled decisions and their reasons", readOnly, o.Decisions})
	}
	if o.Reload != nil {
		all = append(all, page{"/api/v1/reload", "POST, with the token: reads the configuration again", http.MethodPost, authorized(o.Token, reload(o.Reload))})
	}
	if o.Pprof {
		all = append(all,
			page{"/debug/pprof/", "profiles of the Go runtime", readOnly, http.HandlerFunc(pprof.Index)},
			page{"/debug/pprof/cmdline", "", readOnly, http.HandlerFunc(pprof.Cmdline)},
			page{"/debug/pprof/profile", "", readOnly, http.HandlerFunc(pprof.Profile)},
			page{"/debug/pprof/symbol", "", readOnly + ", POST", http.HandlerFunc(pprof.Symbol)},
			page{"/debug/pprof/trace", "", readOnly, http.HandlerFunc(pprof.Trace)},
		)
	}
	return all
}

// allow answers methods that are not allowed with 405.
func allow(methods string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for m := range strings.SplitSeq(methods, ", ") {
			if r.Method == m {
				h.ServeHTTP(w, r)
				return
			}
		}
		w.Header().Set("Allow", methods)
		say(w, http.StatusMethodNotAllowed, "method not allowed; allowed: "+methods+"\n")
	})
}

// ready answers /readyz.
func ready(why func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if why != nil {
			if err := why(); err != nil {
				say(w, http.StatusServiceUnavailable, strings.Join(strings.Fields(err.Error()), " ")+"\n")
				return
			}
		}
		say(w, http.StatusOK, "ok\n")
	})
}

// text always answers the same.
func text(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { say(w, status, body) })
}

func say(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // whoever asked may have left
}
