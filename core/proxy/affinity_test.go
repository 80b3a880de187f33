package proxy_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"

	"github.com/evenkeel/evenkeel/core/config"
)

// hashed is a rig with a strategy that goes by something of the request, over backends
// that say who they are.
func hashed(t *testing.T, s config.Strategy, backends int) *rig {
	t.Helper()
	var all []*backend
	for i := range backends {
		all = append(all, newBackend(t, say(200, fmt.Sprint(i))))
	}
	return newRig(t, plan{endpoints: urls(all...), trusted: []string{"127.0.0.1/32"}, policies: func(p *config.Policies) { p.Strategy = s }})
}

// backendOf is the backend that a request with this head goes to.
func (g *rig) backendOf(t *testing.T, path string, header http.Header) string {
	t.Helper()
	r := g.request(t, "GET", path, nil)
	for name, values := range header {
		r.Header[name] = values
		if name == "Host" {
			r.Host = values[0]
		}
	}
	got := g.do(t, r)
	wantStatus(t, got, 200)
	return got.body
}

// What the key is taken from decides, and nothing else does. Sixteen different keys all
// go to the same of five backends once in 5^15 sets of backends, so it is told by that
// whether something counts.
func TestAffinity(t *testing.T) {
	client := func(i int) http.Header { return http.Header{"X-Forwarded-For": {fmt.Sprint("10.0.0.", i)}} }
	user := func(i int) http.Header { return http.Header{"X-User": {fmt.Sprint("u", i)}} }
	cookie := func(i int) http.Header { return http.Header{"Cookie": {fmt.Sprint("a=b; sid=", i, "; c=d")}} }
	host := func(i int) http.Header { return http.Header{"Host": {fmt.Sprint("h", i, ".example")}} }
	both := func(a, b http.Header) http.Header {
		all := a.Clone()
		for name, values := range b {
			all[name] = values
		}
		return all
	}
	ip := config.NewStrategy("ip-hash")
	by := func(key string) config.Strategy {
		s := config.NewStrategy("consistent-hash")
		s.Key = key
		return s
	}
	same := func(path string) func(int) string { return func(int) string { return path } }
	other := func(i int) string { return fmt.Sprint("/p/", i) }
	for _, c := range []struct {
		name   string
		s      config.Strategy
		path   func(int) string
		header func(int) http.Header
		spread bool
	}{
		{"ip-hash: clients", ip, same("/"), client, true},
		{"ip-hash: nothing else", ip, other, func(i int) http.Header { return both(user(i), both(cookie(i), client(1))) }, false},
		{"client: clients", by("client"), same("/"), client, true},
		{"client: nothing else", by("client"), other, func(i int) http.Header { return both(user(i), both(cookie(i), client(1))) }, false},
		{"path: paths", by("path"), other, client, true},
		{"path: not the query, not the client", by("path"), func(i int) string { return fmt.Sprint("/p?q=", i) }, client, false},
		{"path: however it is written", by("path"), func(i int) string { return []string{"/abc", "/%61bc", "/a%62c"}[i%3] }, client, false},
		{"header: its values", by("header:x-user"), same("/"), user, true},
		{"header: nothing else", by("header:X-User"), other, func(i int) http.Header { return both(user(1), client(i)) }, false},
		{"header: a request without goes by the client", by("header:X-User"), same("/"), client, true},
		{"header: so does one that is empty", by("header:X-User"), same("/"), func(i int) http.Header { return both(http.Header{"X-User": {""}}, client(i)) }, true},
		{"header: Host", by("header:host"), same("/"), host, true},
		{"cookie: its values", by("cookie:sid"), same("/"), cookie, true},
		{"cookie: nothing else", by("cookie:sid"), other, func(i int) http.Header { return both(cookie(1), client(i)) }, false},
		{"cookie: a request without goes by the client", by("cookie:sid"), same("/"), func(i int) http.Header { return both(http.Header{"Cookie": {"a=b"}}, client(i)) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := hashed(t, c.s, 5)
			seen := map[string]bool{}
			for i := range 16 {
				seen[g.backendOf(t, c.path(i), c.header(i))] = true
			}
			if (len(seen) > 1) != c.spread {
				t.Errorf("backends: got %d, want more than one: %v", len(seen), c.spread)
			}
		})
	}
}

// A client keeps its endpoint over new connections, each of which has another port; and
// a client that nobody vouches for cannot choose by what it says of itself.
func TestAffinityIsTheClientsWithoutItsPort(t *testing.T) {
	g := hashed(t, config.NewStrategy("ip-hash"), 5)
	g.Client.Transport.(*http.Transport).DisableKeepAlives = true
	seen := map[string]bool{}
	for range 16 {
		seen[g.backendOf(t, "/", nil)] = true
	}
	if len(seen) != 1 {
		t.Errorf("backends of one client: got %d, want 1", len(seen))
	}

	var backends []*backend
	for i := range 5 {
		backends = append(backends, newBackend(t, say(200, fmt.Sprint(i))))
	}
	open := newRig(t, plan{endpoints: urls(backends...), policies: func(p *config.Policies) { p.Strategy = config.NewStrategy("ip-hash") }})
	seen = map[string]bool{}
	for i := range 16 {
		seen[open.backendOf(t, "/", http.Header{"X-Forwarded-For": {netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String()}})] = true
	}
	if len(seen) != 1 {
		t.Errorf("backends of a client that says it is many: got %d, want 1", len(seen))
	}
}
