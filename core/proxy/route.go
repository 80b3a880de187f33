package proxy

import (
	"cmp"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Match says which requests a route takes. Conditions that are empty always hold.
type Match struct {
	Path       string   // the decoded path, exactly; with it, PathPrefix is not looked at
	PathPrefix string   // of the decoded path; /a takes /a and /a/b, not /ab
	Hosts      []string // lower case, without port; *.a takes all names that end with .a
	Methods    []string
	Headers    []Condition
}

// Condition is one that a header of the request has to meet.
type Condition struct {
	Name   string // canonical
	Value  string // that one of its lines is; empty for any
	Absent bool   // there must be no such header
}

func (c Condition) holds(h http.Header) bool {
	lines, there := h[c.Name]
	switch {
	case c.Absent:
		return !there
	case c.Value == "":
		return there
	}
	return slices.Contains(lines, c.Value)
}

// entry is a route as it is found for one of its hosts.
type entry struct {
	*Route
	below string // what the host ends with, as .a of *.a; empty for no such condition
}

// takes reports whether the request meets all conditions but that on an exact host.
// host and path are as the request is read.
func (e entry) takes(r *http.Request, host, path string) bool {
	m := &e.Match
	if e.below != "" && !(len(host) > len(e.below) && strings.HasSuffix(host, e.below)) {
		return false
	}
	if m.Path != "" {
		if path != m.Path {
			return false
		}
	} else if !underPrefix(path, m.PathPrefix) {
		return false
	}
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, r.Method) {
		return false
	}
	for _, c := range m.Headers {
		if !c.holds(r.Header) {
			return false
		}
	}
	return true
}

// underPrefix reports whether the path is the prefix or lies below it.
func underPrefix(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/' || prefix == "" || prefix[len(prefix)-1] == '/')
}

// table finds the route of a request: each list is in the order of precedence (see
// config.Route), so that the first that takes a request is the one.
type table struct {
	named  map[string][]entry // by exact host
	others []entry            // with wildcards, and for any host
}

func newTable(routes []Route) table {
	t := table{named: map[string][]entry{}}
	for i := range routes {
		r := &routes[i]
		if len(r.Match.Hosts) == 0 {
			t.others = append(t.others, entry{r, ""})
		}
		for _, host := range r.Match.Hosts {
			if below, wild := strings.CutPrefix(host, "*"); wild {
				t.others = append(t.others, entry{r, below})
				continue
			}
			if a, err := netip.ParseAddr(host); err == nil {
				host = a.String()
			}
			t.named[host] = append(t.named[host], entry{r, ""})
		}
	}
	for _, list := range t.named {
		slices.SortStableFunc(list, precedence)
	}
	slices.SortStableFunc(t.others, precedence)
	return t
}

// precedence compares entries: the one that goes first is less. Equals stay as they stand.
func precedence(a, b entry) int {
	return cmp.Or(
		cmp.Compare(len(b.below), len(a.below)),
		cmp.Compare(min(len(b.Match.Path), 1), min(len(a.Match.Path), 1)),
		cmp.Compare(len(b.Match.PathPrefix), len(a.Match.PathPrefix)),
		cmp.Compare(min(len(b.Match.Methods), 1), min(len(a.Match.Methods), 1)),
		cmp.Compare(len(b.Match.Headers), len(a.Match.Headers)),
		cmp.Compare(b.Match.values(), a.Match.values()),
	)
}

// values is how many of the conditions on headers ask for a value.
func (m *Match) values() int {
	n := 0
	for _, c := range m.Headers {
		n += min(len(c.Value), 1)
	}
	return n
}

// find returns the route that takes the request, or nil.
func (t *table) find(r *http.Request, host, path string) *Route {
	for _, e := range t.named[host] {
		if e.takes(r, host, path) {
			return e.Route
		}
	}
	for _, e := range t.others {
		if e.takes(r, host, path) {
			return e.Route
		}
	}
	return nil
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
