package serve

import (
	"net/http"

	"github.com/evenkeel/evenkeel/core"
)

// Break closes the first listener behind the server's back.
func Break(s *Server) { s.fronts[0].listener.Close() }

// Router is the router of a pool of the present configuration.
func Router(s *Server, pool string) *core.Router { return s.plane.Load().pool(pool).Router }

// Enter does what a request does to find what it is served by.
func Enter(s *Server) {
	p := s.plane.Load()
	if !p.users.enter() {
		panic("the present plane is retired")
	}
	p.users.leave()
}

// Alive is how many configurations requests are being served by, the present included.
func Alive(s *Server) int { return int(s.alive.Load()) }

// Places is for how many connections there is room with so many open files.
var Places = places

// Leaving is how many listeners are on their way out.
func Leaving(s *Server) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.leaving)
}

// Transport has the connections of a pool of the present configuration.
func Transport(s *Server, pool string) http.RoundTripper { return s.plane.Load().pool(pool).Transport }
