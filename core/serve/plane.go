package serve

import (
	"math"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/limit"
	"github.com/evenkeel/evenkeel/core/proxy"
)

// plane is one configuration at work. A request is served to its end by the plane that
// it has come to, whatever is loaded meanwhile.
type plane struct {
	file   *config.File
	pools  []*pool
	proxy  *proxy.Proxy
	limits map[limitKey]*limit.Limiter
	places map[string]*limit.Places // of the routes, by name

	users   users
	retired sync.Once
}

// pool is the plane's pool with that name; nil for none.
func (p *plane) pool(name string) *pool {
	if p == nil {
		return nil
	}
	for _, pool := range p.pools {
		if pool.Name == name {
			return pool
		}
	}
	return nil
}

// placesOf counts the requests in progress of the route with that name: those of the plane
// count in the next one, too.
func (p *plane) placesOf(route string) *limit.Places {
	if p == nil || p.places[route] == nil {
		return new(limit.Places)
	}
	return p.places[route]
}

// users counts those who use something that may be replaced. The zero value is in use by
// nobody. Safe for concurrent use; no locks, no allocation.
type users struct {
	n    atomic.Int64 // below 0 once it is retired
	once sync.Once
	gone func() // what to do when it is retired and the last has left
}

// retired is so far below 0 that no count of users brings it back.
const retired = math.MinInt64 / 2

// enter takes somebody in. It returns false when the thing is retired: there is another
// one to go to.
func (u *users) enter() bool {
	if u.n.Add(1) > 0 {
		return true
	}
	u.leave()
	return false
}

func (u *users) leave() {
	if u.n.Add(-1) == retired {
		u.once.Do(u.gone)
	}
}

// retire lets nobody in any more; gone is called when everybody has left, perhaps now.
func (u *users) retire(gone func()) {
	u.gone = gone
	if u.n.Add(retired) == retired {
		u.once.Do(u.gone)
	}
}

// entrance is the way from one listener to the plane of the moment.
type entrance struct {
	server  *Server
	clients proxy.Clients
}

// ServeHTTP implements http.Handler.
func (e *entrance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for {
		p := e.server.plane.Load()
		if p.users.enter() {
			defer p.users.leave()
			p.proxy.Serve(w, r, &e.clients)
			return
		}
		if p == e.server.plane.Load() { // the last one there is: everything has been drained
			http.Error(w, "evenkeel: 503 Service Unavailable: draining", http.StatusServiceUnavailable)
			return
		}
	}
}
