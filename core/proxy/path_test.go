package proxy

import (
	"bufio"
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core/telemetry"
)

func TestSurveyOfPaths(t *testing.T) {
	for raw, want := range map[string]struct {
		readings uint8
		ok       bool
	}{
		"/": {0, true}, "/a/b/": {0, true}, "/a.b/.c/d./...": {0, true}, "/%61%2e%2e": {0, true}, "/a%20b": {0, true},
		"/a//b": {noEmpty, true}, "//": {noEmpty, true}, "/a/;x/b": {noEmpty | noParameters, true},
		"/a%2fb": {keepEncoded, true}, "/a%2F/b": {keepEncoded | noEmpty, true}, "/a%5cb": {keepEncoded | backslash, true}, `/a\b`: {backslash, true},
		"/a;x=1/b": {noParameters, true}, "/a%3bx": {noParameters, true}, "/a;..": {noParameters, true},
		"/.": {0, false}, "/..": {0, false}, "/../": {0, false}, "/a/../b": {0, false}, "/a/./b": {0, false}, "/a/.": {0, false},
		"/%2e%2e": {0, false}, "/%2E./a": {0, false}, "/.%2e/a": {0, false}, "/%2e": {0, false},
		`/a\..\b`: {0, false}, "/a%5c..": {0, false}, "/a%2f..%2fb": {0, false}, "/a/..%2fb": {0, false}, "/a/..;x/b": {0, false}, "/a/.;/b": {0, false}, "/a/..%3bx/b": {0, false},
		"/%00": {0, false}, "/a%0d%0ab": {0, false}, "/a%7f": {0, false}, "/a%1F;": {0, false}, "/a;%00": {0, false},
	} {
		readings, ok := survey(raw)
		if ok != want.ok || ok && readings != want.readings {
			t.Errorf("%s: got readings %04b, forwarded %v; want %04b, %v", raw, readings, ok, want.readings, want.ok)
		}
	}
}

func TestReadingsOfPaths(t *testing.T) {
	const raw = `/a%2Fb\c%5Cd//e;x=%2F/%66`
	for as, want := range map[uint8]string{
		plain:                  `/a/b\c\d//e;x=//f`,
		keepEncoded:            `/a%2Fb\c%5Cd//e;x=%2F/f`,
		backslash:              `/a/b/c/d//e;x=//f`,
		noParameters:           `/a/b\c\d//e//f`,
		noEmpty:                `/a/b\c\d/e;x=/f`,
		noEmpty | noParameters: `/a/b\c\d/e/f`,
		keepEncoded | backslash | noEmpty | noParameters: `/a%2Fb/c%5Cd/e/f`,
	} {
		if got := read(raw, as); got != want {
			t.Errorf("%04b: got %s, want %s", as, got, want)
		}
	}
}

// routed is a proxy with routes by prefix, in a world without endpoints.
func routed(prefixes ...string) *Proxy {
	o := Options{Unrouted: telemetry.New("").Route("none"), Log: slog.New(slog.DiscardHandler)}
	for _, p := range prefixes {
		o.Routes = append(o.Routes, Route{Name: p, Match: Match{PathPrefix: p}})
	}
	return New(o)
}

// accepted is the route of a request as it comes off the wire, and what was answered
// where there is none.
func accepted(p *Proxy, r *http.Request) (*Route, int) { return acceptedWithin(p, r, 0) }

func acceptedWithin(p *Proxy, r *http.Request, maxHeaders int) (*Route, int) {
	w := httptest.NewRecorder()
	route := p.accept(r, &response{ResponseWriter: w, request: r}, maxHeaders)
	return route, w.Code
}

