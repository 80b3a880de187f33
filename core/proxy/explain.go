package proxy

import (
	"math/rand/v2"
	"net/http"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/explain"
)

// account is why the attempts of one request went where they went, where that is to be
// told. A nil account is of a request that nobody asks about.
type account struct {
	core.Decision // the latest
	route         string
	log           *explain.Log // nil: the request was not sampled
	client        bool         // the client is to be told
	lines         []string     // for it, one for each decision
}

// account returns the account of a request that begins now; nil for nearly all.
func (p *Proxy) account(route *Route, r *http.Request, now core.Instant) *account {
	sampled := route.Pool.Decisions.Wants(now, rand.Uint64())
	asked := len(p.options.Explain) > 0 && p.asks(r)
	if !sampled && !asked {
		return nil
	}
	a := &account{route: route.Name, client: asked}
	if sampled {
		a.log = route.Pool.Decisions
	}
	return a
}

// asks reports whether the client asks why, and may.
func (p *Proxy) asks(r *http.Request) bool {
	values := r.Header[explain.AskHeader]
	return len(values) == 1 && values[0] == "1" && contains(p.options.Explain, peer(r))
}

// decided takes the latest decision in; attempt counts from 1.
func (a *account) decided(pool *Pool, attempt int) {
	if a == nil {
		return
	}
	if a.log != nil {
		a.log.Keep(&a.Decision, a.route, attempt)
	}
	if a.client {
		a.lines = append(a.lines, explain.Header(pool.Name, &a.Decision, attempt))
	}
}

// tell puts what the client is to be told into the header of its answer, in the place of
// what an endpoint may have written there.
func (a *account) tell(header http.Header) {
	if a != nil && a.client {
		header[explain.TellHeader] = a.lines
	}
}
