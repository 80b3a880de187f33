package proxy

import (
	"cmp"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Match says which requests a route takes. Conditions that are empty always hold.
type Match struct {
	PathPrefix string   // of the decoded path; /a takes /a and /a/b, not /ab
	Hosts      []string // lower case, without port
	Methods    []string
}

// matches reports whether the request meets all conditions.
func (m Match) matches(r *http.Request) bool {
	return underPrefix(r.URL.Path, m.PathPrefix) &&
		(len(m.Methods) == 0 || slices.Contains(m.Methods, r.Method)) &&
		(len(m.Hosts) == 0 || slices.Contains(m.Hosts, hostName(r.Host)))
}

// underPrefix reports whether the path is the prefix or lies below it.
func underPrefix(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/' || prefix == "" || prefix[len(prefix)-1] == '/')
}

// hostName is the Host header's name in lower case, without port.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// ordered sorts routes by precedence: those for named hosts first, then the longer
// prefix, then those for named methods; of equals, the one that stands first.
func ordered(routes []Route) []*Route {
	list := make([]*Route, len(routes))
	for i := range routes {
		list[i] = &routes[i]
	}
	named := func(names []string) int { return min(len(names), 1) }
	slices.SortStableFunc(list, func(a, b *Route) int {
		return cmp.Or(
			cmp.Compare(named(b.Match.Hosts), named(a.Match.Hosts)),
			cmp.Compare(len(b.Match.PathPrefix), len(a.Match.PathPrefix)),
			cmp.Compare(named(b.Match.Methods), named(a.Match.Methods)),
		)
	})
	return list
}

// classify numbers the routes to each pool, up to the 255 that a class can be.
func classify(routes []Route) {
	seen := map[*Pool]uint8{}
	for i := range routes {
		r := &routes[i]
		r.class = seen[r.Pool]
		seen[r.Pool] = min(r.class, math.MaxUint8-1) + 1
	}
}

// route is the first route that matches, or nil.
func (p *Proxy) route(r *http.Request) *Route {
	for _, route := range p.routes {
		if route.Match.matches(r) {
			return route
		}
	}
	return nil
}
