package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRouteRules(t *testing.T) {
	const odd = `expected a plain path, without . and .. and empty segments, encoded slashes, backslashes, semicolons and control characters, found `
	const twice = `routes[1]: routes[0] serves the same path, host, method and headers already`
	for _, tt := range []struct{ name, routes, want string }{
		{"a path", "{path: /a}", ""},
		{"a path and a prefix", "{path: /a, path_prefix: /}", `3:28: routes[0].path: expected either path or path_prefix, found both`},
		{"neither", "{path_prefix: ''}", `3:35: routes[0].path_prefix: expected a path that starts with /, found ""`},
		{"no path", "{path: ''}", `3:10: routes[0].path_prefix: expected a path that starts with /, found ""`},
		{"a path without a slash", "{path: a}", `3:28: routes[0].path: expected a path that starts with /, found "a"`},
		{"an encoded path", "{path: /caf%C3%A9}", ""},
		{"half an escape", "{path: /a%2}", `3:28: routes[0].path: expected two hexadecimal digits after each %, found "/a%2"`},
		{"an empty segment", "{path_prefix: /a//b}", `3:35: routes[0].path_prefix: ` + odd + `"/a//b"`},
		{"a step up", "{path_prefix: /a/../b}", `3:35: routes[0].path_prefix: ` + odd + `"/a/../b"`},
		{"a step up, encoded", "{path_prefix: /a/%2e%2e}", `3:35: routes[0].path_prefix: ` + odd + `"/a/%2e%2e"`},
		{"an encoded slash", "{path_prefix: /a%2Fb}", `3:35: routes[0].path_prefix: ` + odd + `"/a%2Fb"`},
		{"a backslash", `{path_prefix: '/a\b'}`, `3:35: routes[0].path_prefix: ` + odd + `"/a\\b"`},
		{"a parameter", "{path_prefix: /a;b}", `3:35: routes[0].path_prefix: ` + odd + `"/a;b"`},
		{"an encoded NUL", "{path_prefix: /a%00}", `3:35: routes[0].path_prefix: ` + odd + `"/a%00"`},

		{"a header", "{headers: [X-Debug, {name: X-Version, value: '2'}, {name: X-Inside, absent: true}]}", ""},
		{"a header without a name", "{headers: [{value: '2'}]}", `3:32: routes[0].headers[0].name: required, but not given`},
		{"a name that is none", "{headers: [X Y]}", `3:32: routes[0].headers[0].name: expected the name of a header, such as X-Version, found "X Y"`},
		{"the host", "{headers: [host]}", `3:32: routes[0].headers[0].name: expected another header than Host: for that there is hosts`},
		{"one of the connection", "{headers: [content-length]}", `3:32: routes[0].headers[0].name: expected another header than Content-Length, which is not the request's but the connection's`},
		{"a header twice", "{headers: [X-A, {name: x-a, value: '1'}]}", `3:44: routes[0].headers[1].name: "x-a" stands in headers[0] already`},
		{"a value of what is absent", "{headers: [{name: X, value: '1', absent: true}]}", `3:49: routes[0].headers[0].value: expected none with absent: true, found "1"`},
		{"space around a value", "{headers: [{name: X, value: ' 1'}]}", `3:49: routes[0].headers[0].value: expected a value without control characters and without space around it, found " 1"`},
		{"a line break in a value", `{headers: [{name: X, value: "1\n2"}]}`, `3:49: routes[0].headers[0].value: expected a value without control characters and without space around it, found "1\n2"`},

		{"a total", "{timeouts: {total: 0}}", ""},
		{"a total below nothing", "{timeouts: {total: -1s}}", `3:40: routes[0].timeouts.total: expected a duration, or 0 for none, found -1s`},
		{"a header below nothing", "{timeouts: {response_header: -1s}}", `3:50: routes[0].timeouts.response_header: expected a duration, or 0 for none, found -1s`},
		{"a header after the pool's total", "{timeouts: {response_header: 31s}}", `3:50: routes[0].timeouts.response_header: expected at most total (30s), found 31s`},
		{"a header after its own total", "{timeouts: {response_header: 9s, total: 8s}}", `3:50: routes[0].timeouts.response_header: expected at most total (8s), found 9s`},
		{"a header with a longer total", "{timeouts: {response_header: 31s, total: 0}}", ""},
		{"retries", "{retries: 1}", ""},
		{"no attempt", "{retries: 0}", `3:31: routes[0].retries.attempts: expected a number from 1 to 4, found 0`},
		{"attempts", "{retries: {attempts: 5}}", `3:42: routes[0].retries.attempts: expected a number from 1 to 4, found 5`},
		{"places", "{max_in_flight: 1000000}", ""},
		{"no places", "{max_in_flight: -1}", `3:37: routes[0].max_in_flight: expected a number from 0 to 1000000, found -1`},
		{"too many places", "{max_in_flight: 1000001}", `3:37: routes[0].max_in_flight: expected a number from 0 to 1000000, found 1000001`},
		{"a body", "{max_body_bytes: -1}", `3:38: routes[0].max_body_bytes: expected a number from 0 to 1099511627776, found -1`},

		{"the same path", "{path: /a}, {path: /%61}", `3:33: ` + twice},
		{"a path and the same prefix", "{path: /a}, {path_prefix: /a}", ""},
		{"the same headers", "{headers: [X, Y]}, {headers: [y, x]}", `3:40: ` + twice},
		{"other headers", "{headers: [X]}, {headers: [{name: X, value: '1'}]}, {headers: [{name: X, absent: true}]}, {}", ""},
		{"the same wildcard", "{hosts: ['*.a']}, {hosts: [b, '*.A']}", `3:39: ` + twice},
		{"a wildcard and what it has in it", "{hosts: ['*.a']}, {hosts: ['*.b.a', c.a]}", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			routes := strings.ReplaceAll(tt.routes, "{}", "{pool: web}")
			for _, field := range []string{"path", "headers", "timeouts", "retries", "max_in_flight", "max_body_bytes", "hosts"} {
				routes = strings.ReplaceAll(routes, "{"+field, "{pool: web, "+field) // required, and not what this is about
			}
			_, err := Parse("f", []byte(minimal+"routes: ["+routes+"]"))
			got := ""
			if err != nil {
				got = strings.TrimPrefix(err.Error(), "f:")
			}
			if got != tt.want {
				t.Errorf("%s\ngot  %s\nwant %s", routes, got, tt.want)
			}
		})
	}
}