// endpoints are ways in which an endpoint may go by a path.
var endpoints = map[string]func(raw string) string{
	"decodes": unescaped,
	"cleans":  func(raw string) string { return path.Clean(unescaped(raw)) },
	"cleans, on Windows": func(raw string) string {
		return path.Clean(strings.ReplaceAll(unescaped(raw), `\`, "/"))
	},
	"cleans before it decodes": func(raw string) string { return unescaped(path.Clean(raw)) },
	"keeps encoded slashes":    keepingSlashes,
	"keeps them, and cleans":   func(raw string) string { return path.Clean(keepingSlashes(raw)) },
	"drops parameters": func(raw string) string {
		segments := strings.Split(raw, "/")
		for i, s := range segments {
			segments[i], _, _ = strings.Cut(s, ";")
		}
		return path.Clean(unescaped(strings.Join(segments, "/")))
	},
}

func unescaped(raw string) string {
	s, err := url.PathUnescape(raw)
	if err != nil {
		panic(err)
	}
	return s
}

func keepingSlashes(raw string) string {
	return strings.NewReplacer("\x00", "%2F", "\x01", "%5C").Replace(unescaped(strings.NewReplacer("%2f", "%00", "%2F", "%00", "%5c", "%01", "%5C", "%01").Replace(raw)))
}

// What is sent is what came, and however the endpoint reads it, it is of the route that
// took it.
func FuzzPath(f *testing.F) {
	for _, target := range []string{
		"/", "/a/b?c", "/a/../b", "/a%2f..%2fb", "/a//b", "/a%2fb", `/a\b`, "/a;x/b", "//a", "/|", "http://h/a?b", "http://h", "*", "/a#b", "/%", "?", "/a/b%5c", "/;/a", "/a\x00", "/a?%zz", "/\xff",
	} {
		f.Add(target)
	}
	prefixes := []string{"/", "/a", "/a/b", "/c"}
	p := routed(prefixes...)
	f.Fuzz(func(t *testing.T, target string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")))
		if err != nil || r.RequestURI != target {
			return
		}
		route, _ := accepted(p, r)
		if route == nil {
			return
		}
		raw, query, asked := strings.Cut(target, "?")
		if !strings.HasPrefix(raw, "/") {
			_, raw, _ = strings.Cut(raw, "://")
			raw = "/" + strings.Join(strings.Split(raw, "/")[1:], "/")
		}
		if asked {
			query = "?" + query
		}
		to := *r.URL
		to.Scheme, to.Host = "http", "endpoint"
		out := &http.Request{Method: "GET", URL: &to, Host: r.Host}
		var sent bytes.Buffer
		if err := out.Write(&sent); err != nil {
			t.Fatal(err)
		}
		if line, _, _ := strings.Cut(sent.String(), "\r\n"); line != "GET "+raw+query+" HTTP/1.1" {
			t.Errorf("%q: sent %q", target, line)
		}
		for name, reads := range endpoints {
			got := reads(raw)
			best := slices.MaxFunc(prefixes, func(a, b string) int { return fit(got, a) - fit(got, b) })
			if best != route.Name {
				t.Errorf("%q: of route %s, but an endpoint that %s takes it for %q, of route %s", target, route.Name, name, got, best)
			}
		}
	})
}

// fit is how long a prefix is that a path is under; 0 for one that it is not under.
func fit(p, prefix string) int {
	if p == prefix || strings.HasPrefix(p, strings.TrimSuffix(prefix, "/")+"/") {
		return len(prefix)
	}
	return 0
}

// The table finds what a look at all the routes finds.
func TestRoutesByProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := func(name string, words ...string) string { return rapid.SampledFrom(words).Draw(t, name) }
		condition := rapid.Custom(func(t *rapid.T) Condition {
			c := Condition{Name: rapid.SampledFrom([]string{"X", "Y"}).Draw(t, "name")}
			if c.Absent = rapid.Bool().Draw(t, "absent"); !c.Absent {
				c.Value = rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "value")
			}
			return c
		})
		routes := make([]Route, rapid.IntRange(1, 12).Draw(t, "routes"))
		for i := range routes {
			m := &routes[i].Match
			if rapid.Bool().Draw(t, "exact") {
				m.Path = word("path", "/", "/a", "/a/b")
			} else {
				m.PathPrefix = word("prefix", "/", "/a", "/a/b", "/a/")
			}
			m.Hosts = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "a.x", "b.a.x", "*.x", "*.a.x"}), 0, 3, rapid.ID).Draw(t, "hosts")
			m.Methods = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"GET", "PUT"}), 0, 2, rapid.ID).Draw(t, "methods")
			m.Headers = rapid.SliceOfN(condition, 0, 2).Draw(t, "headers")
		}
		table := newTable(routes)
		host, at := word("host", "x", "a.x", "b.a.x", "c.b.a.x", "y"), word("at", "/", "/a", "/a/", "/a/b", "/a/b/c", "/ab")
		r := &http.Request{Method: word("method", "GET", "PUT", "POST"), Header: http.Header{}}
		for _, name := range []string{"X", "Y"} {
			if values := rapid.SliceOfN(rapid.SampledFrom([]string{"", "1", "2"}), 0, 2).Draw(t, name); len(values) > 0 {
				r.Header[name] = values
			}
		}
		var want *Route
		var best []int
		for i := range routes {
			if rank := rankOf(&routes[i].Match, r, host, at); rank != nil && slices.Compare(rank, best) > 0 {
				want, best = &routes[i], rank
			}
		}
		if got := table.find(r, host, at); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

// Of two conditions on one header, an exact value goes before any, and two before one,
// wherever they stand.
func TestRoutesByTheirHeaders(t *testing.T) {
	there := Match{PathPrefix: "/", Headers: []Condition{{Name: "X"}}}
	exact := Match{PathPrefix: "/", Headers: []Condition{{Name: "X", Value: "1"}}}
	both := Match{PathPrefix: "/", Headers: []Condition{{Name: "X"}, {Name: "Y", Absent: true}}}
	for _, tt := range []struct{ first, second, want Match }{
		{there, exact, exact}, {exact, there, exact}, {exact, both, both}, {both, exact, both}, {there, both, both},
	} {
		table := newTable([]Route{{Match: tt.first}, {Match: tt.second}})
		r := &http.Request{Method: "GET", Header: http.Header{"X": {"1"}}}
		if got := table.find(r, "a", "/"); got == nil || !slices.Equal(got.Match.Headers, tt.want.Headers) {
			t.Errorf("%v and %v: got %v, want %v", tt.first.Headers, tt.second.Headers, got, tt.want.Headers)
		}
	}
}

// rankOf is how specific a route is for a request, by the rules in the order in which they
// count; nil where it does not take it.
func rankOf(m *Match, r *http.Request, host, at string) []int {
	byHost := 0
	for _, h := range m.Hosts {
		if h == host {
			byHost = 1000
		} else if h[0] == '*' && strings.HasSuffix(host, h[1:]) {
			byHost = max(byHost, len(h))
		}
	}
	if len(m.Hosts) > 0 && byHost == 0 || len(m.Methods) > 0 && !slices.Contains(m.Methods, r.Method) {
		return nil
	}
	byPath := len(m.PathPrefix)
	switch {
	case m.Path != "" && m.Path == at:
		byPath = 1000
	case m.Path != "" || at != m.PathPrefix && !strings.HasPrefix(at, strings.TrimSuffix(m.PathPrefix, "/")+"/"):
		return nil
	}
	values := 0
	for _, c := range m.Headers {
		lines := r.Header[c.Name]
		if c.Absent != (len(lines) == 0) || c.Value != "" && !slices.Contains(lines, c.Value) {
			return nil
		}
		if c.Value != "" {
			values++
		}
	}
	return []int{byHost, byPath, min(len(m.Methods), 1), len(m.Headers), values}
}