// What is printed means the same as what was read.
func TestRoutesArePrinted(t *testing.T) {
	first, err := Parse("f", []byte(minimal+`routes:
  - {pool: web, path: /a, headers: [X-A, {name: X-B, value: b}, {name: X-C, absent: true}], timeouts: {total: 0}, retries: 1, max_in_flight: 7, max_body_bytes: 1024}
  - {pool: web, hosts: ["*.Example.com"], timeouts: {response_header: 1s}}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Route{
		{
			Name: "web", Path: "/a", Pool: "web", Headers: []HeaderMatch{{Name: "X-A"}, {Name: "X-B", Value: "b"}, {Name: "X-C", Absent: true}},
			Timeouts: &RouteTimeouts{Total: ptr(time.Duration(0))}, Retries: &RouteRetries{Attempts: 1}, MaxInFlight: 7, MaxBodyBytes: 1024, Cost: 1,
		},
		{Name: "web-2", PathPrefix: "/", Hosts: []string{"*.example.com"}, Pool: "web", Timeouts: &RouteTimeouts{ResponseHeader: ptr(time.Second)}, Cost: 1},
	}
	if diff := cmp.Diff(want, first.Routes); diff != "" {
		t.Errorf("read (-want +got)\n%s", diff)
	}
	text, err := first.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("f", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(first.Routes, again.Routes); diff != "" {
		t.Errorf("printed (-read +printed)\n%s\n%s", diff, text)
	}
}

func TestRoutePathsAreDecoded(t *testing.T) {
	for _, tt := range []struct {
		route        Route
		path, prefix string
	}{
		{Route{Path: "/caf%C3%A9"}, "/café", ""},
		{Route{PathPrefix: "/a%20b"}, "", "/a b"},
		{Route{PathPrefix: "/%"}, "", "/%"},
	} {
		if path, prefix := tt.route.Matched(); path != tt.path || prefix != tt.prefix {
			t.Errorf("%+v: got %q and %q, want %q and %q", tt.route, path, prefix, tt.path, tt.prefix)
		}
	}
}
